"""What waits for one reader: a queue with a bound, and what happens at it. No I/O.

Imports errors, event and payloads.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from .errors import ClassWavesError
from .event import Event
from .payloads import SessionJoinedEvent

AnyEvent = Event[str, Any]


class Flag(Protocol):
    """What somebody may wait for: a ``threading.Event`` or an ``asyncio.Event``."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def clear(self) -> None: ...


class Stream:
    """Events in order, for one reader.

    When more than ``bound`` wait, the reader is too slow to be told everything: what waits is dropped, nothing more is
    kept, and when it reads again a snapshot to start from is asked for, never a part told in silence.

    :param flag: set while there is something to read, or to do about it.
    """

    def __init__(self, bound: int, flag: Flag) -> None:
        self.flag = flag
        self.lagging = False
        """It has dropped something, and tells nothing until the snapshot is here."""
        self.asked: object = None
        """The request for that snapshot: what comes from now on is kept, as the snapshot may not have it."""
        self.ended = False
        self.error: ClassWavesError | None = None
        self._bound = bound
        self._events: deque[AnyEvent] = deque()
        self._after = 0

    def put(self, event: AnyEvent) -> None:
        if self.ended or (self.lagging and self.asked is None) or not self._is_new(event):
            return
        if len(self._events) >= self._bound:
            self._events.clear()
            self.lagging, self.asked = True, None
        elif self.lagging and event.name == "resumed":
            self._events.clear()  # the snapshot is asked for again over the new connection: it will have all this
        else:
            self._events.append(event)
        self.flag.set()

    def restart(self, snapshot: SessionJoinedEvent) -> None:
        """Go on from a snapshot that has come in its place among the events."""
        if self.lagging:
            self._events.clear()
        self._start(snapshot)

    def caught_up(self, snapshot: SessionJoinedEvent) -> None:
        """Go on from the snapshot that was asked for: what came meanwhile follows it, unless it has that already."""
        meanwhile = list(self._events)
        self._events.clear()
        self._start(snapshot)
        self._events += [event for event in meanwhile if self._is_new(event)]

    def _start(self, snapshot: SessionJoinedEvent) -> None:
        if not self.ended:
            self.lagging, self.asked, self._after = False, None, snapshot["seq"]
            self._events.append(Event("snapshot", snapshot, snapshot["seq"]))
            self.flag.set()

    def end(self, error: ClassWavesError | None = None) -> None:
        """Nothing comes after what waits."""
        if not self.ended:
            self.ended, self.error = True, error
            if self.lagging:
                self._events.clear()
            self.flag.set()

    def take(self) -> AnyEvent | None:
        """The next event; ``None``: there is none now. :raises ClassWavesError: there will be none, because of this."""
        if self._events and not self.lagging:
            return self._events.popleft()
        if self.ended:
            if self.error:
                raise self.error.with_traceback(None)
            return None
        self.flag.clear()
        return None

    def _is_new(self, event: AnyEvent) -> bool:
        return event.seq is None or event.seq > self._after

    @property
    def over(self) -> bool:
        """Whether all is read and nothing will come."""
        return self.ended and not self._events
