"""The classroom's namespace of Flask-SocketIO: tokens checked on connect, events into the pipeline, departures noted.

Imports what the pipeline imports, auth and transport.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import Namespace, SocketIO

from .addresses import source
from .auth.tokens import Tokens, bearer
from .connections import Connection
from .errors import ClassWavesError
from .hub import BUSY, Hub
from .limits import RateLimits
from .models import Principal
from .pipeline import Pipeline
from .tally import OTHER, add
from .transport.server import close_transport

logger = logging.getLogger(__name__)

#: What ``connect_error`` says; anything else that keeps a client out may pass, and closes the transport instead.
REFUSALS = {
    "AUTH_REQUIRED": "Authentication required",
    "SESSION_EXPIRED": "Session expired",
    "INVALID_TOKEN": "Invalid authentication token",
    "TOKEN_EXPIRED": "Invalid authentication token",
}


class ClassroomNamespace(Namespace):  # type: ignore[misc] # flask-socketio has no types
    """Every socket of the classroom on this worker."""

    def __init__(self, app: Flask, sio: SocketIO, tokens: Tokens, limits: RateLimits, path: str) -> None:
        super().__init__(path)
        self._app = app
        self._sio = sio
        self._tokens = tokens
        self._limits = limits
        self.connections: dict[str, Connection] = {}
        self._by_transport: dict[str, str] = {}
        #: Whether comings and goings are counted here, because the transport below does not.
        self.counts = False
        self.hub: Hub
        self.pipeline: Pipeline

    def bind(self, hub: Hub, pipeline: Pipeline) -> None:
        """The hub needs the namespace and the namespace the hub: this closes the circle."""
        self.hub, self.pipeline = hub, pipeline

    def trigger_event(self, event: str, sid: str, *args: Any) -> Any:
        """Everything comes through here. A client can send an event *named* ``connect``: that is an unknown event."""
        manager = self._sio.server.manager
        if event in ("connect", "disconnect") and not manager.is_connected(sid, self.namespace):
            return self._connect(sid, *args) if event == "connect" else self._disconnect(sid, *args)
        connection = self.connections.get(sid)
        if connection is None:  # disconnected while the event was on its way
            return None
        with self._app.app_context():
            return self.pipeline.handle(connection, event, args)

    def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> bool | None:
        eio_sid = self._sio.server.manager.eio_sid_from_sid(sid, self.namespace)
        address = str(environ.get("REMOTE_ADDR", ""))
        try:
            with self._app.app_context():
                principal = self.authenticate(environ, auth, address)
        except ClassWavesError as error:
            if error.code in REFUSALS:
                add(self.hub.tally.auth_failures, (error.code, "connect"))
                raise Refused(REFUSALS[error.code], {"code": error.code, "message": error.message}) from None
            logger.warning("a connection was closed: %s", error.code)
            self.hub.tally.refuse(f"connect: {error.code}")
        except Exception:  # python-socketio would leave the client without an answer
            logger.exception("a connection attempt failed")
            self.hub.tally.fail("connect")
        else:
            self.hub.start()
            self.connections[sid] = Connection(sid, eio_sid, principal, address)
            self._by_transport[eio_sid] = sid
            if self.counts:
                self.hub.tally.open(OTHER)
            return None
        close_transport(self._sio, eio_sid)
        return False

    def connected(self, sid: str) -> None:
        """The client has the answer to its CONNECT, before which it must not be told anything."""
        if connection := self.connections.get(sid):
            self.hub.watch.admit(connection)

    def authenticate(self, environ: dict[str, Any], auth: Any, address: str) -> Principal:
        """Who the token of a handshake speaks for, who then has one more connection.

        :raises ClassWavesError: nobody, or not now.
        """
        given = auth.get("token") if isinstance(auth, dict) else None
        token = given or bearer(environ.get("HTTP_AUTHORIZATION"))
        # whoever is refused may show another token on the same connection, each of which is checked
        self._limits.hit("handshake", "token", source(address))
        if not token:
            raise ClassWavesError("AUTH_REQUIRED")
        principal = self._tokens.check(token)
        self._limits.hit("connect", source(address), principal.user_id)
        self._limits.enter(source(address), principal.user_id)
        return principal

    def _disconnect(self, sid: str, reason: str | None = None) -> None:
        """Runs wherever the end of the socket was noticed, so it must not wait: the scheduler does the rest."""
        connection = self.connections.pop(sid, None)
        if connection is not None:
            self._by_transport.pop(connection.eio_sid, None)
            if self.counts:
                self.hub.tally.disconnect(reason)
            self._limits.leave(source(connection.address), connection.principal.user_id)
            self.hub.watch.forget(connection)
            self.hub.scheduler.after(0, lambda: self._detach(connection))

    def _detach(self, connection: Connection) -> None:
        if not connection.lock.acquire(blocking=False):  # an event of it is handled; the scheduler has more to do
            self.hub.scheduler.after(BUSY, lambda: self._detach(connection))
            return
        try:
            connection.closed = True
            seats, connection.seats = connection.seats, {}
            for live in seats.values():
                live.remove(connection.sid)
        finally:
            connection.lock.release()
        for live in seats.values():
            self.hub.depart(connection, live, self.hub.settings.disconnect_grace)

    # called by the transport's guard

    def note_size(self, eio_sid: str, size: int) -> None:
        """How large the packet being handled is, for the pipeline's first check."""
        if connection := self.connections.get(self._by_transport.get(eio_sid, "")):
            connection.packet_bytes = size

    def refuse_packet(self, eio_sid: str) -> dict[str, Any] | None:
        """Answer what is no packet, and keep the connection; one that has not even connected is closed."""
        self.hub.tally.refuse("no packet")
        if connection := self.connections.get(self._by_transport.get(eio_sid, "")):
            return self.pipeline.refuse(
                connection, ClassWavesError("INVALID_PAYLOAD", "This is not a Socket.IO packet")
            )
        logger.info("a client that had not connected sent no packet, and was closed")
        close_transport(self._sio, eio_sid)
        return None

    # called by the hub

    def check(self, token: str) -> Principal:
        """Who an access token speaks for. :raises ClassWavesError: nobody."""
        return self._tokens.check(token)

    def end(self, connection: Connection, error: ClassWavesError) -> None:
        """Tell a socket why, and disconnect it."""
        self.pipeline.refuse(connection, error)
        self._sio.server.disconnect(connection.sid, namespace=self.namespace, ignore_queue=True)

    def open_connections(self) -> list[Connection]:
        return list(self.connections.values())
