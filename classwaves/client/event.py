"""What has happened, as programs get it. Imports nothing of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Name_co = TypeVar("Name_co", bound=str, covariant=True)
Data_co = TypeVar("Data_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[Name_co, Data_co]):
    """One event.

    :ivar name: the server's name of it; ``snapshot``: start again from ``data``, which is a ``sessionJoined``;
        ``resumed``: the connection was lost, and nothing that has a ``seq`` was missed, but presence may be as
        ``data`` has it now.
    :ivar data: its payload.
    :ivar seq: its number, if it is in the session's log.
    :ivar missed: it happened while the connection was lost.
    """

    name: Name_co
    data: Data_co
    seq: int | None = None
    missed: bool = False
