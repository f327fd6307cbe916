"""The application as gunicorn serves it in the chaos test, with a route that counts what the worker holds."""

import os

from flask import Flask

from classwaves import create_app
from tests.support.counting_app import counts


def make_app() -> Flask:
    app = create_app()
    app.add_url_rule("/counts", view_func=lambda: {"pid": os.getpid(), **counts(app.extensions["classwaves"])})
    return app
