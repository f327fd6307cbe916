"""What a store promises of presence: seats, statuses, arrivals and departures."""

from __future__ import annotations

import pytest

from ...errors import ClassWavesError, StaleFence
from ...models import Draft, SessionRecord
from ...replica import FOLD_VERSION
from ...store.base import STATUSES, PresenceResult, Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import (
    Listener,
    at_once,
    facts,
    join,
    new_session,
    say,
    seat,
)

ANN, ANN2, ANN3, BOB = seat("ann", "1"), seat("ann", "2"), seat("ann", "3"), seat("bob")


def roster(store: Store, session: SessionRecord) -> dict[str, str]:
    """Who has a place, and their status."""
    loaded = store.load(session.id, FOLD_VERSION)
    return loaded.statuses if loaded else {}


def listening(store: Store, session: SessionRecord) -> Listener:
    listener = Listener()
    store.start(listener)
    store.subscribe(session.id)
    return listener


def announced(store: Store, session: SessionRecord, listener: Listener) -> list[tuple[str, str]]:
    """The changes of status that the feed has brought, all of them."""
    seq = say(store, session, "mark")[0]
    eventually(lambda: any(entry.seq == seq for entry in listener.heard(session.id)), what="the mark in the feed")
    return listener.statuses(session.id)


class PresenceContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_the_first_tab_joins_and_the_second_is_no_news(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        assert join(store, session, ANN) == PresenceResult("active", 2)
        assert join(store, session, ANN2) == PresenceResult("active", 2)
        assert join(store, session, BOB) == PresenceResult("active", 3)
        first, second = store.read(session.id, 1, 10)
        data = {"change": "joined", "displayName": "Ann", "role": "student"}
        assert first.draft == Draft("participantChanged", data, "ann", "presence")
        assert facts(store, session) == [("ann", "joined"), ("bob", "joined")]
        assert roster(store, session) == {"ann": "active", "bob": "active"}
        assert announced(store, session, listener) == []
        assert second.draft.author == "bob"

    def test_who_has_come_and_who_has_left_is_said_once(self, store: Store) -> None:
        """The shop is told of it by what the store answers, see :mod:`classwaves.signals`."""
        session = new_session(store)
        assert [join(store, session, tab).came for tab in (ANN, ANN, ANN2, BOB)] == [True, False, False, True]
        assert [store.leave(session.id, tab) for tab in (ANN, ANN, ANN2, ANN2)] == [False, False, True, False]
        assert join(store, session, ANN).came, "who has left comes again"
        for tab in (ANN, BOB):
            store.vanish(session.id, tab)
        assert not join(store, session, ANN2).came, "who was disconnected has not left"
        assert store.expire_absent(session.id, 60) == []
        assert store.expire_absent(session.id, 0) == ["bob"]
        assert store.expire_absent(session.id, 0) == []

    def test_a_repeated_join_changes_nothing(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        store.set_status(session.id, ANN, "away", {})
        assert join(store, session, ANN) == PresenceResult("away", 2)
        assert join(store, session, ANN, capacity=0) == PresenceResult("away", 2)
        assert facts(store, session) == [("ann", "joined")]

    def test_the_same_seat_from_many_threads_is_one(self, store: Store) -> None:
        session = new_session(store)
        at_once(8, lambda _: join(store, session, ANN))
        assert facts(store, session) == [("ann", "joined")]
        store.leave(session.id, ANN)
        assert facts(store, session) == [("ann", "joined"), ("ann", "left")]

    def test_nobody_joins_over_a_stale_fence(self, store: Store) -> None:
        session = new_session(store)
        for stale in ({"session": 0}, {"session": 1, "user:ann": 5}):
            with pytest.raises(StaleFence):
                join(store, session, ANN, fences=stale)
        assert facts(store, session) == []
        assert roster(store, session) == {}
        assert join(store, session, ANN, fences={"session": 1, "user:ann": 0}).seq == 2
        with pytest.raises(StaleFence):
            store.set_status(session.id, ANN, "idle", {"session": 0})
        assert roster(store, session) == {"ann": "active"}

    def test_nobody_joins_no_session(self, store: Store) -> None:
        session = new_session(store)
        nobody = session.with_changes(id="nobody")
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            join(store, nobody, ANN)
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            store.set_status("nobody", ANN, "idle", {})
        store.leave("nobody", ANN)
        store.vanish("nobody", ANN)
        store.expire_absent("nobody", 0)
        assert store.due_absences(0) == []

    def test_a_full_session_takes_nobody_but_those_who_are_in(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN, capacity=2)
        join(store, session, BOB, capacity=2)
        with pytest.raises(ClassWavesError, match="SESSION_FULL"):
            join(store, session, seat("cid"), capacity=2)
        join(store, session, ANN2, capacity=2)
        join(store, session, seat("teacher"), capacity=None)
        assert [user for user, _ in facts(store, session)] == ["ann", "bob", "teacher"]

    def test_who_leaves_while_an_ended_connection_still_counts_has_left(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        join(store, session, ANN2)
        assert store.leave(session.id, ANN2) is False
        assert store.vanish(session.id, ANN, 60.0) is True
        assert roster(store, session) == {}

    def test_who_leaves_with_one_and_loses_another_later_is_disconnected(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        join(store, session, ANN2)
        store.leave(session.id, ANN2)
        assert store.vanish(session.id, ANN) is False
        join(store, session, ANN2)
        assert store.vanish(session.id, ANN2, 60.0) is False
        assert roster(store, session) == {"ann": "disconnected"}

    def test_who_is_disconnected_keeps_the_place_and_who_left_does_not(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN, capacity=1)
        store.vanish(session.id, ANN)
        with pytest.raises(ClassWavesError, match="SESSION_FULL"):
            join(store, session, BOB, capacity=1)
        assert join(store, session, ANN2, capacity=1).status == "active"
        store.leave(session.id, ANN2)
        join(store, session, BOB, capacity=1)
        assert facts(store, session) == [
            ("ann", "joined"),
            ("ann", "disconnected"),
            ("ann", "returned"),
            ("ann", "left"),
            ("bob", "joined"),
        ]

    def test_a_place_for_one_goes_to_one(self, store: Store) -> None:
        session = new_session(store)

        def enter(number: int) -> bool:
            try:
                join(store, session, seat(f"user{number}"), capacity=3)
            except ClassWavesError as error:
                assert error.code == "SESSION_FULL"
                return False
            return True

        assert sum(at_once(10, enter)) == 3
        assert len(roster(store, session)) == len(facts(store, session)) == 3

    def test_the_most_present_tab_counts_and_only_changes_are_told(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        for tab in (ANN, ANN2):
            join(store, session, tab)
        steps = [
            (ANN, "idle", "active"),
            (ANN2, "away", "idle"),
            (ANN2, "away", "idle"),
            (ANN, "away", "away"),
            (ANN2, "idle", "idle"),
            (ANN, "active", "active"),
        ]
        for tab, status, derived in steps:
            assert store.set_status(session.id, tab, status, {"session": 1}) == PresenceResult(derived, 2)
            assert roster(store, session) == {"ann": derived}
        expected = [("ann", "idle"), ("ann", "away"), ("ann", "idle"), ("ann", "active")]
        assert announced(store, session, listener) == expected
        assert facts(store, session) == [("ann", "joined")]

    def test_a_tab_that_comes_or_goes_may_change_the_status(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        join(store, session, ANN)
        store.set_status(session.id, ANN, "away", {})
        assert join(store, session, ANN2).status == "active"
        store.leave(session.id, ANN2)
        join(store, session, ANN3)
        store.vanish(session.id, ANN3)
        statuses = ["away", "active", "away", "active", "away"]
        assert announced(store, session, listener) == [("ann", status) for status in statuses]
        assert facts(store, session) == [("ann", "joined")]

    @pytest.mark.parametrize("status", STATUSES)
    def test_a_seat_that_is_not_taken_has_no_status(self, store: Store, status: str) -> None:
        session = new_session(store)
        assert store.set_status(session.id, ANN, status, {}) is None
        join(store, session, ANN)
        assert store.set_status(session.id, ANN2, status, {}) is None
        store.vanish(session.id, ANN)
        assert store.set_status(session.id, ANN, status, {}) is None
        assert roster(store, session) == {"ann": "disconnected"}

    def test_departures_are_facts_of_the_last_tab_and_may_be_repeated(self, store: Store) -> None:
        session = new_session(store)
        listener = listening(store, session)
        for tab in (ANN, ANN2, BOB):
            join(store, session, tab)
        store.vanish(session.id, ANN)
        store.vanish(session.id, ANN)
        assert facts(store, session)[2:] == []
        store.vanish(session.id, ANN2)
        store.vanish(session.id, ANN2)
        store.leave(session.id, ANN2)
        store.leave(session.id, BOB)
        store.leave(session.id, BOB)
        store.vanish(session.id, BOB)
        assert facts(store, session)[2:] == [("ann", "disconnected"), ("bob", "left")]
        assert roster(store, session) == {"ann": "disconnected"}
        assert announced(store, session, listener) == [], "facts are told as such"

    def test_who_was_absent_too_long_has_left(self, store: Store) -> None:
        session, other = new_session(store), new_session(store)
        for tab in (ANN, BOB):
            join(store, session, tab)
        join(store, other, ANN)
        store.vanish(session.id, ANN)
        assert store.due_absences(60) == []
        assert store.due_absences(0) == [session.id]
        store.expire_absent(session.id, 60)
        assert facts(store, session)[2:] == [("ann", "disconnected")]
        assert store.due_absences(0) == [session.id], "still to be settled"
        store.expire_absent(session.id, 0)
        store.expire_absent(session.id, 0)
        assert facts(store, session)[2:] == [("ann", "disconnected"), ("ann", "left")]
        assert roster(store, session) == {"bob": "active"}
        assert store.due_absences(0) == []

    def test_who_came_back_has_not_left(self, store: Store) -> None:
        session = new_session(store)
        join(store, session, ANN)
        store.vanish(session.id, ANN)
        join(store, session, ANN2)
        store.expire_absent(session.id, 0)
        assert [change for _, change in facts(store, session)] == ["joined", "disconnected", "returned"]
        assert store.due_absences(0) == []
