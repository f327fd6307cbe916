"""Of what is about the same, the first leaves at once, and then only the newest of a window."""

import time
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classwaves.throttle import Throttle
from tests.support.apps import AppFactory
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.waiting import eventually

WINDOW = 0.3
"""Of the applications here."""


class Bench:
    """A throttle, what it has run, and the calls that it has asked for: nothing is called unless a test does.

    Its time goes on only when a test says so: a window that ended between two lines of a test would be another test.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self.asked: list[float] = []
        self.ran: list[Any] = []
        self.time = 0.0
        self.throttle = Throttle(window, self.asked.append, lambda: self.time)

    def run(self, key: Hashable, *names: Any) -> None:
        for name in names:
            self.throttle.run(key, lambda name=name: self.ran.append(name))  # type: ignore[misc]

    def flush(self, after: float) -> None:
        """Let time pass, and then call what was asked to be called."""
        self.time += after
        self.throttle.flush()

    def end_window(self) -> None:
        """Let all windows end that have begun by now."""
        self.flush(self.window)


@pytest.fixture
def bench() -> Bench:
    return Bench(10)


def test_the_first_runs_at_once_and_asks_for_a_call_at_the_end_of_its_window(bench: Bench) -> None:
    bench.run("key", "first")
    assert bench.ran == ["first"]
    assert bench.asked == [10]


def test_of_the_rest_the_newest_runs_when_the_window_ends(bench: Bench) -> None:
    bench.run("key", "first", "second", "third", "newest")
    bench.end_window()
    assert bench.ran == ["first", "newest"]


def test_nothing_waits_for_a_second_time(bench: Bench) -> None:
    bench.run("key", "first", "newest")
    bench.end_window()
    bench.end_window()
    assert bench.ran == ["first", "newest"]


def test_what_runs_at_the_end_of_a_window_begins_another_one(bench: Bench) -> None:
    bench.run("key", "first", "second")
    bench.end_window()
    asked = len(bench.asked)
    assert asked == 2, "a call for the window of the second"
    bench.run("key", "third")
    assert bench.ran == ["first", "second"]
    bench.end_window()
    assert bench.ran == ["first", "second", "third"]


def test_after_a_window_in_which_nothing_waited_the_next_runs_at_once(bench: Bench) -> None:
    bench.run("key", "first")
    bench.end_window()
    assert len(bench.asked) == 1, "there is nothing to be called for"
    bench.run("key", "second")
    assert bench.ran == ["first", "second"]
    assert len(bench.asked) == 2


def test_a_call_that_comes_too_early_runs_nothing_and_asks_again(bench: Bench) -> None:
    bench.run("key", "first", "second")
    bench.flush(after=9)
    assert bench.ran == ["first"]
    assert bench.asked == [10, 1]


def test_every_key_has_a_window_of_its_own_and_there_is_one_call_to_come(bench: Bench) -> None:
    for key in ("a", "b", ("a", "b"), 1):
        bench.run(key, f"first of {key}", f"second of {key}")
    assert bench.ran == [f"first of {key}" for key in ("a", "b", ("a", "b"), 1)]
    assert len(bench.asked) == 1


def test_windows_end_one_by_one(bench: Bench) -> None:
    bench.run("a", "a1", "a2")
    bench.time += 4
    bench.run("b", "b1", "b2")
    bench.flush(after=6)
    assert bench.ran == ["a1", "b1", "a2"]
    assert bench.asked == [10, 4], "a call for the end of the other one"
    bench.flush(after=4)
    assert bench.ran == ["a1", "b1", "a2", "b2"]


def test_what_is_forgotten_does_not_run_and_its_window_goes_on(bench: Bench) -> None:
    bench.run("key", "first", "second")
    bench.run("other", "other's first", "other's second")
    bench.throttle.forget("key")
    bench.run("fresh", "fresh")
    bench.end_window()
    assert bench.ran == ["first", "other's first", "fresh", "other's second"]


def test_what_comes_after_the_forgotten_waits_for_the_same_window(bench: Bench) -> None:
    bench.run("key", "first", "second")
    bench.throttle.forget("key")
    bench.run("key", "third")
    assert bench.ran == ["first"]
    bench.end_window()
    assert bench.ran == ["first", "third"]


def test_forgetting_what_never_was_changes_nothing(bench: Bench) -> None:
    bench.throttle.forget("key")
    bench.run("key", "first")
    assert bench.ran == ["first"]


def test_without_a_window_each_runs_at_once_and_no_call_is_asked_for() -> None:
    bench = Bench(0)
    bench.run("key", 1, 2, 3)
    bench.throttle.forget("key")
    bench.throttle.flush()
    assert (bench.ran, bench.asked) == ([1, 2, 3], [])


def test_a_task_may_run_another_one(bench: Bench) -> None:
    def first() -> None:
        bench.run("other", "inner first", "inner second")

    bench.throttle.run("key", first)
    bench.run("key", "outer")
    bench.end_window()
    bench.end_window()
    assert sorted(bench.ran) == ["inner first", "inner second", "outer"]


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_within_one_window_the_first_of_each_key_runs_and_no_other(keys: list[str]) -> None:
    bench = Bench(10)
    for number, key in enumerate(keys):
        bench.run(key, (key, number))
    assert bench.ran == [(key, keys.index(key)) for key in dict.fromkeys(keys)]
    assert len(bench.asked) == min(len(keys), 1)


@settings(max_examples=30)
@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_after_the_window_the_newest_of_each_key_runs(before: list[str], after: list[str]) -> None:
    bench = Bench(10)
    newest: dict[str, int] = {}
    for number, key in enumerate([*before, *after]):
        if number == len(before):
            bench.end_window()
        newest[key] = number
        bench.run(key, (key, number))
    bench.end_window()
    assert dict(bench.ran) == newest
    assert sorted(bench.ran, key=lambda item: item[1]) == sorted(set(bench.ran), key=lambda item: item[1])


# through an application


class Heard:
    """The payloads of one event that a socket gets, from the beginning."""

    def __init__(self, tab: Tab, event: str) -> None:
        self._tab, self._event = tab, event
        self.began = time.monotonic()
        self.all: list[dict[str, Any]] = []
        tab.take()

    def until(self, last: Callable[[dict[str, Any]], bool], **of: Any) -> list[dict[str, Any]]:
        """Wait for the one that is to be the last, and return all that there were of somebody."""

        def mine() -> list[dict[str, Any]]:
            self.all += [payload for name, payload in self._tab.take() if name == self._event]
            return [payload for payload in self.all if of.items() <= payload.items()]

        eventually(lambda: (found := mine()) and last(found[-1]), what=f"the last {self._event}")
        return mine()

    @property
    def most(self) -> int:
        """How many there may be: one at once and one for each window since."""
        return int((time.monotonic() - self.began) / WINDOW) + 1


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    """An active session with a window."""
    classroom = open_classroom(make_app(CLASSWAVES_EPHEMERAL_WINDOW=WINDOW))
    classroom.step("start")
    return classroom


def test_rapid_presence_is_told_once_a_window_and_the_newest_wins(classroom: Classroom) -> None:
    heard = Heard(classroom.teacher(), "presenceUpdated")
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    for number in range(40):
        status = "away" if number == 39 else ("idle", "active")[number % 2]
        assert ada.ask("updatePresence", {"sessionCode": classroom.code, "status": status})["ok"]
    assert bob.ask("updatePresence", {"sessionCode": classroom.code, "status": "idle"})["ok"]
    told = heard.until(lambda payload: payload["status"] == "away", userId="ada")
    assert told[0]["status"] == "active", "the joining, at once"
    assert 2 <= len(told) <= heard.most
    told = heard.until(lambda payload: payload["status"] == "idle", userId="bob")
    assert [payload["status"] for payload in told] == ["active", "idle"]


def test_a_participant_who_left_and_came_back_within_a_window_is_there(classroom: Classroom) -> None:
    teacher = classroom.teacher()
    ada = classroom.joined("Ada")
    heard = Heard(teacher, "presenceUpdated")
    for _ in range(5):
        assert ada.ask("leaveSession", classroom.code)["ok"]
        assert ada.ask("joinSession", classroom.code)["ok"]
    assert ada.ask("updatePresence", {"sessionCode": classroom.code, "status": "idle"})["ok"]
    told = heard.until(lambda payload: payload["status"] == "idle", userId="ada")
    assert len(told) <= heard.most


def test_rapid_typing_is_told_once_a_window_and_the_newest_wins(classroom: Classroom) -> None:
    ada, bob = classroom.joined("Ada"), classroom.joined("Bob")
    heard = Heard(classroom.teacher(), "typingUpdated")
    for number in range(31):
        assert ada.ask("typing", {"sessionCode": classroom.code, "isTyping": number % 2 == 0})["ok"]
    assert bob.ask("typing", {"sessionCode": classroom.code, "isTyping": True})["ok"]
    assert bob.ask("typing", {"sessionCode": classroom.code, "isTyping": False})["ok"]
    told = heard.until(lambda payload: not payload["isTyping"], userId="bob")
    assert [payload["isTyping"] for payload in told] == [True, False]
    told = heard.until(lambda payload: bool(payload["isTyping"]), userId="ada")
    assert told[0]["isTyping"] and told[-1]["isTyping"]
    assert len(told) <= heard.most


def test_rapid_progress_is_told_once_a_window_and_the_newest_wins(classroom: Classroom) -> None:
    teacher = classroom.teacher()
    students = [classroom.joined(f"S{number}") for number in range(12)]
    activity = {"sessionCode": classroom.code, "activityId": "quiz", "activityType": "poll", "status": "started"}
    assert teacher.ask("updateActivity", activity)["ok"]
    heard = Heard(students[0], "activityProgress")
    for number, student in enumerate(students):
        response = {"sessionCode": classroom.code, "activityId": "quiz", "data": {"answer": number}, "clientId": "1"}
        assert student.ask("submitActivityResponse", response)["ok"]
    told = heard.until(lambda payload: payload["responded"] == 12)
    assert told[0] == {"sessionCode": classroom.code, "activityId": "quiz", "responded": 1, "participants": 12}
    assert [payload["responded"] for payload in told] == sorted({payload["responded"] for payload in told})
    assert len(told) <= heard.most


def test_rapid_read_receipts_are_told_once_a_window_and_the_newest_wins(classroom: Classroom) -> None:
    teacher, ada = classroom.teacher(), classroom.joined("Ada")
    sent = [teacher.say(classroom.code, f"Message {number}")["messageId"] for number in range(15)]
    heard = Heard(teacher, "readReceiptUpdated")
    for message_id in sent:
        assert ada.ask("markRead", {"sessionCode": classroom.code, "messageId": message_id})["ok"]
    told = heard.until(lambda payload: payload["messageId"] == sent[-1])
    assert told[0] == {"sessionCode": classroom.code, "userId": "ada", "messageId": sent[0]}
    assert len(told) <= heard.most


def test_what_is_stored_is_never_throttled(classroom: Classroom) -> None:
    teacher, ada = classroom.teacher(), classroom.joined("Ada")
    teacher.take()
    for number in range(20):
        ada.say(classroom.code, str(number))
    said = [payload["message"] for name, payload in teacher.take() if name == "messageReceived"]
    assert said == [str(number) for number in range(20)]
