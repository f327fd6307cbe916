"""What both stores promise of sessions: codes, records, lists, and their end."""

from contextlib import closing

from classwaves.store import MemoryStore
from classwaves.store.base import Checkpoint
from classwaves.testing.suites.store_sessions import SessionsContract
from tests.support.redis_server import RedisServer
from tests.support.stores import (
    LIMITS,
    LONG,
    EveryStore,
    Listener,
    ManualClock,
    join,
    message,
    new_session,
    redis_store,
    say,
    seat,
)
from tests.support.waiting import eventually


class TestSessions(EveryStore, SessionsContract):
    """Every kind of store keeps them."""


def test_the_memory_store_lets_go_to_the_second() -> None:
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    record = new_session(store)
    store.expire(record, 60)
    clock.forward(59)
    assert store.session_id(record.code) == record.id
    clock.forward(1)
    assert store.session_id(record.code) is None
    assert store.record(record.id) is None


def test_sessions_that_have_expired_do_not_pile_up_in_lists_that_nobody_reads(redis_server: RedisServer) -> None:
    with closing(redis_store(redis_server.url)) as store, redis_server.client() as client:
        for number in range(60):
            record = new_session(store)
            client.delete(f"test:{{{record.id}}}:meta")
            # of four that are looked at, more than one is gone as soon as more than a quarter of the list is
            assert client.zcard("test:sessions") == client.zcard("test:owner:teacher") < 10, number
        kept = [new_session(store) for _ in range(30)]
        newest_first = sorted(kept, key=lambda record: (record.created_at, record.id), reverse=True)
        assert store.list_sessions(None, 0, 100) == newest_first


def test_redis_holds_no_key_for_longer_than_the_session(redis_server: RedisServer) -> None:
    """Also those that are made after the last call of ``expire``: the worker may die before the next."""
    store = redis_store(redis_server.url)
    record = new_session(store)
    store.expire(record, LONG)
    join(store, record, seat("ann"))
    epoch = store.append(record.id, [message("hello")], dedupe="1").epoch
    assert store.save_checkpoint(record.id, Checkpoint(1, epoch, 2, "{}"))
    with redis_server.client() as client:
        keys = client.keys(f"*{{{record.id}}}*")
        assert len(keys) == 8
        assert [key for key in keys if client.pttl(key) < 0] == []
    store.close()


def test_two_stores_in_one_redis_are_one(redis_url: str) -> None:
    """Two workers: what one writes the other reads, also along the feed."""
    one, two = redis_store(redis_url), redis_store(redis_url)
    listener = Listener()
    two.start(listener)
    record = new_session(one)
    two.subscribe(record.id)
    say(one, record, "hello")
    assert two.read(record.id, 0, 10) == one.read(record.id, 0, 10)
    eventually(lambda: listener.heard(record.id) == one.read(record.id, 1, 10), what="the entry in the feed")
    one.close()
    two.close()
