"""The archive in SQL: what :mod:`classwaves.archive.base` promises, on SQLite or PostgreSQL.

Imports the rest of the package but the archiver.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError

from ..errors import ArchiveUnavailable
from ..models import Entry, SessionRecord
from . import reader, removal, writer
from .acts import SqlActs
from .base import Asked, Past, Said, Tip
from .base import Kept as Kept
from .database import Database

logger = logging.getLogger(__name__)

#: How many entries are read at once.
READ = 500
#: How long an erase waits for readers of SQLite's write-ahead log, in seconds.
CLEAN = 10.0


class SqlArchive(SqlActs):
    """An :class:`~classwaves.archive.base.Archive`.

    :param url: SQLAlchemy's, of SQLite or of PostgreSQL by psycopg.
    :raises ValueError: it is none.
    """

    def __init__(self, url: str) -> None:
        try:
            self.database = Database(url)
        except ArgumentError as error:
            raise ValueError from error

    # what the archiver asks

    def tip(self, session_id: str) -> Tip:
        return self.database.read(lambda connection: writer.tip(connection, session_id))

    def positions(self, session_ids: Sequence[str]) -> dict[str, int]:
        return self.database.read(lambda connection: writer.positions(connection, session_ids))

    def tips_back(self, session_id: str, before: int, limit: int) -> list[Tip]:
        return self.database.read(lambda connection: writer.tips_back(connection, session_id, before, limit))

    def write(self, session_id: str, record: SessionRecord | None, entries: Sequence[Entry], after: int = 0) -> bool:
        def work(connection: Connection) -> bool:
            self.database.writes(connection, session_id)
            if after and writer.tip(connection, session_id).seq < after:
                return False
            writer.write(connection, session_id, record, entries)
            return True

        return self.database.write(work)

    def rewind(self, session_id: str, to: Tip) -> None:
        def work(connection: Connection) -> None:
            self.database.writes(connection, session_id)
            writer.rewind(connection, session_id, to)

        self.database.write(work)

    # reading

    def find(self, code: str) -> Past | None:
        return self.database.read(lambda connection: reader.find(connection, code))

    def known(self, session_id: str) -> Past | None:
        return self.database.read(lambda connection: reader.known(connection, session_id))

    def page(self, session_id: str, asked: Asked) -> list[Kept]:
        return self.database.read(lambda connection: reader.page(connection, session_id, asked))

    def facts(self, session_id: str) -> list[Entry]:
        return self.database.read(lambda connection: reader.facts(connection, session_id))

    def entries(
        self, session_id: str, before: int | None = None, event: str | None = None, after: int = 0
    ) -> Iterator[Entry]:
        while found := self._some(session_id, after, before, event):
            yield from found
            after = found[-1].seq

    def _some(self, session_id: str, after: int, before: int | None, event: str | None) -> list[Entry]:
        return self.database.read(lambda connection: reader.entries(connection, session_id, after, before, event, READ))

    def of_user(self, user_id: str) -> Iterator[Said]:
        for column in ("author", "subject"):
            place = reader.START
            while found := self._some_of(user_id, column, place):
                yield from (said for _, said in found if column == "author" or said.entry.draft.author != user_id)
                place = found[-1][0]

    def _some_of(self, user_id: str, column: str, after: reader.Place) -> list[tuple[reader.Place, Said]]:
        return self.database.read(lambda connection: reader.of_user(connection, user_id, column, after, READ))

    # letting go

    def erase(self, user_id: str, moment: int | None = None) -> int:
        until = int(time.time() * 1000) if moment is None else moment

        def begin(connection: Connection) -> None:
            self.database.alone(connection)  # who is writing has written, and who writes later knows
            removal.note(connection, user_id, until)

        self.database.write(begin)
        total = sum(self._erase_by(user_id, column) for column in ("author", "subject"))
        self._clean()
        return total

    def _erase_by(self, user_id: str, column: str) -> int:
        total, place = 0, reader.START

        def some(connection: Connection) -> tuple[int, reader.Place | None]:
            self.database.alone(connection)
            return removal.erase_some(connection, user_id, column, place)

        while True:
            changed, following = self.database.write(some)
            total += changed
            if following is None:
                return total
            place = following

    def _clean(self) -> None:
        """What was overwritten is to be in no file any more."""
        until = time.monotonic() + CLEAN
        while not self.database.truncate():
            if time.monotonic() > until:
                logger.warning("somebody reads the archive all the time; erased text is in its -wal file still")
                raise ArchiveUnavailable("Erased, but not yet from the write-ahead log; erase again")
            time.sleep(0.1)

    def older_than(self, moment: int, limit: int) -> list[str]:
        return self.database.read(lambda connection: removal.older_than(connection, moment, limit))

    def drop(self, session_id: str) -> None:
        def some(connection: Connection) -> bool:
            self.database.writes(connection, session_id)
            return removal.drop_some(connection, session_id)

        while self.database.write(some):
            pass

    def close(self) -> None:
        self.database.close()
