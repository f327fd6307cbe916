"""What a client is doing, and what the driver of its core has to do. Imports nothing of the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class State(Enum):
    """Of the connection."""

    IDLE = auto()
    WAITING = auto()  # for the next attempt
    REFRESHING = auto()  # the token, before the next attempt
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


@dataclass(frozen=True)
class Connect:
    """Connect, anew and with this token; tell how it went under this number, and all that comes then."""

    connection: int
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class Send:
    """Emit an event over a connection; tell its ack under this number."""

    connection: int
    number: int
    event: str
    arguments: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True)
class Drop:
    """End this connection, if there is one; nothing that it still says matters."""

    connection: int


@dataclass(frozen=True)
class Refresh:
    """Get a new token."""


Action = Connect | Send | Drop | Refresh
