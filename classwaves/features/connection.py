"""The connection itself: ``refreshAuth`` takes a new token, so that a socket outlives the one that it began with."""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from ..declared import Shape, moment, string
from ..events import Context, Feature
from ..models import iso
from ..payloads import EventSchema, Text
from ..token_settings import MAX_TOKEN

connection = Feature("connection")


class RefreshAuthSchema(EventSchema):
    token = Text(required=True, validate=validate.Length(1, MAX_TOKEN))


class RenewedShape(Shape):
    expiresAt = moment()
    role = string("teacher", "student", "admin")


connection.answers(RenewedShape, "refreshAuth")


@connection.event("refreshAuth", schema=RefreshAuthSchema, allow="connected")
def refresh_auth(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Take a new access token of the same user, without a reconnect; its role and scopes count from now on."""
    principal = context.hub.watch.renew(context.connection, data["token"])
    return {"expiresAt": iso(int(principal.expires_at * 1000)), "role": principal.role}
