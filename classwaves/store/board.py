"""What workers say of themselves to whoever watches all of them; a part of :class:`classwaves.store.base.Store`.

Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Posting:
    """What a worker has said, and how many seconds ago, by the store's clock."""

    worker: str
    seconds: float
    report: dict[str, Any]


class Board(Protocol):
    """One report of each worker, the newest, and a word to all of them."""

    def post(self, worker: str, report: dict[str, Any], seconds: float) -> None:
        """Put up a report in place of the worker's last one.

        :param seconds: how long the whole board stays if nobody posts any more.
        """

    def unpost(self, worker: str) -> None:
        """Take a worker's report down."""

    def postings(self, keep: float) -> list[Posting]:
        """All reports, by the workers' names; what is older than ``keep``, in seconds, is taken down."""

    def announce(self, message: dict[str, Any]) -> None:
        """Tell all workers: :meth:`classwaves.store.base.Feed.on_control`, here as well. It may get lost."""
