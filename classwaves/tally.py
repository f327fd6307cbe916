"""What a worker counts: plain numbers, cheap enough for every message. What they are called is in ``metrics``.

Imports nothing of ours, so that everything may count. Nothing here takes a lock: under gevent nobody else runs between
the steps of an addition, and a thread of the test client that loses one loses no more than that.

No key of a dict here is a string that a client has chosen: names of events are those that are registered, reasons and
kinds are those of the lists below, and what is on no list is ``other``.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Upper bounds of the buckets of what takes time, in seconds: a loop that is healthy is in the first ones.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: The same for what may take long without harm: how far the archive is behind.
LONG = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
#: Upper bounds of the buckets of participants in a session.
ROOMS = (1, 2, 5, 10, 20, 30, 50, 100, 200, 500, 1000)

OTHER = "other"
#: Why connections end, as Engine.IO says it or we do.
REASONS = frozenset(
    {
        "client disconnect",
        "never connected",
        "ping timeout",
        "server disconnect",
        "server shutdown",
        "slow consumer",
        "transport close",
        "transport error",
    }
)
#: Where something of ours can go wrong: each is shown before it does, or its first failure would be no increase.
PLACES = frozenset(
    ("connect", "disconnect", "event", "files", "greenlet", "message", "metrics", "request", "scheduler", "thread")
)
#: How many names of events that this server sends have a number of their own; a shop may make names up as it goes.
NAMES = 100
#: For how long a late loop is remembered, in seconds.
MEMORY = 60.0

#: attribute, labels, value: a number, or ``[sum, *counts]`` of a histogram's buckets
Raw = dict[str, list[tuple[list[str], Any]]]

#: What requests are refused for before there is an application that could count it; of the whole process.
EARLY: dict[str, int] = {}
#: Threads and greenlets of the whole process that have died of what nobody was waiting for.
LOST: dict[str, int] = {}


class Histogram:
    """How often something was how large: a count for each bucket, and one for what is beyond the last."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def quantile(self, share: float) -> float | None:
        """The upper bound of the bucket in which this share of all values ends; ``None`` if there are no values.

        Of what is beyond the last bucket nothing is known but that: its bound is the answer then, too.
        """
        rest = sum(self.counts) * share
        if not rest:
            return None
        for bound, count in zip(self.bounds, self.counts, strict=False):
            rest -= count
            if rest <= 0:
                return bound
        return self.bounds[-1]

    def to_dict(self) -> dict[str, Any]:
        """``{buckets: [[upper bound, count], ...], beyond, count, sum, p50, p90, p99}``; counts are not cumulative."""
        return {
            "buckets": [list(pair) for pair in zip(self.bounds, self.counts, strict=False)],
            "beyond": self.counts[-1],
            "count": sum(self.counts),
            "sum": self.sum,
            **{f"p{percent}": self.quantile(percent / 100) for percent in (50, 90, 99)},
        }


class Traffic:
    """The bytes of one transport, and how many connections broke its protocol. They add to these numbers themselves."""

    __slots__ = ("broken", "received", "sent")

    def __init__(self) -> None:
        self.received = self.sent = self.broken = 0


