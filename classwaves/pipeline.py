"""The one path of a client event: size, token, rate limit, known event, schema, membership, permission, handler, ack.

Imports what features import, and features. Every path ends in exactly one answer.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from marshmallow import ValidationError

from .audit import of_event
from .connections import Connection
from .errors import ClassWavesError, StaleFence, StoreUnavailable
from .events import Context, Event, Feature, stored
from .explained import is_timeout
from .hub import Hub
from .limits import RateLimits
from .live import LiveSession
from .payloads import KEY
from .refusals import Refusals, note_end
from .rules import CONNECTED, check
from .tally import add
from .trail import EVENT, UNKNOWN, Trail, about, run_step

logger = logging.getLogger(__name__)

#: How often an event is tried again when a fence has moved.
TRIES = 5
#: The same for events that move the fence they rely on, so that workers collide.
EXCLUSIVE_TRIES = 12
#: How many wrong fields an answer names, and how much of a name that a client made up it repeats.
DETAILS, NAME = 20, 64


class Pipeline:
    """Runs client events of the features it was given.

    :param features: their events must have different names.
    :param policy: asked after the rule of an event of a session; raises what the client is told.
    """

    def __init__(
        self,
        features: Iterable[Feature],
        hub: Hub,
        limits: RateLimits,
        policy: Callable[[Context, dict[str, Any]], None] = lambda context, data: None,
    ) -> None:
        self.features = tuple(features)
        self.events: dict[str, Event] = {}
        self._hub = hub
        self._limits = limits
        self._policy = policy
        self.refusals = Refusals(hub.scheduler.after)
        #: An event has been handled: from now on all workers must know the same ones.
        self.used = False
        for event in [event for feature in self.features for event in feature.events]:
            self.add(event)

    def add(self, event: Event) -> None:
        """Know one more event. :raises RuntimeError: there is one of this name."""
        if event.name in self.events:
            raise RuntimeError(f"the event {event.name} is registered twice")
        self.events[event.name] = event
        if event.limit:
            self._limits.add_event_rate(event.name, event.limit)

    def handle(self, connection: Connection, name: Any, args: Sequence[Any]) -> dict[str, Any]:
        """Run one event, count it, and return its ack; a failure also goes to the sender as ``error``."""
        self.used = True
        if self._hub.herald.is_heard:
            with self._hub.herald.after():
                return self._handle(connection, name, args)
        return self._handle(connection, name, args)

    def _handle(self, connection: Connection, name: Any, args: Sequence[Any]) -> dict[str, Any]:
        known = name if isinstance(name, str) and name in self.events else UNKNOWN
        with Trail(EVENT, known, connection.principal.user_id) as trail:
            outcome = "ok"
            try:
                with connection.lock:
                    answer = {"ok": True, **(self._run(connection, name, args) or {})}
            except ClassWavesError as error:
                outcome = error.code
                answer = self.refuse(connection, error, name)
            except BaseException as error:  # the client gets an answer whatever a handler does
                if not isinstance(error, Exception) and not is_timeout(error):
                    raise
                logger.exception("the event %s failed", trail.event)
                # with what finds it in the log, for who reports it
                failure = ClassWavesError("INTERNAL_ERROR", details={"traceId": trail.id})
                outcome = failure.code
                answer = self.refuse(connection, failure, name)
            seconds = trail.seconds
            self._hub.tally.event(known, outcome, seconds)
            note_end(trail, seconds, self._hub.settings.slow_handler)
        return answer

    def refuse(self, connection: Connection, error: ClassWavesError, name: Any = None) -> dict[str, Any]:
        """Send ``error`` to the socket that caused it, and return the ack that says the same."""
        self.refusals.note(error.code)
        body = error.to_dict()
        if error.spec.status == 401:
            add(self._hub.tally.auth_failures, (error.code, "event"))
        named = {"event": printable(name)} if name is not None else {}
        self._hub.emitter.emit("error", {**body, **named}, [connection.sid])
        return {"ok": False, "error": body}

    def _run(self, connection: Connection, name: Any, args: Sequence[Any]) -> dict[str, Any] | None:
        event = self.events.get(name) if isinstance(name, str) else None
        most = event.max_bytes if event and event.max_bytes else self._hub.settings.max_event_bytes
        if connection.packet_bytes > most:
            raise ClassWavesError("PAYLOAD_TOO_LARGE", details={"maxBytes": most})
        if connection.principal.expires_at + self._hub.settings.jwt_leeway <= self._hub.clock.time():
            raise ClassWavesError("TOKEN_EXPIRED")
        self._limits.hit(event.rate if event else "event", connection.principal.user_id)
        if event is None:
            raise ClassWavesError("UNKNOWN_EVENT")
        self._limits.hit_event(event.name, connection.principal.user_id)
        data = loaded(event, args)
        if event.weight and (more := event.weight(data)):
            self._limits.hit(event.rate, connection.principal.user_id, times=more)
        try:
            return self._dispatch(connection, event, data)
        except ClassWavesError as error:
            if error.code == "SESSION_NOT_FOUND":  # a code that was guessed counts as over REST
                self._limits.hit("guess", connection.guesser)
            raise

    def _dispatch(self, connection: Connection, event: Event, data: dict[str, Any]) -> dict[str, Any] | None:
        if (flight := connection.flight) and (flight.stale or not event.overlaps):
            connection.settle()
        context = Context(connection, self._hub, event, data.pop(KEY, None))
        try:
            return self._within(context, data)
        finally:
            context.end()

    def _within(self, context: Context, data: dict[str, Any]) -> dict[str, Any] | None:
        connection, event = context.connection, context.event
        if event.allow == CONNECTED:
            if "sessionCode" in data:
                self._check_guesser(connection, lambda: event.finds(self._hub, data))
            return run_step("classwaves.handler", event.handler, context, data)
        try:
            session_id = event.finds(self._hub, data)
            about(session_id)
            live = context._live = self._joined(connection, session_id)
            # students together cannot keep the staff out
            member = live.crowd.members.get(connection.sid)
            self._limits.hit("session", live.id, "staff" if member and member.staff else "students")
            if not event.exclusive:
                return self._attempt(context, data)
            with self._turn(live):
                return self._attempt(context, data)
        except ClassWavesError as error:
            # who may not act any more is still told what came of a request that was carried out
            if context.client_message_id and not error.spec.retryable and (ack := self._first_answer(context, data)):
                return ack
            raise

    def _attempt(self, context: Context, data: dict[str, Any]) -> dict[str, Any] | None:
        given, event, live = context.client_message_id, context.event, context.live
        for attempt in range(EXCLUSIVE_TRIES if event.exclusive else TRIES):
            # made of the state that this attempt relies on
            context.client_message_id = given or event.own_key(live.replica, data)
            context.note_fences()
            check(context, data)
            self._policy(context, data)
            try:
                answer = run_step("classwaves.handler", event.handler, context, data)
                if event.audits:
                    self._audit(context, data, answer or {})
                return answer
            except StaleFence:
                self._hub.tally.conflicts += 1
                if attempt:  # several workers change the same: not all of them at the same moment
                    time.sleep(random.uniform(0, 0.002 * attempt))  # noqa: S311 - spreads, guards nothing
                live.catch_up()
        raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)

    def _audit(self, context: Context, data: dict[str, Any], answer: dict[str, Any]) -> None:
        """Have the audit stream know what staff have done, and not of what changed nothing.

        What is repeated was done before, and may not have been told: the first answer was lost, or is another worker's.
        So it is told once more, by the place that it has in the log.
        """
        if context.is_staff and "seq" in answer:
            who, (target, details) = context.principal.user_id, of_event(data, answer)
            record, place = context.live.record, f"{context.live.id}:{context.live.replica.epoch}:{answer['seq']}"
            self._hub.audit.note(context.event.audits, who, record=record, target=target, details=details, once=place)

    @contextmanager
    def _turn(self, live: LiveSession) -> Iterator[None]:
        """Its turn, for an event that is exclusive; not after a whole class has waited for a store that hangs.

        :raises StoreUnavailable: those before it took too long.
        """
        if not live.turn.acquire(timeout=2 * self._hub.settings.redis_timeout):
            raise StoreUnavailable
        try:
            yield
        finally:
            live.turn.release()

    def _joined(self, connection: Connection, session_id: str) -> LiveSession:
        """The live session that this socket has joined.

        :raises ClassWavesError: ``SESSION_NOT_FOUND``, ``SESSION_ENDED`` (also for who has not joined),
            ``NOT_IN_SESSION``.
        """
        live = connection.seats.get(session_id)
        if live is not None and connection.sid in live.crowd.members:
            return live
        self._check_guesser(connection, lambda: session_id)
        ended = self._hub.record(session_id).status == "ended"
        raise ClassWavesError("SESSION_ENDED" if ended else "NOT_IN_SESSION")

    def _check_guesser(self, connection: Connection, find: Callable[[], str]) -> None:
        """Who has guessed too many codes is not told which of them exist; their own sessions stay open to them.

        :raises ClassWavesError: ``RATE_LIMIT``, ``SESSION_NOT_FOUND``.
        """
        try:
            self._limits.check_here("guess", connection.guesser)
        except ClassWavesError:
            session_id = find()
            if session_id not in connection.seats and session_id != connection.principal.auth.guest_of:
                raise

    def _first_answer(self, context: Context, data: dict[str, Any]) -> dict[str, Any] | None:
        try:
            session_id = context.event.finds(self._hub, data)
            first = self._hub.store.find(session_id, context.dedupe_key)
        except StoreUnavailable:  # nobody knows: it may have been carried out
            raise
        except ClassWavesError:
            return None
        return stored(first, first.draft.id_field) if first else None


def loaded(event: Event, args: Sequence[Any]) -> dict[str, Any]:
    """The payload that an event's schema makes of its arguments. :raises ClassWavesError: ``INVALID_PAYLOAD``."""
    if event.arguments:
        if len(args) > len(event.arguments):
            raise ClassWavesError("INVALID_PAYLOAD", details={"_schema": ["Too many arguments."]})
        raw: Any = dict(zip(event.arguments, args, strict=False))
    elif len(args) == 1 and isinstance(args[0], dict):
        raw = args[0]
    else:
        raise ClassWavesError("INVALID_PAYLOAD", details={"_schema": ["Give one object."]})
    try:
        return event.load(raw)
    except ValidationError as error:
        raise ClassWavesError("INVALID_PAYLOAD", details=_details(error.messages)) from None


def _details(messages: Any) -> dict[str, Any]:
    """What is wrong with which field, without repeating at length what a client made up."""
    if not isinstance(messages, dict):
        return {"_schema": messages}
    named = {printable(name): messages[name] for name in list(messages)[:DETAILS]}
    return {name: _details(about) if isinstance(about, dict) else about for name, about in named.items()}


def printable(name: Any) -> str:
    """A name that a client chose, short and fit for UTF-8."""
    return str(name)[:NAME].encode("utf-8", "replace").decode()
