"""The log of two servers: one event is followed from its client's packet to both workers' deliveries by one id."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import RawClient
from tests.support.log_lines import lines_of
from tests.support.pair import QUICK, Pair, open_pair
from tests.support.pair import pair as pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("trail servers")

DEBUG = {**QUICK, "CLASSWAVES_LOG_LEVEL": "debug"}


@pytest.fixture(scope="module")
def running(redis: RedisServer) -> Iterator[Pair]:
    with open_pair(redis.url, DEBUG) as pair:
        yield pair


def delivered(pair: Pair, count: int, **fields: Any) -> list[dict[str, Any]]:
    """Wait until so many deliveries with these fields are in the logs, and return them."""
    wanted = {"message": "delivered", **fields}
    eventually(lambda: len(lines_of(*servers(pair), **wanted)) >= count, what=f"{count} {wanted}")
    return lines_of(*servers(pair), **wanted)


def servers(pair: Pair) -> tuple[Any, Any]:
    return pair.a.server, pair.b.server


def test_one_id_on_both_workers(pair: Pair) -> None:
    code = pair.a.session()
    ann, bob = pair.a.joined(code, "Ann"), pair.b.joined(code, "Bob")
    me = ann.join(code)["self"]["userId"]
    ann.say(code, "a marker in the text")
    bob.wait_for("messageReceived")
    lines = delivered(pair, 2, event="messageReceived", userId=me)
    (trace,) = {line["traceId"] for line in lines}
    assert len(lines) == 2 and len({line["worker"] for line in lines}) == 2
    assert {(line["seq"], line["recipients"], line["logger"]) for line in lines} == {
        (lines[0]["seq"], 1, "classwaves.live")
    }
    (handled,) = [line for line in lines_of(pair.a.server, traceId=trace) if line["message"] == "handled"]
    assert handled["sessionId"] == lines[0]["sessionId"]
    assert handled["userId"] == me
    assert not lines_of(pair.b.server, traceId=trace, message="handled")


def test_it_follows_what_is_in_no_log_too(pair: Pair) -> None:
    code = pair.a.session()
    ann, bob = pair.a.joined(code, "Ann"), pair.b.joined(code, "Bob")
    me = ann.join(code)["self"]["userId"]
    ann.ask("updatePresence", {"sessionCode": code, "status": "away"})
    bob.wait_for("presenceUpdated", userId=me, status="away")
    ann.ask("typing", {"sessionCode": code, "isTyping": True})
    bob.wait_for("typingUpdated", userId=me)
    for event in ("presenceUpdated", "typing"):
        lines = delivered(pair, 2, event=event, userId=me)
        assert len({line["traceId"] for line in lines}) == 1, lines
    for event in ("updatePresence", "typing"):
        assert lines_of(pair.a.server, event=event, userId=me, message="handled")


def test_many_at_once_are_not_mixed_up(pair: Pair) -> None:
    """Bursts of many sockets: whose id it is is known by the author, whom the entry itself names."""
    code = pair.a.session()
    clients = [(pair.a if number % 2 else pair.b).joined(code, f"Guest {number}") for number in range(8)]
    users = [client.join(code)["self"]["userId"] for client in clients]

    def burst(client: RawClient) -> None:
        asked = [client.send("sendMessage", {"sessionCode": code, "message": str(n)}) for n in range(20)]
        assert all(client.ack(number)["ok"] for number in asked)

    threads = [threading.Thread(target=burst, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session = lines_of(pair.a.server, event="joinSession", userId=users[1])[0]["sessionId"]
    lines = delivered(pair, 2 * 8 * 20, event="messageReceived", sessionId=session)
    owners: dict[str, set[str]] = {}
    for line in lines:
        owners.setdefault(line["traceId"], set()).add(line["userId"])
    assert len(owners) == 160, "an id for each message"
    assert all(len(users) == 1 for users in owners.values())
    handled = {
        line["traceId"]: line["userId"] for line in lines_of(*servers(pair), event="sendMessage", sessionId=session)
    }
    assert handled == {trace: user for trace, (user,) in owners.items()}


def test_no_text_name_code_or_token_is_written(pair: Pair) -> None:
    code = pair.a.session()
    token = pair.a.api.guest(code, "Marker Name")
    client = pair.a.connect(token)
    client.join(code)
    client.say(code, "marker text")
    client.ask("markerEvent", {"marker": 1})
    client.ask("sendMessage", {"sessionCode": code, "message": 7, "marker field": 1})
    pair.a.api.call("GET", f"/sessions/{code}/nothing?token=marker-query", token)
    eventually(lambda: lines_of(pair.a.server, code="UNKNOWN_EVENT"), what="the refusal")
    text = pair.a.server.log() + pair.b.server.log()
    found = [secret for secret in (token, code, "marker", "Marker Name") if secret.lower() in text.lower()]
    assert not found


def test_a_request_and_what_it_appends_have_one_id(pair: Pair) -> None:
    code = pair.a.session()
    bob = pair.b.joined(code, "Bob")
    pair.a.api.step(pair.a.teacher, code, "start")
    bob.wait_for("sessionStatusChanged")
    (line,) = delivered(pair, 1, event="sessionStatusChanged")
    (handled,) = [one for one in lines_of(pair.a.server, traceId=line["traceId"]) if "route" in one]
    assert handled["message"] == "handled" and handled["durationMs"] > 0
    assert handled["sessionId"] == line["sessionId"] and handled["userId"] == line["userId"]
