"""An application's own SocketIO object, taken over: its handlers stay, its server becomes ours.

Imports nothing of the package. Two Socket.IO servers on one application would answer each other's requests.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_socketio import SocketIO

#: option -> what decides about it instead
DECIDED = {
    "async_handlers": "events of one client are handled in their order",
    "channel": "it is flask-socketio",
    "client_manager": "set REDIS_URL",
    "cors_allowed_origins": "set CLASSWAVES_ORIGINS",
    "json": "ClassWaves writes JSON itself",
    "manage_session": "handlers see the session of the handshake, and what they write into it is not kept",
    "max_http_buffer_size": "set CLASSWAVES_MAX_PACKET_BYTES",
    "message_queue": "set REDIS_URL",
    "path": "it is /socket.io",
    "ping_interval": "set CLASSWAVES_PING_INTERVAL",
    "ping_timeout": "set CLASSWAVES_PING_TIMEOUT",
    "resource": "it is /socket.io",
    "serializer": "ClassWaves reads packets itself",
    "transports": "clients choose theirs",
}
#: What a shop may say as before.
KEPT = ("logger", "always_connect", "namespaces")
#: Names of modes of which ClassWaves takes the one that fits to the process: gevent under gunicorn, else threads.
MODES = (None, "gevent", "threading")


def adopt(given: SocketIO, app: Flask) -> dict[str, Any]:
    """Make an object ready to have another server, and say what its old one had: handlers, by namespace.

    :returns: the handlers of the server that it had, ``{}`` if it had none yet.
    :raises ValueError: it serves another application, or has an option that contradicts ours.
    """
    middleware: Any = getattr(given, "sockio_mw", None)
    if middleware is not None and middleware.flask_app is not app:
        raise ValueError(
            "this SocketIO object serves another app already; make one for each app, "
            "and give it to init_app(app, socketio=…)"
        )
    _check_options({name: value for name, value in given.server_options.items() if value is not None})
    given.server_options = {name: value for name, value in given.server_options.items() if name in KEPT}
    outermost: Any = app.wsgi_app
    if outermost is middleware:
        app.wsgi_app = outermost.wsgi_app  # type: ignore[method-assign]
    old, given.server = given.server, None
    return {"functions": dict(old.handlers), "namespaces": dict(old.namespace_handlers)} if old is not None else {}


def _check_options(options: dict[str, Any]) -> None:
    if options.get("async_mode") not in MODES:
        raise ValueError(
            f"SocketIO(async_mode={options['async_mode']!r}) cannot be, as ClassWaves runs on gevent under gunicorn, "
            "and on threads elsewhere; leave async_mode out"
        )
    for name in options.keys() - {"async_mode", *KEPT}:
        why = DECIDED.get(name, "ClassWaves has a transport of its own, which does not know it")
        raise ValueError(f"SocketIO({name}=…) would have no effect: {why}. Leave {name} out")


def bring_back(server: Any, had: dict[str, Any]) -> None:
    """Register on a server what :func:`adopt` has found."""
    for namespace, handlers in had.get("functions", {}).items():
        for event, handler in handlers.items():
            server.on(event, handler, namespace=namespace)
    for namespace_handler in had.get("namespaces", {}).values():
        server.register_namespace(namespace_handler)


def keep_for_itself(server: Any, home: str) -> None:
    """Let nobody else have handlers in a namespace: they would be called instead of its own, without any check.

    :raises ValueError: somebody has, or registers one later.
    """

    def refuse(events: Any) -> None:
        what = ", ".join(sorted(str(event) for event in events))
        raise ValueError(
            f"the namespace {home} is the classroom's, and has a handler of yours ({what}): put yours on another one, "
            'socketio.on(…, namespace="/shop"), or the classroom: ClassWaves(namespace="/classroom")'
        )

    for namespace in (home, "*"):
        if events := server.handlers.get(namespace):
            refuse(events)
        if namespace in server.namespace_handlers:
            refuse([type(server.namespace_handlers[namespace]).__name__])
    on, register = server.on, server.register_namespace

    def guarded_on(event: str, handler: Any = None, namespace: str | None = None) -> Any:
        if (namespace or "/") in (home, "*"):
            refuse([event])
        return on(event, handler, namespace)

    def guarded_register(handler: Any) -> None:
        if handler.namespace in (home, "*"):
            refuse([type(handler).__name__])
        register(handler)

    server.on, server.register_namespace = guarded_on, guarded_register
