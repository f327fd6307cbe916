"""What leaves through a socket: ready frames, sent together once per turn of the loop.

Imports nothing of ours. Nothing else writes to a socket that has an outbox, so frames never mix.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from gevent.hub import get_hub

#: How many bytes one ``send`` is offered at the most, and how many outboxes one turn of the loop flushes.
CHUNK, FLUSHED = 65536, 512

WRITABLE = 2  # libev's EV_WRITE, which gevent's loops share

_dirty: list[Outbox] = []


class Outbox:
    """The frames that wait for one socket.

    :param sock: does not block.
    :param limit: how many bytes may wait; the frame that goes beyond is not taken.
    :param on_full: called once if that happens.
    :param on_error: called once, by the loop, if the socket can not be written to any more.
    """

    __slots__ = (
        "_frames",
        "_limit",
        "_on_drained",
        "_on_error",
        "_on_full",
        "_send",
        "_size",
        "_sock",
        "_watcher",
        "closed",
    )

    def __init__(
        self,
        sock: _socket.socket,
        limit: int,
        on_full: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._send = sock.send
        self._limit = limit
        self._on_full = on_full
        self._on_error = on_error
        self._on_drained: Callable[[], None] | None = None
        self._frames: list[bytes] = []
        self._size = 0
        self._watcher: Any = None
        self.closed = False

    def write(self, frame: bytes) -> None:
        """Take a frame; it leaves before the loop waits again. What comes after the end is not taken."""
        if self.closed or self._on_drained is not None:
            return
        frames = self._frames
        if frames and self._beyond(len(frame)) and not self._makes_room(len(frame)):
            on_full = self._on_full
            self.close()
            on_full()
            return
        if not frames and self._watcher is None:  # what _note() does, without a call for each recipient
            if not _dirty:
                get_hub().loop.run_callback(flush_all)
            _dirty.append(self)
        self._frames.append(frame)
        self._size += len(frame)

    def _beyond(self, size: int) -> bool:
        # small frames count as 64 bytes, which is about what they take
        return self._size + size > self._limit or len(self._frames) > self._limit >> 6

    def _makes_room(self, size: int) -> bool:
        """Whether the kernel takes enough of what waits: much may have been written in one turn of the loop."""
        if self._watcher is None:
            self.flush()
        return not self.closed and (not self._frames or not self._beyond(size))

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._size

    def finish(self, on_drained: Callable[[], None]) -> None:
        """Take no more frames, and tell when all have left."""
        if self.closed or self._on_drained is not None:
            return
        self._on_drained = on_drained
        if not self._frames:
            _note(self)

    def close(self) -> None:
        """Forget what waits, and whom to tell, who most likely holds this outbox."""
        self.closed = True
        self._on_full = self._on_error = _nobody
        self._on_drained = None
        self._frames = []
        self._size = 0
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def flush(self) -> None:
        """Send what the socket takes; the rest waits until it takes more."""
        while frames := self._frames:
            if len(frames) == 1:  # nearly always
                data = frames[0]
                self._frames = []
            else:
                data = self._take()
            try:
                sent = self._send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                on_error = self._on_error
                self.close()
                get_hub().loop.run_callback(on_error)
                return
            self._size -= sent
            if sent < len(data):
                self._frames.insert(0, data[sent:])
                self._wait()
                return
        if self._watcher is not None or self._on_drained is not None:
            self._all_sent()

    def _all_sent(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if (on_drained := self._on_drained) is not None and not self.closed:
            self.closed, self._on_drained = True, None
            on_drained()

    def _take(self) -> bytes:
        frames = self._frames
        if self._size <= CHUNK:
            self._frames = []
            return b"".join(frames)
        count = size = 0
        while size < CHUNK:
            size += len(frames[count])
            count += 1
        self._frames = frames[count:]
        return b"".join(frames[:count])

    def _wait(self) -> None:
        if self._watcher is None:
            self._watcher = get_hub().loop.io(self._sock.fileno(), WRITABLE)
            self._watcher.start(self.flush)


def _nobody() -> None:
    pass


def _note(outbox: Outbox) -> None:
    if not _dirty:
        get_hub().loop.run_callback(flush_all)
    _dirty.append(outbox)


def flush_all() -> None:
    """Flush the outboxes that something was written to; many of them in several turns."""
    global _dirty
    now, _dirty = _dirty[:FLUSHED], _dirty[FLUSHED:]
    if _dirty:
        get_hub().loop.run_callback(flush_all)
    for outbox in now:
        outbox.flush()
