"""What both stores promise of an append that ends somebody's place, and of the cursors of who has read what."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from classwaves.errors import ClassWavesError, StaleFence
from classwaves.models import Draft, SessionRecord, new_id
from classwaves.replica import FOLD_VERSION
from classwaves.store import MemoryStore
from classwaves.store.base import Appended, Store, cursor_news
from classwaves.store.redis import RedisStore
from tests.support.redis_server import RedisServer
from tests.support.stores import (
    LIMITS,
    LONG,
    Listener,
    StoreFactory,
    at_once,
    facts,
    join,
    message,
    new_session,
    redis_store,
    say,
    seat,
)
from tests.support.stores import make_every_store as make_every_store
from tests.support.stores import store as store
from tests.support.waiting import eventually

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


# seats


def test_an_append_takes_all_places_of_a_user(store: Store) -> None:
    session = new_session(store)
    for tab in (ANN, ANN2, BOB):
        join(store, session, tab)
    listener = listening(store, session)
    appended = remove(store, session, "ann")
    assert roster(store, session) == {"bob": "active"}
    assert store.read(session.id, appended.seq - 1, 10) == store.read_back(session.id, appended.seq + 1, 1)
    assert facts(store, session) == [("ann", "joined"), ("bob", "joined")], "the removal itself is the fact"
    assert announced(store, session, listener) == []


def test_an_append_without_it_takes_no_place(store: Store) -> None:
    session = new_session(store)
    join(store, session, ANN)
    say(store, session, "hello")
    store.append(session.id, [message("to nobody in particular")], dedupe="x", unseat="")
    assert roster(store, session) == {"ann": "active"}


def test_who_has_no_place_loses_none(store: Store) -> None:
    session = new_session(store)
    join(store, session, BOB)
    assert remove(store, session, "ann").seq == 3
    assert roster(store, session) == {"bob": "active"}


def test_the_place_is_free_for_another(store: Store) -> None:
    session = new_session(store)
    join(store, session, ANN, capacity=2)
    join(store, session, BOB, capacity=2)
    with pytest.raises(ClassWavesError, match="SESSION_FULL"):
        join(store, session, seat("cid"), capacity=2)
    remove(store, session, "ann")
    join(store, session, seat("cid"), capacity=2)
    with pytest.raises(ClassWavesError, match="SESSION_FULL"):
        join(store, session, seat("dan"), capacity=2)


def test_the_end_of_the_old_seats_is_no_fact(store: Store) -> None:
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


def test_who_was_disconnected_is_not_said_to_have_left_after(store: Store) -> None:
    session = new_session(store)
    join(store, session, ANN)
    store.vanish(session.id, ANN)
    seq = remove(store, session, "ann").seq
    store.expire_absent(session.id, 0)
    assert (roster(store, session), store.positions([session.id])) == ({}, {session.id: seq})
    assert store.due_absences(0) == []


def test_a_dead_workers_seat_of_who_was_removed_is_settled_in_silence(store: Store) -> None:
    session = new_session(store)
    store.renew("w", 0.001)
    store.serve("w", session.id)
    join(store, session, ANN)
    seq = remove(store, session, "ann").seq
    if store.kind == "redis":
        eventually(lambda: store.sweep() == 1, what="the end of the lease")
    assert store.positions([session.id]) == {session.id: seq}


def test_what_is_not_stored_takes_no_place(store: Store) -> None:
    session = new_session(store)
    join(store, session, ANN)
    with pytest.raises(StaleFence):
        remove(store, session, "ann", fences={"session": 0})
    with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
        remove(store, session.with_changes(id="nobody"), "ann")
    assert roster(store, session) == {"ann": "active"}


def test_a_repeated_append_takes_no_place_of_now(store: Store) -> None:
    """Late repeats change nothing: the user may be in again, by another rule than this store's."""
    session = new_session(store)
    join(store, session, ANN)
    first = remove(store, session, "ann", dedupe="x")
    join(store, session, ANN2)
    again = remove(store, session, "ann", dedupe="x")
    assert (again.seq, again.duplicate) == (first.seq, True)
    assert roster(store, session) == {"ann": "active"}
    assert facts(store, session) == [("ann", "joined"), ("ann", "joined")], "a first arrival, as the place was gone"


def test_a_join_that_relies_on_the_fence_comes_before_or_not_at_all(store: Store) -> None:
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


# cursors


def test_a_cursor_goes_forward_only(store: Store) -> None:
    session = new_session(store)
    listener = listening(store, session)
    assert cursors(store, session) == {}
    told = []
    for message_id, further in (("e-3", True), ("e-3", False), ("e-2", False), ("e-10", True), ("e-9", False)):
        assert store.set_cursor(session.id, "ann", message_id) is further, message_id
        told += [cursor_news("ann", message_id)] if further else []
    assert cursors(store, session) == {"ann": "e-10"}
    assert announced(store, session, listener) == told


def test_each_user_has_a_cursor_and_each_session(store: Store) -> None:
    session, other = new_session(store), new_session(store)
    for user, message_id in (("ann", "e-5"), ("bob", "e-4"), ('cid"/\N{SEEDLING}', "x-y-3")):
        assert store.set_cursor(session.id, user, message_id)
    assert store.set_cursor(other.id, "ann", "e-1")
    assert cursors(store, session) == {"ann": "e-5", "bob": "e-4", 'cid"/\N{SEEDLING}': "x-y-3"}
    assert cursors(store, other) == {"ann": "e-1"}


