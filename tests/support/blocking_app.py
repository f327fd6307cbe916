"""A shop whose handlers take long: one lets the others go on meanwhile, and one does not."""

import time
from typing import Any

from flask import Flask
from gevent.monkey import get_original
from marshmallow import fields

from classwaves import FEATURES, ClassWaves, Context, EventSchema, Feature
from tests.support.gunicorn_server import Gunicorn

shop = Feature("shop")


class SecondsSchema(EventSchema):
    seconds = fields.Float(required=True)


@shop.event("wait", schema=SecondsSchema, allow="connected")
def wait(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Wait as gevent likes it."""
    time.sleep(data["seconds"])
    return {}


@shop.event("block", schema=SecondsSchema, allow="connected")
def block(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Keep the whole worker waiting."""
    get_original("time", "sleep")(data["seconds"])
    return {}


class BlockingGunicorn(Gunicorn):
    """gunicorn with this module's application."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.blocking_app:make_app()"]


def make_app() -> Flask:
    app = Flask("shop")
    ClassWaves(app, features=[*FEATURES, shop])
    return app
