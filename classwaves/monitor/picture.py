"""One picture of all workers, from what each has said of itself: sums of now, and what happened since the last one.

Imports the shape of a posting and the tally. No I/O. Counts of a worker begin with its process, so they are compared
with its own last ones and never summed up: a worker that dies or begins makes no rate fall or leap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..store.board import Posting
from ..tally import SECONDS, Histogram

#: How many sessions are listed, the largest first; and how many each worker names, since some are on several workers.
ROOMS, NAMED = 100, 200
#: Counts, shown as so many a second.
RATES = ("eventsIn", "eventsOut", "deliveries", "bytesIn", "bytesOut", "slowConsumers", "storeErrors", "reconnects")
#: Counts by a word: shown by word, and in total as so many a second.
WORDS = ("errors", "disconnects", "rateLimited", "refused", "failures", "resumes", "opened")
#: What is shown as the time that half of all, and all but one in a hundred, did not exceed.
LAGS = {"feed": "feedLag", "handler": "handlerLatency", "append": "appendLatency"}

Report = Mapping[str, Any]


def brief(snapshot: Report) -> dict[str, Any]:
    """A worker's snapshot with its largest sessions alone, and in ``rest`` the number and sizes of the others."""
    rooms = sorted(snapshot["sessions"], key=lambda room: -room["participants"])
    rest = {name: sum(room[name] for room in rooms[NAMED:]) for name in ("sockets", "participants")}
    return {**snapshot, "sessions": rooms[:NAMED], "rest": {"sessions": len(rooms[NAMED:]), **rest}}


class Step:
    """What one worker did between two of its reports."""

    def __init__(self, before: Report, now: Report) -> None:
        self.seconds: float = now["uptimeSeconds"] - before["uptimeSeconds"]
        self.counts = {name: max(0, now[name] - before[name]) for name in RATES}
        self.words = {name: _more(before[name], now[name]) for name in WORDS}
        self.lags = {
            name: [after - then for then, after in zip(_counts(before[key]), _counts(now[key]), strict=True)]
            for name, key in LAGS.items()
        }

    def rates(self) -> dict[str, float]:
        counts = {**self.counts, **{name: sum(words.values()) for name, words in self.words.items()}}
        return {name: count / self.seconds for name, count in counts.items()}


class Pictures:
    """Makes one picture after the other.

    :param silent: after how many seconds without a word a worker is taken for silent.
    """

    def __init__(self, silent: float) -> None:
        self._silent = silent
        self._known: dict[str, Report] = {}
        self._steps: dict[str, Step] = {}

    def make(self, postings: Iterable[Posting]) -> dict[str, Any]:
        """The picture of these reports. ``counts`` and ``lags`` are of what came since the last one.

        ``workers``, ``totals`` of now, ``rates`` a second (``None`` before there are two reports of a worker),
        ``counts`` by word, ``lags`` in seconds (``None``: nothing happened), ``sessions`` and how many there are.
        """
        postings = list(postings)
        alive = [posting for posting in postings if posting.seconds <= self._silent]
        fresh = self._compare(alive)
        reports = [posting.report for posting in alive]
        rooms, rest = _rooms(reports), {"sessions": 0, "sockets": 0, "participants": 0}
        rest |= _sum_words(report["rest"] for report in reports)
        rates = [self._steps[posting.worker].rates() for posting in alive if posting.worker in self._steps]
        return {
            "workers": [self._worker(posting) for posting in postings],
            "totals": {
                "connections": _sum_words(report["connections"] for report in reports),
                "outboxBytes": sum(report["outboxBytes"] for report in reports),
                "sessions": len(rooms) + rest["sessions"],
                "sockets": sum(room["sockets"] for room in rooms) + rest["sockets"],
                "participants": sum(room["participants"] for room in rooms) + rest["participants"],
            },
            "rates": {name: sum(one[name] for one in rates) if rates else None for name in (*RATES, *WORDS)},
            "counts": {name: _sum_words(step.words[name] for step in fresh) for name in WORDS},
            "lags": _lags(fresh) | {"loop": max((report["loopLag"]["worst"] for report in reports), default=None)},
            "sessions": rooms[:ROOMS],
            "sessionsInAll": len(rooms) + rest["sessions"],
        }

    def _compare(self, alive: Sequence[Posting]) -> list[Step]:
        """What has happened since the last picture, of each worker that has said something new."""
        fresh: list[Step] = []
        known: dict[str, Report] = {}
        steps: dict[str, Step] = {}
        for posting in alive:
            name, report, before = posting.worker, posting.report, self._known.get(posting.worker)
            known[name] = report
            if before is not None and report["uptimeSeconds"] > before["uptimeSeconds"]:
                steps[name] = Step(before, report)
                fresh.append(steps[name])
            elif before is not None and report == before and name in self._steps:
                steps[name] = self._steps[name]  # it is a little late; its rate stays until it is silent
        self._known, self._steps = known, steps
        return fresh

    def _worker(self, posting: Posting) -> dict[str, Any]:
        report, step = posting.report, self._steps.get(posting.worker)
        silent = posting.seconds > self._silent
        return {
            "worker": posting.worker,
            "host": report["host"],
            "pid": report["pid"],
            "state": "silent" if silent else "draining" if report["draining"] else "running",
            "uptimeSeconds": round(report["uptimeSeconds"] + posting.seconds, 1),
            "heardSecondsAgo": round(posting.seconds, 1),
            "connections": sum(report["connections"].values()),
            "sessions": len(report["sessions"]) + report["rest"]["sessions"],
            "eventsPerSecond": step.rates()["eventsIn"] if step else None,
            "loopLag": report["loopLag"]["worst"],
            "outboxBytes": report["outboxBytes"],
        }


def _rooms(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """The sessions, the largest first; one that several workers serve is one, and each has its own sockets in it."""
    rooms: dict[str, dict[str, Any]] = {}
    for room in [room for report in reports for room in report["sessions"]]:
        one = rooms.setdefault(room["sessionId"], {"sockets": 0, "participants": 0, "workers": 0})
        one |= {"sessionCode": room["sessionCode"], "status": room["status"]}
        one["sockets"] += room["sockets"]
        one["participants"] = max(one["participants"], room["participants"])
        one["workers"] += 1
    return sorted(rooms.values(), key=lambda room: (-room["participants"], -room["sockets"], room["sessionCode"]))


def _lags(steps: Iterable[Step]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    merged = {name: Histogram(SECONDS) for name in LAGS}
    for step in steps:
        for name, histogram in merged.items():
            histogram.counts = [mine + more for mine, more in zip(histogram.counts, step.lags[name], strict=True)]
    for name, histogram in merged.items():
        found |= {f"{name}P50": histogram.quantile(0.5), f"{name}P99": histogram.quantile(0.99)}
    return found


def _counts(histogram: Mapping[str, Any]) -> list[int]:
    return [*(count for _, count in histogram["buckets"]), histogram["beyond"]]


def _more(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {word: more for word, count in now.items() if (more := count - before.get(word, 0)) > 0}


def _sum_words(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for counts in counted:
        for word, count in counts.items():
            sums[word] = sums.get(word, 0) + count
    return sums