class Loop:
    """How late the worker's loop is: told of by :mod:`classwaves.transport.beat`, and by nobody where there is none."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = time.monotonic
        self.lag = Histogram(SECONDS)
        self._due: float | None = None
        self._late: deque[tuple[float, float]] = deque()

    def beat(self, lag: float, due: float) -> None:
        """The loop has come round ``lag`` seconds late; it should again at ``due``, by :attr:`now`."""
        self.lag.observe(lag)
        self._due, now = due, self.now()
        while self._late and self._late[-1][1] <= lag:  # it will never be the worst again
            self._late.pop()
        while self._late and self._late[0][0] < now - MEMORY:
            self._late.popleft()
        self._late.append((now, lag))

    def lag_now(self) -> float:
        """By how much it is late at this moment, in seconds."""
        return 0.0 if self._due is None else max(0.0, self.now() - self._due)

    def worst(self, seconds: float) -> float:
        """The most that it was late in the last so many seconds, up to a minute."""
        since = self.now() - seconds
        return max([self.lag_now(), *(lag for moment, lag in self._late if moment >= since)])


class Tally:
    """The numbers of one application on this worker. Dicts are keyed by what :mod:`classwaves.metrics` calls labels."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.loop = Loop()
        self.traffic = {"websocket": Traffic(), "polling": Traffic()}
        #: Numbers that are not counted but looked up when they are asked for; see :mod:`classwaves.samples`.
        self.sample: Callable[[], dict[str, Any]] = dict
        #: The sessions that are served here: ``[{sessionId, sessionCode, status, sockets, participants}, ...]``.
        self.rooms: Callable[[], list[dict[str, Any]]] = list
        self.draining: Callable[[], bool] = bool

        self.opened: dict[str, int] = {}
        self.upgrades = 0
        self.disconnects: dict[str, int] = {}
        self.events: dict[tuple[str, str], int] = {}
        self.handled: dict[str, Histogram] = {}
        self.sent: dict[str, int] = {}
        self.deliveries = 0
        self.appends = Histogram(SECONDS)
        self.feed_lag = Histogram(SECONDS)
        self.room_size = Histogram(ROOMS)
        self.slow_consumers = 0
        self.resumes: dict[str, int] = {}
        self.auth_failures: dict[tuple[str, str], int] = {}
        self.rate_limited: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.http_errors: dict[str, int] = {}
        self.conflicts = 0
        self.store_errors: dict[str, int] = {}
        self.reconnects = 0
        self.repairs: dict[tuple[str, str], int] = {}
        self.epochs = 0
        self.lost_sessions = 0
        self.late_signals = 0
        self.archive_lag = Histogram(LONG)
        self.archive_errors = 0
        self.archive_gaps = 0
        self.uploads: dict[str, int] = {}

    # what takes more than an addition

    def open(self, transport: str) -> None:
        """A connection began with this transport."""
        self.opened[transport] = self.opened.get(transport, 0) + 1

    def disconnect(self, reason: str | None) -> None:
        """A connection has ended."""
        known = reason if reason in REASONS else OTHER
        self.disconnects[known] = self.disconnects.get(known, 0) + 1

    def event(self, name: str, outcome: str, seconds: float) -> None:
        """A client's event has its answer. :param name: a registered one, or ``unknown``."""
        try:  # nearly always there: looking first would cost as much again
            self.events[name, outcome] += 1
        except KeyError:
            self.events[name, outcome] = 1
            self.handled.setdefault(name, Histogram(SECONDS))
        self.handled[name].observe(seconds)

    def emit(self, name: str, recipients: int) -> None:
        """An event was sent to so many sockets."""
        self.deliveries += recipients
        try:
            self.sent[name] += 1
        except KeyError:
            name = name if len(self.sent) < NAMES else OTHER
            self.sent[name] = self.sent.get(name, 0) + 1

    def refuse(self, reason: str) -> None:
        """Something was refused, dropped or broken off that is no event. :param reason: a word of ours."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def fail(self, place: str) -> None:
        """Something of ours went wrong, and was logged. :param place: where, one of :data:`PLACES`."""
        self.failures[place] = self.failures.get(place, 0) + 1

    # all of it

    def _all_refused(self) -> dict[str, int]:
        broken = self.traffic["websocket"].broken
        return {**self.refused, **EARLY, **({"bad frame": broken} if broken else {})}

    def raw(self) -> Raw:
        """All numbers, as JSON has them, to be added to those of other workers; see :mod:`classwaves.tallies`."""
        numbers = {name: value for name, value in vars(self).items() if name not in ("began", "traffic")}
        numbers |= {**self.sample(), "loop_lag": self.loop.lag, "loop_lag_now": self.loop.worst(1.0)}
        numbers["bytes_received"] = {name: traffic.received for name, traffic in self.traffic.items()}
        numbers["bytes_sent"] = {name: traffic.sent for name, traffic in self.traffic.items()}
        numbers["refused"], numbers["failures"] = self._all_refused(), {**self.failures, **LOST}
        numbers |= {"workers": 1, "draining": int(self.draining())}
        return {
            name: _rows(value) for name, value in numbers.items() if isinstance(value, int | float | dict | Histogram)
        }

    def snapshot(self) -> dict[str, Any]:
        """The numbers of this worker for people: JSON-able, with camelCase names. Counts are since its start.

        ``connections`` and ``opened`` by transport, ``disconnects`` by reason, ``eventsIn``, ``eventsOut`` and
        ``deliveries`` in total, ``events`` by name, ``errors`` by code, ``bytesIn`` and ``bytesOut``, ``rateLimited``
        by limit, ``refused`` and ``failures`` by reason, ``feedLag``, ``handlerLatency`` and ``appendLatency`` as
        :meth:`Histogram.to_dict` has them, ``loopLag`` so, too, with ``now`` and ``worst`` (of the last ten seconds),
        ``sessions`` as :attr:`rooms` gives them, ``slowConsumers``, ``outboxBytes``, ``resumes`` by outcome,
        ``storeErrors``, ``reconnects``, ``draining``, ``pid``, ``uptimeSeconds``.
        """
        sampled, handled = self.sample(), Histogram(SECONDS)
        for one in list(self.handled.values()):
            handled.counts = [mine + more for mine, more in zip(handled.counts, one.counts, strict=True)]
            handled.sum += one.sum
        names: dict[str, int] = {}
        errors: dict[str, int] = {}
        for (name, outcome), count in list(self.events.items()):
            names[name] = names.get(name, 0) + count
            if outcome != "ok":
                errors[outcome] = errors.get(outcome, 0) + count
        return {
            "pid": os.getpid(),
            "uptimeSeconds": time.monotonic() - self.began,
            "draining": self.draining(),
            "connections": sampled.get("connections", {}),
            "opened": dict(self.opened),
            "disconnects": dict(self.disconnects),
            "eventsIn": sum(names.values()),
            "events": names,
            "errors": errors,
            "eventsOut": sum(self.sent.values()),
            "deliveries": self.deliveries,
            "bytesIn": sum(traffic.received for traffic in self.traffic.values()),
            "bytesOut": sum(traffic.sent for traffic in self.traffic.values()),
            "outboxBytes": sampled.get("outbox_bytes", 0),
            "slowConsumers": self.slow_consumers,
            "rateLimited": dict(self.rate_limited),
            "refused": self._all_refused(),
            "failures": {**self.failures, **LOST},
            "resumes": dict(self.resumes),
            "storeErrors": sum(self.store_errors.values()),
            "reconnects": self.reconnects,
            "handlerLatency": handled.to_dict(),
            "appendLatency": self.appends.to_dict(),
            "feedLag": self.feed_lag.to_dict(),
            "loopLag": {"now": self.loop.lag_now(), "worst": self.loop.worst(10.0), **self.loop.lag.to_dict()},
            "sessions": self.rooms(),
        }


def add(counts: dict[Any, int], key: Any, number: int = 1) -> None:
    """Add to a dict of a :class:`Tally`."""
    counts[key] = counts.get(key, 0) + number


def _rows(value: Any) -> list[tuple[list[str], Any]]:
    if not isinstance(value, Mapping):
        return [([], _plain(value))]
    return [([key] if isinstance(key, str) else list(key), _plain(one)) for key, one in list(value.items())]


def _plain(value: Any) -> Any:
    return [value.sum, *value.counts] if isinstance(value, Histogram) else value
