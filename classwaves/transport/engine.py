"""The Engine.IO server (protocol 4): handshakes, polling and upgrades over HTTP, with its documented errors.

Imports the connection, packed, turns, websocket and wheel. python-engineio's server is the base: what python-socketio
and Flask-SocketIO ask of it stays as it is.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import engineio

from .. import codec
from . import UPGRADE_KEY
from .connection import InvalidPacket, LiveSocket, Probe
from .packed import Packed
from .turns import Turns
from .websocket import WebSocket
from .wheel import Wheel

logger = logging.getLogger(__name__)

#: The errors of the handshake, as Engine.IO 4 numbers them.
ERRORS = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    5: "Unsupported protocol version",
}

Start = Callable[[str, list[tuple[str, str]]], Any]
Headers = list[tuple[str, str]]


class Refused(Exception):
    """A request that is answered with an error of Engine.IO."""

    def __init__(self, code: int) -> None:
        super().__init__(ERRORS[code])
        self.code = code


class TooLarge(InvalidPacket):
    """More than may come in one request."""


class LiveEngine(engineio.Server):  # type: ignore[misc] # python-engineio has no types
    """Serves connections without a greenlet each.

    :param max_backlog: how many bytes may wait for one client.
    :param connect_timeout: how long a client may take until it is in a namespace, in seconds.
    """

    def __init__(self, *, max_backlog: int, connect_timeout: float, **options: Any) -> None:
        super().__init__(**options, monitor_clients=False)
        self.max_backlog = max_backlog
        self.connect_timeout = connect_timeout
        self.turns = Turns()
        self.wheel = Wheel(tick=min(1.0, min(self.ping_interval, self.ping_timeout, connect_timeout) / 20))
        #: How many connections were dropped, by reason.
        self.dropped: Counter[str] = Counter()
        #: Whether a connection is in a namespace, or on its way in. Socket.IO's to say.
        self.is_admitted: Callable[[str], bool] = lambda sid: True

    # what python-socketio calls

    def send_packet(self, sid: str, pkt: Any) -> None:
        if (socket := self.sockets.get(sid)) is not None:
            socket.send(pkt)

    def disconnect(self, sid: str | None = None) -> None:
        for socket in [self.sockets.get(sid)] if sid is not None else list(self.sockets.values()):
            if socket is not None:
                socket.close(reason=self.reason.SERVER_DISCONNECT)

    # what connections call

    def receive(self, sid: str, data: str | bytes) -> None:
        """Hand a message to python-socketio. Whatever a handler raises, the next message comes."""
        try:
            self.handlers["message"](sid, data)
        except Exception:
            logger.exception("a message was not handled")

    def count_drop(self, reason: str) -> None:
        """A connection is dropped, which is told once for each reason."""
        if not self.dropped[reason]:
            logger.warning("a connection was dropped: %s (more of these are only counted)", reason)
        self.dropped[reason] += 1

    # HTTP

    def handle_request(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """The WSGI application under ``/socket.io/``."""
        try:
            status, headers, body = self._answer(environ)
        except Refused as refused:
            status, headers = "400 Bad Request", [("Content-Type", "application/json")]
            body = codec.dumps({"code": refused.code, "message": str(refused)})
        if not status:
            return []
        if len(body) >= self.compression_threshold and self.http_compression:
            headers, body = self._compressed(environ, headers, body)
        start_response(status, [*headers, ("Cache-Control", "no-store"), *self._cors_headers(environ)])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, Headers, bytes]:
        """The status, headers and body of an answer; no status if the connection is a WebSocket now."""
        self._check_origin(environ)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return "200 OK", [], b""
        query = _query(environ)
        if query.get("EIO") != "4":
            raise Refused(5)
        transport = query.get("transport", "")
        if transport not in self.transports:
            raise Refused(0)
        if "sid" not in query:
            return self._handshake(environ, method, transport)
        socket = self.sockets.get(query["sid"])
        if socket is None:
            raise Refused(1)
        if transport == "websocket":
            return self._probe(environ, socket)
        if socket.upgraded or method not in ("GET", "POST"):
            raise Refused(3)
        return self._poll(socket) if method == "GET" else self._post(environ, socket)

    def _check_origin(self, environ: dict[str, Any]) -> None:
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or self.cors_allowed_origins == []:
            return
        allowed = self._cors_allowed_origins(environ)
        if allowed is not None and origin not in allowed:
            logger.info("a request from an origin that is not allowed was refused")
            raise Refused(3)

    def _handshake(self, environ: dict[str, Any], method: str, transport: str) -> tuple[str, Headers, bytes]:
        if method != "GET":
            raise Refused(2)
        upgrade = environ.pop(UPGRADE_KEY, None)
        if transport == "websocket":
            if upgrade is None:
                raise Refused(3)
            if upgrade.problem:
                return (*upgrade.problem, b"")
        sid = self.generate_id()
        socket = self.sockets[sid] = LiveSocket(self, sid)
        self._trigger_event("connect", sid, environ)
        opened = self._open_packet(sid, transport)
        if transport == "polling":
            return "200 OK", [("Content-Type", "text/plain; charset=UTF-8")], opened
        websocket = self._accept(upgrade, socket, Packed(opened).frame)
        socket.begin(websocket)
        return "", [], b""

    def _accept(self, upgrade: Any, receiver: Any, first: bytes = b"") -> WebSocket:
        sock, answer, early = upgrade.accept()
        websocket = WebSocket(
            sock,
            early,
            receiver,
            limit=self.max_http_buffer_size,
            backlog=self.max_backlog,
            turns=self.turns,
            wheel=self.wheel,
        )
        websocket.outbox.write(answer + first)  # one send, one wake-up of the client
        return websocket

    def _open_packet(self, sid: str, transport: str) -> bytes:
        return b"0" + codec.dumps(
            {
                "sid": sid,
                "upgrades": ["websocket"] if transport == "polling" and "websocket" in self.transports else [],
                "pingInterval": round(self.ping_interval * 1000),
                "pingTimeout": round(self.ping_timeout * 1000),
                "maxPayload": self.max_http_buffer_size,
            }
        )

    def _probe(self, environ: dict[str, Any], socket: LiveSocket) -> tuple[str, Headers, bytes]:
        upgrade = environ.pop(UPGRADE_KEY, None)
        if upgrade is None or socket.upgraded or socket.upgrading:
            raise Refused(3)
        if upgrade.problem:
            return (*upgrade.problem, b"")
        probe = socket.probe = Probe(socket)
        probe.websocket = self._accept(upgrade, probe)
        probe.websocket.expire(self.connect_timeout)
        return "", [], b""

    def _poll(self, socket: LiveSocket) -> tuple[str, Headers, bytes]:
        body = socket.poll()
        if body is None:
            raise Refused(3)
        return "200 OK", [("Content-Type", "text/plain; charset=UTF-8")], body

    def _post(self, environ: dict[str, Any], socket: LiveSocket) -> tuple[str, Headers, bytes]:
        try:
            socket.post(lambda: self._body(environ))
        except TooLarge:
            return "413 Content Too Large", [], b""
        except (InvalidPacket, OSError) as error:
            logger.info("a polling request was refused: %s", error)
            raise Refused(3) from None
        return "200 OK", [("Content-Type", "text/html")], b"ok"

    def _body(self, environ: dict[str, Any]) -> bytes:
        """The body of a request. :raises TooLarge: it is; one that says so is not even read."""
        limit, length = self.max_http_buffer_size, int(environ.get("CONTENT_LENGTH") or 0)
        if "HTTP_TRANSFER_ENCODING" in environ:
            length = limit + 1
        elif length > limit:
            raise TooLarge("the body is too large")
        body: bytes = environ["wsgi.input"].read(length)
        if len(body) > limit:
            raise TooLarge("the body is too large")
        return body

    def _compressed(self, environ: dict[str, Any], headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "").split(",")
        for coding in [part.split(";")[0].strip() for part in accepted]:
            if coding in self.compression_methods:
                return [*headers, ("Content-Encoding", coding)], getattr(self, "_" + coding)(body)
        return headers, body


def _query(environ: dict[str, Any]) -> dict[str, str]:
    pairs = urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    query = dict(pairs)
    if len({name for name, _ in pairs} & {"EIO", "transport", "sid"}) < sum(
        name in ("EIO", "transport", "sid") for name, _ in pairs
    ):
        raise Refused(3)
    return query
