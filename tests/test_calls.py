"""Signals of calls: each reaches one participant, on every worker, in order, and is kept nowhere."""

from collections.abc import Iterator
from typing import Any

import pytest

from classwaves.features.calls import SMALL
from tests.support.apps import AppFactory, state_of
from tests.support.fleet import open_fleet
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.pair import STEADY, Pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.stores import StoreFactory, new_session
from tests.support.stores import direct as direct
from tests.support.stores import make_store as make_store
from tests.support.tabs import Classroom, Tab, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs

Payload = dict[str, Any]

SDP = "v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\n"


def about(room: Classroom, to: str, kind: str = "offer", payload: Any = SDP) -> Payload:
    return {"sessionCode": room.code, "targetUserId": to, "callId": "c1", "type": kind, "payload": payload}


def refusal(tab: Tab, data: Payload) -> tuple[str, str | None]:
    """Send a signal that fails and return the code, and the reason if it has one."""
    tab.take()
    error = tab.refused("signal", data)
    return error["code"], error.get("details", {}).get("reason")


def test_a_signal_reaches_all_sockets_of_one_participant(room: Classroom, tabs: Tabs) -> None:
    phone = room.joined("Bob")
    for payload in ({"type": "offer", "sdp": SDP}, None, [1, {"deep": True}], "text"):
        assert tabs["Ada"].ask("signal", about(room, "bob", "offer", payload)) == {"ok": True}
        heard = {"sessionCode": room.code, "fromUserId": "ada", "callId": "c1", "type": "offer", "payload": payload}
        for tab in (tabs["Bob"], phone):
            assert tab.take_only("signalReceived") == heard
    for name in ("Grace", "Ada", "Cyd"):
        assert tabs[name].take() == []


def test_a_signal_without_payload_has_none(room: Classroom, tabs: Tabs) -> None:
    data = about(room, "bob", "hangup")
    del data["payload"]
    assert tabs["Ada"].ask("signal", data)["ok"]
    assert tabs["Bob"].take_only("signalReceived")["payload"] is None


def test_who_has_two_tabs_tells_the_other_one(room: Classroom, tabs: Tabs) -> None:
    """Which is how a phone stops ringing when the call was answered at the desk."""
    phone = room.joined("Bob")
    room.step("start")
    tabs["Grace"].ask("setSessionMode", {"sessionCode": room.code, "mode": "quiz"})
    phone.take()
    assert tabs["Bob"].ask("signal", about(room, "bob", "hangup"))["ok"]
    assert phone.take_only("signalReceived")["fromUserId"] == "bob"


def test_who_is_not_there_cannot_be_called(room: Classroom, tabs: Tabs) -> None:
    tabs["Bob"].ask("leaveSession", room.code)
    room.tab("Dan")  # connected, and not in the session
    tabs["Grace"].ask("removeParticipant", {"sessionCode": room.code, "userId": "cyd"})
    for nobody in ("bob", "dan", "cyd", "nobody"):
        assert refusal(tabs["Ada"], about(room, nobody)) == ("PEER_UNAVAILABLE", None)
    assert refusal(tabs["Cyd"], about(room, "ada")) == ("NOT_IN_SESSION", None)
    assert tabs["Bob"].take()[1:] == []


def test_between_students_a_call_is_as_much_as_a_chat(room: Classroom, tabs: Tabs) -> None:
    """With staff one may always talk, and that a call is over may always be said."""

    def tried(sender: str, target: str, kind: str) -> tuple[str, str | None] | None:
        return None if tabs[sender].ask("signal", about(room, target, kind))["ok"] else ("refused", None)

    def do(event: str, **data: Any) -> None:
        assert tabs["Grace"].ask(event, {"sessionCode": room.code, **data})["ok"]

    do("muteParticipant", userId="ada", muted=True)
    for kind in ("offer", "answer", "candidate"):
        assert refusal(tabs["Ada"], about(room, "bob", kind)) == ("FORBIDDEN", "muted")
        assert tried("Bob", "ada", kind) is None
    for mode in ("focus", "quiz"):
        do("setSessionMode", mode=mode)
        for kind in ("offer", "answer", "candidate"):
            assert refusal(tabs["Bob"], about(room, "cyd", kind)) == ("FORBIDDEN", mode)
            assert tried("Ada", "grace", kind) is tried("Grace", "ada", kind) is None
        assert tried("Ada", "bob", "hangup") is None


def test_what_is_forbidden_meanwhile_is_not_delivered(make_store: StoreFactory, workers: list[Worker]) -> None:
    """A worker that has not heard of it yet lets a signal pass; who delivers it looks again."""
    workers.append(worker := Worker(make_store()))
    session = new_session(worker.store)
    teacher = worker.joined(session, "teacher", "teacher")
    for user in ("ann", "bob", "cid"):
        worker.joined(session, user)

    def late(sender: str, kind: str, call: str) -> None:
        message = {"target": "cid", "about": {"callId": call, "type": kind, "payload": None}}
        worker.store.publish(session.id, {"kind": "call", "user": sender, "fences": {}, "data": message})

    def do(event: str, **data: Any) -> None:
        assert worker.send(teacher, event, {"sessionCode": session.code, **data})["ok"]

    do("muteParticipant", userId="ann", muted=True)
    do("removeParticipant", userId="bob")
    late("ann", "offer", "muted")
    late("bob", "hangup", "removed")
    late("ann", "hangup", "over")
    late("teacher", "offer", "from staff")
    told = worker.sockets.gets("cid", "signalReceived", 2)
    assert [data["callId"] for data in told] == ["over", "from staff"]


