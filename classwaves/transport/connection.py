"""One Engine.IO connection (protocol 4): its heartbeat, its polling requests, its way to WebSocket, its end.

Imports packed, turns, websocket and wheel.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent.event import Event

from .packed import CLOSE, NOOP, PING, PROBE_ANSWER, Packed
from .turns import Slice
from .websocket import GOODBYE, WebSocket
from .wheel import Timed

if TYPE_CHECKING:
    from .engine import LiveEngine
    from .far import FarWebSocket

logger = logging.getLogger(__name__)

SEPARATOR = b"\x1e"


class InvalidPacket(ValueError):
    """Not a packet that a client may send; the connection is to be closed."""


class LiveSocket(Timed):
    """What python-engineio calls a socket, with or without a WebSocket. Its names for what others use are kept."""

    __slots__ = (
        "_connect_by",
        "_packets",
        "_ping_at",
        "_poller",
        "_pong_by",
        "_posting",
        "_session",
        "_stamp",
        "_stamp_at_first",
        "closed",
        "closing",
        "engine",
        "outbox",
        "probe",
        "sid",
        "waiting",
        "websocket",
    )

    def __init__(self, engine: LiveEngine, sid: str, stamp: str) -> None:
        super().__init__()
        self.engine = engine
        self.sid = sid
        self.websocket: WebSocket | FarWebSocket | None = None
        self.outbox: Any = None
        self.probe: Probe | None = None
        self.closed = False
        #: Whether it is to be closed as soon as it has nothing to do.
        self.closing = False
        self._session: dict[str, Any] | None = None
        self._packets: list[Packed] = []
        #: How many bytes wait for the next GET request.
        self.waiting = 0
        self._poller: Event | None = None
        self._posting: Event | None = None
        self._stamp = self._stamp_at_first = stamp
        now = engine.wheel.now()
        self._ping_at = now + engine.ping_interval
        self._pong_by = 0.0
        self._connect_by = now + engine.connect_timeout
        self._set_timer(now)

    # what python-engineio and python-socketio ask of a socket

    @property
    def connected(self) -> bool:
        return not self.closed

    @property
    def upgraded(self) -> bool:
        return self.websocket is not None

    @property
    def upgrading(self) -> bool:
        return self.probe is not None

    @property
    def session(self) -> dict[str, Any]:
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self._session = session

    def send(self, pkt: Any) -> None:
        """Send one of python-engineio's packets."""
        data = pkt.encode()
        self.deliver(Packed(data, binary=True) if isinstance(data, bytes) else Packed(data.encode()))

    def deliver(self, packed: Packed) -> None:
        """Send a packet that is encoded already. Never waits; where too much waits already, the client is dropped."""
        if self.outbox is not None:
            self.engine.tally.traffic["websocket"].sent += len(packed.frame)
            self.outbox.write(packed.frame)
        elif not self.closed:
            if self._packets and self.waiting + len(packed.frame) > self.engine.max_backlog:
                self.on_full()
                return
            self._packets.append(packed)
            self.waiting += len(packed.frame)
            if self._poller is not None:
                self._poller.set()

    def let_next(self) -> None:
        """See :meth:`WebSocket.let_next`; polling requests are handled one after the other."""
        if self.websocket is not None:
            self.websocket.let_next()

    def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None, counted: str | None = None
    ) -> None:
        """End the connection. The disconnect handler has run when this returns.

        :param wait: nothing is waited for; python-engineio's name.
        :param abort: without a CLOSE packet, because the other side has gone or said it first.
        :param counted: the reason under which it is counted, if that is another one.
        """
        if self.closed:
            return
        if not abort:
            self.deliver(CLOSE)
        self.closed = True
        self.engine.tally.disconnect(counted or reason or self.engine.reason.SERVER_DISCONNECT)
        self.engine.wheel.cancel(self)
        self.engine.sockets.pop(self.sid, None)
        if self.websocket is not None:
            self.websocket.close()
        if self.probe is not None and (abort or not self.probe.answered):
            # once it was answered, the JavaScript client polls no more, and does not hear that the WebSocket it is to
            # use is closed: it would wait for a ping. It is closed when the client has gone over to it, or in time
            self.probe.websocket.close()
        if self._poller is not None:
            self._poller.set()
        self.engine._trigger_event("disconnect", self.sid, reason or self.engine.reason.SERVER_DISCONNECT)

    def _close_soon(self, reason: str) -> None:
        """Close from where nothing may wait."""
        self.engine.turns.run(lambda: self.close(reason=reason))

    # what the WebSocket calls

    def on_message(self, message: str | bytes) -> None:
        try:
            self.receive(message)
        except InvalidPacket as error:
            logger.info("a client sent an invalid packet, and was closed: %s", error)
            self.engine.tally.refuse("invalid packet")
            self.close(reason=self.engine.reason.TRANSPORT_ERROR)

    def on_end(self, reason: str) -> None:
        why, counted = self.engine.reason, None
        if reason == GOODBYE:  # handlers hear what Engine.IO says of it; who is on call need not look
            reason, counted = why.TRANSPORT_CLOSE, why.CLIENT_DISCONNECT
        self.close(abort=True, reason=reason, counted=counted)

    def on_full(self) -> None:
        self.engine.count_drop("slow consumer")
        self.engine.tally.slow_consumers += 1
        self._packets, self.waiting = [], 0
        self.engine.turns.run(lambda: self.close(abort=self.upgraded, reason="slow consumer"))

    def receive(self, message: str | bytes) -> None:
        """Handle one packet. :raises InvalidPacket: it is not one that a client may send now."""
        if isinstance(message, bytes):
            return self.engine.receive(self.sid, message)
        kind = message[:1]
        if kind == "4":
            self.engine.receive(self.sid, message[1:])
        elif kind == "3":
            self._on_pong()
        elif kind == "b":
            self.engine.receive(self.sid, _from_base64(message[1:]))
        elif kind == "1":
            self.close(abort=True, reason=self.engine.reason.CLIENT_DISCONNECT)
        elif kind not in ("5", "6") or not self.upgraded:  # late ones of an upgrade mean nothing any more
            raise InvalidPacket("not a packet for a server")

    # heartbeat

    def on_time(self) -> None:
        now = self.engine.wheel.now()
        if self._pong_by and now >= self._pong_by:
            if not self.busy:
                return self._close_soon(self.engine.reason.PING_TIMEOUT)
            self._pong_by = now + self.engine.ping_timeout  # it may have come, and waits behind our own work
        if self._connect_by and now >= self._connect_by:
            self._connect_by = 0.0
            if not self.busy and not self.engine.is_admitted(self.sid):
                self.engine.turns.run(self._expire)
        if not self._pong_by and now >= self._ping_at:
            self._pong_by = now + self.engine.ping_timeout
            if not self.engine.is_admitted(self.sid):  # it left all namespaces, or never came
                self._connect_by = self._connect_by or now + self.engine.connect_timeout
            self.deliver(PING)
        self._set_timer(now)

    def _expire(self) -> None:
        if not self.engine.is_admitted(self.sid):
            self.engine.count_drop("never connected")
            self.close(reason="never connected")

    @property
    def busy(self) -> bool:
        """Whether something that came is being handled."""
        return self._posting is not None or (self.websocket is not None and self.websocket.working)

    def _on_pong(self) -> None:
        if self._pong_by and not self.closed:
            self._pong_by = 0.0
            now = self.engine.wheel.now()
            self._ping_at = now + self.engine.ping_interval
            self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        due = self._pong_by or self._ping_at
        if self._connect_by:
            due = min(due, self._connect_by)
        self.engine.wheel.set(self, due - now)

    # polling

    @property
    def owing(self) -> bool:
        """Whether something waits for the next GET request."""
        return bool(self._packets)

    def poll(self, stamp: str) -> bytes | None:
        """The body of the answer to a GET request, as soon as there is something to say.

        :param stamp: the ``t`` of its address, which clients choose anew for each: browsers and aiohttp repeat a GET
            by themselves whose answer did not come, and what was in that is lost without anybody's knowing. ``""``:
            it has none, or came by a worker of a version that did not pass it on.
        :return: ``None`` if another request waits already, or an answer was lost: the connection has come to its end.
        """
        repeated = stamp not in ("", self._stamp_at_first) and stamp == self._stamp
        self._stamp = stamp
        if self._poller is not None or repeated:
            self.close(reason=self.engine.reason.TRANSPORT_ERROR)
            return None
        if not self._packets and not self.upgrading:
            self._poller = Event()
            try:
                self._poller.wait()
            finally:
                self._poller = None
        packets, self._packets, self.waiting = self._packets, [], 0
        return SEPARATOR.join([packed.polled for packed in packets or [NOOP]])

    def post(self, read: Callable[[], bytes]) -> None:
        """Handle a POST request; the answer is due when its packets have been handled.

        :param read: gives its body.
        :raises InvalidPacket: it has none, or another request is under way: the connection has come to its end.
        :raises OSError: so it has if the body did not come.
        """
        try:
            if self._posting is not None:
                raise InvalidPacket("two requests at once")
            self._posting = Event()
            try:
                self._receive_all(_texts(read()))
            finally:
                self._posting.set()
                self._posting = None
        except (InvalidPacket, OSError):
            self.close(reason=self.engine.reason.TRANSPORT_ERROR)
            raise

    def _receive_all(self, packets: list[str]) -> None:
        turn = Slice()
        for packet in packets:
            if self.closed:
                break
            self.receive(packet)
            turn.share()

    # upgrade

    def begin(self, websocket: WebSocket | FarWebSocket) -> None:
        """Use this WebSocket from now on."""
        self.websocket, self.outbox = websocket, websocket.outbox

    def take_over(self, websocket: WebSocket | FarWebSocket) -> bool:
        """Go on with this WebSocket: what waits leaves through it. Whether it is still wanted."""
        if self._posting is not None:  # what it brought came first
            self._posting.wait()
        if self.closed or self.upgraded:
            return False
        self.begin(websocket)
        self.engine.tally.upgrades += 1
        packets, self._packets, self.waiting = self._packets, [], 0
        for packed in packets:
            if packed is not NOOP:
                self.outbox.write(packed.frame)
        self.probe = None
        self.release()
        return True

    def release(self) -> None:
        """Let a waiting GET request return, with NOOP if there is nothing else."""
        if self._poller is not None:
            self._poller.set()


class Probe:
    """A WebSocket that is tried while the connection still polls."""

    def __init__(self, socket: LiveSocket) -> None:
        self._socket = socket
        #: Whether the client knows that it may go over.
        self.answered = False
        self.websocket: WebSocket | FarWebSocket

    def on_message(self, message: str | bytes) -> None:
        if message == "2probe" and not self.answered:
            self.answered = True
            self.websocket.outbox.write(PROBE_ANSWER.frame)
            self._socket.release()
        elif message == "5" and self.answered and self._socket.take_over(self.websocket):
            self.websocket.belong_to(self._socket)
        else:
            self.websocket.close()
            self.on_end("transport error")

    def on_end(self, reason: str) -> None:
        self._socket.probe = None  # polling lives on

    def on_full(self) -> None:
        self.on_end("slow consumer")


def _texts(body: bytes) -> list[str]:
    try:
        return body.decode().split("\x1e")
    except UnicodeDecodeError:
        raise InvalidPacket("text that is not UTF-8") from None


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPacket("not base64") from None