def test_only_the_seq_of_a_cursor_counts(store: Store) -> None:
    """The numbering goes on in another epoch."""
    session = new_session(store)
    assert store.set_cursor(session.id, "ann", "zzz-5")
    assert not store.set_cursor(session.id, "ann", "aaa-4")
    assert store.set_cursor(session.id, "ann", "aaa-6")
    assert store.set_cursor(session.id, "ann", f"a-{2**40}")
    assert cursors(store, session) == {"ann": f"a-{2**40}"}


@pytest.mark.parametrize("message_id", ["", "-", "nothing", "e-0", "e-x"])
def test_what_is_no_id_is_no_cursor(store: Store, message_id: str) -> None:
    session = new_session(store)
    assert not store.set_cursor(session.id, "ann", message_id)
    assert cursors(store, session) == {}


def test_no_session_has_no_cursors(store: Store) -> None:
    with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
        store.set_cursor("nobody", "ann", "e-1")


def test_of_many_at_once_the_furthest_stays(store: Store) -> None:
    session = new_session(store)
    listener = listening(store, session)
    moved = at_once(8, lambda number: store.set_cursor(session.id, "ann", f"e-{number + 1}"))
    assert cursors(store, session) == {"ann": "e-8"}
    told = [said["data"]["messageId"] for said in announced(store, session, listener)]
    assert len(told) == sum(moved)
    assert told == sorted(told), "each further than the one before"


def test_cursors_are_in_no_log_and_outlive_a_checkpoint_and_a_removal(store: Store) -> None:
    session = new_session(store)
    join(store, session, ANN)
    store.set_cursor(session.id, "ann", "e-1")
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded is not None
    assert loaded.seq == 2
    store.new_epoch(session.id, loaded.epoch)
    remove(store, session, "ann")
    assert cursors(store, session) == {"ann": "e-1"}


def test_cursors_go_with_the_session(make_store: StoreFactory, request: pytest.FixtureRequest) -> None:
    """Those that were set before its end was set, and those after."""
    store = make_store()
    sessions = [new_session(store) for _ in range(2)]
    store.set_cursor(sessions[0].id, "ann", "e-1")
    for session in sessions:
        store.expire(session, LONG)
    store.set_cursor(sessions[1].id, "ann", "e-1")
    if make_store.kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        with server.client() as client:
            for session in sessions:
                (key,) = client.keys(f"*:{{{session.id}}}:cursors")
                assert 0 < client.pttl(key) <= LONG * 1000
    for session in sessions:
        store.expire(session, 0.001)
        eventually(lambda: store.load(sessions[0].id, FOLD_VERSION) is None, what="the end of the data")
    eventually(lambda: store.load(sessions[1].id, FOLD_VERSION) is None, what="the end of the data")
    for session in sessions:
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            store.set_cursor(session.id, "ann", "e-2")
    if make_store.kind == "redis":
        with server.client() as client:
            assert [key for session in sessions for key in client.keys(f"*:{{{session.id}}}:*")] == []


# both stores alike


USERS = st.sampled_from(["ann", "bob", "cid"])
SEATS = st.builds(seat, USERS, st.sampled_from("12"))
STEPS = st.one_of(
    st.tuples(st.just("join"), SEATS, st.sampled_from([None, 1, 2])),
    st.tuples(st.sampled_from(["leave", "vanish"]), SEATS),
    st.tuples(st.just("expire_absent"), st.just(0)),
    st.tuples(st.just("remove"), USERS, st.sampled_from("abcdef"), st.sampled_from([{}, {}, {"user:ann": 0}])),
    st.tuples(st.just("set_cursor"), USERS, st.builds("{}-{}".format, st.sampled_from("ef"), st.integers(0, 9))),
)


@pytest.fixture(scope="module")
def redis_side(redis_process: RedisServer) -> Iterator[tuple[RedisStore, Listener]]:
    redis_process.make_clean()
    store, listener = redis_store(redis_process.url), Listener()
    store.start(listener)
    yield store, listener
    store.close()


def take(store: Store, session: SessionRecord, name: str, *arguments: Any) -> Any:
    """The result of a step, or how it was refused."""
    try:
        match name, *arguments:
            case "join", at, capacity:
                return join(store, session, at, capacity)
            case "remove", user_id, dedupe, fences:
                appended = remove(store, session, user_id, dedupe=dedupe, fences=fences)
                return appended.seq, appended.duplicate
        return getattr(store, name)(session.id, *arguments)
    except StaleFence:
        return "stale"
    except ClassWavesError as error:
        return error.code


@settings(max_examples=60, deadline=None, phases=[Phase.reuse, Phase.generate])  # shrinking takes minutes
@given(steps=st.lists(STEPS, min_size=5, max_size=30))
def test_both_stores_keep_the_same_seats_and_cursors(
    redis_side: tuple[RedisStore, Listener], steps: list[tuple[Any, ...]]
) -> None:
    memory, listener = MemoryStore(LIMITS), Listener()
    memory.start(listener)
    sides: list[tuple[Store, Listener, SessionRecord]] = []
    for kept, heard in ((memory, listener), redis_side):
        session = new_session(kept)
        kept.subscribe(session.id)
        sides.append((kept, heard, session))
    for step in steps:
        first, second = (take(side, session, *step) for side, _, session in sides)
        assert first == second, step
        loads = [side.load(session.id, FOLD_VERSION) for side, _, session in sides]
        one, other = [(load.seq, load.statuses, load.cursors) if load else None for load in loads]
        assert one == other, step
    logs = [[entry.draft for entry in side.read(session.id, 1, 1000)] for side, _, session in sides]
    assert logs[0] == logs[1]
    news = [[{**said, "time": 0} for said in announced(side, session, heard)] for side, heard, session in sides]
    assert news[0] == news[1]
    redis_side[0].unsubscribe(sides[1][2].id)
