"""The REST API under ``/api/v1`` (flask-smorest), the documents of it and of the events, and the routes at the root."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, request
from flask_smorest import Api
from werkzeug.exceptions import MethodNotAllowed, NotFound

from .. import codec
from ..asyncapi import API_VERSION, adapt, described
from ..headers import guard
from ..settings import Settings
from ..state import current_state
from . import audit, auth, calls, files, ops, records, sessions, users
from .common import allow_origin, answer_http
from .requests import identify
from .schemas import ErrorSchema

#: The prefix of flask-smorest's configuration, so that a shop may have an API of its own.
CONFIG = "CLASSROOM_"


class RestApi(Api):  # type: ignore[misc] # flask-smorest has no types
    """flask-smorest without its handler for every error of the application: the shop's own stay as they are.

    Its document is for the same pages as the rest of the API.
    """

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        pass

    def _openapi_json(self) -> Response:
        return guard(allow_origin(super()._openapi_json()))


def register(app: Flask, settings: Settings) -> None:
    """Mount the API on an application."""
    app.config[f"{CONFIG}API_TITLE"] = "ClassWaves"
    app.config[f"{CONFIG}API_VERSION"] = API_VERSION
    app.config[f"{CONFIG}OPENAPI_VERSION"] = "3.1.0"
    app.config[f"{CONFIG}OPENAPI_URL_PREFIX"] = settings.url_prefix
    app.config[f"{CONFIG}OPENAPI_JSON_PATH"] = "openapi.json"
    api = RestApi(app, config_prefix=CONFIG)
    adapt(api.ma_plugin.converter)
    api.spec.components.security_scheme("bearerAuth", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    modules = (auth, sessions, records, files, calls, users, audit)
    for blueprint in [module.blueprint for module in modules]:
        api.register_blueprint(blueprint, url_prefix=settings.url_prefix)
    app.register_blueprint(ops.blueprint)
    app.add_url_rule(f"{settings.url_prefix.rstrip('/')}/asyncapi.json", "classwaves_asyncapi", _asyncapi_route())
    _answer_misses(app, settings.url_prefix.rstrip("/") + "/")


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the current application."""
    api: RestApi = current_app.extensions["flask-smorest"]["apis"][CONFIG]["ext_obj"]
    document: dict[str, Any] = api.spec.to_dict()
    return document


def _asyncapi_route() -> Callable[[], Response]:
    """The route of the AsyncAPI document, which is made when it is first asked for."""

    @functools.cache
    def made() -> bytes:
        state = current_state()
        return codec.dumps(described(state.pipeline.features, state.settings.namespace))

    def asyncapi() -> Response:
        return guard(allow_origin(Response(made(), mimetype="application/json")))

    return asyncapi


def _answer_misses(app: Flask, prefix: str) -> None:
    """A path or method that no route has never reaches a blueprint: answer it below our prefix, and only there.

    Before the application's error handlers, so that the shop's stay as they are, whenever it registers them.
    """

    @app.before_request
    def answer_miss() -> Response | None:
        error = request.routing_exception
        if isinstance(error, NotFound | MethodNotAllowed) and request.path.startswith(prefix):
            return identify(guard(allow_origin(answer_http(error))))
        return None
