"""Every metric once: its name, type, labels, meaning and buckets; and how Prometheus gets them.

Imports tally and tallies, and prometheus-client, which writes what is counted elsewhere. docs/metrics.md is made from
:data:`METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .tallies import Workers
from .tally import LONG, PLACES, REASONS, ROOMS, SECONDS, Raw

#: The format of Prometheus' text exposition that all its versions read.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "classwaves_"
TRANSPORTS = ("polling", "websocket")


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric.

    :param name: without the prefix.
    :param source: the attribute of :class:`~classwaves.tally.Tally` that has it, or what its ``raw()`` adds.
    :param labels: their names, in the order of the source's keys.
    :param known: values of a single label that are shown from the beginning, or their first increase would not be seen.
    :param buckets: upper bounds, of a histogram.
    """

    name: str
    source: str
    meaning: str
    labels: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    buckets: Sequence[float] = ()

    @property
    def type(self) -> str:
        """Its type in Prometheus."""
        return "histogram" if self.buckets else "counter" if self.name.endswith("_total") else "gauge"

    @property
    def full_name(self) -> str:
        return PREFIX + self.name


METRICS = (
    Spec("connections", "connections", "Connections that are open now.", ("transport",), TRANSPORTS),
    Spec(
        "connections_opened_total",
        "opened",
        "Connections by the transport with which they began.",
        ("transport",),
        TRANSPORTS,
    ),
    Spec("upgrades_total", "upgrades", "Connections that went on from polling to WebSocket."),
    Spec(
        "disconnects_total",
        "disconnects",
        "Connections that have ended, by reason: `client disconnect` if the client said so, as a tab that is closed "
        "does; `transport close` if nobody said anything. A reason that is none of ours is `other`.",
        ("reason",),
        (*sorted(REASONS), "other"),
    ),
    Spec(
        "events_total",
        "events",
        "Events of clients by name and outcome: `ok` or the code of the error. All names that nobody has registered "
        "are `unknown`.",
        ("event", "outcome"),
    ),
    Spec(
        "handler_latency_seconds",
        "handled",
        "From an event of a client to its answer, checks and store included.",
        ("event",),
        buckets=SECONDS,
    ),
    Spec(
        "events_sent_total",
        "sent",
        "Events sent, each once for all who get it; names beyond the first hundred are `other`.",
        ("event",),
    ),
    Spec("deliveries_total", "deliveries", "Events sent, times the sockets that each went to."),
    Spec(
        "received_bytes_total",
        "bytes_received",
        "Bytes that came in WebSocket frames and in bodies of polling requests.",
        ("transport",),
        TRANSPORTS,
    ),
    Spec(
        "sent_bytes_total",
        "bytes_sent",
        "Bytes of messages that left in WebSocket frames, and of bodies of polling answers.",
        ("transport",),
        TRANSPORTS,
    ),
    Spec(
        "append_latency_seconds",
        "appends",
        "How long the store took for an append of a client's event.",
        buckets=SECONDS,
    ),
    Spec(
        "feed_lag_seconds",
        "feed_lag",
        "From an entry's time in the log to its delivery by a worker. The first is told by the clock of Redis, the "
        "second by the worker's own: where they differ, so does this.",
        buckets=SECONDS,
    ),
    Spec(
        "loop_lag_seconds",
        "loop_lag",
        "How late a worker's event loop came round, looked at four times a second: what blocks it delays everybody.",
        buckets=SECONDS,
    ),
    Spec(
        "loop_lag_recent_seconds",
        "loop_lag_now",
        "The most that the loop of any worker was late in the last second.",
    ),
    Spec("sessions", "sessions", "Sessions that workers serve now; one that two workers serve counts twice."),
    Spec("session_sockets", "members", "Sockets that are in a session now."),
    Spec(
        "room_size",
        "room_size",
        "Connected participants of a session, over all workers: each session that a worker serves is looked at once a "
        "second, so its rate is how sizes were distributed over time.",
        buckets=ROOMS,
    ),
    Spec("outbox_bytes", "outbox_bytes", "Bytes that wait now for clients that do not read fast enough."),
    Spec("slow_consumers_total", "slow_consumers", "Clients dropped because too much was waiting for them."),
    Spec(
        "resumes_total",
        "resumes",
        "Joins by what the client was given: `fresh` (it asked for nothing), `complete` (all that it had missed), "
        "`snapshot` (it had to start again).",
        ("outcome",),
        ("complete", "fresh", "snapshot"),
    ),
    Spec(
        "auth_failures_total",
        "auth_failures",
        "Refused tokens and passwords by error code, and where: `connect`, `event` or `rest`.",
        ("reason", "channel"),
    ),
    Spec(
        "rate_limited_total",
        "rate_limited",
        "What went beyond a rate limit, by the limit: `CLASSWAVES_<REASON>_RATE`.",
        ("reason",),
    ),
    Spec(
        "refused_total",
        "refused",
        "Handshakes, packets and requests that were refused, dropped or broken off before they were an event, "
        "by reason.",
        ("reason",),
    ),
    Spec("http_errors_total", "http_errors", "REST requests that were answered with an error, by code.", ("code",)),
    Spec(
        "failures_total",
        "failures",
        "What went wrong in the server itself and was logged, by place.",
        ("place",),
        tuple(sorted(PLACES)),
    ),
    Spec("fence_conflicts_total", "conflicts", "Attempts of events to append that were late, and were repeated."),
    Spec(
        "redis_errors_total",
        "store_errors",
        "Commands that Redis did not do: no `connection`, a `timeout`, `refused`; and those of rate `limits`.",
        ("kind",),
        ("connection", "limits", "refused", "timeout"),
    ),
    Spec("redis_reconnects_total", "reconnects", "How often a worker's feed came back after it was away."),
    Spec(
        "gap_repairs_total",
        "repairs",
        "Sessions of a worker that had to read the log (`catch up`), to be compared with it (`verify`) or loaded anew "
        "(`reload`), because the feed had left a gap or was away; and how many could not.",
        ("kind", "step"),
    ),
    Spec("new_epochs_total", "epochs", "Numberings begun anew, because the store had or may have lost entries."),
    Spec("lost_sessions_total", "lost_sessions", "Sessions that a worker served, and that the store has not any more."),
    Spec(
        "late_signals_total",
        "late_signals",
        "Typing and the like that was not shown, because what allowed it had changed meanwhile.",
    ),
    Spec(
        "archive_lag_seconds",
        "archive_lag",
        "From the oldest entry of a write into the archive to that write.",
        buckets=LONG,
    ),
    Spec("archive_backlog", "archive_backlog", "Sessions with something that is not in the archive yet."),
    Spec("archive_errors_total", "archive_errors", "Attempts to archive that failed, and are repeated."),
    Spec("archive_gaps_total", "archive_gaps", "Sessions of which entries were let go of before they were archived."),
    Spec(
        "uploads_total",
        "uploads",
        "Files by what came of them: `begun`, `shared`, `rejected`, `cancelled`, `abandoned`.",
        ("outcome",),
        ("abandoned", "begun", "cancelled", "rejected", "shared"),
    ),
    Spec("workers", "workers", "Workers whose numbers these are."),
    Spec("draining_workers", "draining", "Workers of them that end, and let their clients go."),
)


