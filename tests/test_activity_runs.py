"""An activity that is done again after another one is a new run, with answers of its own; and how many are shown."""

import json
from typing import Any

import pytest

from tests.support.apps import AppFactory
from tests.support.tabs import Classroom, Tab, open_classroom

Payload = dict[str, Any]
MOST_BYTES = 262_144
"""What a snapshot has of responses."""


class Quiz:
    """An active session, its teacher, and students who answer."""

    def __init__(self, room: Classroom) -> None:
        self.room = room
        room.step("start")
        self.teacher = room.teacher()

    def do(self, tab: Tab, event: str, **data: Any) -> Payload:
        ack = tab.ask(event, {"sessionCode": self.room.code, **data})
        assert ack.pop("ok"), ack
        return ack

    def step(self, *steps: str, activity_id: str = "q1") -> None:
        for status in steps:
            self.do(self.teacher, "updateActivity", activityId=activity_id, activityType="quiz", status=status)

    def answer(self, tab: Tab, data: Any, client_id: str = "r1") -> Payload:
        return self.do(tab, "submitActivityResponse", activityId="q1", data=data, clientId=client_id)

    def shown(self, name: str = "Grace", role: str = "teacher") -> Payload:
        """The activity as somebody is told of it who joins now."""
        activity: Payload = self.room.tab(name, role).join(self.room.code)["activity"]
        return activity

    def answers(self) -> dict[str, Any]:
        return {response["userId"]: response["data"] for response in self.shown()["responses"]}


@pytest.fixture
def quiz(make_app: AppFactory) -> Quiz:
    return Quiz(open_classroom(make_app(CLASSWAVES_MAX_RESPONSE_BYTES=60_000)))


def test_a_new_run_takes_another_answer_with_the_same_client_id(quiz: Quiz) -> None:
    ada = quiz.room.joined("Ada")
    quiz.step("started")
    first = quiz.answer(ada, "old")
    assert quiz.answer(ada, "repeated") == first
    quiz.step("completed")
    quiz.step("started", "completed", activity_id="q2")
    quiz.step("started")
    assert quiz.answers() == {}
    assert "response" not in quiz.shown("Ada", "student")
    second = quiz.answer(ada, "new")
    assert second["seq"] > first["seq"]
    assert quiz.answers() == {"ada": "new"}
    assert quiz.answer(ada, "repeated") == second
    assert quiz.answers() == {"ada": "new"}


def test_a_repeat_has_its_first_answer_while_another_activity_is_the_current_one(quiz: Quiz) -> None:
    """The first answer may have been lost, and it may take a while until the client is back."""
    ada = quiz.room.joined("Ada")
    quiz.step("started")
    first = quiz.answer(ada, "mine")
    quiz.step("completed")
    assert quiz.answer(ada, "mine") == first
    quiz.step("started", activity_id="q2")
    assert quiz.answer(ada, "mine") == first


def test_an_activity_that_goes_on_after_its_end_keeps_its_answers(quiz: Quiz) -> None:
    ada = quiz.room.joined("Ada")
    quiz.step("started")
    first = quiz.answer(ada, "answer")
    quiz.step("completed", "started")
    assert quiz.answers() == {"ada": "answer"}
    assert quiz.answer(ada, "repeated") == first
    assert quiz.answers() == {"ada": "answer"}


def test_a_snapshot_has_the_newest_answers_that_find_room(quiz: Quiz) -> None:
    names = [f"S{number}" for number in range(6)]
    tabs = {name: quiz.room.joined(name) for name in names}
    quiz.step("started")
    for name in names:
        quiz.answer(tabs[name], f"{name} " + "x" * 50_000)
    assert [one["userId"] for one in quiz.shown()["responses"]] == ["s1", "s2", "s3", "s4", "s5"]
    quiz.answer(tabs["S0"], "again " + "x" * 50_000, "r2")
    shown = quiz.shown()
    assert [one["userId"] for one in shown["responses"]] == ["s2", "s3", "s4", "s5", "s0"], "the newest is the last"
    assert shown["responses"][-1]["data"].startswith("again")
    assert shown["responses"][-1]["displayName"] == "S0"
    assert shown["responsesComplete"] is False
    assert shown["responded"] == 6
    assert len(json.dumps(shown["responses"])) <= MOST_BYTES
    assert quiz.shown("S1", "student")["response"].startswith("S1"), "one's own is always there"


def test_a_snapshot_says_that_all_answers_are_in_it(quiz: Quiz) -> None:
    ada = quiz.room.joined("Ada")
    quiz.step("started")
    assert quiz.shown()["responsesComplete"] is True
    quiz.answer(ada, "short")
    assert quiz.shown()["responsesComplete"] is True
    assert not {"responses", "responsesComplete", "run"} & set(quiz.shown("Ada", "student"))
    assert "run" not in quiz.shown()
