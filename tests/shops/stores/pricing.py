"""An event of the stores' own: trainees guess what an item costs, and the teacher alone is told."""

from classroom import classwaves
from db import ITEMS
from marshmallow import fields

from classwaves import EventSchema


class GuessSchema(EventSchema):
    itemId = fields.Integer(required=True)
    price = fields.Float(required=True)


@classwaves.event("guessPrice", schema=GuessSchema, allow="student", audience="staff")
def guess_price(ctx, data):
    if data["itemId"] not in ITEMS:
        raise classwaves.Error("NOT_FOUND", "There is no such item")
    right = ITEMS[data["itemId"]]["price"]
    return ctx.publish("priceGuessed", {"userId": ctx.user_id, "off": round(data["price"] - right, 2)})
