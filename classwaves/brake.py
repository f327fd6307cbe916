"""Lines of a log that a client can cause at will: some of each kind a second, and the number of the rest.

Imports nothing of the package.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

#: How many lines of one kind are written in a second.
MOST = 10
#: How many kinds are told apart in a second; all others count as one.
KINDS = 1000


class Brake:
    """Lets so many of each kind through in a second, and counts the others. All methods may be called by any thread.

    :param most: how many of a kind.
    :param clock: in seconds.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._seen: dict[Hashable, int] = {}
        self._over: dict[Hashable, int] = {}

    def admits(self, kind: Hashable) -> bool:
        """Whether one more of this kind is to be written."""
        with self._lock:
            self._turn()
            if kind not in self._seen and len(self._seen) >= KINDS:
                kind = None
            seen = self._seen[kind] = self._seen.get(kind, 0) + 1
            return seen <= self._most

    def left_out(self) -> dict[Hashable, int]:
        """How many of each kind were left out, in the seconds that are over; each is told once."""
        with self._lock:
            self._turn()
            over, self._over = self._over, {}
            return over

    def holds(self) -> bool:
        """Whether some are left out in the second that goes on, of which :meth:`left_out` does not tell yet."""
        with self._lock:
            return any(seen > self._most for seen in self._seen.values())

    def _turn(self) -> None:
        now = self._clock()
        if now - self._began < 1:
            return
        for kind, seen in self._seen.items():
            if seen > self._most:
                self._over[kind] = self._over.get(kind, 0) + seen - self._most
        self._began, self._seen = now, {}
