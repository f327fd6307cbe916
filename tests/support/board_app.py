"""A shop with one event of its own, and one route, as the tests of ``classwaves.testing`` use it."""

from typing import Any

from flask import Flask, request
from marshmallow import fields

from classwaves import FEATURES, ClassWaves, Context, EventSchema, Feature
from tests.support.gunicorn_server import TEST_KEYS

board = Feature("board")


class StrokeSchema(EventSchema):
    sessionCode = fields.String(required=True)
    points = fields.List(fields.Integer(), required=True)


@board.event("boardStroke", schema=StrokeSchema, allow="participant")
def stroke(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Draw something."""
    return context.publish("boardStroked", {"points": data["points"]})


def make_app(**config: Any) -> Flask:
    """Make the application."""
    app = Flask("shop")
    app.config.update(TEST_KEYS, **config)
    app.get("/hello")(lambda: f"Hello, {request.args['name']}")
    ClassWaves(app, features=[*FEATURES, board])
    return app
