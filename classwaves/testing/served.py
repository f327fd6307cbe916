"""A shop's application as gunicorn serves it for a test, with a way behind its scenes.

Imports backstage and errors. Run by ``server``: ``gunicorn classwaves.testing.served:make_app()``. What is named in the
environment is imported here, in a worker that gevent has patched. Only who knows the key of this one server comes in.
"""

from __future__ import annotations

import hmac
import json
import os
from typing import TYPE_CHECKING, Any

from flask import Flask
from gunicorn.util import import_app
from werkzeug.wrappers import Request, Response

from ..errors import ClassWavesError
from .backstage import Local

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The environment's variables; names of ours (``CLASSWAVES_``) would be taken for settings.
APP, KEY = "CW_TESTED_APP", "CW_TESTED_KEY"
PATH = "/classwaves-testing/"
METHODS = ("login", "guest", "create", "step", "forget_rates", "namespace", "in_session", "positional")


def make_app() -> Flask:
    """The application that the environment names. :raises RuntimeError: it is none with ClassWaves on it."""
    app = import_app(os.environ[APP])
    if not isinstance(app, Flask) or "classwaves" not in app.extensions:
        raise RuntimeError(f"{os.environ[APP]} is no Flask application with ClassWaves on it")
    app.wsgi_app = StageDoor(app, app.wsgi_app, os.environ[KEY])  # type: ignore[method-assign]
    return app


class StageDoor:
    """Answers what a test asks of the :class:`~classwaves.testing.backstage.Backstage`, before the application."""

    def __init__(self, app: Flask, inner: WSGIApplication, key: str) -> None:
        self._backstage = Local(app)
        self._inner = inner
        self._key = key

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if not str(environ.get("PATH_INFO", "")).startswith(PATH):
            return self._inner(environ, start_response)
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.removeprefix(PATH)
        shown = request.headers.get("X-Testing-Key", "")
        if name not in METHODS or not hmac.compare_digest(shown.encode(), self._key.encode()):
            return Response(status=404)
        try:
            result = getattr(self._backstage, name)(*request.get_json())
        except ClassWavesError as error:
            return _json({"code": error.code, "message": error.message}, 409)
        return _json(result, 200)


def _json(content: Any, status: int) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
