"""What a feature is made of: its events, each with a schema, a permission and a handler, and what a handler may do.

Imports errors, models, payloads, store, live, hub and rules. A feature file reads like a page of the contract; the
pipeline runs it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marshmallow import Schema

from .connections import Connection, Flight
from .declared import Declares
from .errors import StaleFence
from .hub import Hub
from .live import LiveSession
from .models import Draft, Entry, Principal, iso, new_id
from .payloads import KEY, fits, plain_texts
from .refusals import note_append
from .replica import Replica
from .rules import RULES
from .store.base import Appended, Seat
from .trail import marked, run_step

Handler = Callable[["Context", dict[str, Any]], dict[str, Any] | None]
Key = Callable[[Replica, dict[str, Any]], str]
Finder = Callable[[Hub, dict[str, Any]], str]
Weight = Callable[[dict[str, Any]], int]
Permit = Callable[["Context", dict[str, Any]], bool]


def by_code(hub: Hub, data: dict[str, Any]) -> str:
    """The id of the session that a payload names by its ``sessionCode``."""
    return hub.find(data["sessionCode"])


@dataclass(frozen=True, slots=True)
class Event:
    """One client event.

    :param name: its name on the wire.
    :param schema: what its payload must be.
    :param allow: a name in :data:`RULES`; there is no default, so nothing is allowed by accident.
    :param handler: called with the context and the loaded payload; what it returns goes into the ack.
    :param arguments: where the event takes positional arguments instead of one object: their field names.
    :param reads: the event stores nothing, so it is answered in an ended session too.
    :param active: the session must be ``active``.
    :param exclusive: it reads what it changes, such as a group's members: those of one session take turns on a worker,
        and each sees what the one before it has changed.
    :param key: makes what stands for a ``clientMessageId`` that is not given, for this event alone.
    :param overlaps: while its append is under way, the next event of the same client may begin, if it overlaps too.
        For events that clients send in bursts. Their order in the log stays.
    :param finds: makes the id of the session of a payload that has no ``sessionCode``.
    :param rate: the rate limit under which it counts.
    :param weight: how often it counts beyond the first time, by its payload.
    :param max_bytes: how large it may be, if that is not what all events may be.
    :param audits: what the audit stream calls it, a name in :data:`classwaves.audit.ACTS`, if staff have done it.
    :param permits: a shop's own rule, asked instead of that of :data:`RULES`; ``allow`` is its name.
    :param limit: a rate of its own, unless ``CLASSWAVES_EVENT_RATES`` says another one.
    """

    name: str
    schema: Schema
    allow: str
    handler: Handler
    arguments: tuple[str, ...] = ()
    reads: bool = False
    active: bool = False
    exclusive: bool = False
    key: Key | None = None
    overlaps: bool = False
    finds: Finder = by_code
    rate: str = "event"
    weight: Weight | None = None
    max_bytes: int | None = None
    audits: str = ""
    permits: Permit | None = None
    limit: str = ""
    _texts: dict[str, tuple[bool, float, float]] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_texts", plain_texts(self.schema))

    def load(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The payload that the schema makes of this. :raises ValidationError: it refuses it."""
        if self._texts is not None and fits(self._texts, raw):
            return dict(raw)  # what marshmallow would say, which takes some eighty calls to say it
        loaded: dict[str, Any] = self.schema.load(raw)
        if not isinstance(loaded, dict):  # a shop's schema may make an object of it
            raise TypeError(f"{self.name}: its schema makes a {type(loaded).__name__}; have it make a dict")
        for name in ("sessionCode", KEY):  # which a hook of a shop's schema need not know
            if name not in loaded and name in raw and name in self.schema.load_fields:
                loaded[name] = self.schema.load_fields[name].deserialize(raw[name])
        return loaded

    def own_key(self, replica: Replica, data: dict[str, Any]) -> str | None:
        """What makes this payload safe to repeat, if it has no ``clientMessageId``."""
        return f"{self.name}\0{self.key(replica, data)}" if self.key else None


