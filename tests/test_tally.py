"""What a worker counts, and what it says of itself: plain numbers, whose number clients cannot raise."""

import json
from typing import Any

from classwaves.tally import NAMES, OTHER, SECONDS, Histogram, Loop, Tally
from tests.support.apps import AppFactory, state_of
from tests.support.tabs import Classroom, Tab, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs


def snapshot(room: Classroom) -> dict[str, Any]:
    taken: dict[str, Any] = json.loads(json.dumps(state_of(room.app).tally.snapshot()))
    return taken


def test_a_histogram_puts_a_value_on_a_bound_into_the_bucket_below() -> None:
    histogram = Histogram((1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == 8
    assert (histogram.quantile(0.4), histogram.quantile(0.5), histogram.quantile(1)) == (1, 2, 2)
    assert Histogram(SECONDS).quantile(0.5) is None


def test_a_loop_remembers_the_worst_for_a_while_and_knows_when_it_is_late_now() -> None:
    loop, now = Loop(), 100.0
    loop.now = lambda: now
    assert (loop.lag_now(), loop.worst(10)) == (0, 0)
    for lag in (0.1, 3.0, 0.2):
        loop.beat(lag, due=now + 1)
        now += 1
    assert (loop.worst(10), loop.worst(1.5)) == (3.0, 0.2)
    now += 4
    assert loop.lag_now() == 4 == loop.worst(10)
    now += 100
    loop.beat(0.0, due=now + 1)
    assert loop.worst(1000) == 0, "what was a minute ago is forgotten"


def test_a_lesson_in_numbers(tabs: Tabs, room: Classroom) -> None:
    before = snapshot(room)
    tabs["Ada"].say(room.code, "hello")
    tabs["Ada"].take()
    tabs["Ada"].refused("sendMessage", {"sessionCode": room.code})
    tabs["Bob"].vanish()
    after = snapshot(room)
    assert before["connections"] == {"websocket": 0, "polling": 0, OTHER: 4}
    assert after["connections"][OTHER] == 3
    assert after["opened"] == {OTHER: 4}
    assert after["disconnects"] == {"client disconnect": 1}
    assert after["eventsIn"] - before["eventsIn"] == 2
    assert after["events"]["sendMessage"] == 2
    assert after["errors"] == {"INVALID_PAYLOAD": 1}
    assert after["eventsOut"] - before["eventsOut"] == 2, "messageReceived and error"
    assert after["deliveries"] - before["deliveries"] == 5, "to four, and to one"
    assert after["handlerLatency"]["count"] - before["handlerLatency"]["count"] == 2
    assert after["appendLatency"]["count"] - before["appendLatency"]["count"] == 1
    assert after["feedLag"]["count"] - before["feedLag"]["count"] == 1
    assert after["resumes"] == {"fresh": 4}
    (session,) = before["sessions"]
    assert session["sessionCode"] == room.code
    assert (session["sockets"], session["participants"], session["status"]) == (4, 4, "created")
    assert after["uptimeSeconds"] > 0 and not after["draining"]


def test_applications_of_one_process_count_apart(make_app: AppFactory) -> None:
    one, other = (open_classroom(make_app()) for _ in range(2))
    one.teacher()
    assert snapshot(one)["eventsIn"] == 1
    assert snapshot(other)["eventsIn"] == 0


def test_a_resume_is_counted_by_what_came_of_it(room: Classroom) -> None:
    epoch = room.teacher().say(room.code, "hello")["messageId"].rsplit("-", 1)[0]
    ada = room.tab("Ada")
    ada.join(room.code, {"sinceSeq": 1, "epoch": epoch})
    ada.join(room.code, {"sinceSeq": 1, "epoch": "another"})
    assert snapshot(room)["resumes"] == {"fresh": 1, "complete": 1, "snapshot": 1}


def test_a_connection_that_is_refused_is_counted_by_its_code(room: Classroom) -> None:
    assert not Tab(room.app).connected
    assert not Tab(room.app, "not a token").connected
    assert state_of(room.app).tally.auth_failures == {("AUTH_REQUIRED", "connect"): 1, ("INVALID_TOKEN", "connect"): 1}


def test_a_rate_limit_is_counted_by_its_name(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_EVENT_RATE="2/hour")
    room = open_classroom(app)
    teacher = room.teacher()
    teacher.say(room.code, "one")
    teacher.take()
    teacher.refused("sendMessage", {"sessionCode": room.code, "message": "two"})
    assert snapshot(room)["rateLimited"] == {"event": 1}


def test_what_the_server_calls_its_events_has_an_end() -> None:
    tally = Tally()
    for number in range(2 * NAMES):
        tally.emit(f"shop{number}", 1)
    assert len(tally.sent) == NAMES + 1
    assert tally.sent[OTHER] == NAMES


def test_an_end_for_a_reason_that_nobody_knows_is_another() -> None:
    tally = Tally()
    tally.disconnect("something a shop said")
    tally.disconnect(None)
    assert tally.disconnects == {OTHER: 2}
