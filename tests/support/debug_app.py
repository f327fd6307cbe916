"""The application, served by gunicorn like the real one, with a route that tells what the transport holds."""

import gc
import json
from typing import Any

import psutil
from flask import Flask, Response, jsonify
from greenlet import greenlet

from classwaves import create_app
from tests.support.gunicorn_server import Gunicorn
from tests.support.protocol import http


class DebugGunicorn(Gunicorn):
    """gunicorn with this module's application, and what a test asks about its only worker."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.debug_app:make_app()"]

    @property
    def worker(self) -> int:
        """The worker's pid. :raises ValueError: there is not just one."""
        (pid,) = self.worker_pids
        return pid

    def memory(self) -> int:
        """The worker's resident memory, in bytes."""
        return int(psutil.Process(self.worker).memory_info().rss)

    def dropped(self, reason: str) -> int:
        """How many connections were dropped for a reason."""
        return int(self._transport()["dropped"].get(reason, 0))

    def connections(self) -> int:
        """How many Engine.IO connections there are."""
        return int(self._transport()["connections"])

    def open_files(self) -> int:
        """How many descriptors the worker holds."""
        return int(psutil.Process(self.worker).num_fds())

    def greenlets(self) -> int:
        """How many greenlets the worker has that have not ended."""
        return int(self._transport()["greenlets"])

    def _transport(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(http(self.port, "GET", "/debug/transport").body)
        return answer


def make_app() -> Flask:
    app = create_app()
    engine = app.extensions["classwaves"].socketio.server.eio

    def transport() -> Response:
        greenlets = sum(isinstance(one, greenlet) and not one.dead for one in gc.get_objects())
        return jsonify(dropped=dict(engine.dropped), connections=len(engine.sockets), greenlets=greenlets)

    app.add_url_rule("/debug/transport", view_func=transport)
    return app
