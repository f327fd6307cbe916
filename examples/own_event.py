"""Events of your own: a board on which everybody draws, and tickets that only the teacher reads.

    pip install classwaves
    CLASSWAVES_DEMO=1 gunicorn -c python:classwaves.gunicorn_conf own_event:app

``flask --app own_event classwaves events`` lists them among ClassWaves' own. A client in a session emits

    drawStroke      {sessionCode, points: [[10, 20], [30, 40]], colour}   -> everybody: strokeDrawn, with a seq
    movePen         {sessionCode, x, y}                                   -> everybody: penMoved, which is not stored
    handInTicket    {sessionCode, mood: 1..5, text}                       -> staff alone: ticketHandedIn

Next: own_rule.py for who may send them, docs/extending.md for every option, docs/testing.md for their tests.
"""

from typing import Any

from flask import Flask
from marshmallow import fields, validate

from classwaves import ClassWaves, EventContext, EventSchema

COORDINATE = validate.Range(0, 10_000)

classwaves = ClassWaves()


class StrokeSchema(EventSchema):
    """What a client must send; a field that is not here is refused with INVALID_PAYLOAD."""

    points = fields.List(
        fields.List(fields.Integer(validate=COORDINATE), validate=validate.Length(equal=2)),
        required=True,
        validate=validate.Length(1, 500),
    )
    colour = fields.String(load_default="black", validate=validate.OneOf(["black", "red", "blue"]))


class PenSchema(EventSchema):
    x = fields.Integer(required=True, validate=COORDINATE)
    y = fields.Integer(required=True, validate=COORDINATE)


class TicketSchema(EventSchema):
    mood = fields.Integer(required=True, validate=validate.Range(1, 5))
    text = fields.String(load_default="", validate=validate.Length(max=500))


@classwaves.event("drawStroke", schema=StrokeSchema, allow="participant", limit="20/second")
def draw_stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    """Draw a line. It is stored: who comes later, or comes back, gets it in its place among all other events."""
    return ctx.publish("strokeDrawn", {"points": data["points"], "colour": data["colour"], "userId": ctx.user_id})


@classwaves.event("movePen", schema=PenSchema, allow="participant", limit="30/second")
def move_pen(ctx: EventContext, data: dict[str, Any]) -> None:
    """Show where the pen is. It is not stored, and of several within 200 ms only the newest is sent."""
    ctx.signal("penMoved", {"x": data["x"], "y": data["y"], "userId": ctx.user_id})


@classwaves.event("handInTicket", schema=TicketSchema, allow="student", audience="staff", active=True)
def hand_in_ticket(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    """Hand a ticket in at the end of the lesson. What happens once, such as a mail, comes after publish()."""
    ack = ctx.publish("ticketHandedIn", {"mood": data["mood"], "text": data["text"], "userId": ctx.user_id})
    if not ctx.is_repeat:  # a client that had no answer sends it again, with the same clientMessageId
        classwaves.say(ctx.session.code, "A ticket was handed in.")
    return ack


def create_app(config: dict[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(config or {})
    classwaves.init_app(app)
    return app


app = create_app()
