"""The board in memory. Imports the base of its parts and the shape of a posting."""

from __future__ import annotations

from typing import Any

from .base import Clock
from .board import Posting
from .memory_base import MemoryPart


class MemoryBoard(MemoryPart):
    """See :class:`~classwaves.store.board.Board`. There is one worker, and it ends with its store."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._postings: dict[str, tuple[float, dict[str, Any]]] = {}

    def post(self, worker: str, report: dict[str, Any], seconds: float) -> None:
        with self._lock:
            self._postings[worker] = self._clock(), report

    def unpost(self, worker: str) -> None:
        with self._lock:
            self._postings.pop(worker, None)

    def postings(self, keep: float) -> list[Posting]:
        with self._lock:
            now = self._clock()
            self._postings = {name: kept for name, kept in self._postings.items() if now - kept[0] <= keep}
            return [Posting(name, now - when, report) for name, (when, report) in sorted(self._postings.items())]

    def announce(self, message: dict[str, Any]) -> None:
        if self._feed:
            self._feed.on_control(message)
