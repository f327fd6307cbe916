"""What is counted in this process: tries in windows of time, and things that one user has at once.

Imports nothing of the package. The ``limits`` library's own memory costs 15 µs for an event with two limits, and while
there is traffic it walks over all its keys a hundred times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

#: How many keys there may be before those whose windows have ended are looked for at once. Fewer are looked for when
#: the longest window has passed: they name users and addresses, and are not kept for long when they count no more.
FEW = 1024

Rule = tuple[int, float]
"""So many in so many seconds."""


class Windows:
    """Fixed windows: each key's begins with the first try after its last one has ended.

    So whoever waits until the window ends is let in. What is refused is not counted.

    :param rules: all of them hold together.
    :param clock: seconds, never backwards.
    """

    def __init__(self, rules: Sequence[Rule], clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = tuple(rules)
        self._clock = clock
        #: for each rule in turn: when the window ends, and what was counted in it
        self._open: dict[Hashable, list[list[float]]] = {}
        self._sweep_at = FEW
        self._longest = max((seconds for _, seconds in self._rules), default=0.0)
        self._sweep_after = clock() + self._longest

    def __len__(self) -> int:
        return len(self._open)

    def take(self, key: Hashable, times: int = 1) -> float:
        """Count so many tries if no rule is against it; else how many seconds to wait.

        More than a rule allows at once count as all that it allows: there is a time at which they are let in.
        """
        now = self._clock()
        windows = self._open.get(key) or self._begin(key, now)
        wait = 0.0
        for (amount, seconds), window in zip(self._rules, windows, strict=True):
            if window[0] <= now:
                window[0], window[1] = now + seconds, 0
            if window[1] + times > amount and window[1]:
                wait = max(wait, window[0] - now)
        if not wait:
            for window in windows:
                window[1] += times
        return wait

    def wait(self, key: Hashable) -> float:
        """How many seconds to wait until a try is let in, without counting one."""
        now = self._clock()
        windows = zip(self._rules, self._open.get(key, ()), strict=False)
        return max([0.0, *(window[0] - now for (amount, _), window in windows if window[1] >= amount)])

    def forget(self) -> None:
        """Begin anew, as if nobody had tried anything."""
        self._open.clear()

    def _begin(self, key: Hashable, now: float) -> list[list[float]]:
        if len(self._open) >= self._sweep_at or now >= self._sweep_after:
            self.sweep()
        windows = self._open[key] = [[0.0, 0] for _ in self._rules]
        return windows

    def sweep(self) -> None:
        """Forget the keys whose windows have ended; a new key does this now and then.

        Either as many have come since the last time as were left then, or all that were left then have ended: so a key
        costs few looks on the average.
        """
        now = self._clock()
        for old in [old for old, windows in list(self._open.items()) if all(end <= now for end, _ in windows)]:
            self._open.pop(old, None)
        self._sweep_at = max(FEW, 2 * len(self._open))
        self._sweep_after = now + self._longest


class Places:
    """How many things of each key there are at once.

    :param most: of one key; infinity for as many as there are.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._taken: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, key: Hashable) -> bool:
        """Whether there was one left, which is taken now until :meth:`leave`."""
        taken = self._taken.get(key, 0)
        if taken >= self._most:
            return False
        self._taken[key] = taken + 1
        return True

    def leave(self, key: Hashable) -> None:
        """One is free again."""
        left = self._taken.get(key, 0) - 1
        if left > 0:
            self._taken[key] = left
        else:
            self._taken.pop(key, None)
