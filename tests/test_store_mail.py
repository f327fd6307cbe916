"""What both stores promise of mail: who has the mailbox open gets it in order, and who sends hears if nobody has."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.store.base import Store
from classwaves.store.redis import RedisStore
from classwaves.store.redis_feed import RedisFeed
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.stores import Listener, StoreFactory, at_once, new_session, redis_store, say
from tests.support.stores import direct as direct
from tests.support.stores import make_every_store as make_every_store
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.stores import store as store
from tests.support.waiting import eventually


@dataclass
class Mailbox:
    """Keeps what comes."""

    got: list[bytes] = field(default_factory=list)

    def __call__(self, data: bytes) -> None:
        self.got.append(data)

    def gets(self, *data: bytes) -> None:
        eventually(lambda: self.got == list(data), what=f"{data[-1:]} in the mailbox")


@pytest.fixture
def other(make_store: StoreFactory, store: Store) -> Iterator[Store]:
    """Another worker's store; in memory there is only one."""
    yield store if make_store.kind == "memory" else make_store()


def test_mail_arrives_as_it_was_sent_and_in_order(store: Store, other: Store) -> None:
    box = Mailbox()
    store.open_mailbox("w1", box)
    letters = [bytes(range(256)), b"", b"\r\n$3\r\n", *[b"%d" % number for number in range(50)], b"x" * 300_000]
    for letter in letters:
        assert other.send_mail("w1", letter)
    box.gets(*letters)


def test_who_sends_hears_that_nobody_has_the_mailbox(store: Store, other: Store) -> None:
    assert not other.send_mail("w1", b"too early")
    box = Mailbox()
    store.open_mailbox("w1", box)
    assert not other.send_mail("w2", b"for somebody else")
    assert other.send_mail("w1", b"now")
    box.gets(b"now")
    store.close_mailbox("w1")
    store.close_mailbox("w1")
    eventually(lambda: not other.send_mail("w1", b"too late"), what="a closed mailbox")
    store.open_mailbox("w1", box)
    assert other.send_mail("w1", b"again")
    eventually(lambda: box.got[-1] == b"again", what="mail in the mailbox that was opened again")


def test_a_mailbox_opens_before_and_after_the_start(store: Store, other: Store) -> None:
    early, late, listener = Mailbox(), Mailbox(), Listener()
    store.open_mailbox("early", early)
    store.start(listener)
    store.open_mailbox("late", late)
    session = new_session(store)
    store.subscribe(session.id)
    other.send_mail("early", b"1")
    other.send_mail("late", b"2")
    say(other, session, "hello")
    early.gets(b"1")
    late.gets(b"2")
    listener.hears(session.id, "hello")


def test_many_send_at_once(store: Store, other: Store) -> None:
    box = Mailbox()
    store.open_mailbox("w1", box)

    def send(sender: int) -> None:
        for number in range(20):
            assert other.send_mail("w1", b"%d %d" % (sender, number))

    at_once(10, send)
    eventually(lambda: len(box.got) == 200, what="all mail")
    for sender in range(10):
        assert [m for m in box.got if m.startswith(b"%d " % sender)] == [b"%d %d" % (sender, n) for n in range(20)]


def test_a_failing_mailbox_harms_nobody(store: Store, other: Store, caplog: pytest.LogCaptureFixture) -> None:
    def fail(data: bytes) -> None:
        raise ZeroDivisionError

    box = Mailbox()
    store.open_mailbox("bad", fail)
    store.open_mailbox("good", box)
    assert other.send_mail("bad", b"")
    assert other.send_mail("good", b"hello")
    box.gets(b"hello")
    eventually(lambda: "ZeroDivisionError" in caplog.text, what="a word in the log")  # they may have two readers


# Redis alone: the connection may be away


def test_a_mailbox_is_open_again_after_a_cut(proxy: FaultyProxy, shaky: RedisStore, direct: RedisStore) -> None:
    box, listener = Mailbox(), Listener()
    shaky.open_mailbox("w1", box)
    shaky.start(listener)
    for turn in (1, 2):
        proxy.cut()
        listener.returns(turn)
        assert direct.send_mail("w1", b"%d" % turn), "open again when on_reconnect is called"
        box.gets(*[b"%d" % past for past in range(1, turn + 1)])


def test_redis_is_away_while_a_mailbox_opens(redis_server: RedisServer) -> None:
    store, box = redis_store(redis_server.url, timeout=1), Mailbox()
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        store.open_mailbox("w1", box)
    with pytest.raises(StoreUnavailable):
        store.send_mail("w1", b"lost")
    redis_server.start()

    def opens() -> bool:
        with contextlib.suppress(StoreUnavailable):
            store.open_mailbox("w1", box)
            return True
        return False

    eventually(opens, what="an open mailbox")
    assert store.send_mail("w1", b"hello")
    box.gets(b"hello")
    store.close()


def test_a_feed_of_no_channels_keeps_its_connection(
    redis_server: RedisServer, direct: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked from time to time whether it still works, and answers otherwise than one with channels."""
    box = Mailbox()
    direct.open_mailbox("w1", box)
    direct.close_mailbox("w1")
    feed = direct._servers.feed
    assert isinstance(feed, RedisFeed)
    with feed._lock:  # as its watch does after a while of silence
        feed._send("PING")
    with redis_server.client() as client:
        eventually(lambda: any(one["cmd"] == "ping" for one in client.client_list()), what="a ping")
    direct.open_mailbox("w1", box)
    assert direct.send_mail("w1", b"hello")
    box.gets(b"hello")
    assert "lost Redis" not in caplog.text
