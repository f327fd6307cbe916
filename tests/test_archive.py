"""The archive: every entry of the log once, in order, on both databases and from both stores, whoever writes it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from classwaves.archive.archiver import Archiver
from classwaves.archive.base import Asked
from classwaves.archive.sql import SqlArchive
from classwaves.models import Draft, Entry, SessionRecord, new_id
from classwaves.store.base import Store
from classwaves.tally import Tally
from tests.support.archives import DatabaseOfTest, kept, log
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.stores import StoreFactory, created, join, message, new_record, new_session, say, seat, texts
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store
from tests.support.waiting import eventually


@pytest.fixture
def archiver(store: Store, archive: SqlArchive, database: DatabaseOfTest) -> Archiver:
    """An archiver without a thread: a test says when it works."""
    return Archiver(store, archive, database.settings())


def react(store: Store, session: SessionRecord, message_id: str, user: str, emoji: str, action: str = "added") -> None:
    data = {"messageId": message_id, "userId": user, "emoji": emoji, "action": action}
    store.append(session.id, [Draft("reactionUpdated", data, user)], dedupe=f"-{new_id()}")


def delete(store: Store, session: SessionRecord, message_id: str) -> None:
    draft = Draft("messageDeleted", {"messageId": message_id, "deletedBy": "teacher"}, "teacher")
    store.append(session.id, [draft], dedupe=f"-{new_id()}")


def asked(limit: int = 100, before: int = 2**53, user: str = "ann", staff: bool = False, **more: str) -> Asked:
    return Asked("messageReceived", before, 0, limit, user, staff, **more)


def said(archive: SqlArchive, session: SessionRecord, wanted: Asked) -> list[str]:
    return texts([item.entry for item in archive.page(session.id, wanted)])


def test_every_entry_is_kept_as_it_was(archiver: Archiver, archive: SqlArchive, store: Store) -> None:
    session = new_session(store)
    join(store, session, seat("ann"))
    say(store, session, *(f"no. {number}" for number in range(450)))
    odd = "a \0 text, \ud800 too"  # what PostgreSQL's texts cannot hold
    draft = message(odd, audience="group", members=("bob \0", "ann"), bumps=("x", "y"))
    store.append(session.id, [draft], dedupe="odd")
    archiver.bring(session.id)
    assert kept(archive, session) == log(store, session)
    assert archive.positions([session.id, "none"]) == {session.id: 453}
    past = archive.find(session.code)
    assert past and past.record == session
    assert past.until == log(store, session)[-1].time
    archiver.bring(session.id)
    say(store, session, "later")
    archiver.bring(session.id)
    assert kept(archive, session) == log(store, session)


def test_the_record_follows_what_changes_it(archiver: Archiver, archive: SqlArchive, store: Store) -> None:
    session = new_session(store)
    archiver.bring(session.id)
    ended = session.with_changes(status="ended", title="Another")
    draft = Draft("sessionStatusChanged", {"status": "ended", "previousStatus": "created"}, "teacher")
    store.append(session.id, [draft], dedupe="end", record=ended)
    archiver.bring(session.id)
    past = archive.find(session.code)
    assert past and past.record == ended


def test_the_newest_session_has_the_code(archiver: Archiver, archive: SqlArchive, store: Store) -> None:
    first = new_session(store, code="ABCDEF", owner="one")
    archiver.bring(first.id)
    store.expire(first, 0.001)
    second = eventually(lambda: _retaken(store), what="the code is free")
    assert second
    archiver.bring(second.id)
    past = archive.find("ABCDEF")
    assert past and past.record.owner_id == "two"
    assert archive.find("QQQQQQ") is None


def _retaken(store: Store) -> SessionRecord | None:
    made = new_record("two", "ABCDEF")
    made = made.with_changes(created_at=made.created_at + 1)
    return made if store.create_session(made, created(made)) else None


def test_a_page_has_what_was_for_its_reader(archiver: Archiver, archive: SqlArchive, store: Store) -> None:
    session = new_session(store)
    audiences: list[tuple[str, dict[str, Any]]] = [
        ("for all", {}),
        ("for ann", {"audience": "user", "members": ("ann",)}),
        ("for ANN", {"audience": "user", "members": ('"ann"', "ANN", "%ann%")}),
        ("for a group", {"audience": "group", "members": ("ann", "bob")}),
        ("for staff", {"audience": "staff"}),
    ]
    for text, more in audiences:
        store.append(session.id, [message(text, **more)], dedupe=text)
    grouped = message("in group 7", audience="group", members=("ann",))
    grouped = replace(grouped, data={**grouped.data, "groupId": "7"})
    store.append(session.id, [grouped], dedupe="grouped")
    archiver.bring(session.id)
    assert said(archive, session, asked()) == ["in group 7", "for a group", "for ann", "for all"]
    assert said(archive, session, asked(user="bob")) == ["for a group", "for all"]
    assert said(archive, session, asked(user="zoe", staff=True)) == [
        "in group 7",
        "for staff",
        "for a group",
        "for all",
    ]
    assert said(archive, session, asked(group_id="7")) == ["in group 7"]
    assert said(archive, session, asked(limit=2)) == ["in group 7", "for a group"]
    assert said(archive, session, asked(before=3)) == ["for all"]


def test_messages_know_what_became_of_them(archiver: Archiver, archive: SqlArchive, store: Store) -> None:
    session = new_session(store)
    say(store, session, "liked", "taken back")
    liked, taken = (entry.id for entry in log(store, session)[1:])
    react(store, session, liked, "ann", "👍")
    react(store, session, liked, "bob", "👍")
    react(store, session, liked, "bob", "🎉")
    archiver.bring(session.id)
    react(store, session, liked, "bob", "🎉", "removed")
    react(store, session, liked, "zoe", "👍")
    delete(store, session, taken)
    archiver.bring(session.id)
    (item,) = archive.page(session.id, asked())
    assert (item.entry.id, item.reactions) == (liked, {"👍": 3})
    assert kept(archive, session) == log(store, session), "the export has all"


def test_two_archivers_at_once_are_one(archive: SqlArchive, store: Store, database: DatabaseOfTest) -> None:
    """They do not ask who has the task."""
    session = new_session(store)
    other = database.archive()
    archivers = [Archiver(store, each, database.settings()) for each in (archive, other, archive)]
    done = threading.Event()

    def work(archiver: Archiver) -> None:
        while not done.is_set():
            archiver.bring(session.id)
        archiver.bring(session.id)

    with ThreadPoolExecutor() as pool:
        workers = [pool.submit(work, archiver) for archiver in archivers]
        for number in range(12):
            say(store, session, *(f"{number}.{index}" for index in range(30)))
            react(store, session, log(store, session)[1].id, f"user {number}", "👍")
        done.set()
        for worker in workers:
            worker.result()
    assert kept(archive, session) == log(store, session)
    assert archive.page(session.id, asked(before=3))[0].reactions == {"👍": 12}
    other.close()


def test_what_the_store_has_lost_is_shown_no_more(make_store: StoreFactory, database: DatabaseOfTest) -> None:
    """It lost three entries, gave two of their numbers away before anybody noticed, and then begins another epoch."""
    before = make_store()
    session = new_session(before)
    say(before, session, "a", "b", "lost 1", "lost 2", "lost 3")
    react(before, session, log(before, session)[1].id, "ann", "👍")
    archive = database.archive()
    Archiver(before, archive, database.settings()).bring(session.id)
    assert len(kept(archive, session)) == 7
    store: Any = Rewritten(log(before, session)[:3], session)
    archiver = Archiver(store, archive, database.settings())
    archiver.bring(session.id)
    assert kept(archive, session) == log(store, session)
    assert archive.page(session.id, asked(before=3))[0].reactions == {}
    store.says("same epoch", epoch=log(before, session)[0].epoch)
    archiver.bring(session.id)
    store.says("new epoch 1", epoch="new")
    store.says("new epoch 2", epoch="new")
    archiver.bring(session.id)
    assert kept(archive, session) == log(store, session)
    assert texts(kept(archive, session)) == ["a", "b", "same epoch", "new epoch 1", "new epoch 2"]
    assert [entry.seq for entry in kept(archive, session)] == [1, 2, 3, 4, 5, 6]
    archive.close()


def test_a_step_that_the_store_has_lost_is_not_the_sessions(
    make_store: StoreFactory, archive: SqlArchive, database: DatabaseOfTest
) -> None:
    before = make_store()
    session = new_session(before)
    say(before, session, "a")
    over = session.with_changes(status="ended")
    step = Draft("sessionStatusChanged", {"status": "ended", "previousStatus": "created"}, bumps=("session",))
    before.append(session.id, [step], dedupe="-end", record=over)
    Archiver(before, archive, database.settings()).bring(session.id)
    found = archive.known(session.id)
    assert found and found.record.status == "ended"
    store: Any = Rewritten(log(before, session)[:2], session)
    store.says("goes on", epoch="new")
    Archiver(store, archive, database.settings()).bring(session.id)
    found = archive.known(session.id)
    assert found and found.record.status == "created"


class Rewritten:
    """A store that has lost the end of a log, which goes on as a test says."""

    def __init__(self, entries: list[Entry], session: SessionRecord) -> None:
        self.entries = entries
        self.session = session
        self.tally = Tally()

    def says(self, text: str, epoch: str) -> None:
        last = self.entries[-1]
        self.entries.append(Entry(last.seq + 1, epoch, last.time + 1000, message(text)))

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        return [entry for entry in self.entries if entry.seq > after][:limit]

    def read_back(self, session_id: str, before: int, limit: int) -> list[Entry]:
        return [entry for entry in self.entries if entry.seq < before][::-1][:limit]

    def positions(self, session_ids: list[str]) -> dict[str, int]:
        return {self.session.id: self.entries[-1].seq}

    def record(self, session_id: str) -> SessionRecord:
        return self.session

    def archived(self, session_id: str, newest: Entry) -> bool:
        return newest in self.entries
