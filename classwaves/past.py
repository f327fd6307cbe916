"""A session that the store has let go of, as the archive knows it: for reading, in the shape of a live one.

Imports live, connections, models, replica, settings, store and the archive's base.
"""

from __future__ import annotations

from .archive.base import Archive, Past
from .connections import Silence
from .live import LiveSession
from .models import SessionRecord
from .replica import Replica
from .settings import Settings
from .store.base import Store


class PastSession(LiveSession):
    """Its replica knows who was there only after :meth:`fold`: a page of messages for staff needs nothing of it."""

    def __init__(self, found: Past, archive: Archive, store: Store, settings: Settings) -> None:
        super().__init__(found.record.id, store, Silence(), settings)
        self._found = found
        self._archive = archive
        self._folded = False

    @property
    def record(self) -> SessionRecord:
        return self._found.record

    def fold(self) -> Replica:
        """Read who was there, once, and fold it."""
        if not self._folded:
            for entry in self._archive.facts(self.id):
                self.replica.seq = entry.seq - 1  # the rest is not read
                self.replica.apply(entry)
            self._folded = True
        return self.replica

    @property
    def until(self) -> int:
        """When the last thing happened, in milliseconds since the epoch."""
        return self._found.until

    def status_of(self, user_id: str) -> str:
        return "disconnected"
