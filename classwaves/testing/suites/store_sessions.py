"""What a store promises of sessions: codes, records, lists, and their end."""

from __future__ import annotations

import time

import pytest

from ...errors import ClassWavesError
from ...models import Draft, SessionRecord
from ...store.base import Checkpoint, Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import (
    LONG,
    at_once,
    created,
    join,
    message,
    new_record,
    new_session,
    say,
    seat,
)


def codes(sessions: list[SessionRecord]) -> list[str]:
    return [session.code for session in sessions]


def three(store: Store) -> list[SessionRecord]:
    """Three sessions, the newest first; the second belongs to somebody else."""
    records = [
        SessionRecord(f"id{number}", f"CODE2{number}", "Biology", owner, number)
        for number, owner in ((4, "teacher"), (3, "other"), (2, "teacher"))
    ]
    for record in reversed(records):
        assert store.create_session(record, created(record))
    return records


class SessionsContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_a_session_is_found_by_its_code_and_its_id(self, store: Store) -> None:
        record = new_session(store)
        assert store.session_id(record.code) == record.id
        assert store.record(record.id) == record
        assert store.standing(record.id) == (record, 1), "its first entry moved the fence"
        assert [entry.draft for entry in store.read(record.id, 0, 10)] == [created(record)]

    def test_what_does_not_exist_is_none(self, store: Store) -> None:
        assert store.session_id("ABCDEF") is None
        assert store.record("nobody") is None
        assert store.standing("nobody") is None
        assert store.load("nobody", 1) is None
        assert store.find("nobody", "key") is None
        assert store.read("nobody", 0, 10) == []
        assert store.read_back("nobody", 10, 10) == []
        assert store.positions(["nobody"]) == {}
        assert store.positions([]) == {}
        assert not store.save_checkpoint("nobody", Checkpoint(1, "epoch", 1, "{}"))
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            store.new_epoch("nobody", "epoch")

    def test_a_code_is_given_once(self, store: Store) -> None:
        record = new_session(store)
        rival = new_record(code=record.code)
        assert store.create_session(rival, created(rival)) is None
        assert store.session_id(record.code) == record.id
        assert store.record(rival.id) is None
        assert codes(store.list_sessions(None, 0, 10)) == [record.code]

    def test_of_many_who_want_a_code_one_gets_it(self, store: Store) -> None:
        rivals = [new_record(code="ABCDEF") for _ in range(12)]
        won = at_once(12, lambda number: store.create_session(rivals[number], created(rivals[number])))
        winners = [rival for rival, appended in zip(rivals, won, strict=True) if appended]
        assert [winner.id for winner in winners] == [store.session_id("ABCDEF")]
        assert store.list_sessions(None, 0, 100) == winners

    def test_a_repeated_creation_stores_nothing(self, store: Store) -> None:
        record = new_record()
        first = store.create_session(record, created(record))
        renamed = record.with_changes(title="Physics")
        store.append(record.id, [message("hello")], dedupe="1", record=renamed)
        again = store.create_session(record, created(record))
        assert first and again
        assert (again.seq, again.epoch, again.time) == (1, first.epoch, first.time)
        assert store.positions([record.id]) == {record.id: 2}
        assert store.record(record.id) == renamed
        assert store.list_sessions(None, 0, 10) == [renamed]

    def test_an_append_changes_the_record_with_its_entries(self, store: Store) -> None:
        record = new_session(store)
        ended = record.with_changes(status="ended", settings={**record.settings, "maxParticipants": 3})
        store.append(record.id, [Draft("sessionStatusChanged", {"status": "ended"})], dedupe="1", record=ended)
        assert store.record(record.id) == ended
        assert store.list_sessions("teacher", 0, 10) == [ended]

    def test_sessions_are_listed_newest_first_and_by_owner(self, store: Store) -> None:
        newest, foreign, oldest = three(store)
        assert store.list_sessions(None, 0, 10) == [newest, foreign, oldest]
        assert store.list_sessions("teacher", 0, 10) == [newest, oldest]
        assert store.list_sessions("nobody", 0, 10) == []

    def test_lists_are_paged(self, store: Store) -> None:
        newest, foreign, oldest = three(store)
        assert store.list_sessions(None, 0, 2) == [newest, foreign]
        assert store.list_sessions(None, 2, 2) == [oldest]
        assert store.list_sessions(None, 3, 2) == []
        assert store.list_sessions("teacher", 1, 1) == [oldest]

    def test_an_expired_session_is_gone_and_its_code_is_free(self, store: Store) -> None:
        record, kept = new_session(store), new_session(store, owner="other")
        join(store, record, seat("ann"))
        store.expire(record, 0.05)
        store.expire(kept, LONG)
        eventually(lambda: store.session_id(record.code) is None, what="the end of the data")
        assert store.record(record.id) is None
        assert store.positions([record.id, kept.id]) == {kept.id: 1}
        assert store.load(record.id, 1) is None
        assert store.read(record.id, 0, 10) == []
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            say(store, record, "too late")
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            join(store, record, seat("bob"))
        store.leave(record.id, seat("ann"))

        successor = new_record(code=record.code)
        assert store.create_session(successor, created(successor))
        assert store.session_id(record.code) == successor.id
        assert [entry.seq for entry in store.read(successor.id, 0, 10)] == [1]

    def test_expired_sessions_leave_no_hole_in_a_page(self, store: Store) -> None:
        newest, foreign, oldest = three(store)
        store.expire(newest, 0.05)
        eventually(lambda: store.record(newest.id) is None, what="the end of the data")
        assert store.list_sessions(None, 0, 1) == [foreign]
        assert store.list_sessions(None, 1, 1) == [oldest]
        assert store.list_sessions("teacher", 0, 2) == [oldest]

    def test_a_session_that_is_touched_lives_on(self, store: Store) -> None:
        def touched() -> SessionRecord | None:
            """A session whose end was put off before it came, which a machine that stands still may miss."""
            began, record = time.monotonic(), new_session(store)
            store.expire(record, 0.05)
            store.expire(record, LONG)
            return record if time.monotonic() < began + 0.05 else None

        record, witness = eventually(touched, what="a session that is touched in time"), new_session(store)
        assert record
        store.expire(witness, 0.1)
        eventually(lambda: store.record(witness.id) is None, what="the end of the other one")
        assert store.record(record.id) == record

    def test_a_task_is_one_workers_for_a_while(self, store: Store) -> None:
        assert store.claim("task", "a", LONG)
        assert store.claim("task", "a", LONG), "it keeps it"
        assert not store.claim("task", "b", LONG)
        assert store.claim("short", "a", 0.2)
        eventually(lambda: store.claim("short", "b", LONG), what="the claim has ended")
        assert not store.claim("short", "a", LONG)
