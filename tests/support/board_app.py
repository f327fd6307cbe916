"""A shop with one event of its own, and one route, as the tests of ``classwaves.testing`` use it."""

from typing import Any

from flask import Flask, request
from marshmallow import fields

from classwaves import ClassWaves, EventContext, EventSchema
from tests.support.gunicorn_server import TEST_KEYS

classwaves = ClassWaves()


class StrokeSchema(EventSchema):
    points = fields.List(fields.Integer(), required=True)


@classwaves.event("boardStroke", schema=StrokeSchema, allow="participant")
def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    """Draw something."""
    return ctx.publish("boardStroked", {"points": data["points"]})


def make_app(**config: Any) -> Flask:
    """Make the application."""
    app = Flask("shop")
    app.config.update(TEST_KEYS, **config)
    app.get("/hello")(lambda: f"Hello, {request.args['name']}")
    classwaves.init_app(app)
    return app
