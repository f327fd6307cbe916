"""What comes and goes leaves nothing behind: no lease, room, greenlet or subscription, in the worker and in Redis."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.clients import RawClient, WebSocketWire
from tests.support.counting_app import CountingGunicorn
from tests.support.school import School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("reference-counts")

TIMES, FEW = 200, 40
NOTHING = {
    **{"rosters": 0, "served": 0, "absent": 0, "leases": 1},
    # one of ours, one of Flask-SocketIO's message queue
    **{"followers": 2, "channels": ["cw:control"], "subscribers": [1]},
}
"""What is in Redis when nobody is there, as :func:`in_redis` has it."""


@pytest.fixture(scope="module")
def running() -> Iterator[School]:
    """A server on which everything that ends by itself ends soon.

    python-engineio keeps a closed connection's ping greenlet for an interval, and the connection for about a timeout.
    """
    soon = {
        "CLASSWAVES_PING_INTERVAL": "1",
        "CLASSWAVES_PING_TIMEOUT": "4",  # a process that stands still for three seconds is not silent
        "CLASSWAVES_DISCONNECT_GRACE": "0.2",
        "CLASSWAVES_LEFT_AFTER": "0.2",
        "CLASSWAVES_RENEW": "0.2",
        "CLASSWAVES_LEASE": "2",
    }
    with open_school("redis", server=CountingGunicorn, **soon) as school:
        warm_up(school)
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def warm_up(school: School) -> None:
    """Make the server do everything once, so that its threads, pools and caches are there before the count."""
    code = school.session()
    for transport in ("websocket", "polling"):
        client = school.joined(code, transport=transport)
        client.say(code, "hello")
        client.ask("leaveSession", code)
        client.close()
    school.connect(transport="websocket", auth={"token": "nonsense"}).close()


def in_worker(school: School) -> dict[str, int]:
    with urllib.request.urlopen(f"{school.url}/counts", timeout=30) as answer:
        counts: dict[str, int] = json.loads(answer.read())
    return counts


def in_redis(school: School) -> dict[str, Any]:
    """Return what of sessions is in Redis besides their logs, which stay."""
    assert school.redis
    with school.redis.client() as redis:
        worker_sets = [key for key in redis.keys("cw:worker:*") if key != "cw:workers"]
        found = redis.execute_command("PUBSUB", "CHANNELS", "cw:*")
        channels = [channel for channel in found if not channel.startswith("cw:mail:")]  # one a worker, always
        return {
            "rosters": sum(redis.hlen(key) for key in redis.keys("cw:{*}:roster")),
            "served": sum(redis.scard(key) for key in worker_sets),
            "leases": redis.zcard("cw:workers"),
            "absent": redis.zcard("cw:absent"),
            "followers": len(redis.client_list(_type="pubsub")),
            "channels": sorted(channels),
            "subscribers": redis.execute_command("PUBSUB", "NUMSUB", *channels)[1::2],
        }


def leaves_nothing(school: School, visit: Callable[[], object]) -> None:
    """Count, let somebody come and go many times, and wait until the counts are what they were."""
    before = eventually(lambda: when_quiet(school), timeout=20, what="a quiet server", pause=0.2)
    eventually(lambda: in_redis(school) == NOTHING, what="nothing of sessions in Redis", pause=0.2)
    visit()

    def as_before() -> bool:
        after = in_worker(school)
        more = {name: (before[name], after[name]) for name in before if after[name] > before[name]}
        assert not more, f"before and after: {more}"
        assert in_redis(school) == NOTHING
        return True

    eventually(as_before, timeout=60, what="the counts of before", pause=0.2)


def when_quiet(school: School) -> dict[str, int]:
    """Return the counts when nobody is connected and all that ended is gone; else nothing."""
    found = in_worker(school)
    names = ("transports", "connections", "members", "rooms", "slots")
    return {} if any(found[name] for name in names) else found


def test_one_socket_that_joins_and_leaves_again_and_again(school: School) -> None:
    code = school.session()

    def visit() -> None:
        client = school.guest(code)
        for _ in range(TIMES):
            client.join(code)
            client.say(code, "hello")
            assert client.ask("leaveSession", code)["ok"]
        client.close()

    leaves_nothing(school, visit)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_sockets_that_leave_and_close(school: School, transport: str) -> None:
    code = school.session()
    token = school.api.guest(code, "Ann")

    def visit() -> None:
        for _ in range(FEW):
            client = school.connect(token, transport)
            client.join(code)
            client.ask("leaveSession", code)
            client.close()

    leaves_nothing(school, visit)


def vanish(school: School, tokens: list[str], code: str, *ends: Callable[[RawClient], object]) -> None:
    """Let a socket of each token join, and end in these ways, taking turns."""
    for number, token in enumerate(tokens):
        client = school.connect(token)
        client.join(code)
        ends[number % len(ends)](client)


def reset(client: RawClient) -> None:
    assert isinstance(client.wire, WebSocketWire)
    client.wire.reset()


def fall_silent(client: RawClient) -> None:
    """The connection stays open and answers no ping: it is found by the heartbeat."""


def test_participants_who_vanish_without_a_close(school: School) -> None:
    code = school.session()
    tokens = [school.api.guest(code, f"Guest {number}") for number in range(TIMES)]
    leaves_nothing(school, lambda: vanish(school, tokens, code, reset, fall_silent))


def test_tabs_of_one_participant_that_vanish_without_a_close(school: School) -> None:
    code = school.session()
    tokens = [school.api.guest(code, "Ann")] * FEW
    leaves_nothing(school, lambda: vanish(school, tokens, code, reset, fall_silent))


def test_polling_clients_who_fall_silent(school: School) -> None:
    code = school.session()
    token = school.api.guest(code, "Ann")

    def visit() -> None:
        for _ in range(FEW):
            school.connect(token, "polling").join(code)

    leaves_nothing(school, visit)


def test_sockets_that_vanish_while_they_join_or_leave(school: School) -> None:
    code = school.session()
    tokens = [school.api.guest(code, f"Guest {number}") for number in range(10)]

    def visit() -> None:
        for number in range(TIMES):
            client = school.connect(tokens[number % len(tokens)])
            for step in range(number % 4 + 1):
                client.send("leaveSession" if step % 2 else "joinSession", code)
            reset(client)

    leaves_nothing(school, visit)


def test_sockets_that_send_what_they_should_not_and_vanish(school: School) -> None:
    code = school.session()
    token = school.api.guest(code, "Ann")

    def misbehave(packet: str) -> Callable[[RawClient], None]:
        def end(client: RawClient) -> None:
            client.wire.send(packet)
            client.wire.drop()

        return end

    packets = ["x", '451-["sendMessage",{"_placeholder":true,"num":0}]', "47", "1"]
    leaves_nothing(school, lambda: vanish(school, [token] * FEW, code, *map(misbehave, packets)))


def test_sockets_that_are_refused(school: School) -> None:
    def visit() -> None:
        for _ in range(FEW):
            school.connect("nonsense").wire.drop()

    leaves_nothing(school, visit)
