"""One WebSocket, detached from the request that began it (RFC 6455).

Imports tally, frames, outbox, turns and wheel. An idle one holds no greenlet: a watcher of the loop sees what comes,
and a greenlet exists only while messages are being handled.
"""

from __future__ import annotations

import _socket
import logging
import socket
from typing import Any, Protocol

from gevent.hub import get_hub
from greenlet import getcurrent

from ..tally import Traffic
from .frames import (
    BINARY,
    CLOSE,
    INVALID_DATA,
    NORMAL,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    close_answer,
    close_frame,
    frame,
)
from .outbox import Outbox
from .turns import Slice, Turns
from .wheel import Timed, Wheel

logger = logging.getLogger(__name__)

READABLE = 1
RECEIVE = 65536
#: How many bytes that were read may wait for their turn before no more is read.
AHEAD = 65536
#: How many messages may be under way together.
FLYING = 64
#: How long the end of the other side is waited for after a close frame, in seconds.
LINGER = 2.0

#: Why a WebSocket has ended whose client said so, as a browser does when a tab is closed. Nothing broke.
GOODBYE = "goodbye"
_FINE = (b"", (1000).to_bytes(2, "big"), (1001).to_bytes(2, "big"))


class Receiver(Protocol):
    """Who a WebSocket belongs to."""

    def on_message(self, message: str | bytes) -> None:
        """A message came. May wait; the next one comes when it returns."""

    def on_end(self, reason: str) -> None:
        """The other side has gone, or broke the protocol. Called once, from a greenlet, after the last message.

        :param reason: one of Engine.IO's, or :data:`GOODBYE`.
        """

    def on_full(self) -> None:
        """More is waiting to be sent than may. Called by the loop; the socket is closed after it."""


