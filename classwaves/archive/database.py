"""The way to the database: work is done in one transaction each, and never on the loop that serves sockets.

Imports errors and the tables. psycopg waits as gevent's loop likes it; SQLite, which is a library and waits for disks
and locks, works in a native thread of its own under gevent.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, TimeoutError
from sqlalchemy.pool import QueuePool

from ..errors import ArchiveUnavailable
from . import tables

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Patience with a lock of another process, and with a connection, in seconds.
PATIENCE = 5
#: What keeps workers from making the tables twice, and an erase from missing what is just being written.
CREATING, WRITING = 0x636C6173, 0x63776176


class Database:
    """An engine for writing and one for reading, so that nobody who reads waits for a writer."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        self._writing = _Lane(url, "IMMEDIATE")
        self._reading = _Lane(url, "DEFERRED") if self.sqlite else self._writing
        self._ready = False
        self._trouble = ""
        self._lock = threading.Lock()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction; work that fails half-way leaves nothing.

        :raises ArchiveUnavailable: the database did not answer, somebody has it locked, or it lets us do nothing.
        """
        return self._run(self._writing, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Read in one transaction. :raises ArchiveUnavailable: see :meth:`write`."""
        return self._run(self._reading, work)

    def _run(self, lane: _Lane, work: Callable[[Connection], T]) -> T:
        try:
            if not self._ready:
                self._writing.run(self._create)
                self._ready = True
            result = lane.run(work)
        except (DataError, IntegrityError):  # what was to be written is wrong, and the database is not
            raise
        except (DBAPIError, TimeoutError) as error:
            self._ready = self._ready and not _has_no_tables(error)
            self._note(error)
            raise ArchiveUnavailable from None  # its text may have what was to be written
        except tables.WrongVersionError as error:
            self._note(error)
            raise ArchiveUnavailable from error
        self._note(None)
        return result

    def _note(self, error: Exception | None) -> None:
        """Log that the database went away, and that it came back, once each. Never what was to be written."""
        kind = type(getattr(error, "orig", None) or error).__name__ if error else ""
        with self._lock:
            before, self._trouble = self._trouble, kind
        if kind and not before:
            told = error if isinstance(error, tables.WrongVersionError) else kind
            logger.warning("the archive does not answer: %s", told)
        elif before and not kind:
            logger.info("the archive answers again")

    def _create(self, connection: Connection) -> None:
        self._lock_out(connection, CREATING)
        tables.create(connection)

    def writes(self, connection: Connection, session_id: str) -> None:
        """Called first in a transaction that changes a session's rows: one at a time does. See also :meth:`alone`."""
        if not self.sqlite:  # there is one writer at a time in any case
            locks = "SELECT pg_advisory_xact_lock_shared(:key), pg_advisory_xact_lock(:session)"
            session = zlib.crc32(session_id.encode()) << 31  # of 63 bits
            connection.execute(text(locks), {"key": WRITING, "session": session})

    def alone(self, connection: Connection) -> None:
        """Until the transaction ends nobody changes rows, and who does afterwards sees what it did."""
        self._lock_out(connection, WRITING)

    def _lock_out(self, connection: Connection, key: int) -> None:
        if not self.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def truncate(self) -> bool:
        """Take what was overwritten out of SQLite's write-ahead log; ``False`` while somebody reads it."""
        if not self.sqlite:
            return True
        return self._writing.run(_truncated, begin=False)

    def close(self) -> None:
        self._writing.close()
        self._reading.close()


def _has_no_tables(error: Exception) -> bool:
    """Whether somebody has dropped them, so that they have to be made again."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", "") == "42P01" or "no such table" in str(cause)


def _truncated(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection  # outside a transaction, which SQLAlchemy would begin
    busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


class _Lane:
    """An engine, and the thread that works with it where that must be a native one."""

    def __init__(self, url: str, begin: str) -> None:
        self._sqlite = url.startswith("sqlite")
        self._engine = _sqlite_engine(url, begin) if self._sqlite else _postgres_engine(url)
        self._native: Any = None

    def run(self, work: Callable[[Connection], T], begin: bool = True) -> T:
        def call() -> T:
            with self._engine.begin() if begin else self._engine.connect() as connection:
                return work(connection)

        if not (self._sqlite and _is_gevent()):
            return self._retried(call)
        from gevent.threadpool import ThreadPool

        if self._native is None:
            self._native = ThreadPool(1)
        result: T = self._native.apply(call)
        return result

    def _retried(self, call: Callable[[], T]) -> T:
        """A connection that has died in the pool is no reason to give up: the next one is a new one."""
        try:
            return call()
        except DBAPIError as error:
            if self._sqlite or not error.connection_invalidated:
                raise
            return call()

    def close(self) -> None:
        self._engine.dispose()
        if self._native is not None:
            self._native.kill()


def _is_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _postgres_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=2,
        max_overflow=3,
        pool_timeout=PATIENCE,
        pool_recycle=1800,
        # prepared statements do not survive a pooler between us and the server
        connect_args={"connect_timeout": PATIENCE, "prepare_threshold": None, "application_name": "classwaves"},
        hide_parameters=True,
    )
    return engine


def _sqlite_engine(url: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=4,
        pool_timeout=PATIENCE,
        connect_args={"timeout": PATIENCE, "check_same_thread": False},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin when we say so
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine


def _use_wal(connection: Any) -> None:
    """Have a write-ahead log, so that readers and a writer do not wait for each other. The file remembers it.

    Whoever makes the file may have it locked, and for this alone SQLite does not wait. Where there can be none, as on a
    file system without shared memory, it says nothing and goes on without.

    :raises sqlite3.OperationalError: there is none.
    """
    until = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",):
                return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
        if time.monotonic() > until:
            raise sqlite3.OperationalError("no write-ahead log here")
        time.sleep(0.05)