class Feature(Declares):
    """A capability of the classroom in one file: a name and the events registered with :meth:`event`.

    :param needs: the names of features without which this one makes no sense.
    """

    def __init__(self, name: str, *, needs: Sequence[str] = ()) -> None:
        super().__init__()
        self.name = name
        self.needs = tuple(needs)
        self.events: list[Event] = []

    def event(
        self,
        name: str,
        *,
        schema: type[Schema],
        allow: str,
        arguments: Sequence[str] = (),
        reads: bool = False,
        active: bool = False,
        exclusive: bool = False,
        key: Key | None = None,
        overlaps: bool = False,
        finds: Finder = by_code,
        rate: str = "event",
        weight: Weight | None = None,
        max_bytes: int | None = None,
        audits: str = "",
    ) -> Callable[[Handler], Handler]:
        """Register a handler for a client event; see :class:`Event` for the parameters.

        :raises RuntimeError: ``allow`` is not a rule; the event is to take turns and to overlap.
        """
        if exclusive and overlaps:
            raise RuntimeError(f"{name}: an event that takes turns (exclusive) cannot overlap; choose one of them")
        if allow not in RULES:
            raise RuntimeError(f"{name}: allow={allow!r} is not a rule; the rules are {', '.join(RULES)}")

        def register(handler: Handler) -> Handler:
            event = Event(name, schema(), allow, handler, tuple(arguments), reads, active, exclusive, key, overlaps)
            more = replace(event, finds=finds, rate=rate, weight=weight, max_bytes=max_bytes, audits=audits)
            self.events.append(more)
            return handler

        return register


