"""The reference application: ClassWaves and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import demo
from .extension import ClassWaves


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
    return app