class Metrics:
    """What ``/metrics`` says of one application, in a registry of its own: a shop's metrics stay the shop's."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def describe(self) -> list[Metric]:
        """Names, without looking at a number."""
        return list(families({}))

    def collect(self) -> Iterator[Metric]:
        yield from families(self._workers.total())

    def render(self) -> bytes:
        """The page, in Prometheus' text format."""
        return generate_latest(self.registry)


def families(raw: Raw) -> Iterator[Metric]:
    """The metrics of prometheus-client that these numbers make."""
    for spec in METRICS:
        rows = raw.get(spec.source, [])
        if spec.type == "histogram":
            yield _histogram(spec, rows)
        else:
            make = CounterMetricFamily if spec.type == "counter" else GaugeMetricFamily
            family = make(spec.full_name, spec.meaning.replace("`", ""), labels=spec.labels)
            for labels, value in sorted([*rows, *_missing(spec, rows)]):
                family.add_metric(labels, value)
            yield family


def _missing(spec: Spec, rows: Iterable[tuple[list[str], Any]]) -> list[tuple[list[str], Any]]:
    """What has not been counted yet."""
    there = {tuple(labels) for labels, _ in rows}
    wanted = [[value] for value in spec.known] if spec.labels else [[]]
    return [(labels, 0) for labels in wanted if tuple(labels) not in there]


def _histogram(spec: Spec, rows: list[tuple[list[str], Any]]) -> Metric:
    family = HistogramMetricFamily(spec.full_name, spec.meaning.replace("`", ""), labels=spec.labels)
    bounds = [*map(str, map(float, spec.buckets)), "+Inf"]
    for labels, (total, *counts) in sorted(rows):
        seen, buckets = 0, []
        for bound, count in zip(bounds, counts, strict=True):
            seen += count
            buckets.append((bound, seen))
        family.add_metric(labels, buckets, total)
    return family