def test_no_call_breaks_because_something_else_changes(workers: list[Worker], make_store: StoreFactory) -> None:
    """A change of the session's fence drops what is typed at that moment, but no address of a call."""
    workers.append(worker := Worker(make_store()))
    session = new_session(worker.store)
    ann, _ = worker.joined(session, "ann"), worker.joined(session, "bob")
    teacher = worker.joined(session, "teacher", "teacher")
    send = worker.store.publish

    def change_first(session_id: str, message: Payload) -> None:
        mode = {"sessionCode": session.code, "mode": "open"}
        assert worker.send(teacher, "setSessionMode", mode)["ok"]
        assert worker.send(teacher, "muteParticipant", {"sessionCode": session.code, "userId": "ann", "muted": False})
        send(session_id, message)

    worker.store.publish = change_first  # type: ignore[method-assign]
    data = {"sessionCode": session.code, "targetUserId": "bob", "callId": "c", "type": "candidate", "payload": {}}
    assert worker.send(ann, "signal", data)["ok"]
    worker.sockets.gets("bob", "signalReceived", 1)


def test_what_a_signal_may_be(room: Classroom, tabs: Tabs) -> None:
    large, small = "x" * (65_536 - 600), "x" * (SMALL - 2)
    for kind, payload in (("offer", large), ("answer", large), ("candidate", small), ("hangup", small)):
        assert tabs["Ada"].ask("signal", about(room, "bob", kind, payload))["ok"], kind
    for kind in ("candidate", "hangup"):
        tabs["Ada"].take()
        error = tabs["Ada"].refused("signal", about(room, "bob", kind, small + "x"))
        assert (error["code"], error["details"]) == ("PAYLOAD_TOO_LARGE", {"maxBytes": SMALL})
    for wrong in ({"type": "ring"}, {"callId": ""}, {"targetUserId": 7}, {"payload": b"bytes"}, {"more": 1}):
        assert refusal(tabs["Ada"], {**about(room, "bob"), **wrong}) == ("INVALID_PAYLOAD", None)


def test_signals_are_counted_apart_from_other_events(make_app: AppFactory) -> None:
    rates = {"CLASSWAVES_EVENT_RATE": "3/hour", "CLASSWAVES_SIGNAL_RATE": "5/hour"}
    room = open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, **rates))
    ada, _ = room.joined("Ada"), room.joined("Bob")
    for _ in range(5):
        assert ada.ask("signal", about(room, "bob"))["ok"]
    assert refusal(ada, about(room, "bob")) == ("RATE_LIMIT", None)
    ada.say(room.code, "still here")
    ada.say(room.code, "and still")
    ada.take()
    assert ada.refused("sendMessage", {"sessionCode": room.code, "message": "once more"})["code"] == "RATE_LIMIT"


def test_a_large_signal_counts_as_many(make_app: AppFactory) -> None:
    """Or a student throws out whoever has a slow line, whose outbox overflows."""
    room = open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_SIGNAL_RATE="10/hour"))
    ada, _ = room.joined("Ada"), room.joined("Bob")
    assert ada.ask("signal", about(room, "bob", payload="x" * (SMALL - 3)))["ok"]
    assert ada.ask("signal", about(room, "bob", payload="x" * 60_000))["ok"]
    assert ada.ask("signal", about(room, "bob"))["ok"]
    assert refusal(ada, about(room, "bob")) == ("RATE_LIMIT", None)


@pytest.fixture(scope="module")
def fleet(redis: RedisServer) -> Iterator[Pair]:
    with open_fleet(redis.url, **STEADY, CLASSWAVES_EPHEMERAL_WINDOW="0.2") as fleet:
        yield fleet


def test_every_address_arrives_in_order_over_workers_and_none_is_kept(fleet: Pair, redis: RedisServer) -> None:
    """Both ways at once, in bursts within one window of what else is thinned out; nothing of it is in Redis."""
    code = fleet.a.session()
    ann, bob = fleet.a.joined(code, "Ann"), fleet.b.joined(code, "Bob")
    watcher = fleet.watch(code, fleet.b)
    users = [next(data["self"]["userId"] for name, data in one.inbox if name == "sessionJoined") for one in (ann, bob)]
    before = watcher.join(code)["seq"]
    sent = [("offer", {"sdp": SDP})] + [("candidate", {"candidate": f"marker-{at}"}) for at in range(60)]
    acks = []
    for kind, payload in sent:
        for client, target in ((ann, users[1]), (bob, users[0])):
            body = {"sessionCode": code, "targetUserId": target, "callId": "c1", "type": kind, "payload": payload}
            acks.append((client, client.send("signal", body)))
    assert all(client.ack(number) == {"ok": True} for client, number in acks)
    for client, sender in ((ann, users[1]), (bob, users[0])):
        client.wait_for("signalReceived", payload=sent[-1][1])
        heard = [data for name, data in client.inbox if name == "signalReceived"]
        assert [(data["type"], data["payload"]) for data in heard] == sent
        assert {(data["fromUserId"], data["callId"], data["sessionCode"]) for data in heard} == {(sender, "c1", code)}
    assert watcher.join(code)["seq"] == before
    assert not [name for name, _ in watcher.inbox if name == "signalReceived"]
    with redis.client() as client:
        stored = b"".join(client.dump(key) or b"" for key in map(str, client.scan_iter()))
    assert b"marker-" not in stored and b"o=- 42" not in stored


def test_nothing_of_a_call_is_in_the_log_in_memory(room: Classroom, tabs: Tabs) -> None:
    state = state_of(room.app)
    session_id = state.hub.find(room.code)
    before = state.store.positions([session_id])
    assert tabs["Ada"].ask("signal", about(room, "bob"))["ok"]
    assert state.store.positions([session_id]) == before
