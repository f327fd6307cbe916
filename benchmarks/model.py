"""The capacity model of docs/scaling.md: what things cost, what people do, and the formulas between them."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

HEARTBEAT, LOOK, AUTH_CHECK = 25, 10, 60
"""The defaults of CLASSWAVES_PING_INTERVAL, CLASSWAVES_RENEW and CLASSWAVES_AUTH_CHECK, in seconds."""

MOST_CONNECTIONS = 10_000
"""The default of CLASSWAVES_MAX_CONNECTIONS."""

MOST_BUSY = 0.6
"""How much of a core a worker may use while everybody comes."""

ARRIVAL = 300
"""Everybody comes within so many seconds."""

LESSON, LESSONS = 45 * 60, 4
"""Seconds of a lesson, and lessons of each seat that Redis still holds (a day of retention)."""


@dataclass(frozen=True)
class Steps:
    """What events cost processes that are ``…_busy`` of the time at work: microseconds of CPU."""

    accept_us: float
    """An event is read, checked, appended and acked, by one worker."""
    feed_us: float
    """Its entry comes along the feed, on each worker that serves the session."""
    delivery_us: float
    """It goes to one participant."""
    presence_us: float
    """A change of presence in a room of 30, all told."""
    worker_busy: float
    redis_event_us: float
    redis_subscriber_us: float
    """What each further subscribed worker adds to an event."""
    redis_presence_us: float
    redis_busy: float


@dataclass(frozen=True)
class Constants:
    """What things cost. ``us`` are microseconds of CPU; memory is in bytes."""

    quiet: Steps
    busy: Steps
    join_us: float
    """Somebody connects, logs in and joins a room of 30, and the others hear of it."""
    heartbeat_us: float
    look_us: float
    """A worker compares the position of one session."""
    auth_us: float
    """A worker asks whether one login is still good."""
    idle_us: float
    """A worker does nothing for a second."""
    redis_join_us: float
    redis_look_us: float
    redis_auth_us: float
    redis_idle_us: float
    commands_event: float
    """As Redis counts them, those that scripts run included."""
    commands_presence: float
    commands_join: float
    event_in: float
    """Bytes that Redis reads for an event, and writes with one subscribed worker."""
    event_out: float
    subscriber_out: float
    frame: float
    """Bytes of a message of 60 characters to one participant, without TCP and TLS."""
    worker_memory: float
    connection_memory: float
    session_memory: float
    """Of a live session on a worker."""
    redis_message_memory: float
    redis_participant_memory: float
    redis_session_memory: float

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Constants":
        """Return what was kept as JSON."""
        return cls(**{**kept, "quiet": Steps(**kept["quiet"]), "busy": Steps(**kept["busy"])})

    def worker_steps(self, busy: float) -> Steps:
        """Return what events cost a worker that is so busy: on the straight line between the two."""
        low, high = self.quiet.worker_busy, self.busy.worker_busy
        part = (min(max(busy, low), high) - low) / (high - low)
        return self._between(lambda quiet, pressed: quiet + (pressed - quiet) * part)

    def redis_steps(self, busy: float) -> Steps:
        """The same of Redis, where it is a straight line of the logarithms."""
        low, high = self.quiet.redis_busy, self.busy.redis_busy
        part = math.log(min(max(busy, low), high) / low) / math.log(high / low)
        return self._between(lambda quiet, pressed: quiet * float((pressed / quiet) ** part))

    def _between(self, mix: Callable[[float, float], float]) -> Steps:
        quiet, busy = asdict(self.quiet), asdict(self.busy)
        return Steps(**{name: mix(quiet[name], busy[name]) for name in quiet})


@dataclass(frozen=True)
class Load:
    """What people do.

    :param workers: that serve them
    :param routed: whoever is in a session is on the same worker; if not, they are anywhere
    :param room: participants of a session
    :param event_every: seconds between two events of a participant: messages, reactions, hands, answers
    :param presence_every: seconds between two changes of their status
    """

    participants: int
    workers: int
    routed: bool = False
    room: int = 30
    event_every: float = 120
    presence_every: float = 600

    @property
    def events(self) -> float:
        return self.participants / self.event_every

    @property
    def presence(self) -> float:
        return self.participants / self.presence_every

    @property
    def sessions(self) -> float:
        return self.participants / self.room

    @property
    def spread(self) -> float:
        """On how many workers a session is, on average."""
        return 1 if self.routed else self.workers * (1 - (1 - 1 / self.workers) ** self.room)

    @property
    def looks(self) -> float:
        """Positions that are compared, a second."""
        return self.sessions * self.spread / LOOK


def settled(cpu: Callable[[float], float]) -> float:
    """Return how busy a process is whose events cost the less the busier it is: where ``cpu(busy)`` is ``busy``."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cpu(middle) > middle else (low, middle)
    return low


