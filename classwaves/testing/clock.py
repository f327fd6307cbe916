"""The clock of a room, which a test puts forward.

Imports clock and scheduler.
"""

from __future__ import annotations

from ..clock import AppClock
from ..scheduler import Scheduler

#: By how many seconds it goes forward at once: leases are renewed, and what is due in between is done in between.
STEP = 1.0
#: How long what is due may take, in seconds of the machine.
PATIENCE = 10.0


class RoomClock:
    """The time of the application under test; other applications and the machine keep theirs."""

    def __init__(self, clock: AppClock, scheduler: Scheduler) -> None:
        self._clock = clock
        self._scheduler = scheduler

    def time(self) -> float:
        """The application's time, in seconds since the epoch."""
        return self._clock.time()

    def advance(self, seconds: float) -> None:
        """Put the clock forward, and have everything done that is due by then, in its order.

        An hour takes about a second.

        :raises ValueError: backwards.
        """
        if seconds < 0:
            raise ValueError("a clock goes forward only: advance() takes seconds from 0")
        self.settle()
        while seconds > 0:
            step = min(seconds, STEP)
            seconds -= step
            self._clock.ahead += step
            self.settle()

    def settle(self) -> None:
        """Wait until nothing is due any more. :raises AssertionError: a task takes too long."""
        if not self._scheduler.settle(PATIENCE):
            raise AssertionError(f"a task of the server has not ended within {PATIENCE:g} s")
