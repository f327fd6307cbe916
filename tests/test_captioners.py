"""Programs that caption are in nobody's group, and what they say late does not replace what was shown."""

from typing import Any

import pytest

from tests.support.apps import API, AppFactory, headers_for
from tests.support.tabs import Classroom, Tab, open_classroom


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    made = open_classroom(make_app())
    made.step("start")
    return made


@pytest.fixture
def teacher(room: Classroom) -> Tab:
    return room.teacher()


@pytest.fixture
def robot(room: Classroom, teacher: Tab) -> str:
    """The user id of a program that captions, which has joined."""
    grace = headers_for(room.app, "Grace", "teacher")
    answer = room.app.test_client().post(f"{API}/sessions/{room.code}/transcriber", json={}, headers=grace)
    user_id: str = Tab(room.app, answer.get_json()["accessToken"]).join(room.code)["self"]["userId"]
    teacher.take()
    return user_id


def test_a_program_that_captions_cannot_be_in_a_group(room: Classroom, teacher: Tab, robot: str) -> None:
    room.joined("Ada")
    teacher.take()
    group = {"sessionCode": room.code, "name": "group"}
    for more in ({"memberIds": ["ada", robot]}, {"leaderId": robot}):
        error = teacher.refused("createGroup", {**group, **more})
        assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", ["memberIds"])
    group_id = teacher.ask("createGroup", {**group, "memberIds": ["ada"]})["groupId"]
    teacher.take()
    error = teacher.refused("updateGroup", {"sessionCode": room.code, "groupId": group_id, "memberIds": ["ada", robot]})
    assert error["code"] == "INVALID_PAYLOAD"
    assert teacher.ask("assignGroups", {"sessionCode": room.code, "count": 1, "strategy": "random"})["ok"]
    (dealt,) = teacher.join(room.code)["groups"] if teacher.take() else []
    assert dealt["members"] == ["ada"]


def publish(tab: Tab, room: Classroom, revision: int, text: str, final: bool, **more: Any) -> dict[str, Any]:
    data = {"segmentId": "s1", "revision": revision, "text": text, "isFinal": final, "startMs": 0, "endMs": 1}
    ack = tab.ask("publishTranscription", {"sessionCode": room.code, **data, **more})
    assert ack.pop("ok"), ack
    return ack


def transcript(tab: Tab, room: Classroom) -> list[str]:
    return [segment["text"] for segment in tab.ask("fetchTranscript", {"sessionCode": room.code})["segments"]]


def test_a_final_text_that_is_older_than_what_was_shown_is_stale(room: Classroom, teacher: Tab) -> None:
    student = room.joined("Ada")
    publish(teacher, room, 3, "Good morning", False)
    student.take()
    assert publish(teacher, room, 2, "Good", True) == {"stale": True}
    assert publish(teacher, room, 0, "Go", True, clientMessageId="1") == {"stale": True}
    assert student.take() == []
    assert transcript(student, room) == []
    assert "seq" in publish(teacher, room, 3, "Good morning.", True)
    assert transcript(student, room) == ["Good morning."]
