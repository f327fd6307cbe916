"""A worker's sockets as sessions see them, and how they are reached.

Imports models.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .models import Principal

if TYPE_CHECKING:
    from .live import LiveSession


class Emitter(Protocol):
    """How a session reaches its sockets on this worker. Nothing here blocks."""

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None: ...

    def enter(self, sid: str, room: str) -> None: ...

    def leave(self, sid: str, room: str) -> None: ...


class Silence:
    """The emitter of a session that has no sockets: loaded only to be read, or dropped."""

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        pass

    def enter(self, sid: str, room: str) -> None:
        pass

    def leave(self, sid: str, room: str) -> None:
        pass


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


@dataclass(slots=True)
class Member:
    """A socket of this worker that joined the session."""

    principal: Principal
    staff: bool
