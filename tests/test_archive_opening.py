"""Which archive the settings mean, and that ClassWaves works without one."""

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from classwaves.archive import open_archive
from classwaves.archive.sql import SqlArchive
from classwaves.archive.tables import version
from classwaves.cli import cli
from classwaves.errors import ArchiveUnavailable
from classwaves.settings import SettingsError
from tests.support.apps import AppFactory, headers_for, new_session, state_of
from tests.support.archives import DatabaseOfTest
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.gunicorn_server import ROOT
from tests.support.hubs import settings_of
from tests.support.processes import minimal_environ


def test_who_has_no_archive_does_not_import_sqlalchemy() -> None:
    code = "import sys, classwaves.app, classwaves.cli; classwaves.app.create_app({'CLASSWAVES_DEMO': True})"
    code += "; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=minimal_environ(), timeout=60).returncode == 0


def without(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    find = importlib.util.find_spec

    def found(name: str, *more: Any) -> Any:
        return None if name == library else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", found)


def test_there_is_one_if_sqlalchemy_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = settings_of(ARCHIVE_URL="", DATA_DIR=str(tmp_path / "new"))
    opened = open_archive(settings)
    assert opened
    assert opened.find("ABCDEF") is None
    assert (tmp_path / "new" / "archive.sqlite3").exists()
    opened.close()
    assert open_archive(settings_of(ARCHIVE_URL="none")) is None
    without(monkeypatch, "sqlalchemy")
    assert open_archive(settings) is None


@pytest.mark.parametrize(
    ("library", "url", "extra"),
    [("sqlalchemy", "sqlite:///x", "archive"), ("psycopg", "postgres://localhost/x", "postgres")],
)
def test_what_was_asked_for_and_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, library: str, url: str, extra: str
) -> None:
    without(monkeypatch, library)
    with pytest.raises(SettingsError, match=rf"classwaves\[{extra}\]"):
        open_archive(settings_of(ARCHIVE_URL=url))


def test_several_workers_make_the_tables_at_once(database: DatabaseOfTest) -> None:
    opened = [database.archive() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda each: each.find("ABCDEF"), opened)) == [None] * 6
    for each in opened:
        each.close()


def test_tables_of_another_version_are_left_alone(
    archive: SqlArchive, database: DatabaseOfTest, caplog: pytest.LogCaptureFixture
) -> None:
    archive.positions([])
    archive.database.write(lambda connection: connection.execute(update(version).values(version=99)))
    other = database.archive()
    with pytest.raises(ArchiveUnavailable):
        other.find("ABCDEF")
    assert "of version 99" in caplog.text
    other.close()


def test_a_shell_archives_what_there_is(make_app: AppFactory, redis_url: str, tmp_path: Path) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL=f"sqlite:///{tmp_path / 'a.sqlite3'}")
    new_session(app.test_client(), headers_for(make_app(REDIS_URL=redis_url), "Ada", "teacher"))
    quiet = make_app(REDIS_URL=redis_url, CLASSWAVES_ARCHIVE_URL=f"sqlite:///{tmp_path / 'b.sqlite3'}")
    for expected in ("Archived what was new in 1 sessions\n", "Archived what was new in 0 sessions\n"):
        ran = quiet.test_cli_runner().invoke(cli, ["archive"])
        assert (ran.exit_code, ran.output) == (0, expected)
    assert state_of(quiet).hub.archive
    assert "CLASSWAVES_ARCHIVE_URL" in make_app().test_cli_runner().invoke(cli, ["archive"]).output


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory_is_no_archive(url: str) -> None:
    """Each connection would have another one."""
    with pytest.raises(SettingsError, match="CLASSWAVES_ARCHIVE_URL"):
        settings_of(ARCHIVE_URL=url)


@pytest.mark.parametrize("url", ["postgres://ann:hunter2@host:port/db", "postgres://ann:hunter2@[::1/db"])
def test_an_address_that_is_none_is_named_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="CLASSWAVES_ARCHIVE_URL") as caught:
        open_archive(settings_of(ARCHIVE_URL=url))
    assert caught.value.__suppress_context__
    assert "hunter2" not in str(caught.value)


def test_where_sqlite_can_have_no_log_beside_it_that_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a file system without shared memory."""
    monkeypatch.setattr("classwaves.archive.database.PATIENCE", 0.1)
    opened = SqlArchive(f"sqlite:///file:{tmp_path / 'a.sqlite3'}?vfs=unix-dotfile&uri=true")
    with pytest.raises(ArchiveUnavailable):
        opened.find("ABCDEF")
    opened.close()
