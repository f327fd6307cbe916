"""A session on a worker: what its feed brings, late or twice or not at all, reaches its sockets in order and once."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classwaves.errors import ClassWavesError
from classwaves.live import LiveSession
from classwaves.models import Draft, new_id
from classwaves.replica import FOLD_VERSION
from classwaves.store import MemoryStore
from classwaves.store.base import Limits, Store
from classwaves.store.redis import RedisStore
from tests.support.hubs import GatedStore, Sockets, Worker, enter, open_live, principal
from tests.support.hubs import workers as workers
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, join, message, new_session, redis_store, say, seat
from tests.support.stores import direct as direct
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store
from tests.support.waiting import eventually

ANN, BOB, TEACHER = principal("ann"), principal("bob"), principal("teacher", "teacher")


def test_a_gap_is_filled_from_the_log_in_order(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets)
    enter(live, "s", ANN)
    say(store, session, *"abcde")
    entries = store.read(session.id, 1, 10)
    live.on_entry(entries[0])
    live.on_entry(entries[3])
    sockets.hears("s", *"abcde")
    for entry in entries:
        live.on_entry(entry)
    assert sockets.said("s") == list("abcde")
    assert len(sockets.of("s", "sessionJoined")) == 1


@settings(max_examples=30, deadline=None)
@given(order=st.lists(st.integers(0, 19), max_size=40))
def test_whatever_the_order_of_the_feed_the_sockets_see_that_of_the_log(order: list[int]) -> None:
    """Entries that are missing, repeated, or late."""
    store, sockets = MemoryStore(LIMITS), Sockets()
    session = new_session(store)
    live = open_live(store, session, sockets)
    enter(live, "s", ANN)
    say(store, session, *map(str, range(20)))
    entries = store.read(session.id, 1, 100)
    for number in order:
        live.on_entry(entries[number])
    live.reach(21)
    sockets.hears("s", *map(str, range(20)))


def test_what_comes_while_the_session_is_loaded_is_not_missed(workers: list[Worker]) -> None:
    store = GatedStore()
    workers.append(Worker(store))
    session = new_session(store)
    join(store, session, seat("bob"))
    store.open.clear()
    loading = threading.Thread(target=workers[0].hub.acquire, args=(session.id,))
    loading.start()
    assert store.asked.wait(10)
    say(store, session, "late", "later")
    store.set_status(session.id, seat("bob"), "idle", {})
    store.open.set()
    loading.join(10)
    (live,) = workers[0].hub.live_sessions()
    assert live.replica.seq == 4
    assert live.status_of("bob") == "idle"


def test_what_comes_while_the_log_is_read_follows_it() -> None:
    """Also when an entry between is lost and no further wake-up comes."""
    store, sockets = GatedStore(), Sockets()
    session = new_session(store)
    live = open_live(store, session, sockets)
    enter(live, "s", ANN)
    say(store, session, "a", "b", "c")
    store.open.clear()
    live.on_entry(MemoryStore.read(store, session.id, 3, 1)[0])
    assert store.asked.wait(10)
    say(store, session, "d", "lost on the way", "e")
    for seq in (5, 7):
        live.on_entry(MemoryStore.read(store, session.id, seq - 1, 1)[0])
    store.open.set()
    sockets.hears("s", "a", "b", "c", "d", "lost on the way", "e")


def test_who_waits_for_an_entry_goes_on_when_the_feed_brings_it(store: Store) -> None:
    session = new_session(store)
    live = open_live(store, session, Sockets())
    live.reach(1)
    say(store, session, "a", "b")
    first, second = store.read(session.id, 1, 10)
    waiting = threading.Thread(target=live.reach, args=(3,))
    waiting.start()
    live.on_entry(first)
    live.on_entry(second)
    waiting.join(10)
    assert not waiting.is_alive()


def test_who_waits_in_vain_reads_the_log(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets)
    enter(live, "s", ANN)
    say(store, session, "a", "b")
    live.reach(3)
    assert sockets.said("s") == ["a", "b"]


def test_a_log_that_was_trimmed_meanwhile_is_taken_from_the_checkpoint(make_store: Callable[[Limits], Store]) -> None:
    store = make_store(Limits(log_entries=3, log_bytes=10_000_000, dedupe_keys=10))
    session, sockets = new_session(store), Sockets()
    behind = open_live(store, session, sockets)
    enter(behind, "s", ANN)
    ahead = open_live(store, session, Sockets())
    say(store, session, *"abcdefgh")
    ahead.catch_up()
    ahead.write_checkpoint()
    assert store.read(session.id, 0, 1)[0].seq == 7
    behind.catch_up()
    assert behind.replica.dump() == ahead.replica.dump()
    told = sockets.of("s", "sessionJoined")[1:]
    assert [(snapshot["recovered"], snapshot["seq"]) for snapshot in told] == [(False, 9)]
    assert sockets.said("s") == [], "messages are read from the history"


def test_what_was_trimmed_is_not_lost(make_store: Callable[[Limits], Store]) -> None:
    """A replica that was away for long finds its own entry gone: it starts again, and nobody else has to."""
    store = make_store(Limits(log_entries=3, log_bytes=10_000_000, dedupe_keys=10))
    session, sockets = new_session(store), Sockets()
    say(store, session, "mine")
    behind = open_live(store, session, sockets)
    enter(behind, "s", ANN)
    ahead = open_live(store, session, Sockets())
    say(store, session, *"abcdefgh")
    ahead.catch_up()
    ahead.write_checkpoint()
    behind.verify()
    assert behind.replica.epoch == ahead.replica.epoch
    assert behind.replica.dump() == ahead.replica.dump()
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded and loaded.epoch == ahead.replica.epoch


def test_a_session_that_does_not_exist_is_not_loaded(store: Store) -> None:
    session = new_session(store).with_changes(id="nobody")
    with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
        open_live(store, session, Sockets())


def test_each_audience_gets_what_is_for_it(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets)
    for who in (ANN, BOB, TEACHER):
        enter(live, who.user_id, who)
    for audience, members in (("all", ()), ("staff", ()), ("user", ("ann",)), ("group", ("bob",)), ("none", ())):
        store.append(session.id, [message(audience, audience=audience, members=members)], dedupe=audience)
    live.catch_up()
    assert sockets.said("ann") == ["all", "user"]
    assert sockets.said("bob") == ["all", "group"]
    assert sockets.said("teacher") == ["all", "staff", "group"]


def test_a_co_teacher_is_staff_from_the_change_on(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets)
    enter(live, "ann", ANN)

    def appoint(*users: str) -> None:
        data = {"title": "Biology", "settings": {"coTeacherIds": list(users)}}
        store.append(session.id, [Draft("sessionChanged", data, audience="none")], dedupe=new_id())
        store.append(session.id, [message(f"to {users}", audience="staff")], dedupe=new_id())

    for users in ((), ("ann",), ("bob",)):
        appoint(*users)
    live.catch_up()
    assert sockets.said("ann") == ["to ('ann',)"]


def test_statuses_are_told_to_the_others(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets)
    for who in (ANN, BOB):
        enter(live, who.user_id, who)
    join(store, session, seat("bob"))
    store.vanish(session.id, seat("bob"))
    join(store, session, seat("bob"))
    store.leave(session.id, seat("bob"))
    live.catch_up()
    told = [(payload["userId"], payload["status"]) for payload in sockets.of("ann", "presenceUpdated")]
    assert told == [("bob", "active"), ("bob", "disconnected"), ("bob", "active"), ("bob", "left")]
    assert sockets.of("bob", "presenceUpdated") == []


# checkpoints


def checkpoint_seq(store: Store, live: LiveSession) -> int:
    """The newest checkpoint's seq, 0 without one."""
    loaded = store.load(live.id, FOLD_VERSION)
    assert loaded
    return (loaded.tail[0].seq - 1 if loaded.tail else loaded.seq) if loaded.checkpoint else 0


