"""What a store promises of seats that an append takes away, and of read cursors."""

from __future__ import annotations

from typing import Any

import pytest

from ...errors import ClassWavesError, StaleFence
from ...models import Draft, SessionRecord, new_id
from ...replica import FOLD_VERSION
from ...store.base import Appended, Store, cursor_news
from ..waiting import eventually
from .parts import StoreParts
from .steps import (
    Listener,
    at_once,
    facts,
    join,
    message,
    new_session,
    say,
    seat,
)

ANN, ANN2, BOB = seat("ann", "1"), seat("ann", "2", "other"), seat("bob")


def removal(user_id: str) -> Draft:
    return Draft("participantRemoved", {"userId": user_id}, "teacher", bumps=(f"user:{user_id}",))


def remove(store: Store, session: SessionRecord, user_id: str, **more: Any) -> Appended:
    """Append a removal that ends the user's place."""
    return store.append(session.id, [removal(user_id)], unseat=user_id, **{"dedupe": f"-{new_id()}", **more})


def roster(store: Store, session: SessionRecord) -> dict[str, str]:
    """Who has a place, and their status."""
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded is not None
    return loaded.statuses


def cursors(store: Store, session: SessionRecord) -> dict[str, str]:
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded is not None
    return loaded.cursors


def listening(store: Store, session: SessionRecord) -> Listener:
    listener = Listener()
    store.start(listener)
    store.subscribe(session.id)
    return listener


def announced(store: Store, session: SessionRecord, listener: Listener) -> list[dict[str, Any]]:
    """What has come along the feed without a seq until now."""
    mark = {"mark": new_id()}
    store.publish(session.id, mark)
    eventually(lambda: (session.id, mark) in listener.ephemeral, what="the mark in the feed", pause=0.002)
    return [said for of, said in listener.ephemeral if of == session.id and "mark" not in said]


class SeatsContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_an_append_takes_all_places_of_a_user(self, store: Store) -> None:
        session = new_session(store)
        for tab in (ANN, ANN2, BOB):
            join(store, session, tab)
        listener = listening(store, session)
        appended = remove(store, session, "ann")
        assert roster(store, session) == {"bob": "active"}
        assert store.read(session.id, appended.seq - 1, 10) == store.read_back(session.id, appended.seq + 1, 1)
        assert facts(store, session) == [("ann", "joined"), ("bob", "joined")], "the removal itself is the fact"
        assert announced(store, session, listener) == []

    def test_an_append_without_it_takes_no_place(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        say(store, session, "hello")
        store.append(session.id, [message("to nobody in particular")], dedupe="x", unseat="")
        assert roster(store, session) == {"ann": "active"}

    def test_who_has_no_place_loses_none(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, BOB)
        assert remove(store, session, "ann").seq == 3
        assert roster(store, session) == {"bob": "active"}

    def test_the_place_is_free_for_another(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN, capacity=2)
        join(store, session, BOB, capacity=2)
        with pytest.raises(ClassWavesError, match="SESSION_FULL"):
            join(store, session, seat("cid"), capacity=2)
        remove(store, session, "ann")
        join(store, session, seat("cid"), capacity=2)
        with pytest.raises(ClassWavesError, match="SESSION_FULL"):
            join(store, session, seat("dan"), capacity=2)

    def test_the_end_of_the_old_seats_is_no_fact(self, store: Store) -> None:
        session = new_session(store)
        for tab in (ANN, ANN2):
            join(store, session, tab)
        seq = remove(store, session, "ann").seq
        listener = listening(store, session)
        assert store.set_status(session.id, ANN, "idle", {}) is None
        store.vanish(session.id, ANN)
        store.leave(session.id, ANN2)
        store.expire_absent(session.id, 0)
        assert store.due_absences(0) == []
        assert store.positions([session.id]) == {session.id: seq}
        assert announced(store, session, listener) == []

    def test_who_was_disconnected_is_not_said_to_have_left_after(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        store.vanish(session.id, ANN)
        seq = remove(store, session, "ann").seq
        store.expire_absent(session.id, 0)
        assert (roster(store, session), store.positions([session.id])) == ({}, {session.id: seq})
        assert store.due_absences(0) == []

    def test_a_dead_workers_seat_of_who_was_removed_is_settled_in_silence(self, store: Store) -> None:
        session = new_session(store)
        store.renew("w", 0.001)
        store.serve("w", session.id)
        join(store, session, ANN)
        seq = remove(store, session, "ann").seq
        if store.kind == "redis":
            eventually(lambda: store.sweep() == 1, what="the end of the lease")
        assert store.positions([session.id]) == {session.id: seq}

    def test_what_is_not_stored_takes_no_place(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        with pytest.raises(StaleFence):
            remove(store, session, "ann", fences={"session": 0})
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            remove(store, session.with_changes(id="nobody"), "ann")
        assert roster(store, session) == {"ann": "active"}

    def test_a_repeated_append_takes_no_place_of_now(self, store: Store) -> None:
        """Late repeats change nothing: the user may be in again, by another rule than this store's."""
        session = new_session(store)
        join(store, session, ANN)
        first = remove(store, session, "ann", dedupe="x")
        join(store, session, ANN2)
        again = remove(store, session, "ann", dedupe="x")
        assert (again.seq, again.duplicate) == (first.seq, True)
        assert roster(store, session) == {"ann": "active"}
        assert facts(store, session) == [("ann", "joined"), ("ann", "joined")], "a first arrival, as the place was gone"

    def test_a_join_that_relies_on_the_fence_comes_before_or_not_at_all(self, store: Store) -> None:
        session = new_session(store)
        relying = {"user:ann": 0}

        def enter(number: int) -> str:
            try:
                join(store, session, seat("ann", f"{number}"), fences=relying)
            except StaleFence:
                return "stale"
            return "in"

        def step(number: int) -> str:
            return enter(number) if number else f"{remove(store, session, 'ann').seq}"

        results = at_once(6, step)
        assert roster(store, session) == {}
        seqs = [entry.seq for entry in store.read(session.id, 0, 100) if entry.draft.author == "ann"]
        assert all(seq < int(results[0]) for seq in seqs)
        assert enter(9) == "stale"

    def test_a_cursor_goes_forward_only(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        assert cursors(store, session) == {}
        told = []
        for message_id, further in (("e-3", True), ("e-3", False), ("e-2", False), ("e-10", True), ("e-9", False)):
            assert store.set_cursor(session.id, "ann", message_id) is further, message_id
            told += [cursor_news("ann", message_id)] if further else []
        assert cursors(store, session) == {"ann": "e-10"}
        assert announced(store, session, listener) == told

    def test_each_user_has_a_cursor_and_each_session(self, store: Store) -> None:
        session, other = new_session(store), new_session(store)
        for user, message_id in (("ann", "e-5"), ("bob", "e-4"), ('cid"/\N{SEEDLING}', "x-y-3")):
            assert store.set_cursor(session.id, user, message_id)
        assert store.set_cursor(other.id, "ann", "e-1")
        assert cursors(store, session) == {"ann": "e-5", "bob": "e-4", 'cid"/\N{SEEDLING}': "x-y-3"}
        assert cursors(store, other) == {"ann": "e-1"}

    def test_only_the_seq_of_a_cursor_counts(self, store: Store) -> None:
        """The numbering goes on in another epoch."""
        session = new_session(store)
        assert store.set_cursor(session.id, "ann", "zzz-5")
        assert not store.set_cursor(session.id, "ann", "aaa-4")
        assert store.set_cursor(session.id, "ann", "aaa-6")
        assert store.set_cursor(session.id, "ann", f"a-{2**40}")
        assert cursors(store, session) == {"ann": f"a-{2**40}"}

    @pytest.mark.parametrize("message_id", ["", "-", "nothing", "e-0", "e-x"])
    def test_what_is_no_id_is_no_cursor(self, store: Store, message_id: str) -> None:
        session = new_session(store)
        assert not store.set_cursor(session.id, "ann", message_id)
        assert cursors(store, session) == {}

    def test_no_session_has_no_cursors(self, store: Store) -> None:
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            store.set_cursor("nobody", "ann", "e-1")

    def test_of_many_at_once_the_furthest_stays(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        moved = at_once(8, lambda number: store.set_cursor(session.id, "ann", f"e-{number + 1}"))
        assert cursors(store, session) == {"ann": "e-8"}
        told = [said["data"]["messageId"] for said in announced(store, session, listener)]
        assert len(told) == sum(moved)
        assert told == sorted(told), "each further than the one before"

    def test_cursors_are_in_no_log_and_outlive_a_checkpoint_and_a_removal(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        store.set_cursor(session.id, "ann", "e-1")
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded is not None
        assert loaded.seq == 2
        store.new_epoch(session.id, loaded.epoch)
        remove(store, session, "ann")
        assert cursors(store, session) == {"ann": "e-1"}
