"""A worker's archiver in a process of its own, to be killed: ``python -m tests.support.archiving REDIS_URL URL ID``."""

import sys

from classwaves.archive.archiver import Archiver
from tests.support.hubs import settings_of
from tests.support.stores import redis_store


def main(redis_url: str, archive_url: str, session_id: str) -> None:
    """Bring a session into the archive, again and again; a line is printed when it begins."""
    from classwaves.archive.sql import SqlArchive

    settings = settings_of(ARCHIVE_URL=archive_url)
    archiver = Archiver(redis_store(redis_url), SqlArchive(settings.archive_url), settings)
    print("begins", flush=True)
    while True:
        archiver.bring(session_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
