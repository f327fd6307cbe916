"""Whether a worker is alive, and ready for traffic: cheap to ask, and nothing in it that is not for everybody.

Imports errors, hub and settings. Balancers ask every second, from several places; the store hears of it once a second.
"""

from __future__ import annotations

import threading
import time

from .errors import StoreUnavailable
from .hub import Hub
from .settings import Settings

#: How long an answer of the store is good for, in seconds.
FRESH = 1.0
#: A loop that was blocked is told of for so long, so that whoever looks every ten seconds sees it once.
SEEN = 10.0


class Health:
    """What one worker says of itself."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._settings = settings
        self._lock = threading.Lock()
        self._asked = -FRESH
        self._reachable = False

    def is_blocked(self) -> bool:
        """Whether the loop stood still a moment ago. Who is answered is answered by a loop that goes again."""
        return self._hub.tally.loop.worst(SEEN) > self._settings.blocked_after

    def is_reachable(self) -> bool:
        """Whether the store takes writes, as it was a second ago. Many who ask at once wait for one answer."""
        with self._lock:
            if time.monotonic() - self._asked >= FRESH:
                try:
                    self._hub.store.ping(writes=True)
                    self._reachable = True
                except StoreUnavailable:
                    self._reachable = False
                self._asked = time.monotonic()
            return self._reachable

    def readiness(self) -> str:
        """``ok``, ``degraded`` (in memory: one server, nothing survives it), ``draining`` or ``unavailable``."""
        reachable = self.is_reachable()
        if self._hub.draining or self._hub.leaving:
            return "draining"
        if not reachable:
            return "unavailable"
        return "ok" if self._hub.store.kind == "redis" else "degraded"
