"""An application whose garbage is never collected, and a server that tells what there is of ours."""

import gc
from collections import Counter

from flask import Flask

from classwaves import create_app
from tests.support.gunicorn_server import Gunicorn

#: Where that is defined which lives as long as a client, or as a session on this worker.
MODULES = ("classwaves.connections", "classwaves.live", "classwaves.lobby", "classwaves.ring", "classwaves.transport.")


def make_app() -> Flask:
    app = create_app()
    gc.disable()
    app.add_url_rule("/held", view_func=held)
    return app


def held() -> dict[str, int]:
    """How many objects there are of each type."""
    types = Counter(type(one) for one in gc.get_objects())
    return {kind.__name__: count for kind, count in types.items() if kind.__module__.startswith(MODULES)}


class UncollectedGunicorn(Gunicorn):
    """A server with that application."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.uncollected_app:make_app()"]
