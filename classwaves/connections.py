"""A worker's sockets as sessions see them, and how they are reached.

Imports addresses and models.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .addresses import source
from .models import Principal

if TYPE_CHECKING:
    from .live import LiveSession


class Emitter(Protocol):
    """How a session reaches its sockets on this worker. Nothing here blocks."""

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None: ...

    def enter(self, sid: str, room: str) -> None: ...

    def leave(self, sid: str, room: str) -> None: ...

    def let_next(self, eio_sid: str) -> None:
        """The event of this connection that is being handled waits for the store: its next one may begin."""

    def request(self, sid: str) -> Any:
        """The request of a socket's handshake, a :class:`flask.Request`; ``None`` when the socket has ended."""


class Silence:
    """The emitter of a session that has no sockets: loaded only to be read, or dropped."""

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        pass

    def enter(self, sid: str, room: str) -> None:
        pass

    def leave(self, sid: str, room: str) -> None:
        pass

    def let_next(self, eio_sid: str) -> None:
        pass

    def request(self, sid: str) -> Any:
        return None


@dataclass(slots=True, eq=False)
class Flight:
    """Events of one connection that wait for the store together.

    All of them name the fences that the first one named. So if one is refused because a fence has moved, those after it
    are refused too; they are tried again in their order, and none overtakes another.
    """

    session_id: str
    fences: dict[str, int]
    #: the numbers of those under way, in the order in which they boarded
    open: list[int] = field(default_factory=list)
    boarded: int = 0
    stale: bool = False
    idle: threading.Event = field(default_factory=threading.Event)
    #: set when the next one has landed; made by who waits for it
    landed: threading.Event | None = None


@dataclass(slots=True, eq=False)
class Connection:
    """A socket whose token was checked.

    ``seats`` are the sessions it has a place in, joined or about to join; ``lock`` keeps its events in order.
    ``packet_bytes`` is the size of a packet that may be too large, while it is handled.
    """

    sid: str
    eio_sid: str
    principal: Principal
    address: str
    seats: dict[str, LiveSession] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    closed: bool = False
    packet_bytes: int = 0
    flight: Flight | None = None

    @property
    def guesser(self) -> str:
        """Who is held to account for unknown codes: guests cost nothing, so theirs are counted by address."""
        who = self.principal
        return who.user_id if who.auth.guest_of is None else source(self.address)

    def settle(self) -> None:
        """Wait until all events in flight have ended. Called with ``lock`` held, which they may need."""
        while (flight := self.flight) is not None:
            self.lock.release()
            try:
                flight.idle.wait()
            finally:
                self.lock.acquire()

    def board(self, session_id: str, fences: dict[str, int]) -> Flight:
        """Another event waits for the store from now on, until :meth:`land`."""
        if self.flight is None:
            self.flight = Flight(session_id, fences)
        self.flight.boarded += 1
        self.flight.open.append(self.flight.boarded)
        return self.flight

    def await_turn(self, number: int) -> None:
        """Wait until all that boarded before this one have landed. Called with ``lock`` held, which they may need."""
        flight = self.flight
        assert flight is not None  # noqa: S101 - for the type checker
        while flight.open[0] != number:
            landed = flight.landed = flight.landed or threading.Event()
            self.lock.release()
            try:
                landed.wait()
            finally:
                self.lock.acquire()

    def land(self, number: int) -> None:
        """An event in flight has ended."""
        flight = self.flight
        assert flight is not None  # noqa: S101 - for the type checker
        flight.open.remove(number)
        landed, flight.landed = flight.landed, None
        if landed is not None:
            landed.set()
        if not flight.open:
            self.flight = None
            flight.idle.set()


@dataclass(slots=True)
class Member:
    """A socket of this worker that joined the session."""

    principal: Principal
    staff: bool
