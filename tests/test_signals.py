"""Blinker signals: what has happened is told once, on the worker that has stored it, and a receiver harms nobody."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Flask, current_app, g

from classwaves import ClassWaves, signals
from tests.support.apps import API, AppFactory, headers_for, sign_in, state_of
from tests.support.tabs import Classroom, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs
from tests.support.waiting import eventually

Heard = list[tuple[str, dict[str, Any]]]


@contextmanager
def listening(*wanted: NamedSignal, sender: Any = None) -> Iterator[Heard]:
    """Gather what is told while the block runs: the signal's name and its facts, without the session's."""
    heard: Heard = []

    def listen(signal: NamedSignal) -> Any:
        def receive(app: Flask, *, session: Any = None, **facts: Any) -> None:
            assert current_app._get_current_object() is app  # type: ignore[attr-defined]
            heard.append((signal.name.removeprefix("classwaves."), {**facts, "code": session and session.code}))

        return receive

    with ExitStack() as stack:
        for signal in wanted or signals.ALL:
            where = {"sender": sender} if sender else {}
            stack.enter_context(signal.connected_to(listen(signal), **where))
        yield heard


def names(heard: Heard) -> list[str]:
    return [name for name, _ in heard]


def test_a_lesson(room: Classroom) -> None:
    with listening() as heard:
        teacher, ada, other = room.teacher(), room.joined("Ada"), room.joined("Ada")
        room.step("start")
        message = ada.say(room.code, "Hello", clientMessageId="1")
        assert ada.say(room.code, "Hello", clientMessageId="1") == message, "stored once, so told once"
        for tab in (ada, other):
            tab.ask("leaveSession", room.code)
        room.joined("Bob")
        teacher.ask("removeParticipant", {"sessionCode": room.code, "userId": "bob"})
        room.step("end")
    told = [(name, facts) for name, facts in heard if name != "event_appended"]
    assert all(facts.pop("code") == room.code for _, facts in told)
    said = {"message": "Hello", "message_id": message["messageId"], "group_id": None}
    assert told == [
        ("participant_joined", {"user_id": "grace", "display_name": "Grace", "role": "teacher"}),
        ("participant_joined", {"user_id": "ada", "display_name": "Ada", "role": "student"}),
        ("session_started", {"user_id": "grace"}),
        ("message_sent", {"user_id": "ada", "seq": message["seq"], "timestamp": message["timestamp"], **said}),
        ("participant_left", {"user_id": "ada", "reason": "left"}),
        ("participant_joined", {"user_id": "bob", "display_name": "Bob", "role": "student"}),
        ("participant_left", {"user_id": "bob", "reason": "removed"}),
        ("session_ended", {"user_id": "grace", "reason": "ended"}),
    ]
    events = [facts["event"] for name, facts in heard if name == "event_appended"]
    assert events == [
        "sessionStatusChanged",
        "messageReceived",
        "participantRemoved",
        "sessionStatusChanged",
        "sessionEnded",
    ]


def test_the_facts_of_an_event_are_those_of_the_log(room: Classroom, tabs: Tabs) -> None:
    with listening(signals.event_appended) as heard:
        ack = tabs["Grace"].ask("createGroup", {"sessionCode": room.code, "name": "A"})
    ((_, facts),) = heard
    assert (facts["event"], facts["seq"], facts["timestamp"]) == ("groupUpdate", ack["seq"], ack["timestamp"])
    assert (facts["data"]["groupId"], facts["data"]["groupName"], facts["user_id"]) == (ack["groupId"], "A", "grace")


def test_what_the_shop_publishes_is_told_too(room: Classroom) -> None:
    shop = ClassWaves()
    with listening() as heard, room.app.app_context():
        for _ in range(2):
            ack = shop.publish(room.code, "noticed", {"x": 1}, author="ada", key="once")
        shop.say(room.code, "Welcome")
    assert names(heard) == ["event_appended", "message_sent", "event_appended"]
    assert heard[0][1]["seq"] == ack["seq"] and heard[0][1]["data"] == {"x": 1}
    assert (heard[1][1]["user_id"], heard[1][1]["message"]) == ("", "Welcome")


def test_who_is_away_for_too_long_has_left(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_DISCONNECT_GRACE=0.01, CLASSWAVES_LEFT_AFTER=0.01, CLASSWAVES_RENEW=0.05)
    room = open_classroom(app)
    room.teacher()
    with listening(signals.participant_left) as heard:
        room.joined("Ada").vanish()
        eventually(lambda: bool(heard), what="the departure")
    assert heard == [("participant_left", {"user_id": "ada", "reason": "absent", "code": room.code})]


def test_logins_that_end(room: Classroom) -> None:
    client = room.app.test_client()
    with listening() as heard:
        client.post(f"{API}/auth/logout", headers=headers_for(room.app, "Ada"))
        for _ in range(2):
            sign_in(room.app, "Bob")
        with room.app.app_context():
            ClassWaves().block("bob")
    assert heard == [("login_ended", {"user_id": name, "code": None}) for name in ("ada", "bob", "bob")]


def test_a_receiver_harms_nobody(room: Classroom, tabs: Tabs, caplog: pytest.LogCaptureFixture) -> None:
    def fails(app: Flask, **facts: Any) -> None:
        g.left_behind = True
        raise RuntimeError("no mail today")

    async def later(app: Flask, **facts: Any) -> None: ...

    sent = signals.message_sent
    with sent.connected_to(fails), sent.connected_to(later), listening(sent) as heard:
        tabs["Ada"].say(room.code, "Hello")
    assert names(heard) == ["message_sent"]
    assert caplog.text.count("a receiver of classwaves.message_sent failed") == 2
    assert "no mail today" in caplog.text and "cannot be async" in caplog.text


def test_a_receiver_may_publish(room: Classroom, tabs: Tabs) -> None:
    """Nothing is held while it runs, and what it publishes comes after what it hears of."""
    shop = ClassWaves()

    def answer(app: Flask, *, session: Any, message: str, **facts: Any) -> None:
        if message == "Hello":
            shop.say(session.code, "Hello yourself")

    with signals.message_sent.connected_to(answer):
        tabs["Ada"].say(room.code, "Hello")
    assert [told["message"] for _, told in tabs["Bob"].take()] == ["Hello", "Hello yourself"]


def test_each_application_is_a_sender(make_app: AppFactory) -> None:
    rooms = [open_classroom(make_app()) for _ in range(2)]
    with listening(signals.participant_joined, sender=rooms[0].app) as heard:
        for room in rooms:
            room.joined("Ada")
    assert [facts["code"] for _, facts in heard] == [rooms[0].code]


def test_a_guest_who_had_to_wait_has_come_when_let_in(make_app: AppFactory) -> None:
    room = open_classroom(make_app(), waitingRoom=True)
    teacher, gus = room.teacher(), room.guest("Gus")
    with listening(signals.participant_joined) as heard:
        assert gus.ask("joinSession", room.code)["waiting"]
        assert heard == []
        who = {"sessionCode": room.code, "userId": gus.ready["userId"], "admitted": True}
        assert teacher.ask("admitParticipant", who)["ok"]
        eventually(lambda: bool(heard), what="the arrival")
    assert [facts["display_name"] for _, facts in heard] == ["Gus"]


def test_sessions_are_created(make_app: AppFactory) -> None:
    app = make_app()
    with listening() as heard:
        room = open_classroom(app)
    assert heard == [("session_created", {"code": room.code})]
    assert not state_of(app).hub.herald.is_heard