class WebSocket(Timed):
    """Reads messages for its receiver and writes frames through its outbox.

    :param sock: a connected socket, which belongs to this object from now on.
    :param early: bytes that came with the request.
    :param limit: the size of a message in bytes.
    :param backlog: how many bytes may wait to be sent.
    :param traffic: where the bytes that come, and breaches of the protocol, are counted.
    """

    __slots__ = (
        "_drainer",
        "_flying",
        "_frames",
        "_receiver",
        "_sock",
        "_traffic",
        "_turns",
        "_watcher",
        "_wheel",
        "busy",
        "ended",
        "outbox",
    )

    def __init__(
        self,
        sock: _socket.socket,
        early: bytes,
        receiver: Receiver,
        *,
        limit: int,
        backlog: int,
        turns: Turns,
        wheel: Wheel,
        traffic: Traffic,
    ) -> None:
        super().__init__()
        self._sock = sock
        self._receiver: Receiver | None = receiver
        self._turns = turns
        self._wheel = wheel
        self._traffic = traffic
        self._frames: FrameReader | None = FrameReader(limit)
        self.busy = False
        self._drainer: Any = None
        self._flying = 0  # messages that are still being handled while later ones are, too
        #: Nothing more will be read.
        self.ended = False
        self.outbox = Outbox(sock, backlog, self._on_full, self._on_broken)
        self._watcher: Any = get_hub().loop.io(sock.fileno(), READABLE)
        self._watcher.start(self._on_readable)
        if early:
            self._take(early)

    def belong_to(self, receiver: Receiver) -> None:
        """Give what comes to another receiver from now on, who has no timer here."""
        self._receiver = receiver
        self._wheel.cancel(self)

    def expire(self, seconds: float) -> None:
        """End the connection after so long, unless it has found its owner."""
        self._wheel.set(self, seconds)

    @property
    def working(self) -> bool:
        """Whether a message is being handled."""
        return self.busy or self._flying > 0

    def let_next(self) -> None:
        """The message that is being handled waits for somebody else, and the next one may begin.

        Called by the greenlet that handles it; others do not have a say.
        """
        if self._drainer is not getcurrent() or self._flying >= FLYING:
            return
        self._drainer = None
        self._flying += 1
        self._go_on()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Send a close frame after what waits, and end the connection when the other side has, or after a while."""
        self._finish(close_frame(code, reason))

    def abort(self) -> None:
        """End the connection now, and forget what waits."""
        self.ended = True
        self._receiver = self._frames = None
        self.outbox.close()
        self._wheel.cancel(self)
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
            self._sock.close()

    # what the loop calls

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._receiver is None:  # closing: only the other side's end is still waited for
            if not data:
                self.abort()
        elif data:
            self._take(data)
        else:
            self._pause()
            self._end("transport close")

    def _take(self, data: bytes) -> None:
        assert self._frames is not None  # noqa: S101 - for the type checker
        self._traffic.received += len(data)
        ready = self._frames.feed(data)
        if self.busy:
            if self._frames.waiting > AHEAD:
                self._pause()
        elif ready:
            self.busy = True
            self._turns.run(self._drain)

    def _on_full(self) -> None:
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.on_full()

    def _on_broken(self) -> None:
        if self._receiver is not None and not self.ended:
            self._end("transport error")
        else:
            self.abort()

    def on_time(self) -> None:
        """The other side has not ended in time, or nobody wanted this WebSocket."""
        if self._receiver is None:
            self.abort()
        else:
            self._end("transport close")

    # what greenlets do

    def _drain(self) -> None:
        """Hand out whole messages, one after the other, until there are none."""
        me = self._drainer = getcurrent()
        turn = Slice()
        try:
            while self._frames is not None and (found := self._frames.next()) is not None:
                self._handle(*found)
                if self._drainer is not me:
                    return self._land()
                turn.share()
        except FrameError as error:
            self._fail(error)
        self._drainer = None
        self._go_on()

    def _go_on(self) -> None:
        """Nobody hands out messages now: see whether there is one, or the end, or whether there will be."""
        self.busy = False
        if self._receiver is None or self._frames is None:
            return
        if self._frames.ready:
            self.busy = True
            self._turns.run(self._drain)
        elif self.ended:
            self._tell_end("transport close")
        elif self._watcher is not None and not self._watcher.active:
            self._watcher.start(self._on_readable)

    def _land(self) -> None:
        self._flying -= 1
        if self.ended and not self.working:
            self._tell_end("transport close")

    def _handle(self, opcode: int, payload: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        if opcode == TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise FrameError(INVALID_DATA, "text that is not UTF-8") from None
            receiver.on_message(text)
        elif opcode == BINARY:
            receiver.on_message(payload)
        elif opcode == PING:
            self.outbox.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self._receiver = None
            self._finish(close_answer(payload))
            receiver.on_end(GOODBYE if payload[:2] in _FINE else "transport close")

    def _fail(self, error: FrameError) -> None:
        logger.info("a WebSocket broke the protocol: %s", error.reason)
        self._traffic.broken += 1
        receiver = self._receiver
        self._finish(close_frame(error.code, error.reason))
        if receiver is not None:
            receiver.on_end("transport error")

    # ends

    def _finish(self, last: bytes) -> None:
        self._receiver = self._frames = None
        if self._watcher is None:
            return
        self.outbox.write(last)
        self.outbox.finish(self._half_close)
        if not self._watcher.active:
            self._watcher.start(self._on_readable)
        self._wheel.set(self, LINGER)

    def _half_close(self) -> None:
        """All is sent. Closing now could make the kernel throw it away, if there is something that was not read."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    def _pause(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()

    def _end(self, reason: str) -> None:
        """The connection is gone. What came before is handled first."""
        self.ended = True
        self.outbox.close()
        self._pause()
        if not self.busy:
            self.busy = True
            self._turns.run(lambda: self._tell_end(reason))

    def _tell_end(self, reason: str) -> None:
        self.busy = False
        if self._flying:  # the last one of them tells
            return
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.on_end(reason)
