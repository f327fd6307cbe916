"""The archive when things go wrong: killed archivers, a database that is away, a store that runs full or lets go."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, text, update

from classwaves.archive import archiver as module
from classwaves.archive.archiver import Archiver
from classwaves.archive.sql import SqlArchive
from classwaves.archive.tables import entries, metadata, sessions
from classwaves.errors import ArchiveUnavailable
from classwaves.live import folded
from classwaves.models import Entry, SessionRecord, new_id
from classwaves.replica import FOLD_VERSION, Replica
from classwaves.store import MemoryStore
from classwaves.store.base import Checkpoint, Limits, Store
from tests.support.archives import DatabaseOfTest, kept, log
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.gunicorn_server import ROOT
from tests.support.hubs import settings_of
from tests.support.processes import minimal_environ
from tests.support.stores import (
    LIMITS,
    LONG,
    ManualClock,
    StoreFactory,
    join,
    message,
    new_session,
    redis_store,
    say,
    seat,
)
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store
from tests.support.waiting import eventually

#: Seconds for which the database is away; "make archive" takes the time that a failover takes.
AWAY = float(os.environ.get("ARCHIVE_AWAY", "0.7"))

FEW = Limits(log_entries=10, log_bytes=10_000_000, dedupe_keys=1000, archived=True)


@pytest.fixture
def running(store: Store, database: DatabaseOfTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archiver]:
    """An archiver at work, in a hurry."""
    monkeypatch.setattr(module, "PAUSE", 0.05)
    archiver = Archiver(store, database.archive(), database.settings())
    yield archiver
    archiver.close()


def has_all(archive: SqlArchive, store: Store, session: SessionRecord, timeout: float = 15) -> None:
    def equal() -> bool:
        return archive.positions([session.id]).get(session.id) == log(store, session)[-1].seq

    eventually(equal, timeout, what="the archive has all")
    assert kept(archive, session) == log(store, session)


def test_an_archiver_is_killed_in_the_middle(database: DatabaseOfTest, redis_url: str) -> None:
    store = redis_store(redis_url)
    session = new_session(store)
    say(store, session, *(str(number) for number in range(400)))
    command = [sys.executable, "-m", "tests.support.archiving", redis_url, database.url, session.id]
    archive = database.archive()
    for _ in range(2):
        before = archive.positions([session.id]).get(session.id, 0)
        with subprocess.Popen(command, cwd=ROOT, env=minimal_environ(), stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            done = threading.Event()
            speaker = threading.Thread(target=_speak, args=(store, session, done))
            speaker.start()
            eventually(lambda was=before: archive.positions([session.id]).get(session.id, 0) > was, what="some of it")  # type: ignore[misc]
            process.kill()
            done.set()
            speaker.join()
    Archiver(store, archive, database.settings()).bring(session.id)
    assert kept(archive, session) == log(store, session)
    archive.close()
    store.close()


def _speak(store: Store, session: SessionRecord, done: threading.Event) -> None:
    while not done.is_set():
        say(store, session, new_id())


def test_the_database_is_away_while_messages_go_on(
    database: DatabaseOfTest, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.05)
    store, archive = redis_store(redis_url), database.archive()
    archiver = Archiver(store, database.archive(), database.settings())
    session = new_session(store)
    archiver.note(session.id)
    has_all(archive, store, session)
    archive.close()
    with database.away():
        until = time.monotonic() + AWAY
        while time.monotonic() < until:
            say(store, session, *map(str, range(10)))
            archiver.note(session.id)
            time.sleep(0.01)
        assert archiver.backlog <= 1, "it remembers which sessions, and no entries"
    has_all(archive, store, session, 60)
    for each in (archiver, archive, store):
        each.close()


def test_the_store_lets_go_of_nothing_while_the_database_is_away(
    database: DatabaseOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr("classwaves.archive.database.PATIENCE", 0.1)  # with a lock
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    session = new_session(store, status="ended")
    archiver, archive = Archiver(store, database.archive(), database.settings()), database.archive()
    assert archive.find(session.code) is None
    archive.close()
    store.expire(session, 60)
    with database.away():
        archiver.note(session.id)
        clock.forward(30)
        eventually(lambda: archiver.backlog and _outlives(store, session), what="it is kept for longer")
    clock.forward(3600)
    archiver.note(session.id)
    has_all(archive, store, session, 30)
    archiver.close()
    archive.close()


def _outlives(store: MemoryStore, session: SessionRecord) -> bool:
    """Whether it is there for more than an hour."""
    return store._sessions[session.id].expires_at > store._clock() + 3600


def test_sessions_that_nobody_serves_are_found(running: Archiver, store: Store, archive: SqlArchive) -> None:
    """A script has published into them, or the worker that served them was killed."""
    sessions = [new_session(store) for _ in range(3)]
    for session in sessions:
        say(store, session, "from a script")
    running.note(sessions[0].id)  # its first turn looks for the others
    for session in sessions:
        has_all(archive, store, session)


def test_another_worker_goes_on_where_one_was_killed(
    running: Archiver, store: Store, archive: SqlArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.1)
    session = new_session(store)
    say(store, session, "a")
    assert store.claim(f"archive:{session.id}", "the killed one", LONG)
    assert not store.claim(f"archive:{session.id}", "another", LONG)
    assert store.claim(f"archive:{session.id}", "the killed one", 0.4), "so long it was to be still"
    running.note(session.id)
    has_all(archive, store, session)


def checkpointed(store: Store, session: SessionRecord) -> None:
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    replica = folded(loaded)
    assert store.save_checkpoint(session.id, Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump()))


def first_seq(store: Store, session: SessionRecord) -> int:
    return log(store, session)[0].seq


def test_what_the_store_cannot_bear_is_let_go_of_and_told(
    make_store: StoreFactory, archive: SqlArchive, database: DatabaseOfTest, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(FEW)
    session = new_session(store)
    archiver = Archiver(store, archive, database.settings())
    archiver.bring(session.id)
    say(store, session, *map(str, range(40)))
    checkpointed(store, session)
    assert first_seq(store, session) == 22, "twice its ten entries"
    archiver.bring(session.id)
    assert [entry.seq for entry in kept(archive, session)] == [1, *range(22, 42)]
    assert "20 entries of a session were let go of before the archive had them" in caplog.text


def test_a_session_is_let_go_of_while_it_is_archived(
    archive: SqlArchive, store: Store, database: DatabaseOfTest
) -> None:
    session = new_session(store)
    say(store, session, "a")
    archiver = Archiver(store, archive, database.settings())
    archiver.bring(session.id)
    before = kept(archive, session)
    store.expire(session, 0.001)
    eventually(lambda: not log(store, session), what="it is gone")
    archiver.bring(session.id)
    archiver.bring("never was")
    assert kept(archive, session) == before
    assert archive.positions([session.id]) == {session.id: 2}


def test_the_archive_is_the_fold_of_the_log(archive: SqlArchive, store: Store, database: DatabaseOfTest) -> None:
    session = new_session(store)
    join(store, session, seat("ann"))
    say(store, session, *map(str, range(20)))
    store.leave(session.id, seat("ann"))
    Archiver(store, archive, database.settings()).bring(session.id)
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    replica = Replica(loaded.epoch)
    for entry in kept(archive, session):
        replica.apply(entry)
    assert replica.dump() == folded(loaded).dump()


def test_a_database_that_refuses_is_away(database: DatabaseOfTest, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may make no tables in PostgreSQL's schema, as only its owner may, or has named a file of another kind."""
    good = database.url
    if database.server:
        admin = database.archive()
        admin.database.write(lambda connection: connection.execute(text("CREATE ROLE visitor LOGIN")))
        admin.close()
        url = re.sub(r"//.*?@", "//visitor@", settings_of(ARCHIVE_URL=good).archive_url)
    else:
        database.path.write_text("This is a diary, and no database. " * 100)
        url = good
    archive = SqlArchive(url)
    try:
        for _ in range(2):
            with pytest.raises(ArchiveUnavailable):
                archive.find("ABCDEF")
        assert caplog.text.count("the archive does not answer") == 1
    finally:
        archive.close()
        if database.server:
            admin = database.archive()
            admin.database.write(lambda connection: connection.execute(text("DROP ROLE visitor")))
            admin.close()


