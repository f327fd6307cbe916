"""Sentinel: the master dies in the middle of a lesson, and the store goes on with the next one by itself."""

from collections.abc import Iterator

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.models import new_id
from classwaves.store.redis import RedisStore
from tests.support.redis_sets import SentinelSet
from tests.support.stores import Listener, message, new_session, redis_store, texts
from tests.support.waiting import eventually
from tests.support.writers import Writers


@pytest.fixture
def store(sentinel_set: SentinelSet) -> Iterator[RedisStore]:
    opened = redis_store(sentinel_set.url, timeout=1.0, prefix=f"test-{new_id(6)}")
    yield opened
    opened.close()


def test_a_master_that_was_demoted_is_left(sentinel_set: SentinelSet, store: RedisStore) -> None:
    """It is alive, a replica now, and refuses what it is told on the connections that it has."""
    session = new_session(store)
    before = sentinel_set.master()
    with Writers(store, session.id) as writers:
        writers.go_on()
        sentinel_set.fail_over()
        before.ask("REPLICAOF", "127.0.0.1", sentinel_set.master().port)  # the sentinels would, in ten seconds
        writers.go_on()
        assert store.save_account("somebody", {"a": "b"}), "the pool has left it too"
    writers.check(lost=True)
    eventually(sentinel_set.seems_whole, timeout=20, what="a whole set")


def test_a_failover_in_the_middle_of_appends(sentinel_set: SentinelSet, store: RedisStore) -> None:
    listener, mail = Listener(), list[bytes]()
    store.start(listener)
    session = new_session(store)
    store.subscribe(session.id)
    store.open_mailbox("w1", mail.append)
    before = sentinel_set.master()
    with Writers(store, session.id) as writers:
        writers.go_on()
        eventually(lambda: before.ask("WAIT", 1, 100), what="a replica that has got all, or nearly")
        sentinel_set.kill(before)
        eventually(lambda: writers.failed, what="a refusal")
        assert not listener.reconnects
        writers.go_on()
        # the store asks all sentinels, this one may hear of it a moment later
        eventually(lambda: sentinel_set.master() is not before, what="another master")
        listener.returns()
    assert store.send_mail("w1", b"hello")
    eventually(lambda: mail == [b"hello"], what="mail")
    # replication is behind by what the master had not sent when it died: a suffix of what was acknowledged before
    writers.check(lost=True)
    newest = store.read_back(session.id, 2**53, 1)[0]
    eventually(lambda: listener.heard(session.id)[-1] == newest, what="the feed of the new master")
    store.append(session.id, [message("after")], dedupe="after")
    eventually(lambda: texts(listener.heard(session.id))[-1] == "after", what="the feed of the new master")


def test_a_sentinel_that_is_away_is_passed_over(sentinel_set: SentinelSet) -> None:
    sentinel_set.sentinels[0].kill()
    store = redis_store(sentinel_set.url, timeout=1.0)
    store.ping()
    store.close()
    sentinel_set.sentinels[0].start()


def test_no_sentinel_knows_the_service(sentinel_set: SentinelSet) -> None:
    store = redis_store(sentinel_set.url.replace("classroom", "elsewhere"), timeout=1.0)
    with pytest.raises(StoreUnavailable):
        store.ping()
    with pytest.raises(StoreUnavailable):
        store.append("session", [message("a")], dedupe="a")
    store.close()
