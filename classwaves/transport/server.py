"""The Socket.IO server of an application: Flask-SocketIO with our options, strict about packets, closed to overload.

Imports errors, settings and origins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import socketio
from engineio.payload import Payload
from flask import Flask
from flask_socketio import SocketIO
from gevent.monkey import is_module_patched
from socketio import packet

from ..errors import ClassWavesError
from ..origins import Origins
from ..settings import Settings

WSGI = Callable[..., Iterable[bytes]]


# A polling request of more packets is dropped and answered with 200 (JavaScript clients send all they have in one);
# its bytes are bounded anyway.
Payload.max_decode_packets = 1_000_000

#: What one event may bring; more would be a client that makes the server wait.
MAX_ATTACHMENTS = 10


class MalformedPacket(ValueError):
    """What a client sent is not a Socket.IO packet that a client may send.

    :param ack_id: the number of the ack that the client waits for, if that much could be read.
    """

    def __init__(self, problem: str, ack_id: int | None = None) -> None:
        super().__init__(problem)
        self.ack_id = ack_id


class StrictPacket(packet.Packet):  # type: ignore[misc] # python-socketio has no types
    """A packet whose decoding fails in one way, whatever is wrong. ``size`` is what has come of it, in bytes."""

    size = 0

    def decode(self, encoded_packet: Any) -> Any:
        self.size = byte_length(encoded_packet)
        try:
            attachments = super().decode(encoded_packet)
        except Exception as error:  # ValueError, RecursionError, IndexError, ...: all mean the same
            raise self._malformed("not a Socket.IO packet") from error
        if problem := self._problem(attachments):
            raise self._malformed(problem)
        return attachments

    def _problem(self, attachments: int) -> str | None:
        kind = self.packet_type
        if kind not in (
            packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK, packet.BINARY_EVENT, packet.BINARY_ACK
        ):  # fmt: skip
            return "not a packet for a server"
        if kind in (packet.EVENT, packet.BINARY_EVENT) and not _is_event(self.data):
            return "not an event"
        if kind in (packet.ACK, packet.BINARY_ACK) and not isinstance(self.data, list):
            return "not an ack"
        least, most = (1, MAX_ATTACHMENTS) if kind in (packet.BINARY_EVENT, packet.BINARY_ACK) else (0, 0)
        return None if least <= attachments <= most else "not so many attachments"

    def add_attachment(self, attachment: Any) -> bool:
        self.size += byte_length(attachment)
        if not isinstance(attachment, bytes):
            raise self._malformed("an attachment is missing")
        try:
            return bool(super().add_attachment(attachment))
        except Exception as error:  # a placeholder with a number that no attachment has
            raise self._malformed("not a place for an attachment") from error

    def _malformed(self, problem: str) -> MalformedPacket:
        ours = self.packet_type in (packet.EVENT, packet.BINARY_EVENT) and self.namespace in (None, "/")
        return MalformedPacket(problem, self.id if ours else None)


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


def byte_length(data: str | bytes) -> int:
    """How long a message is on the wire."""
    return len(data.encode()) if isinstance(data, str) and not data.isascii() else len(data)


class SocketIOEmitter:
    """The sockets of this worker, as a live session reaches them: never by way of the message queue."""

    def __init__(self, sio: SocketIO) -> None:
        self._sio = sio

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        self._sio.server.emit(event, payload, namespace="/", room=to, skip_sid=list(skip), ignore_queue=True)

    def enter(self, sid: str, room: str) -> None:
        if self._is_here(sid):
            self._sio.server.enter_room(sid, room, namespace="/")

    def leave(self, sid: str, room: str) -> None:
        if self._is_here(sid):
            self._sio.server.leave_room(sid, room, namespace="/")

    def _is_here(self, sid: str) -> bool:
        # one that has ended is in no room; python-socketio would look for it on other workers, and wait for Redis
        return bool(self._sio.server.manager.is_connected(sid, "/"))


def make_socketio(app: Flask, settings: Settings, origins: Origins) -> SocketIO:
    """A fresh Flask-SocketIO object for one application.

    One object for two applications would lose handlers, and options that it does not know it ignores.
    """
    options: dict[str, Any] = {
        "async_mode": "gevent" if is_module_patched("socket") else "threading",
        "async_handlers": False,  # two events of one client are handled in the order sent
        "manage_session": False,
        "serializer": StrictPacket,
        "cors_allowed_origins": origins.allowed,
        "ping_interval": settings.ping_interval,
        "ping_timeout": settings.ping_timeout,
        "max_http_buffer_size": settings.max_packet_bytes,
        # a polling request that reaches another worker than the one before is lost
        "transports": ["polling", "websocket"] if settings.workers == 1 else ["websocket"],
    }
    if settings.store_kind == "redis":
        options["message_queue"] = settings.redis_url  # for the shop's own emits; the classroom's do not use it
    sio = SocketIO()
    sio.init_app(app, **options)
    engine = sio.server.eio

    def drop(eio_sid: str) -> None:
        """In place of python-engineio's own, which waits until the client has fetched all that is queued."""
        close_transport(sio, eio_sid)
        engine.sockets.pop(eio_sid, None)

    engine.disconnect = drop
    if options["async_mode"] == "gevent":
        from engineio.async_drivers.gevent import WebSocketWSGI

        class TimedWebSocket(WebSocketWSGI):  # type: ignore[misc] # python-engineio has no types
            """Shows its TCP socket, on which python-engineio sets a timeout; a silent peer would hold it for ever."""

            @property
            def socket(self) -> Any:
                return self._sock.stream.handler.socket

        engine._async = {**engine._async, "websocket": TimedWebSocket}
    return sio


