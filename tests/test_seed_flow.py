"""The whole seed flow in one process, with the Flask-SocketIO test client and the store in memory."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.apps import AppFactory, headers_for, new_session
from tests.support.tabs import Classroom, open_classroom

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SESSION_JOINED = {
    *("sessionCode", "participants", "status", "seq", "epoch", "self"),
    *("groups", "activity", "hands", "settings", "recovered", "missed"),
}


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


def test_a_lesson_from_the_first_join_to_the_end(classroom: Classroom) -> None:
    code = classroom.code
    teacher = classroom.teacher()
    student = classroom.joined("Ada")
    assert teacher.take_only("presenceUpdated")["status"] == "active"

    teacher.say(code, "Good morning")
    student.say(code, "Good morning, Ms Hopper")
    for tab in (teacher, student):
        messages = tab.take()
        assert [name for name, _ in messages] == ["messageReceived"] * 2
        assert [payload["message"] for _, payload in messages] == ["Good morning", "Good morning, Ms Hopper"]

    student.tell("updatePresence", {"sessionCode": code, "status": "idle"})
    assert teacher.take_only("presenceUpdated")["status"] == "idle"

    student.tell("leaveSession", code)
    assert student.take_only("sessionLeft") == {"sessionCode": code}
    assert teacher.take_only("presenceUpdated")["status"] == "left"

    classroom.step("end")
    assert [name for name, _ in teacher.take()] == ["sessionStatusChanged", "sessionEnded"]
    assert student.take() == []


def test_session_joined_has_every_documented_field(classroom: Classroom) -> None:
    teacher = classroom.teacher()
    classroom.step("start")
    joined = classroom.tab("Ada").join(classroom.code)
    assert set(joined) >= SESSION_JOINED
    assert joined["sessionCode"] == classroom.code
    assert joined["status"] == "active"
    assert (joined["groups"], joined["activity"], joined["hands"]) == ([], None, [])
    assert (joined["recovered"], joined["missed"]) == (False, [])
    assert isinstance(joined["epoch"], str)
    assert joined["seq"] == teacher.say(classroom.code, "next")["seq"] - 1
    assert joined["settings"]["maxParticipants"] == 1000
    grace, ada = joined["participants"]
    assert (grace["userId"], grace["displayName"], grace["role"], grace["status"]) == (
        *("grace", "Grace", "teacher", "active"),
    )
    assert set(ada) == {"userId", "displayName", "role", "status", "joinedAt"}
    assert TIMESTAMP.fullmatch(ada["joinedAt"])
    assert joined["self"].items() >= ada.items()


def test_the_roster_is_for_staff_alone(make_app: AppFactory) -> None:
    classroom = open_classroom(make_app(), access="roster", rosterUserIds=["ada"])
    assert classroom.tab("Grace", "teacher").join(classroom.code)["settings"]["rosterUserIds"] == ["ada"]
    assert "rosterUserIds" not in classroom.tab("Ada").join(classroom.code)["settings"]


@pytest.mark.parametrize("written", ["{}", " {} ", "\t{}\n"])
@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_a_code_is_accepted_as_people_type_it(classroom: Classroom, written: str, change: Callable[[str], str]) -> None:
    student = classroom.tab("Ada")
    typed = change(written.format(classroom.code))
    assert student.join(typed)["sessionCode"] == classroom.code
    student.say(typed, "hello")
    assert student.take_only("messageReceived")["sessionCode"] == classroom.code
    student.tell("leaveSession", typed)
    assert student.take_only("sessionLeft") == {"sessionCode": classroom.code}


def test_joining_again_tells_again_and_nobody_else_hears(classroom: Classroom) -> None:
    teacher, student = classroom.teacher(), classroom.tab("Ada")
    first = student.join(classroom.code)
    teacher.take()
    assert student.join(classroom.code) == first
    assert student.join(classroom.code, None) == first
    assert teacher.take() == []
    assert student.say(classroom.code, "once")["seq"] == first["seq"] + 1
    student.take_only("messageReceived")
    assert teacher.take_only("messageReceived")["message"] == "once"


def test_a_message_has_every_documented_field(classroom: Classroom) -> None:
    teacher, student = classroom.teacher(), classroom.joined("Ada")
    question = teacher.say(classroom.code, "Can you hear me?")["messageId"]
    student.take()
    ack = student.say(classroom.code, "  Is this on? ✓ \U0001f600\n", clientMessageId="m1", replyTo=question)
    sent = student.take_only("messageReceived")
    assert teacher.take()[-1] == ("messageReceived", sent)
    assert TIMESTAMP.fullmatch(sent.pop("timestamp"))
    assert sent == {
        "sessionCode": classroom.code,
        "userId": "ada",
        "displayName": "Ada",
        "message": "  Is this on? ✓ \U0001f600\n",
        "type": "text",
        "messageId": ack["messageId"],
        "seq": ack["seq"],
        "clientMessageId": "m1",
        "replyTo": question,
    }


def test_fields_that_were_not_sent_do_not_come_back(classroom: Classroom) -> None:
    student = classroom.joined("Ada")
    student.say(classroom.code, "plain")
    message = student.take_only("messageReceived")
    assert message.keys().isdisjoint({"clientMessageId", "replyTo", "groupId"})


def test_everyone_hears_of_steps_and_of_the_end(classroom: Classroom) -> None:
    teacher, student = classroom.teacher(), classroom.joined("Ada")
    teacher.take()
    states = ["created", "active", "paused", "active", "ended"]
    for name, before, after in zip(["start", "pause", "resume", "end"], states, states[1:], strict=False):
        classroom.step(name)
        heard = teacher.take()
        assert heard == student.take()
        name, changed = heard.pop(0)
        assert name == "sessionStatusChanged"
        assert (changed["previousStatus"], changed["status"]) == (before, after)
        assert changed["sessionCode"] == classroom.code
        assert TIMESTAMP.fullmatch(changed["timestamp"])
    name, ended = heard.pop(0)
    assert (name, ended["sessionCode"], ended["seq"]) == ("sessionEnded", classroom.code, changed["seq"] + 1)
    assert isinstance(ended["reason"], str)
    assert not heard


@pytest.mark.parametrize("steps", [[], ["start"], ["start", "pause"]], ids=["created", "active", "paused"])
def test_chat_is_open_until_the_end(classroom: Classroom, steps: list[str]) -> None:
    for name in steps:
        classroom.step(name)
    student = classroom.joined("Ada")
    student.say(classroom.code, "hello")
    student.take_only("messageReceived")
    classroom.step("end")
    student.take()
    late = {"sessionCode": classroom.code, "message": "late"}
    assert student.refused("sendMessage", late)["code"] == "SESSION_ENDED"


def test_guests_are_told_of_the_end_too(classroom: Classroom) -> None:
    inside, outside = classroom.guest("Gus"), classroom.guest("Gil")
    inside.join(classroom.code)
    classroom.step("end")
    inside.take()
    for guest in (inside, outside):
        assert guest.refused("joinSession", classroom.code)["code"] == "SESSION_ENDED"
        late = {"sessionCode": classroom.code, "message": "late"}
        assert guest.refused("sendMessage", late)["code"] == "SESSION_ENDED"
    assert inside.ask("leaveSession", classroom.code) == {"ok": True}


def test_one_socket_in_two_sessions_hears_each_by_its_code(classroom: Classroom) -> None:
    app: Flask = classroom.app
    other = new_session(app.test_client(), headers_for(app, "Grace", "teacher"))
    student = classroom.joined("Ada")
    student.join(other)
    student.say(other, "there")
    assert student.take_only("messageReceived")["sessionCode"] == other
    student.tell("leaveSession", other)
    student.take_only("sessionLeft")
    student.say(classroom.code, "still here")
    assert student.take_only("messageReceived")["sessionCode"] == classroom.code


def test_two_applications_in_one_process_do_not_mix(make_app: AppFactory) -> None:
    one, two = open_classroom(make_app()), open_classroom(make_app())
    here, there = one.joined("Ada"), two.joined("Ada")
    here.say(one.code, "only here")
    here.take_only("messageReceived")
    assert there.take() == []
    assert there.refused("joinSession", one.code)["code"] == "SESSION_NOT_FOUND"
