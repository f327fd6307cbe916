"""What both stores promise of an append that ends somebody's place, and of the cursors of who has read what."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from classwaves.errors import ClassWavesError, StaleFence
from classwaves.models import SessionRecord
from classwaves.replica import FOLD_VERSION
from classwaves.store import MemoryStore
from classwaves.store.base import Store
from classwaves.store.redis import RedisStore
from classwaves.testing.suites.store_seats_and_cursors import SeatsContract, announced, remove
from tests.support.redis_server import RedisServer
from tests.support.stores import (
    LIMITS,
    LONG,
    PATIENT,
    EveryStore,
    Listener,
    StoreFactory,
    join,
    new_session,
    redis_store,
    seat,
)
from tests.support.stores import make_every_store as make_every_store
from tests.support.stores import store as store
from tests.support.waiting import eventually


class TestSeats(EveryStore, SeatsContract):
    """Every kind of store keeps them."""


# seats


# cursors


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
    store, listener = redis_store(redis_process.url, timeout=PATIENT), Listener()
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
