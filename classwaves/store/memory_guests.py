"""Logins in this process, with those of guests, who take a place in their session.

Imports models and the logins.
"""

from __future__ import annotations

from ..models import AuthSession
from .base import Clock
from .memory_logins import MemoryLogins


class MemoryGuests(MemoryLogins):
    """The :class:`~classwaves.store.base.Logins` in memory, whole."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        #: session id -> auth session -> its end
        self._places: dict[str, dict[str, float]] = {}

    def save_guest(self, auth: AuthSession, seconds: float, most: int) -> bool:
        with self._lock:
            now, session_id = self._clock(), auth.guest_of or ""
            for other, theirs in list(self._places.items()):
                for auth_id in [key for key, until in theirs.items() if until <= now]:
                    del theirs[auth_id]
                if not theirs:
                    del self._places[other]
            places = self._places.setdefault(session_id, {})
            if auth.id not in places and len(places) >= most:
                return False
            places[auth.id] = now + seconds
            self.save_auth(auth, "", seconds)
            return True

    def end_auth(self, auth_id: str) -> None:
        with self._lock:
            auth = self.auth(auth_id)
            super().end_auth(auth_id)
            if auth and auth.guest_of is not None:
                self._places.get(auth.guest_of, {}).pop(auth_id, None)
