"""At most one message of each key in a window of time: the first at once, and the newest of the rest when it ends.

Imports nothing of the package.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

Task = Callable[[], object]


class Throttle:
    """Runs tasks, which replace those of the same key that still wait. Not thread-safe: the caller holds a lock.

    :param window: seconds between two tasks of one key; 0: each runs at once.
    :param later: called with seconds and what is to be called then, under the caller's lock: :meth:`flush`. There is
        never more than one call to come.
    :param now: seconds, never backwards.
    """

    def __init__(
        self, window: float, later: Callable[[float], object], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._window = window
        self._later = later
        self._open: dict[Hashable, tuple[float, Task | None]] = {}
        self._armed = False

    def run(self, key: Hashable, task: Task) -> None:
        """Run the task now, or when the window of its key ends unless another one has replaced it."""
        if key in self._open:
            self._open[key] = (self._open[key][0], task)
            return
        task()
        if self._window:
            self._open[key] = (self._now() + self._window, None)
            self._arm()

    def forget(self, key: Hashable) -> None:
        """What waits under this key is not to run any more."""
        if key in self._open:
            self._open[key] = (self._open[key][0], None)

    def _arm(self) -> None:
        if self._open and not self._armed:
            self._armed = True
            first = next(iter(self._open.values()))[0]
            self._later(max(first - self._now(), 0.001))

    def flush(self) -> None:
        """Run what waited in windows that have ended, each of which begins another one."""
        self._armed = False
        now = self._now()
        ended = []
        for key, (until, _) in self._open.items():
            if until > now:
                break  # windows end in the order in which they began
            ended.append(key)
        try:
            for key in ended:
                _, task = self._open.pop(key)
                if task is not None:
                    self.run(key, task)
        finally:
            self._arm()  # if one has failed, those after it have their turn at once

    def clear(self) -> None:
        """Nothing that waits is to run any more."""
        for key in self._open:
            self.forget(key)
