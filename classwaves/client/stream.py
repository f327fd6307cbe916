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
    kept, and when it reads again it gets a snapshot to start from (:attr:`lagging`), never a part in silence.

    :param flag: set while there is something to read, or to do about it.
    """

    def __init__(self, bound: int, flag: Flag) -> None:
        self.flag = flag
        self.lagging = False
        self.ended = False
        self.error: ClassWavesError | None = None
        self._bound = bound
        self._events: deque[AnyEvent] = deque()
        self._after = 0

    def put(self, event: AnyEvent) -> None:
        if self.lagging or self.ended or (event.seq is not None and event.seq <= self._after):
            return
        if len(self._events) >= self._bound:
            self._events.clear()
            self.lagging = True
        else:
            self._events.append(event)
        self.flag.set()

    def restart(self, snapshot: SessionJoinedEvent) -> None:
        """Go on from a snapshot: what it has already is not told after it."""
        if self.ended:
            return
        self.lagging = False
        self._after = snapshot["seq"]
        self._events.append(Event("snapshot", snapshot, snapshot["seq"]))
        self.flag.set()

    def end(self, error: ClassWavesError | None = None) -> None:
        """Nothing comes after what waits."""
        if not self.ended:
            self.ended, self.error = True, error
            self.flag.set()

    def take(self) -> AnyEvent | None:
        """The next event; ``None``: there is none now. :raises ClassWavesError: there will be none, because of this."""
        if self._events:
            return self._events.popleft()
        if self.ended:
            if self.error:
                raise self.error
            return None
        self.flag.clear()
        return None

    @property
    def over(self) -> bool:
        """Whether all is read and nothing will come."""
        return self.ended and not self._events
