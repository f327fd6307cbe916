"""What can be said of where things are kept: the archive's database, and the storage of shared files.

Imports settings, the archive, the storage and the findings. The archive makes its tables, as it does for a server.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..archive import open_archive
from ..errors import StoreUnavailable
from ..settings import Settings, SettingsError
from ..storage import open_storage
from .check_settings import paas
from .findings import Finding, error, ok, warning


def check_places(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Ask the archive and the storage."""
    with _quiet():
        yield from _archive(settings, paas(environ))
        yield from _files(settings, paas(environ))


@contextmanager
def _quiet() -> Iterator[None]:
    """What is found is said once, as a finding."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _archive(settings: Settings, platform: str | None) -> Iterator[Finding]:
    try:
        archive = open_archive(settings)
    except SettingsError as problem:
        yield from (error("archive", sentence) for sentence in problem.problems)
        return
    if archive is None:
        yield ok("archive", "there is none: sessions are gone when the store lets them go. See docs/archive.md")
        return
    in_file = not settings.archive_url.startswith("postgres")
    try:
        archive.positions([])
    except StoreUnavailable:
        mend = "its folder must be writable" if in_file else "start it, or mend CLASSWAVES_ARCHIVE_URL"
        yield error("archive", f"its database does not answer: {mend}.")
    else:
        yield ok("archive", "its database answers")
    finally:
        archive.close()
    if in_file and platform:
        yield warning("archive", f"is a file, which is gone with each restart on {platform}: use PostgreSQL, or none.")


def _files(settings: Settings, platform: str | None) -> Iterator[Finding]:
    try:
        storage = open_storage(settings)
    except SettingsError as problem:
        yield from (error("files", sentence) for sentence in problem.problems)
        return
    if storage is None:
        yield ok("files", "none are shared")
        return
    storage.close()
    if settings.files.startswith("s3://"):
        yield from _bucket(settings)
    elif not settings.files and settings.store_kind == "memory":
        yield ok("files", "are in a temporary folder, as the store is in memory")
    else:
        yield from _folder(Path(settings.files) if settings.files else settings.data_folder / "files", platform)


def _bucket(settings: Settings) -> Iterator[Finding]:
    try:
        storage = open_storage(settings)
        if storage:
            storage.get("check", "check", 0)
            storage.close()
    except StoreUnavailable as problem:
        why = type(problem.__cause__).__name__
        yield error("files", f"the bucket does not answer ({why}): see AWS_ENDPOINT_URL and the credentials.")
    else:
        yield ok("files", "the bucket answers")


def _folder(folder: Path, platform: str | None) -> Iterator[Finding]:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as problem:
        why = os.strerror(problem.errno or 0)
        yield error("files", f"{there} cannot be written ({why}): set CLASSWAVES_FILES, or CLASSWAVES_DATA_DIR.")
        return
    if platform:
        yield warning("files", f"are on a disk that {platform} empties with each restart: use s3://BUCKET, or none.")
    else:
        yield ok("files", f"can be written in {there}; servers on several machines need s3:// or a shared disk")
