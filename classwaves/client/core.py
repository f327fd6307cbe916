"""What a client does, without doing it: the connection, the sessions, the requests. No I/O, no clock, no threads.

A driver tells it what happens (``connected``, ``heard``, ``answered`` …) and calls :meth:`Core.tick`, which returns
when to call it again at the latest; then it does what :meth:`Core.take_actions` says. Both clients are drivers of it.

Imports actions, calls, errors, event, requests, session and stream.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from .actions import Action, Connect, Drop, Refresh, Send, State
from .calls import MOST_SEATS, Call, closed, tell_of_refusal
from .errors import CONNECTION_FAILED, CONNECTION_LOST, UNAUTHENTICATED, ClassWavesError, from_wire
from .event import Event
from .requests import PATIENCE, Requests, Unanswered
from .session import Session
from .stream import Flag, Stream

log = logging.getLogger("classwaves.client")

#: Seconds before the first attempt to come back, doubled for each that follows, and the most; each times 0.5 to 1.5.
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0

#: Seconds until a connection must have been made; those for which a new token counts as fresh.
CONNECT_PATIENCE, FRESH = 15.0, 60.0


class Core:
    """One client.

    :param token: ``None``: the first is got as all others are.
    :param refreshes: whether new tokens can be got.
    :param make_flag: what somebody may wait for; see :class:`Flag`.
    """

    def __init__(self, token: str | None, refreshes: bool, make_flag: Callable[[], Flag], bound: int) -> None:
        self.state = State.IDLE
        self.error: ClassWavesError | None = None
        """Why it has ended, unless it was closed."""
        self.trouble: ClassWavesError | None = None
        """Why the newest attempt to connect has failed."""
        self.settled = make_flag()
        """Set while it is connected, and when it never will be again."""
        self.work = make_flag()
        """Set when there is something to do."""
        self.ready: dict[str, Any] = {}
        """The newest ``connectionReady``."""
        self.sessions: dict[str, Session] = {}
        self.streams: list[Stream] = []
        """Of what is about no session."""
        self.make_flag = make_flag
        self.connection = 0
        self._bound = bound
        self._token, self._refreshes = token, refreshes
        self._fresh_until = 0.0  # a token that was got just now, and is refused, is not worth another one
        self._refreshing = False
        self._refresh_at: float | None = None
        self._attempts = 0
        self._retry_at = 0.0
        self._connect_by = 0.0
        self._actions: deque[Action] = deque()
        self._requests = Requests()
        self._joins: dict[str, Call] = {}

    # what the program wants

    def open(self, now: float) -> None:
        if self.state is State.IDLE:
            self.state, self._retry_at = State.WAITING, now
            self.work.set()

    def close(self) -> None:
        self._end(None)

    def raise_if_closed(self) -> None:
        if self.state is State.CLOSED:
            raise self.error.with_traceback(None) if self.error else closed("client")

    def session(self, code: str) -> Session:
        """The session of this code: the one that there is, unless that is over."""
        session = Session(code, self.make_flag)
        known = self.sessions.get(session.code)
        if known is None or known.error or (known.settled.is_set() and not known.wanted):
            known = self.sessions[session.code] = session
        return known

    def stream(self, session: Session | None = None) -> Stream:
        """A new reader, of a session or of what is about none."""
        stream = Stream(self._bound, self.make_flag())
        if session:
            return session.add(stream)
        self.streams.append(stream)
        if self.state is State.CLOSED:
            stream.end(self.error)
        return stream

    def join(self, session: Session) -> None:
        if session.wanted or session.error:
            return
        session.wanted = True
        if self.state is State.CLOSED:
            session.stop(self.error or closed("client"))
        elif self.state is State.CONNECTED:
            self._join(session)

    def leave(self, session: Session, deadline: float | None) -> Call:
        def left(call: Call) -> None:
            session.leaving = False
            if call.error is None:
                self._stop(session, None)

        session.leaving = True

        return self.call("leaveSession", lambda: (session.code,), session, deadline, then=left)

    def call(
        self,
        event: str,
        arguments: Callable[[], tuple[Any, ...]],
        session: Session | None = None,
        deadline: float | None = None,
        *,
        own: bool = False,
        then: Callable[[Call], None] | None = None,
    ) -> Call:
        call = Call(event, arguments, self.make_flag(), session, deadline, own, then)
        if self.state is State.CLOSED:
            call.finish(error=self.error or closed("client"))
        elif session and session.settled.is_set() and not session.wanted:
            call.finish(error=session.error or closed("room"))
        else:
            self._requests.add(call)
            self.work.set()
        return call

    def forget(self, call: Call) -> None:
        """Nobody waits for it any more."""
        call.finish(error=closed("request"))
        self._look()

    def read(self, stream: Stream, session: Session | None) -> Event[str, Any] | None:
        """The next event for a reader, ``None`` if there is none yet. :raises ClassWavesError: nor will there be."""
        event = stream.take()
        if event is None and stream.lagging and session is None:
            stream.lagging = False  # there is no snapshot of what is about no session
        elif event is None and stream.lagging and stream.asked is None and session and session.wanted:
            self._sync(session, stream)
        return event

    # what has happened

    def connected(self, connection: int) -> None:
        if connection != self.connection or self.state is not State.CONNECTING:
            return
        self.state, self._fresh_until, self.trouble = State.CONNECTED, 0.0, None
        self.settled.set()
        for session in list(self.sessions.values()):
            if session.wanted:
                self._join(session)
        self._look()

    def connect_failed(self, connection: int, refusal: Any, now: float) -> None:
        """:param refusal: the data of the server's ``connect_error``, else what went wrong, in words."""
        if connection != self.connection or self.state is not State.CONNECTING:
            return
        self._actions.append(Drop(connection))
        if isinstance(refusal, dict):
            self.trouble = from_wire(refusal)
            if self.trouble.code in UNAUTHENTICATED:
                if not self._refreshes or now < self._fresh_until:
                    self._end(self.trouble)
                else:
                    self.state = State.REFRESHING
                    self._refresh()
                return
        else:
            self.trouble = ClassWavesError(CONNECTION_FAILED, str(refusal))
        self._come_back(now)

    def lost(self, connection: int, now: float) -> None:
        if connection != self.connection or self.state not in (State.CONNECTED, State.CONNECTING):
            return
        self._actions.append(Drop(connection))
        for session in self.sessions.values():
            session.lost()
            if session.wanted:
                session.settled.clear()
        self._joins.clear()
        self._requests.lost()
        self._come_back(now)

    def answered(self, connection: int, number: int, answer: Any, now: float) -> None:
        """The ack of what :class:`Send` has sent."""
        call = self._requests.answered(number) if connection == self.connection else None
        if call is None:
            return
        if not (isinstance(answer, dict) and answer.get("ok") is False):
            self._attempts = 0
            call.finish(answer)
            return self.work.set()
        error = from_wire(answer.get("error"))
        session = call.session
        if error.code == "NOT_IN_SESSION" and session and session.wanted and call.seats < MOST_SEATS:
            call.seats += 1
            call.last = error
            if session.joined:
                session.lost()
                self._join(session)
        elif error.code in UNAUTHENTICATED and self._refreshes and call.event != "refreshAuth":
            call.last = error  # the server ends the connection, and with the next comes another token
        else:
            call.again(error, now)
        self._requests.again(call)
        self.work.set()

    def heard(self, connection: int, name: str, data: Any) -> None:
        """An event has come."""
        if connection != self.connection or self.state is not State.CONNECTED:
            return
        code = data.get("sessionCode") if isinstance(data, dict) else None
        session = self.sessions.get(code) if isinstance(code, str) else None
        if session is None:
            self._about_the_connection(name, data)
        elif not session.wanted:
            return
        elif name == "sessionLeft":
            if not session.leaving:
                self._put_out(session)
        else:
            session.heard(name, data)
            if name == "sessionJoined":
                self._look()

    def refreshed(self, token: str | None, now: float) -> None:
        if not token:
            return self.refresh_failed(ClassWavesError("AUTH_REQUIRED", "There is no new token"), now)
        self._token, self._refreshing, self.trouble = token, False, None
        if self.state is State.REFRESHING:
            self.state, self._retry_at, self._fresh_until = State.WAITING, now, now + FRESH
        elif self.state is State.CONNECTED:
            self.call("refreshAuth", lambda: ({"token": token},), own=True, then=tell_of_refusal)
        self.work.set()

    def refresh_failed(self, error: ClassWavesError, now: float) -> None:
        self._refreshing = False
        self.trouble = error
        if self.state is State.REFRESHING:
            if not error.retryable:
                self._end(error)
                return
            self._come_back(now, error.retry_after or 0.0)
        elif error.retryable:
            self._attempts += 1
            self._refresh_at = now + max(self._backoff(), error.retry_after or 0.0)
        else:
            log.warning("the token could not be renewed: %s", error.code)
        self.work.set()

    # what there is to do

    def tick(self, now: float) -> float | None:
        """Go on; return when to be called again if nothing happens before."""
        if self.state is State.CLOSED:
            return None
        if self.state is State.WAITING and now >= self._retry_at:
            if self._token is None:
                self.state = State.REFRESHING
                self._refresh()
            else:
                self.connection += 1
                self.state, self._connect_by = State.CONNECTING, now + CONNECT_PATIENCE
                self._actions.append(Connect(self.connection, self._token))
        if self.state is State.CONNECTING and now >= self._connect_by:
            self.connect_failed(self.connection, "The server does not answer", now)
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh()
        if now >= self._requests.look_at:
            self._send_what_is_due(now)
        by_state = {State.WAITING: self._retry_at, State.CONNECTING: self._connect_by}.get(self.state)
        moments = (self._requests.look_at, self._refresh_at, by_state)
        return min(moment for moment in moments if moment is not None)

    def take_actions(self) -> list[Action]:
        actions = list(self._actions)
        self._actions.clear()
        return actions

    def _send_what_is_due(self, now: float) -> None:
        try:
            for number, call in self._requests.due(now, self._may_go):
                self._actions.append(Send(self.connection, number, call.event, call.arguments()))
        except Unanswered as event:
            log.warning("no answer to %s within %g s: connecting anew", event, PATIENCE)
            self.lost(self.connection, now)

    def _may_go(self, call: Call) -> bool:
        seat = call.session
        there = seat is None or seat.joined or (seat.waiting and call.event == "leaveSession")
        return self.state is State.CONNECTED and there

    def _look(self) -> None:
        """Have all requests looked at."""
        self._requests.look_at = 0.0
        self.work.set()

    def _come_back(self, now: float, after: float = 0.0) -> None:
        self._attempts += 1
        self.state, self._retry_at = State.WAITING, now + max(self._backoff(), after)
        self.settled.clear()
        self._look()

    def _backoff(self) -> float:
        longest = min(FIRST_BACKOFF * 2.0 ** min(self._attempts - 1, 10), LONGEST_BACKOFF)
        return longest * random.uniform(0.5, 1.5)  # noqa: S311 - guards nothing

    def _refresh(self) -> None:
        self._refresh_at = None
        if not self._refreshing:
            self._refreshing = True
            self._actions.append(Refresh())
            self.work.set()

    def _end(self, error: ClassWavesError | None) -> None:
        if self.state is State.CLOSED:
            return
        self.state, self.error = State.CLOSED, error
        self._actions.append(Drop(self.connection))
        for session in self.sessions.values():
            if session.wanted:
                session.stop(error)
        self._requests.end(error or closed("client"))
        for stream in self.streams:
            stream.end(error)
        self.settled.set()
        self.work.set()

    # sessions

    def _join(self, session: Session) -> None:
        if session.code in self._joins:
            return

        def answered(call: Call) -> None:
            if self._joins.get(session.code) is call:
                del self._joins[session.code]
            if call.error is None:
                session.waiting = isinstance(call.answer, dict) and call.answer.get("waiting") is True
                if session.waiting:
                    session.asked.set()
            elif call.error.code != CONNECTION_LOST and session.wanted:
                self._stop(session, call.error)

        join = self.call("joinSession", lambda: session.join_arguments, own=True, then=answered)
        self._joins[session.code] = join

    def _stop(self, session: Session, error: ClassWavesError | None) -> None:
        session.stop(error)
        self._requests.end(error or closed("room"), session)
        self.work.set()

    def _put_out(self, session: Session) -> None:
        """The seat is gone, and this client did not leave it: asked again, the server says why."""
        session.lost()
        session.settled.clear()
        self._joins.pop(session.code, None)  # one that is not acked yet was for that seat
        self._join(session)

    def _sync(self, session: Session, stream: Stream) -> None:
        def answered(call: Call) -> None:
            if stream.asked is not call:
                return  # it has lost still more since, or was told to start again
            if call.error is None:
                session.caught_up(stream, call.answer)
            else:
                stream.end(call.error)

        def arguments() -> tuple[Any, ...]:
            return ({"sessionCode": session.code, "sinceSeq": session.seq, "epoch": session.epoch},)

        stream.asked = self.call("syncSession", arguments, session, then=answered)

    def _about_the_connection(self, name: str, data: Any) -> None:
        if name == "connectionReady" and isinstance(data, dict):
            self.ready = data
        elif name == "authExpiring" and self._refreshes:
            self._refresh()
        elif name == "error" and isinstance(data, dict) and data.get("event") == "joinSession":
            # somebody who waits is told that they do not come in, but not which session it is: the answer says
            for session in self.sessions.values():
                if session.waiting:
                    self._join(session)
        event = Event(name, data)
        for stream in self.streams:
            stream.put(event)
