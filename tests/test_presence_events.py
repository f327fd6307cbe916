"""Who is there: several tabs are one participant, the others hear of changes, nobody hears about themselves."""

from typing import Any

import pytest

from classwaves.testing.clock import RoomClock
from tests.support.apps import AppFactory, headers_for, new_session, state_of
from tests.support.tabs import Classroom, Tab, open_classroom

GRACE = 20.0
"""Seconds from the end of the last socket to ``disconnected``, here, by a clock that goes forward where a test says."""


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    """A classroom whose renewals come often; nobody leaves for having been away."""
    return open_classroom(make_app(CLASSWAVES_DISCONNECT_GRACE=GRACE, CLASSWAVES_RENEW=1))


def wait(classroom: Classroom, seconds: float) -> None:
    """Let time pass in the application, and have done what is due by then."""
    hub = state_of(classroom.app).hub
    RoomClock(hub.clock, hub.scheduler).advance(seconds)


@pytest.fixture
def teacher(classroom: Classroom) -> Tab:
    return classroom.teacher()


def statuses(tab: Tab) -> list[tuple[str, str]]:
    """Return who is said to be how, in what has come since the last call, which is nothing but presence."""
    taken = tab.take()
    assert {name for name, _ in taken} <= {"presenceUpdated"}, taken
    return [(payload["userId"], payload["status"]) for _, payload in taken]


def roster(classroom: Classroom, tab: Tab) -> dict[str, str]:
    """Return the statuses as a joiner sees them."""
    joined: dict[str, Any] = tab.join(classroom.code)
    return {participant["userId"]: participant["status"] for participant in joined["participants"]}


def test_a_first_join_is_told_to_the_others_with_every_field(classroom: Classroom, teacher: Tab) -> None:
    student = classroom.joined("Ada")
    said = teacher.take_only("presenceUpdated")
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "sessionCode": classroom.code,
        "userId": "ada",
        "status": "active",
        "displayName": "Ada",
        "role": "student",
    }
    assert student.take() == []


@pytest.mark.parametrize("status", ["idle", "away", "active"])
def test_a_status_is_told_to_the_others_once(classroom: Classroom, teacher: Tab, status: str) -> None:
    student = classroom.joined("Ada")
    student.ask("updatePresence", {"sessionCode": classroom.code, "status": "away" if status == "idle" else "idle"})
    teacher.take()
    for _ in range(3):
        student.ask("updatePresence", {"sessionCode": classroom.code, "status": status})
    said = teacher.take_only("presenceUpdated")
    assert (said["userId"], said["status"], said["displayName"], said["role"]) == ("ada", status, "Ada", "student")
    assert student.take() == []
    assert roster(classroom, teacher)["ada"] == status


def test_two_tabs_are_one_participant(classroom: Classroom, teacher: Tab) -> None:
    tabs = [classroom.joined("Ada"), classroom.joined("Ada")]
    assert statuses(teacher) == [("ada", "active")]
    assert list(roster(classroom, tabs[1])) == ["grace", "ada"]
    assert tabs[0].take() == []


def test_the_most_present_of_several_tabs_shows(classroom: Classroom, teacher: Tab) -> None:
    code = classroom.code
    one, two = classroom.joined("Ada"), classroom.joined("Ada")
    teacher.take()
    for tab, status, shown in [
        (one, "away", []),
        (two, "idle", ["idle"]),
        (one, "idle", []),
        (two, "away", []),
        (one, "active", ["active"]),
        (one, "away", ["away"]),
    ]:
        tab.ask("updatePresence", {"sessionCode": code, "status": status})
        assert statuses(teacher) == [("ada", status) for status in shown]
        assert one.take() == two.take() == []
    classroom.joined("Ada")
    assert statuses(teacher) == [("ada", "active")]


def test_leaving_is_for_one_socket_and_the_last_one_ends_it(classroom: Classroom, teacher: Tab) -> None:
    code = classroom.code
    one, two = classroom.joined("Ada"), classroom.joined("Ada")
    two.ask("updatePresence", {"sessionCode": code, "status": "idle"})
    teacher.take()
    assert one.ask("leaveSession", code) == {"ok": True}
    assert one.take_only("sessionLeft") == {"sessionCode": code}
    assert statuses(teacher) == [("ada", "idle")]
    teacher.say(code, "who is here?")
    assert one.take() == []
    assert two.take_only("messageReceived")
    teacher.take()
    two.ask("leaveSession", code)
    two.take_only("sessionLeft")
    assert statuses(teacher) == [("ada", "left")]
    assert list(roster(classroom, teacher)) == ["grace"]


def test_leaving_again_is_confirmed_again(classroom: Classroom, teacher: Tab) -> None:
    student = classroom.joined("Ada")
    for _ in range(3):
        assert student.ask("leaveSession", classroom.code) == {"ok": True}
        student.take_only("sessionLeft")
    assert statuses(teacher) == [("ada", "active"), ("ada", "left")]
    assert classroom.tab("Bob").ask("leaveSession", classroom.code) == {"ok": True}
    student.join(classroom.code)
    assert statuses(teacher) == [("ada", "active")]


