"""Messages: ``sendMessage`` becomes ``messageReceived``, for everyone in the session including the sender."""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from ..errors import ClassWavesError
from ..events import Context, EventSchema, Feature, Text, client_message_id, session_code

chat = Feature("chat")


class MessageSchema(EventSchema):
    sessionCode = session_code()
    message = Text(required=True, validate=validate.Length(1))
    clientMessageId = client_message_id()
    groupId = Text(validate=validate.Length(1, 64))
    replyTo = Text(validate=validate.Length(1, 64))


@chat.event("sendMessage", schema=MessageSchema, allow="participant", overlaps=True)
def send_message(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say something to everybody. Open in every state of the session but ``ended``."""
    longest = context.hub.settings.max_message_length
    if len(data["message"]) > longest:
        raise ClassWavesError("INVALID_PAYLOAD", details={"message": [f"Longer than maximum length {longest}."]})
    if not data["message"].strip():
        raise ClassWavesError("INVALID_PAYLOAD", details={"message": ["There is nothing in it to read."]})
    if "groupId" in data:
        raise ClassWavesError("GROUP_NOT_FOUND")
    payload = {
        "userId": context.principal.user_id,
        "displayName": context.principal.display_name,
        "message": data["message"],
        "type": "text",
    }
    if context.client_message_id:
        payload["clientMessageId"] = context.client_message_id
    if "replyTo" in data:
        payload["replyTo"] = data["replyTo"]
    return context.publish("messageReceived", payload, id_field="messageId")
