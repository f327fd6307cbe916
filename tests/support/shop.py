"""A shop of its own that mounts ClassWaves: a Flask application with Socket.IO handlers on its own namespaces.

Served by gunicorn with the product's configuration; the tests of the transport talk to it.
"""

import json
from typing import Any

from flask import Flask, Response, jsonify, request, session
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO, disconnect, emit, join_room, leave_room

from classwaves import ClassWaves
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.protocol import http

NAMESPACES = ("/shop", "/custom")
"""Where the same handlers are."""


class ShopServer(Gunicorn):
    """gunicorn with this module's application, without rate limits unless told otherwise."""

    def __init__(self, **env: str) -> None:
        super().__init__(env={**TEST_KEYS, "CLASSWAVES_RATELIMIT_ENABLED": "0", **env})

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.shop:make_app()"]

    def reasons(self, sid: str) -> list[str]:
        """Return why the connection of a Socket.IO id has ended: nothing yet, or one reason if all is well."""
        ended = json.loads(http(self.port, "GET", "/shop/ended").body)
        return [one["reason"] for one in ended if one["sid"] == sid]


def make_app() -> Flask:
    """Make the application as a shop does: its own routes, the extension, its own handlers."""
    app = Flask("shop")
    ClassWaves(app)
    shop = Shop(app.extensions["classwaves"].socketio)
    app.add_url_rule("/shop/ended", view_func=lambda: jsonify(shop.ended))
    app.add_url_rule("/shop/hello/<name>", view_func=hello)
    return app


def hello(name: str) -> Response:
    """Keep a name in the browser's session."""
    session["name"] = name
    return jsonify(name=name)


class Shop:
    """The handlers. ``ended`` has the sid, namespace and reason of every end of a connection."""

    def __init__(self, sio: SocketIO) -> None:
        self.sio = sio
        self.auths: dict[str, Any] = {}
        self.ended: list[dict[str, str]] = []
        for namespace in NAMESPACES:
            for name, handler in self._handlers().items():
                sio.on(name, namespace=namespace)(handler)
        sio.on("connect", namespace="/refusing")(self.refuse)
        sio.on("connect", namespace="/closed")(lambda auth=None: False)

    def _handlers(self) -> dict[str, Any]:
        return {
            "connect": self.connect,
            "disconnect": self.disconnect,
            "message": lambda *args: emit("message-back", args),
            "message-with-ack": lambda *args: args,
            "no answer": lambda *args: None,
            "one answer": lambda *args: {"given": len(args)},
            "whoami": self.whoami,
            "ask": self.ask,
            "numbers": self.numbers,
            "picture": lambda size: bytes(number % 256 for number in range(size)),
            "join": lambda room: join_room(room),
            "leave": lambda room: leave_room(room),
            "tell": self.tell,
            "shout": lambda *args: emit("told", args, broadcast=True),
            "throw me out": lambda: disconnect(),
            "close": self.close,
        }

    def refuse(self, auth: Any = None) -> None:
        raise Refused("Not authorized", {"code": "NO_MONEY", "auth": auth})

    def connect(self, auth: Any = None) -> None:
        self.auths[self._sid] = auth

    def disconnect(self, reason: str) -> None:
        self.ended.append({"sid": self._sid, "namespace": self._namespace, "reason": reason})

    def whoami(self) -> dict[str, Any]:
        """Return what a handler sees of the handshake's request."""
        return {
            "sid": self._sid,
            "namespace": self._namespace,
            "auth": self.auths.get(self._sid),
            "header": request.headers.get("X-Shop"),
            "argument": request.args.get("colour"),
            "address": request.remote_addr,
            "path": request.path,
            "name": session.get("name"),
        }

    def ask(self, *question: Any) -> None:
        """Emit a question; what the client acks comes back as ``answered``."""
        sid, namespace = self._sid, self._namespace

        def answered(*answer: Any) -> None:
            self.sio.emit("answered", answer, to=sid, namespace=namespace)

        emit("question", question, callback=answered)

    def numbers(self, count: int, pause: float = 0, attachment: bytes | None = None) -> None:
        """Emit the numbers below ``count`` from a task of its own, ``pause`` seconds apart."""
        sid, namespace = self._sid, self._namespace

        def run() -> None:
            for number in range(count):
                data = number if attachment is None else (number, attachment)
                self.sio.emit("number", data, to=sid, namespace=namespace)
                self.sio.sleep(pause)

        self.sio.start_background_task(run)

    def tell(self, room: str, include_self: bool, *args: Any) -> None:
        emit("told", args, to=room, include_self=include_self)

    def close(self) -> None:
        """End the Engine.IO session."""
        server = self.sio.server
        server.eio.disconnect(server.manager.eio_sid_from_sid(self._sid, self._namespace))

    @property
    def _sid(self) -> str:
        return str(request.sid)  # type: ignore[attr-defined] # Flask-SocketIO puts it there

    @property
    def _namespace(self) -> str:
        return str(request.namespace)  # type: ignore[attr-defined]