def test_an_end_without_leaving_is_told_after_the_grace(classroom: Classroom, teacher: Tab) -> None:
    student = classroom.joined("Ada")
    teacher.take()
    student.vanish()
    assert roster(classroom, teacher)["ada"] == "active"
    wait(classroom, GRACE)
    assert statuses(teacher) == [("ada", "disconnected")]
    assert roster(classroom, teacher)["ada"] == "disconnected"


def test_coming_back_after_the_grace_is_told(classroom: Classroom, teacher: Tab) -> None:
    classroom.joined("Ada").vanish()
    wait(classroom, GRACE)
    assert statuses(teacher) == [("ada", "active"), ("ada", "disconnected")]
    joined_at = next(one for one in teacher.join(classroom.code)["participants"] if one["userId"] == "ada")["joinedAt"]
    back = classroom.tab("Ada").join(classroom.code)
    assert back["self"]["joinedAt"] == joined_at
    assert statuses(teacher) == [("ada", "active")]


def test_coming_back_within_the_grace_shows_nothing(classroom: Classroom, teacher: Tab) -> None:
    student = classroom.joined("Ada")
    teacher.take()
    for _ in range(5):
        student.vanish()
        wait(classroom, 1)
        student = classroom.joined("Ada")
    wait(classroom, 2 * GRACE)
    assert statuses(teacher) == []
    assert roster(classroom, teacher)["ada"] == "active"


def test_one_tab_of_two_ends_and_the_other_one_counts(classroom: Classroom, teacher: Tab) -> None:
    one, two = classroom.joined("Ada"), classroom.joined("Ada")
    two.ask("updatePresence", {"sessionCode": classroom.code, "status": "away"})
    teacher.take()
    one.vanish()
    wait(classroom, GRACE)
    assert statuses(teacher) == [("ada", "away")]
    two.vanish()
    wait(classroom, GRACE)
    assert statuses(teacher) == [("ada", "disconnected")]


def test_leaving_one_tab_while_the_other_one_has_ended(classroom: Classroom, teacher: Tab) -> None:
    """The ended one may come back within its grace, so the participant has not left."""
    one, two = classroom.joined("Ada"), classroom.joined("Ada")
    teacher.take()
    one.vanish()
    two.ask("leaveSession", classroom.code)
    wait(classroom, GRACE)
    assert statuses(teacher) == [("ada", "disconnected")]


def test_who_stays_away_has_left(make_app: AppFactory) -> None:
    classroom = open_classroom(
        make_app(CLASSWAVES_DISCONNECT_GRACE=GRACE, CLASSWAVES_LEFT_AFTER=60, CLASSWAVES_RENEW=1)
    )
    teacher, student = classroom.teacher(), classroom.joined("Ada")
    student.vanish()
    wait(classroom, GRACE + 60 + 2)
    assert statuses(teacher) == [("ada", "active"), ("ada", "disconnected"), ("ada", "left")]
    assert list(roster(classroom, teacher)) == ["grace"]


def test_everybody_of_three_hears_of_the_two_others_alone(classroom: Classroom) -> None:
    tabs = {name: classroom.joined(name) for name in ("Ada", "Bob", "Cyd")}
    for tab in tabs.values():
        tab.take()
    for name, tab in tabs.items():
        tab.ask("updatePresence", {"sessionCode": classroom.code, "status": "idle"})
        for other, witness in tabs.items():
            assert statuses(witness) == ([] if other == name else [(name.lower(), "idle")])


def test_presence_is_of_one_session(classroom: Classroom, teacher: Tab) -> None:
    other = new_session(classroom.app.test_client(), headers_for(classroom.app, "Grace", "teacher"))
    student = classroom.joined("Ada")
    teacher.take()
    student.join(other)
    assert statuses(teacher) == []
    student.ask("updatePresence", {"sessionCode": other, "status": "away"})
    assert statuses(teacher) == []
    assert roster(classroom, teacher)["ada"] == "active"
    student.ask("leaveSession", other)
    assert statuses(teacher) == []


def test_a_full_session_keeps_places_for_who_is_in_it_and_for_staff(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_DISCONNECT_GRACE=GRACE)
    classroom = open_classroom(app, maxParticipants=2, coTeacherIds=["carol"])
    code = classroom.code
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    eve = classroom.tab("Eve")
    assert eve.refused("joinSession", code)["code"] == "SESSION_FULL"
    classroom.joined("Ada")
    for staff, role in [("Grace", "teacher"), ("Carol", "teacher"), ("Root", "admin")]:
        assert classroom.tab(staff, role).join(code)["self"]["staff"] is True
    ada.take()
    bob.vanish()
    wait(classroom, GRACE)
    assert statuses(ada) == [("bob", "disconnected")]
    assert eve.refused("joinSession", code)["code"] == "SESSION_FULL"
    bob = classroom.joined("Bob")
    bob.ask("leaveSession", code)
    assert eve.refused("joinSession", code)["code"] == "SESSION_FULL"  # staff count
