"""How somebody was when the session ended is what the sheet says of them from then on."""

import pytest

from tests.support.apps import API, AppFactory, headers_for
from tests.support.tabs import Classroom, open_classroom
from tests.support.waiting import eventually


@pytest.fixture
def room(make_app: AppFactory) -> Classroom:
    made = open_classroom(make_app(CLASSWAVES_DISCONNECT_GRACE=0.01))
    made.step("start")
    return made


def statuses(room: Classroom) -> dict[str, str]:
    """What the sheet says of everybody."""
    grace = headers_for(room.app, "Grace", "teacher")
    answer = room.app.test_client().get(f"{API}/sessions/{room.code}/attendance", headers=grace)
    assert answer.status_code == 200
    return {row["userId"]: row["status"] for row in answer.get_json()["attendance"]}


def test_who_was_there_at_the_end_stays_present(room: Classroom) -> None:
    teacher = room.teacher()
    tabs = {name: room.joined(name) for name in ("Ada", "Bob", "Cyd", "Dan", "Eve")}
    tabs["Bob"].vanish()
    tabs["Cyd"].ask("leaveSession", room.code)
    assert teacher.ask("removeParticipant", {"sessionCode": room.code, "userId": "dan"})["ok"]
    expected = {"ada": "present", "bob": "disconnected", "cyd": "left", "dan": "removed", "eve": "present"}
    eventually(lambda: statuses(room) == {"grace": "present", **expected}, what="bob's departure")
    room.step("end")
    assert statuses(room) == {"grace": "present", **expected}
    teacher.take()
    tabs["Ada"].ask("leaveSession", room.code)
    tabs["Eve"].vanish()

    def gone() -> bool:
        grace = headers_for(room.app, "Grace", "teacher")
        answer = room.app.test_client().get(f"{API}/sessions/{room.code}/participants", headers=grace)
        status = {one["userId"]: one["status"] for one in answer.get_json()["participants"]}
        return "ada" not in status and status["eve"] == "disconnected"

    eventually(gone, what="the departures")
    assert statuses(room) == {"grace": "present", **expected}
