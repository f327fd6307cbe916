"""A process that dies, freezes or loses its way to Redis: what those on the other process see of it."""

from collections.abc import Iterator

import pytest

from tests.support.clients import RawClient
from tests.support.pair import Pair, open_pair
from tests.support.pair import redis as redis
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.resuming import agreed, gathered
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("worker lost")


@pytest.fixture(scope="module")
def proxy(redis: RedisServer) -> Iterator[FaultyProxy]:
    """The way of the first process to Redis."""
    with FaultyProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(redis: RedisServer, proxy: FaultyProxy) -> Iterator[Pair]:
    with open_pair(redis.url, first_url=proxy.url) as pair:
        yield pair


@pytest.fixture
def pair(running: Pair, proxy: FaultyProxy, redis: RedisServer) -> Iterator[Pair]:
    """Both processes at work, each with its lease."""
    if not running.a.server.running:
        running.a.server.start()
    starter = running.guest(running.b.session(), running.a), running.guest(running.b.session(), running.b)
    gathered(starter)
    eventually(lambda: leases(redis) == 2, what="two leases")
    yield running
    running.dismiss()
    running.a.server.resume()
    proxy.accept()


def leases(redis: RedisServer) -> int:
    with redis.client() as client:
        return int(client.zcard("cw:workers"))


def told(watcher: RawClient, code: str, user: str) -> list[str]:
    """What a watcher was told of a user, up to now."""
    ack = watcher.say(code, "up to here")
    watcher.wait_for("messageReceived", seq=ack["seq"])
    return [data["status"] for name, data in watcher.inbox if name == "presenceUpdated" and data["userId"] == user]


def test_a_frozen_process_gets_its_seats_back(pair: Pair) -> None:
    """It was taken for dead, and its clients have not noticed anything."""
    code = pair.b.session()
    watcher = pair.watch(code, pair.b)
    ann = pair.guest(code, pair.a)
    gathered([ann])
    pair.a.server.pause()
    watcher.wait_for("presenceUpdated", userId=ann.user_id, status="disconnected")
    pair.a.server.resume()
    watcher.wait_for("presenceUpdated", userId=ann.user_id, status="active")
    eventually(lambda: told(watcher, code, ann.user_id) == ["active", "disconnected", "active"], what="back")
    agreed([ann], pair.history(code))
    assert ann.connections == 1
    ann.close()
    watcher.inbox.clear()
    watcher.wait_for("presenceUpdated", userId=ann.user_id, status="disconnected")


def test_a_process_that_was_cut_off_gets_its_seats_back(pair: Pair, proxy: FaultyProxy) -> None:
    code = pair.b.session()
    watcher = pair.watch(code, pair.b)
    ann = pair.guest(code, pair.a)
    gathered([ann])
    proxy.refuse()
    proxy.cut()
    watcher.say(code, "while Ann is away")
    watcher.wait_for("presenceUpdated", userId=ann.user_id, status="disconnected")
    proxy.accept()
    watcher.inbox.clear()
    watcher.wait_for("presenceUpdated", userId=ann.user_id, status="active")
    ann.say("here again")
    eventually(lambda: not ann.unacked, what="an ack")
    agreed([ann], pair.history(code))
    assert (ann.connections, len(ann.snapshots)) == (1, 1)


def test_a_killed_process_is_noticed_once_and_who_is_back_before_is_not(pair: Pair, redis: RedisServer) -> None:
    code = pair.b.session()
    watcher = pair.watch(code, pair.b)
    gone, back = pair.guest(code, pair.a, seed=1), pair.guest(code, pair.a, pair.b, seed=2)
    gathered([gone, back])
    back.say("before")
    eventually(lambda: not back.unacked, what="an ack")

    pair.a.server.kill9()
    eventually(lambda: back.connections == 2 and back.in_session, 15, "a resume on the other process")
    assert back.snapshots[-1]["recovered"]
    watcher.wait_for("presenceUpdated", userId=gone.user_id, status="disconnected")
    eventually(lambda: leases(redis) == 1, what="the dead worker settled")
    assert told(watcher, code, gone.user_id) == ["active", "disconnected"]
    assert told(watcher, code, back.user_id) == ["active"]
    back.say("after")
    eventually(lambda: not back.unacked, what="an ack")
    agreed([back], pair.history(code))
