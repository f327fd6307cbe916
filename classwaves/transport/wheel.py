"""One timer for everything that is to happen to connections later (a hashed timing wheel).

Imports nothing of ours. Setting, moving and cancelling are a dictionary's work, however many connections there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from gevent.hub import get_hub

logger = logging.getLogger(__name__)

#: How many are told in one turn of the loop.
TOLD = 256


class Timed:
    """What a wheel calls, once for each time that it was set."""

    __slots__ = ("_slot",)

    def __init__(self) -> None:
        self._slot: int | None = None

    def on_time(self) -> None:
        """Called by the loop, so it must not wait."""
        raise NotImplementedError


class Wheel:
    """Calls :meth:`Timed.on_time` when it is due, up to ``tick`` seconds late.

    :param tick: seconds between two looks. The timer runs only while something is set.
    """

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._slots: dict[int, dict[Timed, None]] = {}
        self._done = 0
        self._timer: Any = None
        self.now: Callable[[], float] = time.monotonic

    def set(self, timed: Timed, seconds: float) -> None:
        """Call it in so many seconds, and not when it was set to before."""
        self.cancel(timed)
        slot = max(int((self.now() + seconds) / self._tick) + 1, self._done + 1)
        self._slots.setdefault(slot, {})[timed] = None
        timed._slot = slot
        if self._timer is None:
            self._done = int(self.now() / self._tick)
            self._timer = get_hub().loop.timer(self._tick, self._tick)
            self._timer.start(self._turn)

    def cancel(self, timed: Timed) -> None:
        """Do not call it; it may not be set."""
        slot, timed._slot = timed._slot, None
        if slot is not None and (waiting := self._slots.get(slot)) is not None:
            waiting.pop(timed, None)

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def _turn(self) -> None:
        now = int(self.now() / self._tick)
        due: list[Timed] = []
        while self._done < now:
            self._done += 1
            due += self._slots.pop(self._done, ())
        self._tell(due)
        if not self._slots:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _tell(self, due: list[Timed]) -> None:
        for timed in due[:TOLD]:
            if timed._slot is not None and timed._slot <= self._done:  # neither cancelled nor set anew meanwhile
                timed._slot = None
                try:
                    timed.on_time()
                except Exception:  # the others are to be told all the same
                    logger.exception("a connection's timer failed")
        if rest := due[TOLD:]:
            get_hub().loop.run_callback(self._tell, rest)
