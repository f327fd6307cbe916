"""A shop that had a SocketIO object with handlers on ``/`` before ClassWaves, which is on ``/classroom``.

Served by gunicorn with the product's configuration, in demo mode.
"""

from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from classwaves import ClassWaves
from tests.support.gunicorn_server import Gunicorn

CONNECTED: list[Any] = []
"""What each connect handler was given."""


def make_app() -> Flask:
    """Make the application."""
    app = Flask("market")
    socketio = SocketIO(app)
    socketio.on("connect")(lambda auth=None: CONNECTED.append(auth))
    socketio.on("price")(lambda what: f"{what}: 3")
    socketio.on("connected")(lambda: len(CONNECTED))
    ClassWaves(app, namespace="/classroom")
    return app


class MarketServer(Gunicorn):
    """gunicorn with this module's application."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.market:make_app()"]
