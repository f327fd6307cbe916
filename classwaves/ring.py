"""The newest entries of a session, kept by a worker so that most clients resume without a read of the log.

Imports models.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .models import Entry


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a client was: the highest ``seq`` it has seen, in which numbering."""

    since_seq: int
    epoch: str


@dataclass(slots=True)
class Ring:
    """The newest entries, bounded in number and bytes."""

    entries: int
    bytes: int
    items: deque[Entry] = field(default_factory=deque)
    size: int = 0

    def add(self, entry: Entry) -> None:
        self.items.append(entry)
        self.size += entry.size
        while len(self.items) > self.entries or self.size > self.bytes:
            self.size -= self.items.popleft().size

    def clear(self) -> None:
        self.items.clear()
        self.size = 0

    def starts_after(self, newest: int) -> int:
        """The seq before the oldest entry held; ``newest`` if there is none."""
        return self.items[0].seq - 1 if self.items else newest

    def get(self, seq: int) -> Entry | None:
        index = seq - self.items[0].seq if self.items else -1
        return self.items[index] if 0 <= index < len(self.items) else None
