"""What both stores promise of the feed: nothing is missed after ``subscribe``, and who was away is told."""

import threading

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.models import Entry, SessionRecord
from classwaves.store.redis import RedisStore
from classwaves.testing.suites.store_feed import FeedContract
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.stores import EveryStore, Listener, new_session, say, texts
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.waiting import eventually


class TestFeed(EveryStore, FeedContract):
    """Every kind of store keeps them."""


# Redis alone: the connection may be away


def test_a_feed_that_was_cut_comes_back_with_all_sessions(
    proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    listener = Listener()
    shaky.start(listener)
    sessions = [new_session(direct) for _ in range(3)]
    for session in sessions:
        shaky.subscribe(session.id)
    for turn in (1, 2):
        proxy.cut()
        listener.returns(turn)
        for session in sessions:
            say(direct, session, f"after cut {turn}")
        for session in sessions:
            listener.hears(session.id, *[f"after cut {past}" for past in range(1, turn + 1)])


def test_nothing_is_missed_after_on_reconnect(proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore) -> None:
    """What is in the log when it is called is to be read there; what follows is heard."""

    class Reader(Listener):
        read = 0

        def on_reconnect(self) -> None:
            self.read = direct.read_back(session.id, 2**53, 1)[0].seq
            super().on_reconnect()

        def goes_on(self, entries: int) -> None:
            eventually(lambda: self.entries and self.entries[-1][1].seq > self.read + entries, what="new entries")

    session = new_session(direct)
    reader = Reader()
    shaky.start(reader)
    shaky.subscribe(session.id)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            say(direct, session, "x")

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for turn in range(1, 6):
            proxy.cut()
            reader.returns(turn)
            reader.goes_on(20)
            heard = {entry.seq for entry in reader.heard(session.id)}
            assert set(range(reader.read + 1, max(heard) + 1)) <= heard
    finally:
        stop.set()
        writing.join()


def test_a_new_connection_is_told_of_before_anything_comes_of_it(
    proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    """Also before what comes along it at once."""
    session, diary = new_session(direct), []

    class Writer(Listener):
        def on_new_connection(self) -> None:
            say(direct, session, "at once")
            diary.append("new")

        def on_entry(self, session_id: str, entry: Entry) -> None:
            diary.extend(texts([entry]))

    writer = Writer()
    shaky.start(writer)
    shaky.subscribe(session.id)
    for turn in (1, 2):
        proxy.cut()
        writer.returns(turn)
        say(direct, session, "later")
        eventually(lambda turn=turn: diary.count("later") == turn, what="what was said")  # type: ignore[misc]
    # Redis may have been asked for the channel before or after the first message was there
    assert [told for told in diary if told != "at once"] == ["new", "later"] * 2


def test_a_feed_returns_after_redis_was_killed_and_started(redis_server: RedisServer, direct: RedisStore) -> None:
    listener = Listener()
    direct.start(listener)
    session = new_session(direct)
    direct.subscribe(session.id)
    redis_server.kill()
    redis_server.start()
    listener.returns()
    direct.publish(session.id, {"typing": True})
    eventually(lambda: listener.ephemeral == [(session.id, {"typing": True})], what="the message")


def subscribers(redis_server: RedisServer, session: SessionRecord) -> int:
    with redis_server.client() as client:
        return int(client.pubsub_numsub(f"test:{{{session.id}}}:feed")[0][1])


def test_a_session_dropped_during_a_return_does_not_hide_it_from_the_others(
    redis_server: RedisServer, proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    listener = Listener()
    shaky.start(listener)
    kept, dropped = new_session(direct), new_session(direct)
    for session in (kept, dropped):
        shaky.subscribe(session.id)
    proxy.refuse()
    proxy.cut()
    eventually(lambda: subscribers(redis_server, dropped) == 0, what="the end of the connection")
    proxy.delay = 0.2  # Redis has the subscriptions and the confirmations are on their way
    proxy.accept()
    eventually(lambda: subscribers(redis_server, dropped) == 1, what="the subscription")
    shaky.unsubscribe(dropped.id)
    proxy.delay = 0
    listener.returns()


def test_a_loss_that_another_thread_finds_first_is_told(
    proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    """redis-py mends the connection for whoever sends on it: what was missed until then must not go unnoticed."""

    class Busy(Listener):
        def on_entry(self, session_id: str, entry: Entry) -> None:
            super().on_entry(session_id, entry)
            assert free.wait(10)

    free = threading.Event()
    busy = Busy()
    shaky.start(busy)
    session = new_session(direct)
    shaky.subscribe(session.id)
    say(direct, session, "keeps the reader busy")
    busy.hears(session.id, "keeps the reader busy")
    proxy.cut()
    say(direct, session, "missed")
    for _ in range(50):
        shaky.unsubscribe("nobody")
        direct.ping()
    free.set()
    busy.returns()


def test_a_subscription_waits_for_the_word_of_redis(redis_server: RedisServer, direct: RedisStore) -> None:
    listener = Listener()
    direct.start(listener)
    first, session = new_session(direct), new_session(direct)
    direct.subscribe(first.id)
    redis_server.pause()
    subscribing = threading.Thread(target=direct.subscribe, args=(session.id,))
    subscribing.start()
    subscribing.join(0.3)
    assert subscribing.is_alive(), "not confirmed yet"
    redis_server.resume()
    subscribing.join(10)
    assert not subscribing.is_alive()
    say(direct, session, "hello")
    listener.hears(session.id, "hello")


def test_who_subscribes_while_redis_is_away_is_told(
    redis_server: RedisServer, proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore
) -> None:
    listener = Listener()
    session = new_session(direct)
    proxy.refuse()
    shaky.start(listener)
    with pytest.raises(StoreUnavailable):
        shaky.subscribe(session.id)
    proxy.accept()
    listener.returns()
    assert subscribers(redis_server, session) == 0, "the refused subscription is forgotten"
    shaky.subscribe(session.id)
    say(direct, session, "hello")
    listener.hears(session.id, "hello")