def guard_messages(
    sio: SocketIO,
    on_oversize: Callable[[str, int], None],
    on_malformed: Callable[[str], dict[str, Any] | None],
) -> None:
    """Put a guard before python-socketio's handling of Engine.IO messages.

    :param on_oversize: called with the Engine.IO id and a size before each packet, and with 0 after it.
    :param on_malformed: called with the Engine.IO id of who sent what is no packet; what it returns is acked.
    """
    server = sio.server

    def handle(eio_sid: str, data: Any) -> None:
        if not data:
            raise MalformedPacket("nothing")
        server._handle_eio_message(eio_sid, data)

    def on_message(eio_sid: str, data: Any) -> None:
        begun = server._binary_packet.get(eio_sid)
        on_oversize(eio_sid, byte_length(data) + (begun.size if begun else 0))
        try:
            handle(eio_sid, data)
        except MalformedPacket as error:
            server._binary_packet.pop(eio_sid, None)  # or it would take whatever comes for its attachments
            ack = on_malformed(eio_sid)
            if ack and error.ack_id is not None:
                server._send_packet(eio_sid, server.packet_class(packet.ACK, id=error.ack_id, data=[ack]))
            if begun and isinstance(data, str):
                on_message(eio_sid, data)  # its attachments did not come; this is a packet of its own
        finally:
            on_oversize(eio_sid, 0)

    server.eio.on("message", on_message)


def close_transport(sio: SocketIO, eio_sid: str) -> None:
    """End a connection at the Engine.IO level, upon which the JavaScript client comes back with its backoff."""
    if engine_socket := sio.server.eio.sockets.get(eio_sid):
        engine_socket.close(wait=False, reason=socketio.Server.reason.SERVER_DISCONNECT)


class HandshakeGate:
    """WSGI middleware that refuses a handshake while the worker has all the connections it may have."""

    def __init__(self, app: WSGI, sio: SocketIO, settings: Settings) -> None:
        self._app = app
        self._sio = sio
        self._limit = settings.max_connections

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        handshake = environ.get("PATH_INFO", "").startswith("/socket.io/") and "sid=" not in environ.get(
            "QUERY_STRING", ""
        )
        if handshake and self._full():
            error = ClassWavesError("CONNECTION_LIMIT", retry_after_ms=5000)
            start_response("429 Too Many Requests", [("Content-Type", "application/json"), ("Retry-After", "5")])
            return [json.dumps({"error": error.to_dict()}).encode()]
        return self._app(environ, start_response)

    def _full(self) -> bool:
        sockets = self._sio.server.eio.sockets
        # python-engineio keeps closed ones for a while
        return len(sockets) >= self._limit and sum(not one.closed for one in list(sockets.values())) >= self._limit
