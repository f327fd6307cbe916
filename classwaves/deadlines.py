"""What is due at which moment, for thousands of things at once: setting, moving and cancelling are a dictionary's work.

Imports nothing of the package.
"""

from __future__ import annotations

import math
import threading

#: A thing is told up to so many seconds after its moment.
TICK = 0.25


class Deadlines:
    """Moments, in seconds since the epoch, each under a key. It has no timer: somebody asks :meth:`due` every tick.

    :param now: the moment it begins.
    """

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._slots: dict[int, dict[str, None]] = {}
        self._slot_of: dict[str, int] = {}
        self._next = _slot(now)

    def __len__(self) -> int:
        return len(self._slot_of)

    def set(self, key: str, moment: float) -> None:
        """Tell of this key at a moment, and not at the one that it was set to before."""
        with self._lock:
            self._forget(key)
            slot = max(_slot(moment), self._next)
            self._slots.setdefault(slot, {})[key] = None
            self._slot_of[key] = slot

    def cancel(self, key: str) -> None:
        """Do not tell of this key; it may not be set."""
        with self._lock:
            self._forget(key)

    def due(self, now: float) -> list[str]:
        """The keys whose moment has come; they are not set any more."""
        found: list[str] = []
        with self._lock:
            last = math.floor(now / TICK)
            if self._slots and last >= self._next:
                for slot in [slot for slot in self._slots if slot <= last]:
                    found += self._slots.pop(slot)
            self._next = max(self._next, last + 1)
            for key in found:
                del self._slot_of[key]
        return found

    def _forget(self, key: str) -> None:
        if (slot := self._slot_of.pop(key, None)) is not None:
            del self._slots[slot][key]
            if not self._slots[slot]:
                del self._slots[slot]


def _slot(moment: float) -> int:
    return math.ceil(moment / TICK)
