"""The application, served by gunicorn like the real one, with every logger as talkative as it can be."""

import logging

from flask import Flask

from classwaves import create_app
from tests.support.gunicorn_server import Gunicorn


class LoudGunicorn(Gunicorn):
    """gunicorn with this module's application, and with an access log."""

    def command(self) -> list[str]:
        return [
            *super().command()[:-1],
            "--log-level",
            "debug",
            "--access-logfile",
            "-",
            "tests.support.loud_app:make_app()",
        ]


def make_app() -> Flask:
    app = create_app()
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger().addHandler(logging.StreamHandler())
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("tests.loud").debug("everything is logged")
    return app
