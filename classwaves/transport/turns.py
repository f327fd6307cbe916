"""Greenlets that are used again, and how long one of them may work before the others get their turn.

Imports nothing of ours. A new greenlet costs several times what waking a parked one does, and each message needs one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

import gevent
from gevent.hub import get_hub
from greenlet import GreenletExit, getcurrent

logger = logging.getLogger(__name__)

#: How long the work of one client goes on before everybody else gets a turn, in seconds.
SLICE = 0.002
#: How many greenlets wait for work; more than that end with theirs.
PARKED = 512


class Turns:
    """Runs tasks in greenlets of its own, as soon as the loop comes round."""

    def __init__(self) -> None:
        self._parked: list[_Worker] = []

    def run(self, task: Callable[[], Any]) -> None:
        """Run a task that may wait; what it raises is logged."""
        worker = self._parked.pop() if self._parked else None
        if worker is None:
            _Worker(self, task).start()
        else:
            worker.wake(task)

    def park(self, worker: _Worker) -> bool:
        """Take back a greenlet that has nothing to do. Whether it is to wait."""
        if len(self._parked) >= PARKED:
            return False
        self._parked.append(worker)
        return True


class _Worker(gevent.Greenlet):  # type: ignore[type-arg]
    """Does one task after the other, and waits between them without a timer, an event or a queue."""

    def __init__(self, turns: Turns, task: Callable[[], Any]) -> None:
        super().__init__()
        self._turns = turns
        self._task: Callable[[], Any] | None = task

    def wake(self, task: Callable[[], Any]) -> None:
        self._task = task
        get_hub().loop.run_callback(self.switch)

    def _run(self) -> None:
        while True:
            task, self._task = self._task, None
            if task is not None:
                self._do(task)
            # what one client's handlers keep in context variables is not for the next one's; and while this greenlet
            # waits, a client that has gone, with all that it did not read, is not to be kept by its last task
            task = None
            getcurrent().gr_context = Context()
            if not self._turns.park(self):
                return
            self._wait()

    def _wait(self) -> None:
        while self._task is None:  # a switch that was meant for a task before is none of ours
            get_hub().switch()

    @staticmethod
    def _do(task: Callable[[], Any]) -> None:
        try:
            task()
        except GreenletExit:
            raise
        except BaseException:
            logger.exception("a client's message failed")


class Slice:
    """The time that a task has before it lets others go first."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE

    def share(self) -> None:
        """Called between two pieces of work: let the loop turn if the time is up."""
        if time.monotonic() >= self._until:
            gevent.sleep(0)
            self._until = time.monotonic() + SLICE
