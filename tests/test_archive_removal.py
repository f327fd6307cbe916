"""What goes out of the archive: a user's names and texts, byte by byte, and sessions that were kept long enough."""

import time
from collections.abc import Sequence

import pytest

from classwaves.archive.archiver import Archiver
from classwaves.archive.base import Asked
from classwaves.archive.sql import SqlArchive
from classwaves.models import Draft, Entry, SessionRecord, new_id
from classwaves.store import MemoryStore
from classwaves.store.base import Store
from tests.support.archives import DatabaseOfTest, kept, log
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.stores import LIMITS, join, message, new_session, seat

SECRET = "a-very-private-sentence"


@pytest.fixture
def store() -> Store:
    return MemoryStore(LIMITS)


def talk(store: Store, session: SessionRecord, times: int = 1) -> None:
    """Ann joins, says something private so often, is captioned and removed; Bob says as much."""
    join(store, session, seat("ann"))
    for number in range(times):
        private = message(f"{SECRET} {number} " + "x" * (number % 700), "ann")
        drafts = [private, message(f"what bob says {number}", "bob")]
        store.append(session.id, drafts, dedupe=f"-{new_id()}")
    caption = {"segmentId": "1", "speakerId": "ann", "text": SECRET, "isFinal": True}
    removal = {"userId": "ann", "removedBy": "teacher"}
    drafts = [Draft("transcriptionUpdate", caption, "robot"), Draft("participantRemoved", removal, "teacher")]
    store.append(session.id, drafts, dedupe=f"-{new_id()}")


def bytes_of(database: DatabaseOfTest) -> bytes:
    """All that SQLite has in files."""
    return b"".join(path.read_bytes() for path in database.path.parent.glob("archive.sqlite3*"))


def shape(entries: Sequence[Entry]) -> list[tuple[int, str, str, str]]:
    return [(entry.seq, entry.epoch, entry.draft.event, entry.draft.author) for entry in entries]


def test_names_and_texts_of_a_user_are_gone(store: Store, archive: SqlArchive, database: DatabaseOfTest) -> None:
    sessions = [new_session(store) for _ in range(3)]
    archiver = Archiver(store, archive, database.settings())
    for session in sessions:
        talk(store, session, 600)
        archiver.bring(session.id)
    before = [kept(archive, session) for session in sessions]
    if database.kind == "sqlite":
        assert SECRET.encode() in bytes_of(database)
    assert archive.erase("ann") == 3 * 602, "an arrival, her messages and a caption each"
    after = [kept(archive, session) for session in sessions]
    assert [shape(entries) for entries in after] == [shape(entries) for entries in before]
    assert SECRET not in str(after)
    assert "'Ann'" not in str(after)
    assert str(after).count("what bob says") == 1800
    if database.kind == "sqlite":
        assert SECRET.encode() not in bytes_of(database)
        assert b'"Ann"' not in bytes_of(database), "as JSON has it: an id and a number beside it may look like a name"
    assert archive.erase("ann") == 0
    assert archive.erase("nobody") == 0
    assert [kept(archive, session) for session in sessions] == after


def test_an_archiver_that_comes_late_keeps_to_it(store: Store, archive: SqlArchive, database: DatabaseOfTest) -> None:
    """It has read the entries before the user was erased."""
    session = new_session(store)
    talk(store, session)
    archive.erase("ann")
    archive.write(session.id, session, log(store, session))
    assert shape(kept(archive, session)) == shape(log(store, session))
    assert SECRET not in str(kept(archive, session))
    assert "what bob says" in str(kept(archive, session))


def test_who_comes_back_is_heard_again(archive: SqlArchive) -> None:
    session = new_session(MemoryStore(LIMITS))
    archive.erase("ann")
    later = int(time.time() * 1000) + 60_000
    archive.write(session.id, session, [Entry(1, "e", later, message("hello again", "ann"))])
    assert "hello again" in str(kept(archive, session))


def aged(archive: SqlArchive, session: SessionRecord, days: float, entries: int = 3) -> None:
    """Put a session into the archive whose last event is so old."""
    moment = int((time.time() - days * 86_400) * 1000)
    archive.write(session.id, session, [Entry(n, "e", moment, message("old")) for n in range(1, entries + 1)])


def test_sessions_are_let_go_of_when_they_were_kept_long_enough(
    store: Store, archive: SqlArchive, database: DatabaseOfTest
) -> None:
    elsewhere = MemoryStore(LIMITS)
    old, big, young = (new_session(elsewhere) for _ in range(3))
    live = new_session(store)
    aged(archive, old, 31)
    aged(archive, big, 30.5, 1200)
    aged(archive, young, 29)
    aged(archive, live, 40)
    dropped: list[str] = []
    for days in (0, 30):
        archiver = Archiver(store, archive, database.settings(ARCHIVE_DAYS=days), dropped.extend)
        archiver._retain()
        assert dropped == ([old.id, big.id] if days else [])
    assert set(archive.positions([old.id, big.id, young.id, live.id])) == {young.id, live.id}
    assert kept(archive, big) == []
    assert len(kept(archive, young)) == len(kept(archive, live)) == 3


@pytest.mark.parametrize("user", ["a\0b", "\ud800x"])
def test_no_id_keeps_a_session_out_of_the_archive(archive: SqlArchive, user: str) -> None:
    """A shop's authenticator makes them; PostgreSQL's texts take neither NUL nor lone surrogates."""
    session = new_session(MemoryStore(LIMITS))
    draft = Draft("messageReceived", {"userId": user, "message": SECRET, "groupId": user}, user, "group", (user,))
    archive.write(session.id, session, [Entry(1, "e", 1, draft)])
    assert len(archive.page(session.id, Asked("messageReceived", 9, 0, 9, user, False, user))) == 1
    assert SECRET in str(list(archive.of_user(user)))
    archive.erase(user)
    archive.write(session.id, session, [Entry(2, "e", 2, draft)])
    assert [entry.seq for entry in kept(archive, session)] == [1, 2]
    assert SECRET not in str(kept(archive, session))
