"""The Socket.IO server of an application: Flask-SocketIO with our options, strict about packets, closed to overload.

Imports errors, settings and origins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import socketio
from flask import Flask
from flask_socketio import SocketIO
from gevent.monkey import is_module_patched
from socketio import packet

from ..errors import ClassWavesError
from ..origins import Origins
from ..settings import Settings

WSGI = Callable[..., Iterable[bytes]]


class MalformedPacket(ValueError):
    """What a client sent is not a Socket.IO packet that a client may send."""


class StrictPacket(packet.Packet):  # type: ignore[misc] # python-socketio has no types
    """A packet whose decoding fails in one way, whatever is wrong with the text."""

    def decode(self, encoded_packet: Any) -> Any:
        try:
            attachments = super().decode(encoded_packet)
        except Exception as error:  # ValueError, RecursionError, IndexError, ...: all mean the same
            raise MalformedPacket("not a Socket.IO packet") from error
        if self.packet_type not in (
            packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK, packet.BINARY_EVENT, packet.BINARY_ACK
        ):  # fmt: skip
            raise MalformedPacket("not a packet for a server")
        if self.packet_type in (packet.EVENT, packet.BINARY_EVENT) and not _is_event(self.data):
            raise MalformedPacket("not an event")
        return attachments


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


class SocketIOEmitter:
    """The sockets of this worker, as a live session reaches them: never by way of the message queue."""

    def __init__(self, sio: SocketIO) -> None:
        self._sio = sio

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        self._sio.server.emit(event, payload, namespace="/", room=to, skip_sid=list(skip), ignore_queue=True)

    def enter(self, sid: str, room: str) -> None:
        self._sio.server.enter_room(sid, room, namespace="/")

    def leave(self, sid: str, room: str) -> None:
        self._sio.server.leave_room(sid, room, namespace="/")


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
    return sio


def guard_messages(sio: SocketIO, on_oversize: Callable[[str, int], None], on_malformed: Callable[[str], None]) -> None:
    """Put a guard before python-socketio's handling of Engine.IO messages.

    :param on_oversize: called with the Engine.IO id and a size before each packet, and with 0 after it.
    :param on_malformed: called with the Engine.IO id of who sent what is no packet.
    """
    server = sio.server

    def on_message(eio_sid: str, data: Any) -> None:
        on_oversize(eio_sid, len(data))
        try:
            server._handle_eio_message(eio_sid, data)
        except MalformedPacket:
            on_malformed(eio_sid)
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
        if handshake and len(self._sio.server.eio.sockets) >= self._limit:
            error = ClassWavesError("CONNECTION_LIMIT", retry_after_ms=5000)
            start_response("429 Too Many Requests", [("Content-Type", "application/json"), ("Retry-After", "5")])
            return [json.dumps({"error": error.to_dict()}).encode()]
        return self._app(environ, start_response)
