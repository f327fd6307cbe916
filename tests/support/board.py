"""A shop with an event of its own, which counts the signals that it gets by publishing: so a test sees how many came.

Served by gunicorn with the product's configuration, in demo mode.
"""

from typing import Any

from flask import Flask
from marshmallow import Schema, fields

from classwaves import ClassWaves, EventContext
from classwaves.signals import event_appended
from tests.support.gunicorn_server import Gunicorn

classwaves = ClassWaves()


class StrokeSchema(Schema):
    points = fields.List(fields.Integer(), required=True)


@classwaves.event("boardStroke", schema=StrokeSchema, allow="participant")
def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    """Draw a line."""
    ctx.signal("strokeBegan", {"by": ctx.user_id})
    return ctx.publish("boardStroked", {"points": data["points"]})


def hear(app: Flask, *, session: Any, event: str, data: dict[str, Any], **facts: Any) -> None:
    """Say that a signal came."""
    if event == "boardStroked":
        classwaves.publish(session.code, "strokeHeardOf", data)


def make_app() -> Flask:
    """Make the application."""
    app = Flask("board")
    classwaves.init_app(app)
    event_appended.connect(hear, app)
    return app


class BoardServer(Gunicorn):
    """gunicorn with this module's application."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.board:make_app()"]