def worker_cpu(load: Load, of: Constants) -> float:
    """Return the seconds of CPU that all workers use in a second, while nobody comes or goes."""
    people = load.participants * (of.heartbeat_us / HEARTBEAT + of.auth_us / AUTH_CHECK)
    rest = people + load.looks * of.look_us + load.workers * of.idle_us

    def one(busy: float) -> float:
        step = of.worker_steps(busy)
        event = step.accept_us + load.spread * step.feed_us + load.room * step.delivery_us
        presence = step.presence_us + (load.spread - 1) * step.feed_us
        return (load.events * event + load.presence * presence + rest) / load.workers / 1e6

    return settled(one) * load.workers


def arrival_cpu(load: Load, of: Constants) -> float:
    """Return what those who come use of all workers, beside that."""
    return load.participants / ARRIVAL * (of.join_us + (load.spread - 1) * of.busy.feed_us) / 1e6


def redis_cpu(load: Load, of: Constants) -> float:
    """Return the seconds of CPU that Redis uses in a second."""
    rest = load.looks * of.redis_look_us + load.participants / AUTH_CHECK * of.redis_auth_us + of.redis_idle_us

    def one(busy: float) -> float:
        step = of.redis_steps(busy)
        others = (load.spread - 1) * step.redis_subscriber_us
        events, changes = step.redis_event_us + others, step.redis_presence_us + others
        return (load.events * events + load.presence * changes + rest) / 1e6

    return settled(one)


def redis_arrival_cpu(load: Load, of: Constants) -> float:
    """Return what they use of Redis."""
    others = (load.spread - 1) * of.busy.redis_subscriber_us
    return load.participants / ARRIVAL * (of.redis_join_us + others) / 1e6


def worker_peak(load: Load, of: Constants) -> float:
    """Return what all workers use while everybody comes."""
    return worker_cpu(load, of) + arrival_cpu(load, of)


def redis_peak(load: Load, of: Constants) -> float:
    """Return what Redis uses then."""
    return redis_cpu(load, of) + redis_arrival_cpu(load, of)


def redis_commands(load: Load, of: Constants) -> float:
    """Return the commands a second, as ``INFO`` counts them."""
    changes = load.events * of.commands_event + load.presence * of.commands_presence
    return changes + load.looks + load.participants / AUTH_CHECK + load.workers * 4 / LOOK


def redis_bytes(load: Load, of: Constants) -> float:
    """Return the bytes a second that Redis reads and writes for events."""
    return load.events * (of.event_in + of.event_out + (load.spread - 1) * of.subscriber_out)


def client_bytes(load: Load, of: Constants) -> float:
    """Return the bytes a second that all participants get, each frame with 60 bytes of TCP, IP and TLS."""
    return load.events * load.room * (of.frame + 60)


def worker_memory(load: Load, of: Constants) -> float:
    """Return the bytes of one worker."""
    people = load.participants / load.workers * of.connection_memory
    return of.worker_memory + people + load.sessions * load.spread / load.workers * of.session_memory


def redis_memory(load: Load, of: Constants) -> float:
    """Return the bytes that Redis holds: the lessons of a day."""
    messages = load.participants * LESSON / load.event_every * of.redis_message_memory
    return LESSONS * (
        messages + load.sessions * of.redis_session_memory + load.participants * of.redis_participant_memory
    )


def sized(participants: int, of: Constants, **how: Any) -> Load:
    """Return a load with as many workers as it needs, two at least."""
    workers = max(2, math.ceil(participants / MOST_CONNECTIONS))
    while True:
        load = Load(participants, workers, **how)
        if worker_peak(load, of) / workers <= MOST_BUSY:
            return load
        workers += max(1, workers // 50)
