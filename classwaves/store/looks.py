"""What an operator asks of a store: which workers there are, and how many users. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's life as the store knows it.

    :param seconds: until it is taken for dead; below 0 it is, and waits to be settled.
    :param sessions: the ids of those that it serves.
    """

    worker: str
    seconds: float
    sessions: tuple[str, ...]


class Looks(Protocol):
    """Reads that are for an operator; they change nothing."""

    def leases(self) -> list[Lease]:
        """All workers that have ever had a socket, by name, until others have settled what they left."""

    def connected(self, session_ids: Sequence[str]) -> dict[str, int]:
        """How many users of each session have a socket open, or had one on a worker that has just ended."""
