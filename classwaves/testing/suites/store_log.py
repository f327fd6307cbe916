"""What a store promises of the log: its order, its fences, its dedupe keys."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ...errors import ClassWavesError, StaleFence
from ...models import Draft, Entry, SessionRecord
from ...replica import FOLD_VERSION
from ...store.base import Limits, Store, encode_draft
from ..waiting import eventually
from .parts import StoreParts
from .steps import (
    Listener,
    NewStore,
    at_once,
    join,
    message,
    new_session,
    say,
    seat,
    texts,
)


def log(store: Store, session: SessionRecord) -> list[Entry]:
    return store.read(session.id, 0, 10_000)


def seqs(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


class LogContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_seqs_start_at_one_and_have_no_gaps(self, store: Store) -> None:
        one, two = new_session(store), new_session(store)
        assert say(store, one, "a", "b") == [2, 3]
        assert say(store, two, "c") == [2]
        assert say(store, one, "d") == [4]
        assert seqs(log(store, one)) == [1, 2, 3, 4]
        assert texts(log(store, one)) == ["a", "b", "d"]
        assert store.positions([one.id, two.id, "nobody"]) == {one.id: 4, two.id: 2}

    def test_an_entry_comes_back_as_it_was_given(self, store: Store) -> None:
        session = new_session(store)
        drafts = [
            message('a "quoted"/\\ line\n and \N{SEEDLING}\x7f\u2028'),
            Draft(
                "groupUpdate", {"members": ["a", "b"], "n": None, "x": {"y": [1, 2.5, True]}}, "t", "group", ("a", "b")
            ),
            Draft("handRaised", {}, bumps=("user:ann", "group:1")),
        ]
        appended = store.append(session.id, drafts, dedupe="key")
        entries = log(store, session)[1:]
        assert [entry.draft for entry in entries] == drafts
        assert (entries[-1].seq, entries[-1].epoch, entries[-1].time) == (appended.seq, appended.epoch, appended.time)
        assert entries[0].size == len(encode_draft(drafts[0])), "in bytes"

    def test_the_log_keeps_what_was_given_whatever_the_giver_does_next(self, store: Store) -> None:
        session = new_session(store)
        data = {"list": [1]}
        store.append(session.id, [Draft("note", data)], dedupe="1")
        data["list"].append(2)
        assert log(store, session)[-1].draft.data == {"list": [1]}

    def test_several_drafts_are_one_step(self, store: Store) -> None:
        session = new_session(store)
        assert store.append(session.id, [message(text) for text in "abc"], dedupe="1").seq == 4
        with pytest.raises((TypeError, ValueError)):
            store.append(session.id, [message("d"), Draft("note", {"cannot": object()})], dedupe="2")
        assert texts(log(store, session)) == ["a", "b", "c"]
        assert say(store, session, "d") == [5]

    def test_nothing_is_appended_to_no_session(self, store: Store) -> None:
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            store.append("nobody", [message("hello")], dedupe="1")
        assert store.read("nobody", 0, 10) == []

    def test_a_stale_fence_stores_nothing(self, store: Store) -> None:
        session = new_session(store)
        mute = Draft("participantMuted", {"muted": True}, bumps=("user:ann", "session"))
        at = store.append(session.id, [mute], dedupe="mute", fences={"session": 1, "user:ann": 0}).seq

        for stale in ({"session": 1}, {"user:ann": 0}, {"session": at, "user:ann": 1}, {"session": 0, "user:ann": at}):
            with pytest.raises(StaleFence):
                store.append(session.id, [message("too late")], dedupe="late", fences=stale)
        assert seqs(log(store, session)) == [1, 2]
        assert store.record(session.id) == session
        assert store.find(session.id, "late") is None

        fresh = {"session": at, "user:ann": at, "user:bob": 0}
        assert store.append(session.id, [message("now")], dedupe="late", fences=fresh).duplicate is False

    def test_a_stale_fence_leaves_the_record(self, store: Store) -> None:
        session = new_session(store)
        with pytest.raises(StaleFence):
            ended = session.with_changes(status="ended")
            store.append(session.id, [message("end")], dedupe="1", fences={"session": 7}, record=ended)
        assert store.record(session.id) == session

    def test_a_fence_is_moved_by_the_last_entry_that_names_it(self, store: Store) -> None:
        session = new_session(store)
        drafts = [Draft("note", {}, bumps=("a", "b")), Draft("note", {}, bumps=("a",)), Draft("note", {})]
        store.append(session.id, drafts, dedupe="1")
        store.append(session.id, [Draft("note", {})], dedupe="2", fences={"a": 3, "b": 2, "session": 1})

    def test_of_many_who_rely_on_a_fence_they_move_one_wins(self, store: Store) -> None:
        session = new_session(store)

        def step(number: int) -> bool:
            draft = Draft("sessionStatusChanged", {"status": str(number)}, bumps=("session",))
            try:
                store.append(session.id, [draft], dedupe=str(number), fences={"session": 1})
            except StaleFence:
                return False
            return True

        assert sum(at_once(12, step)) == 1
        assert seqs(log(store, session)) == [1, 2]

    def test_a_repeated_key_gets_the_first_result_and_stores_nothing(self, store: Store) -> None:
        session = new_session(store)
        first = store.append(session.id, [message("a"), message("b")], dedupe="ann:1", fences={"session": 1})
        store.append(session.id, [Draft("note", {}, bumps=("session",))], dedupe="2")
        again = store.append(session.id, [message("other")], dedupe="ann:1", fences={"session": 1}, record=None)
        assert again.duplicate and not first.duplicate
        assert (again.seq, again.epoch, again.time) == (first.seq, first.epoch, first.time)
        assert seqs(log(store, session)) == [1, 2, 3, 4]
        found = store.find(session.id, "ann:1")
        assert found == log(store, session)[2]
        assert store.find(session.id, "ann:2") is None

    def test_a_repeated_key_leaves_the_record(self, store: Store) -> None:
        session = new_session(store)
        store.append(session.id, [message("a")], dedupe="1")
        store.append(session.id, [message("a")], dedupe="1", record=session.with_changes(status="ended"))
        assert store.record(session.id) == session

    def test_keys_are_of_one_session(self, store: Store) -> None:
        one, two = new_session(store), new_session(store)
        assert not store.append(one.id, [message("a")], dedupe="ann:1").duplicate
        assert not store.append(two.id, [message("a")], dedupe="ann:1").duplicate

    def test_the_oldest_keys_are_let_go(self, new_store: NewStore) -> None:
        store = new_store(Limits(log_entries=1000, log_bytes=1_000_000, dedupe_keys=3))
        session = new_session(store)
        for key in "abcd":
            store.append(session.id, [message(key), message(key)], dedupe=key)
        assert store.append(session.id, [message("b")], dedupe="b").duplicate
        assert store.find(session.id, "a") is None
        assert not store.append(session.id, [message("a")], dedupe="a").duplicate
        assert not store.append(session.id, [message("b")], dedupe="b").duplicate, (
            "a repeat does not make a key younger"
        )
        assert store.append(session.id, [message("d")], dedupe="d").duplicate

    def test_one_key_from_many_threads_is_stored_once(self, store: Store) -> None:
        session = new_session(store)
        results = at_once(12, lambda _: store.append(session.id, [message("once")], dedupe="ann:1"))
        assert [result.duplicate for result in results].count(False) == 1
        assert {(result.seq, result.epoch, result.time) for result in results} == {
            (entry.seq, entry.epoch, entry.time) for entry in log(store, session)[1:]
        }

    def test_many_threads_leave_no_gap_and_the_feed_has_the_order_of_the_log(self, new_store: NewStore) -> None:
        store = new_store()
        one, two = new_session(store), new_session(store)
        listener = Listener()
        store.start(listener)
        for session in (one, two):
            store.subscribe(session.id)

        def write(number: int) -> list[int]:
            return [
                store.append(
                    one.id if number % 3 else two.id,
                    [message(f"{number}.{turn}.{part}") for part in range(1 + turn % 2)],
                    dedupe=f"{number}.{turn}",
                ).seq
                for turn in range(20)
            ]

        acked = at_once(9, write)
        for session, entries, sent in ((one, 180, acked[1::3] + acked[2::3]), (two, 90, acked[0::3])):
            stored = log(store, session)[1:]
            assert seqs(stored) == list(range(2, entries + 2))
            flat = [seq for each in sent for seq in each]
            assert len(set(flat)) == len(flat)
            assert all(each == sorted(each) for each in sent), "what one appends after the other stays so"
        eventually(lambda: len(listener.entries) == 270, what="all entries in the feed")
        assert [listener.heard(session.id) for session in (one, two)] == [log(store, one)[1:], log(store, two)[1:]]

    def test_the_log_is_read_in_pages_forward_and_back(self, store: Store) -> None:
        session = new_session(store)
        say(store, session, *"abcdef")
        assert seqs(store.read(session.id, 0, 3)) == [1, 2, 3]
        assert seqs(store.read(session.id, 3, 3)) == [4, 5, 6]
        assert seqs(store.read(session.id, 6, 3)) == [7]
        assert store.read(session.id, 7, 3) == []
        assert store.read(session.id, 2**53, 3) == []
        assert seqs(store.read_back(session.id, 8, 3)) == [7, 6, 5]
        assert seqs(store.read_back(session.id, 5, 3)) == [4, 3, 2]
        assert seqs(store.read_back(session.id, 2, 3)) == [1]
        assert store.read_back(session.id, 1, 3) == []
        assert seqs(store.read_back(session.id, 2**53, 2)) == [7, 6]

    def test_load_gives_log_and_roster(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, seat("ann"))
        join(store, session, seat("bob"))
        store.set_status(session.id, seat("ann"), "idle", {})
        store.vanish(session.id, seat("bob"))
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded
        assert (loaded.seq, loaded.checkpoint) == (4, None)
        assert loaded.tail == log(store, session)
        assert {entry.epoch for entry in loaded.tail} == {loaded.epoch}
        assert loaded.statuses == {"ann": "idle", "bob": "disconnected"}
