"""The Engine.IO server (protocol 4): handshakes, polling and upgrades over HTTP, with its documented errors.

Imports the tally, the connection, door, far, packed, turns, websocket and wheel. python-engineio's server is the base:
what python-socketio and Flask-SocketIO ask of it stays as it is.

The id of a connection begins with the name of the worker that has it. A request that reaches another worker is handed
over to that one if it is on the same machine, or travels by mail (see ``door`` and ``far``).
"""

from __future__ import annotations

import logging
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import engineio
import gevent

from .. import codec
from ..errors import StoreUnavailable
from ..tally import Tally
from . import HAND_OVER_KEY, UPGRADE_KEY
from .connection import InvalidPacket, LiveSocket, Probe
from .door import NAME, Gone, NotHere
from .far import BAD, TOO_LARGE, WELL, Answer, Relay
from .mail import Post
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
Response = tuple[str, Headers, bytes]
"""Status, headers and body of an answer; no status if the connection is another's now: a WebSocket's, or a worker's."""

#: A body that no client may send.
NO_TEXT = b"\xff"
#: On every answer: it is kept nowhere, and is no page or script whatever is in it.
GUARDS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
TEXT = [("Content-Type", "text/plain; charset=UTF-8")]


class Refused(Exception):
    """A request that is answered with an error of Engine.IO."""

    def __init__(self, code: int, why: str = "") -> None:
        super().__init__(ERRORS[code])
        self.code = code
        #: What it is counted as.
        self.why = why or ERRORS[code].lower()


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
        self.tally = Tally()
        #: How many connections were dropped, by reason.
        self.dropped: Counter[str] = Counter()
        #: Whether a connection is in a namespace, or on its way in. Socket.IO's to say.
        self.is_admitted: Callable[[str], bool] = lambda sid: True
        #: Whether this worker ends, and takes no new connections.
        self.draining = False
        #: What carries mail to workers of other machines; ``None`` where there are none.
        self.post: Post | None = None
        self.relay: Relay | None = None

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
            self.tally.fail("message")

    def count_drop(self, reason: str) -> None:
        """A connection is dropped, which is told once for each reason."""
        if not self.dropped[reason]:
            logger.warning("a connection was dropped: %s (more of these are only counted)", reason)
        self.dropped[reason] += 1

    def census(self) -> tuple[dict[str, int], int]:
        """How many connections there are by transport, and how many bytes wait for all of them."""
        websockets = waiting = 0
        for socket in self.sockets.values():  # nothing here lets others run
            if socket.outbox is None:
                waiting += socket.waiting
            else:
                websockets += 1
                waiting += socket.outbox.size
        return {"websocket": websockets, "polling": len(self.sockets) - websockets}, waiting

    # HTTP

    def handle_request(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """The WSGI application under ``/socket.io/``."""
        try:
            status, headers, body = self._answer(environ)
        except Refused as refused:
            self.tally.refuse(refused.why)
            status, headers = "400 Bad Request", [("Content-Type", "application/json")]
            body = codec.dumps({"code": refused.code, "message": str(refused)})
        if not status:
            return []
        if len(body) >= self.compression_threshold and self.http_compression:
            headers, body = self._compressed(environ, headers, body)
        start_response(status, [*headers, *GUARDS, *self._cors_headers(environ)])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Response:
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
            return self._handshake(environ, query, method)
        socket = self.sockets.get(query["sid"])
        if socket is None:
            return self._elsewhere(environ, query, method)
        if transport == "websocket":
            return self._probe(environ, socket)
        return _response(method, self.serve(socket, method, query.get("t", ""), lambda: self._body(environ)))

    # connections that other workers have

    def _elsewhere(self, environ: dict[str, Any], query: dict[str, str], method: str) -> Response:
        """A connection that is not here: whoever has it answers."""
        sid = query["sid"]
        hand_over, owner = environ.get(HAND_OVER_KEY), sid[:8]
        if hand_over is None or owner == hand_over.name or not NAME.fullmatch(owner):
            raise Refused(1)
        try:
            hand_over.to(owner)
        except NotHere:
            if self._relay(hand_over.name) is None:
                raise Refused(1) from None
        except Gone:
            raise Refused(1) from None
        else:
            return "", [], b""
        if query["transport"] == "websocket":
            return self._tunnel(environ, owner, sid)
        body = self._sent(environ) if method == "POST" else b""
        answer = self.relay.ask(owner, sid, method, query.get("t", ""), body)  # type: ignore[union-attr]
        return _response(method, answer)

    def _relay(self, name: str) -> Relay | None:
        """This worker's relay, made with the first request, which tells the name; ``None`` where there is no other."""
        if self.relay is None and self.post is not None:
            self.relay = Relay(self, self.post, name)
            self.turns.run(self._open_relay)
        return self.relay

    def _open_relay(self) -> None:
        """Until it is open, those who ask from other machines are told that there is no such connection."""
        while self.relay is not None:
            try:
                return self.relay.open()
            except StoreUnavailable:
                gevent.sleep(1)

    def _tunnel(self, environ: dict[str, Any], owner: str, sid: str) -> Response:
        upgrade = environ.pop(UPGRADE_KEY, None)
        if upgrade is None:
            raise Refused(3)
        if upgrade.problem:
            return (*upgrade.problem, b"")
        if not self.relay.tunnel(owner, sid, lambda end: self._accept(upgrade, end)):  # type: ignore[union-attr]
            raise Refused(3)
        return "", [], b""

    def _sent(self, environ: dict[str, Any]) -> bytes:
        """The body for another worker; one that is too large or does not come ends the connection, as it would here."""
        try:
            return self._body(environ)
        except (TooLarge, OSError):
            return NO_TEXT

    def _check_origin(self, environ: dict[str, Any]) -> None:
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or self.cors_allowed_origins == []:
            return
        allowed = self._cors_allowed_origins(environ)
        if allowed is not None and origin not in allowed:
            raise Refused(3, "origin")

    def _handshake(self, environ: dict[str, Any], query: dict[str, str], method: str) -> Response:
        transport = query["transport"]
        if method != "GET":
            raise Refused(2)
        upgrade = environ.pop(UPGRADE_KEY, None)
        if transport == "websocket":
            if upgrade is None:
                raise Refused(3)
            if upgrade.problem:
                return (*upgrade.problem, b"")
        sid = self._new_id(environ)
        socket = self.sockets[sid] = LiveSocket(self, sid, query.get("t", ""))
        self._trigger_event("connect", sid, environ)
        opened = self._open_packet(sid, transport)
        self.tally.open(transport)
        if transport == "polling":
            return "200 OK", TEXT, opened
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
            traffic=self.tally.traffic["websocket"],
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

    def _new_id(self, environ: dict[str, Any]) -> str:
        sid: str = self.generate_id()
        hand_over = environ.get(HAND_OVER_KEY)
        if hand_over is None:
            return sid
        if relay := self._relay(hand_over.name):
            relay.is_open()  # the next request may reach another machine
        return str(hand_over.name) + sid

    def _probe(self, environ: dict[str, Any], socket: LiveSocket) -> Response:
        upgrade = environ.pop(UPGRADE_KEY, None)
        if upgrade is None:
            raise Refused(3)
        if upgrade.problem:
            return (*upgrade.problem, b"")
        if not self.probe(socket, lambda probe: self._accept(upgrade, probe)):
            raise Refused(3)
        return "", [], b""

    def probe(self, socket: LiveSocket, make: Callable[[Any], Any]) -> bool:
        """Try a WebSocket that ``make`` makes for a receiver; false if the connection has, or tries, one already."""
        if socket.upgraded or socket.upgrading:
            return False
        probe = socket.probe = Probe(socket)
        probe.websocket = make(probe)
        probe.websocket.expire(self.connect_timeout)
        return True

    def serve(self, socket: LiveSocket, method: str, stamp: str, read: Callable[[], bytes]) -> Answer:
        """Handle a polling request, whose ``t`` is ``stamp`` and whose body ``read`` gives. May wait."""
        if socket.upgraded or method not in ("GET", "POST"):
            return BAD, b""
        if method == "GET":
            body = socket.poll(stamp)
            self.tally.traffic["polling"].sent += len(body or b"")
            return (BAD, b"") if body is None else (WELL, body)
        try:
            socket.post(lambda: self._checked(read()))
        except TooLarge:
            self.tally.refuse("too large")
            return TOO_LARGE, b""
        except (InvalidPacket, OSError) as error:
            logger.info("a polling request was refused: %s", error)
            self.tally.traffic["polling"].broken += 1
            return BAD, b""
        return WELL, b"ok"

    def _checked(self, body: bytes) -> bytes:
        self.tally.traffic["polling"].received += len(body)
        if len(body) > self.max_http_buffer_size:
            raise TooLarge("the body is too large")
        return body

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


def _response(method: str, answer: Answer) -> Response:
    code, body = answer
    if code == TOO_LARGE:
        return "413 Content Too Large", [], b""
    if code != WELL:
        raise Refused(code)
    return "200 OK", TEXT if method == "GET" else [("Content-Type", "text/html")], body


def _query(environ: dict[str, Any]) -> dict[str, str]:
    pairs = urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    query = dict(pairs)
    if len({name for name, _ in pairs} & {"EIO", "transport", "sid"}) < sum(
        name in ("EIO", "transport", "sid") for name, _ in pairs
    ):
        raise Refused(3)
    return query
