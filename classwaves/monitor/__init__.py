"""The monitor: what all workers are doing now, for admins; a page, and the Socket.IO namespace that feeds it."""

from __future__ import annotations

from flask import Flask
from flask_socketio import SocketIO

from ..auth.tokens import Tokens
from ..hub import Hub
from ..limits import RateLimits
from ..transport.beat import LISTENERS
from ..transport.engine import LiveEngine
from ..transport.server import SocketIOEmitter
from .desk import Desk
from .namespace import PATH, Entrance, MonitorNamespace
from .page import blueprint


def open_monitor(app: Flask, sio: SocketIO, hub: Hub, tokens: Tokens, limits: RateLimits, enter: Entrance) -> None:
    """Serve the page and its namespace on an application.

    :param enter: who a handshake's token speaks for.
    """
    namespace = MonitorNamespace(app, sio, tokens, limits, enter)
    desk = Desk(hub, SocketIOEmitter(sio, PATH), namespace.end)
    namespace.bind(desk, hub)
    sio.on_namespace(namespace)
    app.register_blueprint(blueprint)
    if isinstance(sio.server.eio, LiveEngine):
        LISTENERS.append(desk)
