"""Every event has one answer, whatever comes of it, and the events of one client are handled in the order sent."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.support.apps import AppFactory, headers_for, new_session, state_of
from tests.support.school import STORES, TRANSPORTS, School, open_school
from tests.support.tabs import Classroom, Tab, open_classroom

pytestmark = pytest.mark.xdist_group("order")

UNKNOWN_NAMES = [
    *("connect", "disconnect", "message", "error", "connect_error", "json", "*", "ping", "", " "),
    *("__proto__", "constructor", "toString", "on_join", "trigger_event", "sessionJoined", "messageReceived"),
    *("JoinSession", "joinSession ", "sendmessage", "x" * 10_000, "☃"),
]


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


@pytest.fixture(scope="module", params=STORES)
def running(request: pytest.FixtureRequest) -> Iterator[School]:
    with open_school(request.param) as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def test_acks_of_success(classroom: Classroom) -> None:
    tab, code = classroom.tab("Ada"), classroom.code
    joined = tab.ask("joinSession", code)
    assert joined["ok"] is True
    assert tab.ask("updatePresence", {"sessionCode": code, "status": "away"})["ok"] is True
    sent = tab.ask("sendMessage", {"sessionCode": code, "message": "hello"})
    assert sent.keys() >= {"ok", "seq", "timestamp", "messageId"}
    assert sent["seq"] == joined["seq"] + 1
    assert tab.ask("leaveSession", code) == {"ok": True}


def test_events_work_without_an_ack(classroom: Classroom) -> None:
    """``tell`` sees that no ack comes."""
    tab, code = classroom.tab("Ada"), classroom.code
    tab.tell("joinSession", code)
    tab.tell("sendMessage", {"sessionCode": code, "message": "hello"})
    tab.tell("updatePresence", {"sessionCode": code, "status": "away"})
    tab.tell("leaveSession", code)
    assert [name for name, _ in tab.take()] == ["sessionJoined", "messageReceived", "sessionLeft"]


def test_a_failure_without_an_ack_is_still_told(classroom: Classroom) -> None:
    tab = classroom.tab("Ada")
    tab.tell("sendMessage", {"sessionCode": classroom.code, "message": "hello"})
    error = tab.take_only("error")
    assert (error["code"], error["event"]) == ("NOT_IN_SESSION", "sendMessage")
    assert error["message"]


@pytest.mark.parametrize("name", UNKNOWN_NAMES, ids=lambda name: ascii(name)[:20])
@pytest.mark.parametrize("args", [(), ({},), ("a", "b")], ids=["nothing", "object", "two"])
def test_an_unknown_event_is_answered(classroom: Classroom, name: str, args: tuple[Any, ...]) -> None:
    witness, tab = classroom.teacher(), classroom.tab("Ada")
    ack = tab.ask(name, *args)
    assert (ack["ok"], ack["error"]["code"]) == (False, "UNKNOWN_EVENT")
    assert tab.take_only("error") == {**ack["error"], "event": name[:64]}
    tab.tell(name, *args)
    assert tab.take_only("error")["code"] == "UNKNOWN_EVENT"
    assert witness.take() == []
    tab.join(classroom.code)


def each_failure(app: Flask, classroom: Classroom) -> list[tuple[Tab, str, tuple[Any, ...], str]]:
    """Return a socket, an event and its arguments, and the code that must come of it."""
    code, client = classroom.code, app.test_client()
    grace = headers_for(app, "Grace", "teacher")
    ended = new_session(client, grace)
    ada, stranger = classroom.joined("Ada"), classroom.tab("Eve")
    ada.join(ended)
    client.post(f"/api/v1/sessions/{ended}/end", headers=grace)
    ada.take()
    roster = new_session(client, grace, access="roster", rosterUserIds=["bob"])
    full = new_session(client, grace, maxParticipants=1)
    classroom.tab("Bob").join(full)
    hello, away = {"message": "hello"}, {"status": "away"}
    return [
        (stranger, "sendMessage", ({"sessionCode": code, **hello},), "NOT_IN_SESSION"),
        (stranger, "updatePresence", ({"sessionCode": code, **away},), "NOT_IN_SESSION"),
        (stranger, "joinSession", (ended,), "SESSION_ENDED"),
        (stranger, "joinSession", ("ZZZZZZ",), "SESSION_NOT_FOUND"),
        (stranger, "joinSession", ("no code at all",), "SESSION_NOT_FOUND"),
        (stranger, "sendMessage", ({"sessionCode": "ZZZZZZ", **hello},), "SESSION_NOT_FOUND"),
        (stranger, "updatePresence", ({"sessionCode": "ZZZZZZ", **away},), "SESSION_NOT_FOUND"),
        # the end comes before membership
        (stranger, "sendMessage", ({"sessionCode": ended, **hello},), "SESSION_ENDED"),
        (stranger, "updatePresence", ({"sessionCode": ended, **away},), "SESSION_ENDED"),
        (ada, "sendMessage", ({"sessionCode": ended, **hello},), "SESSION_ENDED"),
        (ada, "updatePresence", ({"sessionCode": ended, **away},), "SESSION_ENDED"),
        (ada, "joinSession", (ended,), "SESSION_ENDED"),
        (stranger, "joinSession", (roster,), "SESSION_ACCESS_DENIED"),
        (stranger, "joinSession", (full,), "SESSION_FULL"),
        (classroom.tab("Alan", "teacher"), "joinSession", (code,), "SESSION_ACCESS_DENIED"),
        (classroom.guest("Gus"), "joinSession", (full,), "SESSION_ACCESS_DENIED"),
        (ada, "sendMessage", ({"sessionCode": code, "message": "hello", "groupId": "g1"},), "GROUP_NOT_FOUND"),
        (ada, "sendMessage", ({"sessionCode": code, "message": ""},), "INVALID_PAYLOAD"),
        (ada, "joinSession", (), "INVALID_PAYLOAD"),
    ]


def test_each_failure_has_its_code_and_is_told_once_to_the_sender_alone(make_app: AppFactory) -> None:
    """``refused`` sees that ``error`` comes once and says what the ack says."""
    app = make_app()
    classroom = open_classroom(app)
    failures = each_failure(app, classroom)
    witness = classroom.teacher()
    for tab, _, _, _ in failures:
        tab.take()
    for tab, event, args, code in failures:
        assert tab.refused(event, *args)["code"] == code, (event, args)
    for tab, _, _, _ in failures:
        assert tab.take() == []
    assert witness.take() == []


def test_each_socket_is_usable_after_its_failures(make_app: AppFactory) -> None:
    app = make_app()
    classroom = open_classroom(app)
    for tab, event, args, _ in each_failure(app, classroom):
        tab.ask(event, *args)
    ada, eve = classroom.joined("Ada"), classroom.joined("Eve")
    ada.take()
    eve.say(classroom.code, "still here")
    assert ada.take_only("messageReceived")["displayName"] == "Eve"


def test_an_event_after_the_end_of_the_token_is_refused(make_app: AppFactory) -> None:
    """The socket itself ends a moment later: see ``test_live_tokens.py``."""
    classroom = open_classroom(make_app())
    tab = classroom.joined("Ada")
    for connection in state_of(classroom.app).hub.watch._waiting.values():
        connection.principal = replace(connection.principal, expires_at=0)
    said = {"sessionCode": classroom.code, "message": "hello"}
    assert tab.refused("sendMessage", said)["code"] == "TOKEN_EXPIRED"
    assert tab.refused("no such event")["code"] == "TOKEN_EXPIRED"


def test_the_rate_limit_says_when_to_come_back(make_app: AppFactory) -> None:
    limits = {"CLASSWAVES_RATELIMIT_ENABLED": True, "CLASSWAVES_EVENT_RATE": "4/hour"}
    classroom = open_classroom(make_app(**limits))
    code = classroom.code
    tab, witness = classroom.joined("Ada"), classroom.joined("Bob")
    tab.take()
    for _ in range(3):
        tab.say(code, "hello")
    tab.take()
    witness.take()
    error = tab.refused("sendMessage", {"sessionCode": code, "message": "too much"})
    assert error["code"] == "RATE_LIMIT"
    assert 0 < error["retryAfterMs"] <= 3_600_000
    assert classroom.tab("Ada").refused("joinSession", code)["code"] == "RATE_LIMIT"
    assert witness.take() == []
    witness.say(code, "I may")


def test_checks_are_made_in_the_contracts_order(make_app: AppFactory) -> None:
    """The limit before the name of the event, the name before the payload, the payload before membership."""
    limits = {"CLASSWAVES_RATELIMIT_ENABLED": True, "CLASSWAVES_EVENT_RATE": "2/hour"}
    classroom = open_classroom(make_app(**limits))
    tab = classroom.tab("Ada")
    assert tab.refused("noSuchEvent", {"nonsense": 1})["code"] == "UNKNOWN_EVENT"
    assert tab.refused("sendMessage", {"sessionCode": classroom.code})["code"] == "INVALID_PAYLOAD"
    assert tab.refused("noSuchEvent")["code"] == "RATE_LIMIT"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_two_hundred_events_sent_at_once_are_handled_in_order(school: School, transport: str) -> None:
    code = school.session()
    client, witness = school.joined(code, transport=transport), school.joined(code, "Bob")
    wanted = [f"message {number}" for number in range(200)]
    numbers = [client.send("sendMessage", {"sessionCode": code, "message": text}) for text in wanted]
    acks = [client.ack(number) for number in numbers]
    assert all(ack["ok"] for ack in acks), acks
    assert list(client.acks)[-200:] == numbers
    seqs = [ack["seq"] for ack in acks]
    assert seqs == sorted(set(seqs))
    witness.wait_for("messageReceived", message=wanted[-1])
    client.wait_for("messageReceived", message=wanted[-1])
    for inbox in (client.take(), witness.take()):
        heard = [payload for name, payload in inbox if name == "messageReceived"]
        assert [payload["message"] for payload in heard] == wanted
        assert [payload["seq"] for payload in heard] == seqs


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unlike_events_of_one_client_keep_their_order(school: School, transport: str) -> None:
    """Joins and refusals take different ways through the server, and still do not overtake."""
    code = school.session()
    client = school.guest(code, transport=transport)
    hello = {"sessionCode": code, "message": "hello"}
    for _ in range(20):
        sent = [("sendMessage", hello), ("joinSession", code), ("sendMessage", hello), ("leaveSession", code)]
        numbers = [client.send(name, argument) for name, argument in sent]
        assert [client.ack(number)["ok"] for number in numbers] == [False, True, True, True]
        assert list(client.acks)[-4:] == numbers
        names = [name for name, _ in client.take() if name != "messageReceived"]
        assert names == ["error", "sessionJoined", "sessionLeft"]


def test_many_repeats_at_once_are_one_message(school: School) -> None:
    code = school.session()
    token = school.api.guest(code, "Ann")
    tabs = [school.connect(token) for _ in range(5)]
    for tab in tabs:
        tab.join(code)
    for number in range(20):
        body = {"sessionCode": code, "message": str(number), "clientMessageId": f"m{number}"}
        asked = [(tab, tab.send("sendMessage", body)) for _ in range(3) for tab in tabs]
        first, *others = [tab.ack(ack) for tab, ack in asked]
        assert first["ok"]
        assert all(ack == first for ack in others)
    messages = school.api.messages(school.teacher, code)
    assert [message["message"] for message in messages] == [str(number) for number in range(20)]
