"""The loop's own clock: four times a second somebody looks how late it comes round.

Imports nothing of ours. Handlers that compute, or wait in C, keep everybody of their worker waiting, and nobody sees it
but this. gunicorn's master kills a worker that is blocked for its ``timeout``: the worker tells of itself each second.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

import gevent

logger = logging.getLogger(__name__)

#: How often the loop is looked at, in seconds.
BEAT = 0.25


class Listener(Protocol):
    """Who is told."""

    def beat(self, lag: float, due: float) -> None:
        """The loop was late by ``lag`` seconds; it is to come round again at ``due``, by ``time.monotonic``."""

    def end(self) -> None:
        """The worker ends."""


#: Applications register themselves; gunicorn's worker calls them.
LISTENERS: list[Listener] = []


def watch() -> None:
    """Look at the loop until this greenlet is killed."""
    due = time.monotonic() + BEAT
    while True:
        gevent.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        lag, due = max(0.0, now - due), now + BEAT
        for listener in list(LISTENERS):
            try:
                listener.beat(lag, due)
            except Exception:  # the next beat comes, and the other applications have theirs
                logger.exception("a beat of the loop failed")


def end() -> None:
    """Tell all who listen that the worker ends."""
    for listener in list(LISTENERS):
        try:
            listener.end()
        except Exception:
            logger.exception("the numbers of a worker that ends could not be kept")
