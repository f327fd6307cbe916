"""The Socket.IO server of an application: Flask-SocketIO with our options, engine and rooms, strict about packets.

Imports errors, origins, settings, the codec and the rest of the transport.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import socketio
from engineio.payload import Payload
from flask import Flask, Request
from flask_socketio import SocketIO
from gevent.monkey import is_module_patched
from socketio import packet

from .. import codec
from ..origins import Origins
from ..redis_url import parse_redis_url
from ..settings import Settings
from ..tally import Tally
from .adoption import adopt, bring_back, keep_for_itself
from .connection import LiveSocket
from .engine import LiveEngine
from .handshakes import Handshakes
from .mail import Post
from .packets import RESERVED, MalformedPacket, StrictPacket, byte_length, plain_event
from .rooms import LiveManager, LiveRedisManager, pack

logger = logging.getLogger(__name__)

# For python-engineio's own server: a polling request of more packets is dropped and answered with 200 (JavaScript
# clients send all they have in one); its bytes are bounded anyway.
Payload.max_decode_packets = 1_000_000


def _says_nothing_of_clients(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("received event")


# python-socketio, if its logger is turned up, repeats the names of events, which clients make up; our own says them
logging.getLogger("socketio.server").addFilter(_says_nothing_of_clients)


class SocketIOEmitter:
    """The sockets of this worker, as a live session reaches them: never by way of the message queue."""

    def __init__(self, sio: SocketIO, namespace: str = "/") -> None:
        self._sio = sio
        self._namespace = namespace

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        LiveManager.emit(self._sio.server.manager, event, payload, self._namespace, to, skip)

    def let_next(self, eio_sid: str) -> None:
        connection = self._sio.server.eio.sockets.get(eio_sid)
        if isinstance(connection, LiveSocket):
            connection.let_next()

    def request(self, sid: str) -> Request | None:
        """The handshake's request, made for whoever asks; ``None`` when the socket has ended."""
        environ = self._sio.server.get_environ(sid, namespace=self._namespace)
        return environ["flask.app"].request_class(environ) if environ else None

    def enter(self, sid: str, room: str) -> None:
        if self._is_here(sid):
            self._sio.server.enter_room(sid, room, namespace=self._namespace)

    def leave(self, sid: str, room: str) -> None:
        if self._is_here(sid):
            self._sio.server.leave_room(sid, room, namespace=self._namespace)

    def _is_here(self, sid: str) -> bool:
        # one that has ended is in no room; python-socketio would look for it on other workers, and wait for Redis
        return bool(self._sio.server.manager.is_connected(sid, self._namespace))


def make_socketio(
    app: Flask, settings: Settings, origins: Origins, tally: Tally, given: SocketIO | None = None
) -> SocketIO:
    """The Flask-SocketIO object of one application: a fresh one, or that which the application has.

    One object for two applications would lose handlers, and options that it does not know it ignores.

    :raises TypeError: what was given is none.
    :raises ValueError: the one that was given has options that contradict ours, handlers in the classroom's namespace,
        or another application.
    """
    if given is not None and not isinstance(given, SocketIO):
        raise TypeError(f"socketio={given!r} is no SocketIO object; give the one of your app: socketio = SocketIO(app)")
    _look_at_the_worker()
    live = is_module_patched("socket")
    engine: dict[str, Any] = {
        "async_mode": "gevent" if live else "threading",
        "cors_allowed_origins": origins.allowed,
        "ping_interval": settings.ping_interval,
        "ping_timeout": settings.ping_timeout,
        "max_http_buffer_size": settings.max_packet_bytes,
        "json": codec.Json,
    }
    sio = given or SocketIO()
    had = adopt(sio, app)
    sio.init_app(
        app,
        async_handlers=False,  # two events of one client are handled in the order sent
        manage_session=False,
        serializer=type(StrictPacket.__name__, (StrictPacket,), {"home": settings.namespace}),
        client_manager=_manager(settings),
        logger=_quiet("socketio.server"),
        engineio_logger=_quiet("engineio.server"),
        **engine,
    )
    bring_back(sio.server, had)
    keep_for_itself(sio.server, settings.namespace)
    sio.server.manager.count_in(tally)
    if live:
        _go_live(sio.server, settings, engine)
    else:  # python-engineio's own waits until the client has fetched all that is queued
        sio.server.eio.disconnect = lambda eio_sid: _drop(sio, eio_sid)
    _answer_connects(sio.server)
    _end_disconnects(sio.server)
    return sio


