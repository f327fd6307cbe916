"""The acts, in this process. Imports the shapes and what the parts of the store in memory share."""

from __future__ import annotations

from .acts import REPEATED, Act, Noted, place
from .base import Clock
from .memory_base import MemoryPart


class MemoryActs(MemoryPart):
    """See :class:`~classwaves.store.acts.Acts`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._acts: list[Noted] = []
        #: names of acts, oldest first, and until when they are remembered
        self._named: dict[str, float] = {}

    def note_act(self, act: Act, seconds: float, once: str = "") -> None:
        with self._lock:
            if once and self._is_known(once):
                return
            now = int(self._clock() * 1000)
            before = place(self._acts[-1].id) if self._acts else (0, 0)
            at = max((now, 0), (before[0], before[1] + 1))
            self._acts.append(Noted(f"{at[0]}-{at[1]}", act))
            if seconds:
                self._acts = [noted for noted in self._acts if noted.time >= now - int(seconds * 1000)]

    def _is_known(self, name: str) -> bool:
        now = self._clock()
        while self._named and (oldest := next(iter(self._named.items())))[1] <= now:
            del self._named[oldest[0]]
        if name in self._named:
            return True
        self._named[name] = now + REPEATED
        return False

    def acts(self, before: str, limit: int) -> list[Noted]:
        with self._lock:
            found = [noted for noted in self._acts if not before or place(noted.id) < place(before)]
            return found[::-1][:limit]

    def acts_after(self, after: str, limit: int) -> list[Noted]:
        with self._lock:
            return [noted for noted in self._acts if place(noted.id) > place(after)][:limit]