def test_tables_that_were_dropped_are_made_again(archive: SqlArchive, store: Store, database: DatabaseOfTest) -> None:
    session = new_session(store)
    archiver = Archiver(store, archive, database.settings())
    archiver.bring(session.id)
    archive.database.write(metadata.drop_all)
    with pytest.raises(ArchiveUnavailable):
        archive.tip(session.id)
    assert archiver.bring_all() == 1
    assert kept(archive, session) == log(store, session)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_database_may_lose_what_it_had_said_it_has(
    archive: SqlArchive, store: Store, database: DatabaseOfTest, goes_on: bool
) -> None:
    """As a replica that took over, or a backup that was put back, while an archiver goes on."""
    session = new_session(store)
    archiver = Archiver(store, archive, database.settings())
    say(store, session, "a", "b")
    archiver.bring(session.id)
    say(store, session, *map(str, range(5)))

    def as_it_was(connection: Connection) -> None:
        connection.execute(delete(entries).where(entries.c.seq > 3))
        connection.execute(
            update(sessions).values(seq=3, epoch=log(store, session)[2].epoch, time=log(store, session)[2].time)
        )

    archiver.bring(session.id)
    archive.database.write(as_it_was)
    if goes_on:
        say(store, session, "c")
        archiver.bring(session.id)
    else:
        archiver.bring_all()
    assert kept(archive, session) == log(store, session)


def test_ended_sessions_are_kept_however_short_their_time_is(archive: SqlArchive) -> None:
    store = MemoryStore(LIMITS)
    session = new_session(store, status="ended")
    archiver = Archiver(store, archive, settings_of(RETENTION_HOURS=60 / 3600))
    store.expire(session, 60)
    archiver.keep_all()
    before = store._sessions[session.id].expires_at
    archiver._kept_at -= 30
    archiver.keep_all()
    assert store._sessions[session.id].expires_at > before


def test_sqlites_readers_wait_for_nobody_who_could_not_write(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    database, session = DatabaseOfTest("sqlite", f"sqlite:///{path}", path), new_session(MemoryStore(LIMITS))
    archive = database.archive()
    archive.write(session.id, session, [Entry(1, "e", 1, message("said"))])
    archive.database.write(lambda connection: connection.execute(text("PRAGMA busy_timeout=10")))
    with database.away():
        with pytest.raises(ArchiveUnavailable):
            archive.write(session.id, session, [Entry(2, "e", 2, message("not yet"))])
        assert [entry.seq for entry in kept(archive, session)] == [1]
    archive.close()