def _look_at_the_worker() -> None:
    """``gunicorn shop:app``, as one is used to, starts as if all were well, and then no socket gets through."""
    if "SERVER_SOFTWARE" in os.environ and f"{__package__}.worker" not in sys.modules:  # gunicorn's master sets it
        logger.warning(
            "gunicorn has another worker class than ours: there is no WebSocket with it, and long-polling fails. Start "
            "it with --config python:classwaves.gunicorn_conf"
        )


def _quiet(name: str) -> logging.Logger:
    """The logger that python-socketio would take, for what should not have happened, without a handler of its own.

    What it writes to stderr by itself would be there twice, once in a shape that nobody's configuration has chosen.
    """
    found = logging.getLogger(name)
    if found.level == logging.NOTSET:
        found.setLevel(logging.ERROR)
    return found


def connect_workers(sio: SocketIO, post: Post) -> None:
    """Let requests for connections of other machines' workers travel by this post."""
    if isinstance(sio.server.eio, LiveEngine):
        sio.server.eio.post = post


def _manager(settings: Settings) -> LiveManager:
    if settings.store_kind == "redis":  # for the shop's own emits; the classroom's do not use it
        return LiveRedisManager(parse_redis_url(settings.redis_url).queue(), channel="flask-socketio")
    return LiveManager()


def _go_live(server: Any, settings: Settings, options: dict[str, Any]) -> None:
    """Give a server our engine, in place of the one that Flask-SocketIO has just made."""
    engine = LiveEngine(
        max_backlog=settings.max_backlog_bytes,
        connect_timeout=settings.connect_timeout,
        async_handlers=False,
        **options,
    )
    engine.handlers = server.eio.handlers
    engine.tally = server.manager.tally
    engine.is_admitted = server.manager.is_admitted
    server.eio = engine
    server.environ = Handshakes()

    def send_packet(eio_sid: str, pkt: Any) -> None:
        if (connection := engine.sockets.get(eio_sid)) is not None:
            for packed in pack(pkt):
                connection.deliver(packed)

    server._send_packet = send_packet


def _drop(sio: SocketIO, eio_sid: str) -> None:
    close_transport(sio, eio_sid)
    sio.server.eio.sockets.pop(eio_sid, None)


