"""The ids of users are the shop's, and may be long, wherever an event names one."""

from typing import Any

import pytest

from tests.support.tabs import Classroom, Tab
from tests.support.tabs import room as room

LONG = "u" * 100


@pytest.fixture
def teacher(room: Classroom) -> Tab:
    return room.teacher()


@pytest.fixture
def student(room: Classroom, teacher: Tab) -> Tab:
    """Somebody whose id has 100 characters."""
    tab = room.tab(LONG)
    assert tab.join(room.code)["self"]["userId"] == LONG
    return tab


def do(tab: Tab, room: Classroom, event: str, **data: Any) -> dict[str, Any]:
    ack = tab.ask(event, {"sessionCode": room.code, **data})
    assert ack["ok"], ack
    return ack


def test_a_hand_is_lowered_by_a_long_id(room: Classroom, teacher: Tab, student: Tab) -> None:
    do(student, room, "raiseHand")
    do(teacher, room, "lowerHand", userId=LONG)
    assert room.tab("Bob").join(room.code)["hands"] == []


def test_a_leader_has_a_long_id(room: Classroom, teacher: Tab, student: Tab) -> None:
    group_id = do(teacher, room, "createGroup", name="group", leaderId=LONG)["groupId"]
    (group,) = room.tab("Bob").join(room.code)["groups"]
    assert (group["leaderId"], group["members"]) == (LONG, [LONG])
    do(teacher, room, "updateGroup", groupId=group_id, leaderId=None)
    do(teacher, room, "updateGroup", groupId=group_id, leaderId=LONG)
    do(student, room, "setGroupReady", groupId=group_id, ready=True)


@pytest.mark.parametrize("event", ["lowerHand", "removeParticipant", "muteParticipant", "createGroup"])
def test_there_is_an_end_to_it(room: Classroom, teacher: Tab, event: str) -> None:
    field = "leaderId" if event == "createGroup" else "userId"
    needed: dict[str, dict[str, Any]] = {"muteParticipant": {"muted": True}, "createGroup": {"name": "group"}}
    more = needed.get(event, {})
    teacher.take()
    error = teacher.refused(event, {"sessionCode": room.code, field: "u" * 129, **more})
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", [field])
