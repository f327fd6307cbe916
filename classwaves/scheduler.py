"""What is to be done later, in one thread (a greenlet under gevent) that starts with the first task.

Imports errors and clock.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

from .clock import AppClock
from .errors import StoreUnavailable

logger = logging.getLogger(__name__)

Task = Callable[[], Any]


class Scheduler:
    """Runs tasks one after the other, each when it is due. A task that finds the store away is tried again.

    :param retry: in so many seconds.
    :param on_failure: called when a task went wrong in another way, which is logged.
    :param clock: says when something is due.
    """

    def __init__(
        self, retry: float = 1.0, on_failure: Callable[[], None] = lambda: None, clock: AppClock | None = None
    ) -> None:
        self.clock = clock or AppClock()
        self._on_failure = on_failure
        self._retry = retry
        self._heap: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._busy = False

    def after(self, seconds: float, task: Task) -> None:
        """Run ``task`` once, in ``seconds`` from now."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._heap, (self.clock.monotonic() + seconds, next(self._order), task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="classwaves-scheduler", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def every(self, seconds: float, task: Task) -> None:
        """Run ``task`` again and again, ``seconds`` apart; one that fails is logged and keeps its turn."""

        def again() -> None:
            self.after(seconds, again)
            try:
                task()
            except StoreUnavailable:
                logger.info("the store is away; %s waits for its next turn", getattr(task, "__name__", "a task"))

        self.after(seconds, again)

    def settle(self, timeout: float) -> bool:
        """Wait until all that is due has been done, whatever the clock says by now; for tests.

        :return: whether it was done in ``timeout`` seconds.
        """
        with self._changed:
            self._changed.notify_all()
            return self._changed.wait_for(self._is_idle, timeout)

    def rest(self) -> None:
        """End the thread until the next task comes; what is due meanwhile is late. For tests, which have many."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread and thread is not threading.current_thread():
            thread.join(timeout=5)

    def _is_idle(self) -> bool:
        due = self._heap and self._heap[0][0] <= self.clock.monotonic()
        return self._closed or not (self._busy or due)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join(timeout=5)

    def __len__(self) -> int:
        return len(self._heap)

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except StoreUnavailable:
                self.after(self._retry, task)
            except Exception:  # one bad task must not stop the others
                logger.exception("a scheduled task failed")
                self._on_failure()

    def _next(self) -> Task | None:
        with self._changed:
            if self._busy:
                self._busy = False
                self._changed.notify_all()  # who waits in settle()
            while not self._closed and self._thread is threading.current_thread():
                wait = self._heap[0][0] - self.clock.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
            return None