class _OwnKeys:
    """Dedupe keys of events whose clients gave none: a random prefix of this process, and a number."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._prefix = new_id()
        self._numbers = itertools.count()

    def next(self) -> str:
        return f"-{self._prefix}-{next(self._numbers)}"


_keys = _OwnKeys()


@dataclass(slots=True)
class Context:
    """What a handler knows and may do: who asks, over which connection, in which session."""

    connection: Connection
    hub: Hub
    event: Event
    client_message_id: str | None = None
    _live: LiveSession | None = None
    _fences: dict[str, int] | None = None
    _flight: Flight | None = None
    _number: int = 0  # in the flight
    repeated: bool = False
    """What it has appended was in the log already."""

    @property
    def principal(self) -> Principal:
        return self.connection.principal

    @property
    def request(self) -> Any:
        """The handshake's request, a :class:`flask.Request`: headers, cookies, query; ``None`` if the socket has ended.

        It is made from what was kept of the handshake each time it is asked for. What it would write is not kept.
        """
        return self.hub.emitter.request(self.connection.sid)

    @property
    def live(self) -> LiveSession:
        """The session that the event is about. :raises RuntimeError: it is about none."""
        if self._live is None:
            raise RuntimeError(f"{self.event.name} is not about a session")
        return self._live

    @property
    def is_staff(self) -> bool:
        return self.live.is_staff(self.connection.principal)

    @property
    def seat(self) -> Seat:
        """This socket's place in a session's roster."""
        return self.hub.seat(self.connection)

    @property
    def dedupe_key(self) -> str:
        """The client's key, or one of our own: the append may be repeated after a lost answer."""
        user_id, mine = self.connection.principal.user_id, self.client_message_id
        # with its length, because a shop's user ids may hold colons as well as a client's keys
        return f"{len(user_id)}:{user_id}:{mine}" if mine else _keys.next()

    def note_fences(self) -> None:
        """Remember the fences that a permission check relies on, before it looks: the session's and the user's."""
        connection, live = self.connection, self.live
        self._fences = entry_fences(live, connection.principal)
        flight = connection.flight
        if self.event.overlaps and flight and not flight.stale and flight.session_id == live.id:
            self._fences = flight.fences

    def rely(self, *names: str) -> None:
        """Rely on more fences than the permission check did; called before looking at what they guard."""
        self._fences = {**self.fences, **{name: self.live.replica.fence(name) for name in names}}

    @property
    def fences(self) -> dict[str, int]:
        """What an append of this event must name. :raises RuntimeError: nothing was checked."""
        if self._fences is None:
            raise RuntimeError(f"{self.event.name} was not checked")
        return self._fences

    def publish(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        audience: str = "all",
        members: Sequence[str] = (),
        bumps: Sequence[str] = (),
        id_field: str = "",
    ) -> dict[str, Any]:
        """Append a durable event and return what belongs into the ack: ``seq``, ``timestamp`` and the id.

        The parameters are those of :class:`~classwaves.models.Draft`.

        :raises StaleFence: somebody changed what the permission check relied on; the pipeline tries the event again.
        """
        draft = Draft(event, data, self.principal.user_id, audience, tuple(members), tuple(bumps), id_field)
        return self.publish_all([draft])

    def publish_all(self, drafts: Sequence[Draft], unseat: str = "") -> dict[str, Any]:
        """Append durable events in one atomic step; the ack is that of the last one.

        :param unseat: a user whose places in the roster end with it.
        :raises StaleFence: see :meth:`publish`.
        """
        hub, live = self.hub, self.live
        began = time.perf_counter()
        try:
            appended = run_step("classwaves.append", self._append, drafts, unseat)
        finally:
            seconds = time.perf_counter() - began
            hub.tally.appends.observe(seconds)
            if seconds > hub.settings.slow_handler:
                note_append(seconds)
        self.repeated = appended.duplicate
        if not appended.duplicate:
            hub.herald.appended(live.record, drafts, appended.seq, appended.epoch, appended.time)
        live.heard(appended)
        if self.event.exclusive:
            live.reach(appended.seq)
        return stored(appended, drafts[-1].id_field)

    def first_answer(self) -> dict[str, Any] | None:
        """What a request with this ``clientMessageId`` was answered before; ``None`` if it is the first."""
        first = self.hub.store.find(self.live.id, self.dedupe_key) if self.client_message_id else None
        return stored(first, first.draft.id_field) if first else None

    def signal(self, kind: str, data: Mapping[str, Any], *, fenced: bool = True) -> None:
        """Send something that is not stored to all workers of the session, which :func:`~classwaves.live.hears` hear.

        They drop it if what the permission check relied on had changed before.

        :param fenced: false where nothing may get lost because of a change that forbids it not; then who hears it
            looks itself whether it is still allowed.
        """
        fences = self.fences if fenced else {}
        message = marked({"kind": kind, "user": self.principal.user_id, "fences": fences, "data": data})
        self.hub.store.publish(self.live.id, message)

    def _append(self, drafts: Sequence[Draft], unseat: str) -> Appended:
        store, connection, flight = self.hub.store, self.connection, self.connection.flight
        together = self.event.overlaps and store.waits and self._flight is None
        if together and flight is not None and flight.fences is not self.fences:
            connection.settle()  # it is about another session, or relies on more
            together = False
        if not together:
            return store.append(self.live.id, drafts, dedupe=self.dedupe_key, fences=self.fences, unseat=unseat)
        self._flight = connection.board(self.live.id, self.fences)
        self._number = self._flight.boarded
        self.hub.emitter.let_next(connection.eio_sid)  # it begins when this greenlet waits, behind this append
        connection.lock.release()
        try:
            return store.append(self.live.id, drafts, dedupe=self.dedupe_key, fences=self.fences, unseat=unseat)
        except StaleFence:
            self._flight.stale = True
            raise
        finally:
            connection.lock.acquire()
            if self._flight.stale:  # who gets the lock first is chance
                connection.await_turn(self._number)

    def end(self) -> None:
        """The event has its answer."""
        if self._flight is not None:
            self.connection.land(self._number)


def entry_fences(live: LiveSession, principal: Principal) -> dict[str, int]:
    """The fences behind everything a user does in a session: the session's and the user's."""
    fence, user = live.replica.fence, f"user:{principal.user_id}"
    return {"session": fence("session"), user: fence(user)}


def stored(appended: Appended | Entry, id_field: str = "") -> dict[str, Any]:
    """The ack of a durable event, a function of its entry, so that a repeated request gets the first answer."""
    ack: dict[str, Any] = {"seq": appended.seq, "timestamp": iso(appended.time)}
    if id_field:
        ack[id_field] = f"{appended.epoch}-{appended.seq}"
    return ack
