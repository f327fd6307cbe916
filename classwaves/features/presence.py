"""How present a participant is: ``updatePresence`` sets this socket's status, the most present of all of them shows."""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from ..declared import Shape, string
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..payloads import EventSchema, Text, session_code
from ..store.base import STATUSES

presence = Feature("presence")


class PresenceSchema(EventSchema):
    sessionCode = session_code()
    status = Text(required=True, validate=validate.OneOf(STATUSES))


class StatusShape(Shape):
    """The participant's status, which is that of the most present of their sockets."""

    status = string(*STATUSES)


presence.answers(StatusShape, "updatePresence")


@presence.event("updatePresence", schema=PresenceSchema, allow="participant")
def update_presence(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Change this socket's status; the others hear of it if the participant's changed."""
    store = context.hub.store
    result = store.set_status(context.live.id, context.seat, data["status"], context.fences)
    if result is None:
        raise ClassWavesError("NOT_IN_SESSION")
    return {"status": result.status}
