"""The application as gunicorn serves it in the chaos test, with a route that tells what the worker holds."""

import os
import threading
from typing import Any

from flask import Flask

from classwaves import create_app
from classwaves.state import State
from tests.support.counting_app import counts


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/counts", view_func=lambda: told(app.extensions["classwaves"]))
    return app


def told(state: State) -> dict[str, Any]:
    """The worker's pid, the names of who is connected and of its threads, and counts of all else."""
    connections = state.socketio.server.namespace_handlers["/"].connections
    who = sorted(one.principal.display_name for one in connections.values())
    threads = sorted(thread.name for thread in threading.enumerate())
    return {"pid": os.getpid(), "who": who, "threads": threads, "counts": counts(state)}