def test_a_checkpoint_is_due_when_the_tail_is_long_enough(store: Store) -> None:
    session = new_session(store)
    live = open_live(store, session, Sockets(), CHECKPOINT_ENTRIES=5)
    say(store, session, *"abcd")
    live.catch_up()
    assert live.claim_checkpoint(), "five entries with the first one"
    assert not live.claim_checkpoint(), "somebody writes it"
    live.write_checkpoint()
    assert checkpoint_seq(store, live) == 5
    again = open_live(store, session, Sockets(), CHECKPOINT_ENTRIES=5)
    assert again.replica.dump() == live.replica.dump()
    say(store, session, *"efgh")
    again.catch_up()
    assert not again.claim_checkpoint()
    say(store, session, "i")
    again.catch_up()
    assert again.claim_checkpoint()


def test_a_checkpoint_that_was_not_written_is_due_again(redis_server: RedisServer, direct: RedisStore) -> None:
    store = redis_store(redis_server.url, timeout=0.6)
    session = new_session(store)
    live = open_live(store, session, Sockets(), CHECKPOINT_ENTRIES=3)
    say(store, session, "a", "b")
    live.catch_up()
    assert live.claim_checkpoint()
    redis_server.pause()
    live.write_checkpoint()
    redis_server.resume()
    assert live.claim_checkpoint()

    def written() -> bool:
        """Redis may be slow at first: who has not written it tries again."""
        live.write_checkpoint()
        return checkpoint_seq(direct, live) == 3

    eventually(written, what="the checkpoint")
    store.close()
