"""What an operator asks of a store in memory. Imports the base of its parts and the shapes of the answers."""

from __future__ import annotations

from collections.abc import Sequence

from .looks import Lease
from .memory_base import MemoryPart


class MemoryLooks(MemoryPart):
    """See :class:`~classwaves.store.looks.Looks`. There is one worker, which has no lease."""

    def leases(self) -> list[Lease]:
        return []

    def connected(self, session_ids: Sequence[str]) -> dict[str, int]:
        with self._lock:
            held = {session_id: self._held(session_id) for session_id in session_ids}
            return {
                session_id: sum(bool(user.connections) for user in session.roster.values()) if session else 0
                for session_id, session in held.items()
            }