def _answer_connects(server: Any) -> None:
    """Each CONNECT gets an answer, as the protocol has it, and whoever went away meanwhile is not let in."""
    inner = server._handle_connect

    def refuse(eio_sid: str, namespace: str, message: str) -> None:
        data = {"message": message}
        server._send_packet(eio_sid, StrictPacket(packet.CONNECT_ERROR, data=data, namespace=namespace))

    def handle_connect(eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        if namespace not in {*server.handlers, *server.namespace_handlers, *server.namespaces}:
            return refuse(eio_sid, namespace, "Invalid namespace")
        if server.manager.sid_from_eio_sid(eio_sid, namespace):
            return refuse(eio_sid, namespace, "Already connected")
        if eio_sid not in server.environ:
            return None
        try:
            inner(eio_sid, namespace, data)
        except Exception:
            logger.exception("a connect handler failed")
            server.manager.tally.fail("connect")
            server.manager.disconnect(server.manager.sid_from_eio_sid(eio_sid, namespace), namespace, ignore_queue=True)
            refuse(eio_sid, namespace, "Internal error")
        if eio_sid not in server.environ:
            server._handle_disconnect(eio_sid, namespace, server.reason.TRANSPORT_CLOSE)
        return None

    server._handle_connect = handle_connect


def _end_disconnects(server: Any) -> None:
    """A disconnect handler that fails leaves nobody behind in the rooms."""
    inner = server._handle_disconnect

    def handle_disconnect(eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        sid = server.manager.sid_from_eio_sid(eio_sid, namespace or "/")
        try:
            inner(eio_sid, namespace, reason)
        except Exception:
            logger.exception("a disconnect handler failed")
            server.manager.tally.fail("disconnect")
            server.manager.disconnect(sid, namespace or "/", ignore_queue=True)

    server._handle_disconnect = handle_disconnect


def register_classroom(server: Any, namespace: Any) -> None:
    """Put the classroom's handler where nobody else may have one."""
    server.namespace_handlers[namespace.namespace] = namespace
    namespace._set_server(server)


def greet_after_connect(sio: SocketIO, on_connected: Callable[[str], None], home: str) -> None:
    """Call with the id of each socket of a namespace once its client has been sent the answer to its CONNECT.

    Connect handlers run before that answer, which has to be the first that a client hears.
    """
    server = sio.server
    inner = server._handle_connect

    def handle_connect(eio_sid: str, namespace: str | None, data: Any) -> None:
        before = server.manager.sid_from_eio_sid(eio_sid, home)
        inner(eio_sid, namespace, data)
        sid = server.manager.sid_from_eio_sid(eio_sid, home)
        if sid is not None and sid != before and server.manager.is_connected(sid, home):
            on_connected(sid)

    server._handle_connect = handle_connect


def guard_messages(
    sio: SocketIO,
    on_oversize: Callable[[str, int], None],
    on_malformed: Callable[[str], dict[str, Any] | None],
    max_event_bytes: int,
) -> None:
    """Put a guard before python-socketio's handling of Engine.IO messages.

    :param on_oversize: called with the Engine.IO id and the size before a packet of more than ``max_event_bytes``, and
        with 0 after it.
    :param on_malformed: called with the Engine.IO id of who sent what is no packet; what it returns is acked.
    """
    server = sio.server
    home = server.packet_class.home

    def handle(eio_sid: str, data: Any) -> None:
        if not data and eio_sid not in server._binary_packet:
            raise MalformedPacket("nothing")
        if data[:1] != "0" and not server.manager.is_admitted(eio_sid):
            raise MalformedPacket("something else before CONNECT")
        if eio_sid not in server._binary_packet and (event := plain_event(data)):
            if home != "/" and event[1][0] in RESERVED:  # a handler of the shop would be called
                raise MalformedPacket("a name that is not for events")
            server._handle_event(eio_sid, None, *event)
        elif eio_sid not in server._binary_packet and data[:1] in ("5", "6"):
            begin(eio_sid, server.packet_class(encoded_packet=data))
        else:
            server._handle_eio_message(eio_sid, data)

    def begin(eio_sid: str, pkt: StrictPacket) -> None:
        """Wait for a packet's attachments, which python-socketio refuses with an error that its caller would log."""
        if not server.manager.sid_from_eio_sid(eio_sid, pkt.namespace or "/"):
            raise MalformedPacket("attachments for a namespace that the client is not in")
        server._binary_packet[eio_sid] = pkt

    def on_message(eio_sid: str, data: Any) -> None:
        begun = server._binary_packet.get(eio_sid)
        size = byte_length(data) + (begun.size if begun else 0)
        if size > max_event_bytes:
            on_oversize(eio_sid, size)
        try:
            handle(eio_sid, data)
        except MalformedPacket as error:
            server._binary_packet.pop(eio_sid, None)  # or it would take whatever comes for its attachments
            ack = on_malformed(eio_sid)
            if ack and error.ack_id is not None:
                server._send_packet(
                    eio_sid, server.packet_class(packet.ACK, id=error.ack_id, data=[ack], namespace=home)
                )
            if begun and isinstance(data, str):
                on_message(eio_sid, data)  # its attachments did not come; this is a packet of its own
        finally:
            if size > max_event_bytes:
                on_oversize(eio_sid, 0)

    server.eio.on("message", on_message)


def close_transport(sio: SocketIO, eio_sid: str) -> None:
    """End a connection at the Engine.IO level, upon which the JavaScript client comes back with its backoff."""
    if engine_socket := sio.server.eio.sockets.get(eio_sid):
        engine_socket.close(wait=False, reason=socketio.Server.reason.SERVER_DISCONNECT)
