"""Redis goes away while the servers run, and comes back with everything."""

import json
import urllib.error
import urllib.request

import pytest

from tests.support.clients import Closed, RawClient, WebSocketWire
from tests.support.pair import Pair
from tests.support.pair import kept_pair as kept_pair
from tests.support.pair import kept_redis as kept_redis
from tests.support.pair import kept_servers as kept_servers
from tests.support.redis_server import RedisServer
from tests.support.resuming import agreed, gathered
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("redis lost")


def message(code: str, text: str) -> dict[str, str]:
    return {"sessionCode": code, "message": text, "clientMessageId": text}


def is_ready(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/readyz", timeout=5).status == 200)
    except urllib.error.HTTPError as error:
        with error:
            assert error.code == 503
            return False


def said(client: RawClient) -> list[str]:
    return [data["message"] for name, data in client.inbox if name == "messageReceived"]


def test_sockets_stay_and_nothing_is_acked_meanwhile(kept_pair: Pair, kept_redis: RedisServer) -> None:
    pair, code = kept_pair, kept_pair.a.session()
    ann, ben = pair.a.joined(code, "Ann"), pair.b.joined(code, "Ben")
    ann.say(code, "before", clientMessageId="before")
    kept_redis.kill()
    for client in (ann, ben):
        ack = client.ask("sendMessage", message(code, "lost"))
        assert ack["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert ack["error"]["retryAfterMs"] > 0
        assert client.wait_for("error") == {**ack["error"], "event": "sendMessage"}
    status, answer = pair.a.api.call("GET", f"/sessions/{code}/messages", pair.a.teacher)
    assert (status, answer["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert not is_ready(pair.a.url)

    kept_redis.start()
    for school in (pair.a, pair.b):
        eventually(lambda url=school.url: is_ready(url), what="ready again")  # type: ignore[misc]
    assert [stored["message"] for stored in pair.history(code)] == ["before"]
    for client, text in ((ann, "one"), (ben, "two"), (ann, "three")):
        eventually(lambda c=client, t=text: c.ask("sendMessage", message(code, t))["ok"], what=text)  # type: ignore[misc]
    for client in (ann, ben):
        client.wait_for("messageReceived", message="three")
        assert said(client) == ["before", "one", "two", "three"]
        assert [name for name, _ in client.inbox].count("sessionJoined") == 1


def test_whoever_comes_meanwhile_is_not_refused_and_comes_back(kept_pair: Pair, kept_redis: RedisServer) -> None:
    """``connect_error`` would be the end for a JavaScript client."""
    code = kept_pair.a.session()
    token = kept_pair.a.api.guest(code, "Ann")
    kept_redis.kill()
    wire = WebSocketWire(kept_pair.a.url, {})
    packets = [wire.receive()]
    wire.send("40" + json.dumps({"token": token}))
    with pytest.raises(Closed):
        while True:
            packets.append(wire.receive())
    wire.drop()
    assert not [packet for packet in packets if packet.startswith("4")]

    client = kept_pair.client(token, code)
    kept_redis.start()
    gathered([client])
    assert client.faults == []


def test_a_hanging_redis_is_one_that_is_away(kept_pair: Pair, kept_redis: RedisServer) -> None:
    """What was asked of it may have been carried out: the repeat tells, and is stored once."""
    code = kept_pair.a.session()
    ann, ben = kept_pair.a.joined(code, "Ann"), kept_pair.b.joined(code, "Ben")
    kept_redis.pause()
    ack = ann.ask("sendMessage", message(code, "once"))
    assert ack["error"]["code"] == "SERVICE_UNAVAILABLE"
    kept_redis.resume()
    eventually(lambda: ann.ask("sendMessage", message(code, "once"))["ok"], what="an ack")
    ann.say(code, "after")
    for client in (ann, ben):
        client.wait_for("messageReceived", message="after")
        assert said(client) == ["once", "after"]


def test_a_class_that_joins_while_redis_hangs_is_told(kept_pair: Pair, kept_redis: RedisServer) -> None:
    """All at once, and not one after the other."""
    code = kept_pair.a.session()
    waiting = [kept_pair.a.guest(code, f"Guest {number}") for number in range(30)]
    kept_redis.pause()
    asked = [(client, client.send("joinSession", code)) for client in waiting]
    answers = [client.ack(number) for client, number in reversed(asked)]
    assert [answer["error"]["code"] for answer in answers] == ["SERVICE_UNAVAILABLE"] * 30
    kept_redis.resume()
    for client in waiting:
        eventually(lambda c=client: c.ask("joinSession", code)["ok"], what="in the session")  # type: ignore[misc]


def test_clients_write_through_an_outage(kept_pair: Pair, kept_redis: RedisServer) -> None:
    """Sockets stay connected, and every message is there once, in one order, when Redis is back."""
    code = kept_pair.a.session()
    clients = kept_pair.crowd(code, kept_pair.a, 3) + kept_pair.crowd(code, kept_pair.b, 3)
    for number in range(30):
        if number == 10:
            kept_redis.kill()
        for client in clients:
            client.say(f"message {number}")
    eventually(lambda: all(client.refused for client in clients), what="everybody told to wait")
    kept_redis.start()
    eventually(lambda: not sum(client.unacked for client in clients), 30, "everything acked")
    everything = kept_pair.history(code)
    assert len(everything) == 180
    agreed(clients, everything)
    for client in clients:
        assert {error["code"] for error in client.refused} == {"SERVICE_UNAVAILABLE"}
        assert (client.connections, len(client.snapshots)) == (1, 1)


def test_who_vanished_meanwhile_is_noticed_when_redis_is_back(kept_pair: Pair, kept_redis: RedisServer) -> None:
    code = kept_pair.a.session()
    watcher = kept_pair.watch(code, kept_pair.b)
    ann = kept_pair.a.joined(code, "Ann")
    user = ann.wait_for("sessionJoined")["self"]["userId"]
    kept_redis.kill()
    ann.wire.drop()
    kept_redis.start()
    watcher.wait_for("presenceUpdated", userId=user, status="disconnected")
