"""What the pipeline writes of its events into the log: refusals, so many a second, and events that took long.

Imports the brake and the trail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from . import trail
from .brake import Brake
from .trail import Trail

logger = logging.getLogger(__name__)

Later = Callable[[float, Callable[[], Any]], Any]


class Refusals:
    """Writes refusals down: a client that is refused all the time fills no disk, and what is left out is counted.

    :param later: called with seconds and a task, which it runs then.
    """

    def __init__(self, later: Later) -> None:
        self._later = later
        self._brake = Brake()
        self._telling = False

    def note(self, code: str, event: str = "") -> None:
        """An event was refused with this code, or a socket was told so without an event."""
        if (at_work := trail.current()) is not None and at_work.kind in (trail.EVENT, trail.REQUEST):
            at_work.code = code
            event = at_work.event
        if self._brake.admits(code):
            logger.info("%s was refused: %s", event or "a socket", code, extra={"code": code})
        else:
            self._tell_later()

    def _tell_later(self) -> None:
        if not self._telling:
            self._telling = True
            self._later(1, self._tell)

    def _tell(self) -> None:
        """Once a second at the most, and only while there is something to tell."""
        self._telling = False
        for code, number in self._brake.left_out().items():
            logger.info("%d more were refused: %s", number, code, extra={"code": code, "left_out": number})
        if self._brake.holds():  # the brake's second has begun after the first of what was told
            self._tell_later()


def note_end(at_work: Trail, seconds: float, most: float) -> None:
    """What is at work has taken so many seconds: name it if these are too many; at DEBUG in any case."""
    if seconds <= most and not logger.isEnabledFor(logging.DEBUG):
        return
    told = {"code": at_work.code, "duration_ms": round(seconds * 1000, 1)}
    if seconds > most:
        logger.warning("%s took %d ms", at_work.event, seconds * 1000, extra=told)
    else:
        logger.debug("handled", extra=told)


def note_append(seconds: float) -> None:
    """The store has taken so many seconds for an append, which are too many."""
    logger.warning("the store took %d ms to append", seconds * 1000, extra={"duration_ms": round(seconds * 1000)})
