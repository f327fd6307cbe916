"""The application, served by gunicorn like the real one, with a route that counts what the worker holds."""

import gc
import threading
from typing import Any

from flask import Flask
from greenlet import getcurrent, greenlet

from classwaves import create_app
from classwaves.state import State
from tests.support.gunicorn_server import Gunicorn


class CountingGunicorn(Gunicorn):
    """gunicorn with this module's application."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.counting_app:make_app()"]


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/counts", view_func=lambda: counts(app.extensions["classwaves"]))
    return app


def root(one: greenlet) -> greenlet:
    """The main greenlet of its thread."""
    while one.parent is not None:
        one = one.parent
    return one


def is_ours(one: greenlet) -> bool:
    """Whether it lives, and in this thread: the pool for passwords has threads with greenlets that come and go."""
    return not one.dead and root(one) is root(getcurrent())


def counts(state: State) -> dict[str, Any]:
    """Return how much there is of everything that a socket or a session may leave behind."""
    gc.collect()
    server = state.socketio.server
    manager, hub = server.manager, state.hub
    namespace = server.namespace_handlers["/"]
    spaces = manager._namespaces.values()
    greenlets = sum(issubclass(type(one), greenlet) and is_ours(one) for one in gc.get_objects())
    return {
        "greenlets": greenlets - len(server.eio.turns._parked),
        "timers": len(server.eio.wheel),
        # not those that stand for greenlets which have logged something and wait for work now
        "threads": sum(not isinstance(one, threading._DummyThread) for one in threading.enumerate()),
        "transports": len(server.eio.sockets),
        "environs": len(server.environ),
        "half packets": len(server._binary_packet),
        "sids": sum(len(space.members) + len(space.sids) for space in spaces),
        "rooms": sum(len(space.rooms) + len(space.rooms_of) for space in spaces),
        "connecting": sum(len(space.pending) for space in spaces),
        "disconnecting": sum(len(space.leaving) for space in spaces),
        "callbacks": len(manager.callbacks),
        "connections": len(namespace.connections),
        "by transport": len(namespace._by_transport),
        "slots": len(hub._slots),
        "codes": len(hub._codes),
        "tasks": len(hub.scheduler),
        "members": sum(len(live.members) for live in hub.live_sessions()),
        "statuses": sum(len(live.statuses) for live in hub.live_sessions()),
        "ring": sum(len(live._ring.items) for live in hub.live_sessions()),
    }
