"""The picture of all workers: sums of those that are heard, rates by their own clocks, and no leap when one goes."""

from typing import Any

from classwaves.monitor.picture import NAMED, ROOMS, Pictures, brief
from classwaves.store.board import Posting
from classwaves.tally import Tally

SILENT = 6.0


class Worker:
    """What one worker says, by hand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tally = Tally()
        self.uptime = 100.0
        self.rooms: list[dict[str, Any]] = []

    def serves(self, session: str, participants: int, sockets: int) -> None:
        about = {"sessionId": session, "sessionCode": session.upper(), "status": "active"}
        self.rooms.append({**about, "participants": participants, "sockets": sockets})

    def says(self, later: float = 2.0, ago: float = 0.1) -> Posting:
        self.uptime += later
        report = brief({**self.tally.snapshot(), "host": "h", "uptimeSeconds": self.uptime, "sessions": self.rooms})
        return Posting(self.name, ago, report)


def test_rates_are_of_what_came_between_two_reports() -> None:
    pictures, a, b = Pictures(SILENT), Worker("a"), Worker("b")
    first = pictures.make([a.says(), b.says()])
    assert first["rates"]["eventsIn"] is None, "not known yet"
    for _ in range(10):
        a.tally.event("sendMessage", "ok", 0.004)
        b.tally.event("sendMessage", "RATE_LIMIT", 0.2)
    b.tally.disconnect("ping timeout")
    picture = pictures.make([a.says(2), b.says(4)])
    assert picture["rates"]["eventsIn"] == 5 + 2.5
    assert picture["rates"]["errors"] == 2.5
    assert picture["counts"]["errors"] == {"RATE_LIMIT": 10}
    assert picture["counts"]["disconnects"] == {"ping timeout": 1}
    assert picture["lags"]["handlerP50"] == 0.005
    assert picture["lags"]["handlerP99"] == 0.25
    assert picture["lags"]["feedP99"] is None, "nothing was delivered"
    assert pictures.make([a.says(), b.says()])["counts"]["errors"] == {}


def test_a_report_that_is_late_keeps_its_rate_and_counts_once() -> None:
    pictures, a = Pictures(SILENT), Worker("a")
    pictures.make([a.says()])
    a.tally.event("sendMessage", "CONFLICT", 0.001)
    same = a.says(2)
    assert pictures.make([same])["counts"]["errors"] == {"CONFLICT": 1}
    late = pictures.make([Posting("a", 2.1, same.report)])
    assert late["rates"]["eventsIn"] == 0.5
    assert late["counts"]["errors"] == {}


def test_a_worker_that_is_silent_is_shown_and_not_counted() -> None:
    pictures, a, b = Pictures(SILENT), Worker("a"), Worker("b")
    a.serves("one", 3, 3)
    b.serves("two", 5, 5)
    pictures.make([a.says(), b.says()])
    picture = pictures.make([a.says(), b.says(ago=SILENT + 1)])
    assert [(one["worker"], one["state"]) for one in picture["workers"]] == [("a", "running"), ("b", "silent")]
    assert [room["sessionCode"] for room in picture["sessions"]] == ["ONE"]
    assert picture["totals"]["participants"] == 3


def test_a_worker_that_begins_anew_makes_no_rate_fall() -> None:
    pictures, a = Pictures(SILENT), Worker("a")
    for _ in range(100):
        a.tally.event("sendMessage", "ok", 0.001)
    pictures.make([a.says()])
    again = Worker("a")
    again.uptime = 0.0
    assert pictures.make([again.says()])["rates"]["eventsIn"] is None
    assert pictures.make([again.says()])["rates"]["eventsIn"] == 0


def test_one_session_on_two_workers_is_one_and_the_largest_are_shown() -> None:
    a, b = Worker("a"), Worker("b")
    a.serves("both", 1000, 600)
    b.serves("both", 1000, 400)
    for number in range(ROOMS + 20):
        a.serves(f"room{number:03}", number, number)
    a.tally.draining = lambda: True
    picture = Pictures(SILENT).make([a.says(), b.says()])
    both = {"sessionCode": "BOTH", "status": "active", "participants": 1000, "sockets": 1000, "workers": 2}
    assert picture["sessions"][0] == both
    assert len(picture["sessions"]) == ROOMS
    assert picture["sessionsInAll"] == ROOMS + 21
    assert picture["sessions"][1]["participants"] == ROOMS + 19
    assert [one["state"] for one in picture["workers"]] == ["draining", "running"]


def test_a_worker_with_many_sessions_names_the_largest_and_counts_the_rest() -> None:
    a = Worker("a")
    for number in range(NAMED + 50):
        a.serves(f"room{number:03}", 1 + (number >= 50), 2)
    posting = a.says()
    assert len(posting.report["sessions"]) == NAMED
    picture = Pictures(SILENT).make([posting])
    assert picture["totals"]["sessions"] == picture["sessionsInAll"] == picture["workers"][0]["sessions"] == NAMED + 50
    assert picture["totals"]["participants"] == 2 * NAMED + 50
    assert picture["totals"]["sockets"] == 2 * (NAMED + 50)


def test_nobody_is_heard() -> None:
    picture = Pictures(SILENT).make([])
    assert picture["workers"] == picture["sessions"] == []
    assert picture["lags"]["loop"] is picture["rates"]["eventsIn"] is None
