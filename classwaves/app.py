"""The reference application: ClassWaves and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from . import demo
from .extension import ClassWaves
from .headers import guard


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make an application with ClassWaves on it.

    :param config: Flask configuration and settings of ClassWaves, which win over the environment.
    :raises SettingsError: see :meth:`classwaves.settings.Settings.load`.
    """
    app = Flask("classwaves", static_folder=None)
    app.config.update(config or {})
    ClassWaves(app)
    if app.extensions["classwaves"].settings.demo:
        demo.register(app)

    @app.after_request
    def guard_misses(response: Response) -> Response:
        """Flask's own pages, for paths and methods that there are not; routes that somebody adds stay as they are."""
        if request.routing_exception is None or "Content-Security-Policy" in response.headers:
            return response
        return guard(response)

    return app
