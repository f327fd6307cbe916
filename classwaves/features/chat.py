"""Messages: ``sendMessage`` becomes ``messageReceived``, for everyone in the session or for one group and staff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from marshmallow import validate

from ..archive.base import Asked
from ..declared import Numbered, Stored, string
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..models import Entry, seq_of
from ..payloads import StoredEvent, Text, identifier
from ..replica import Replica, fold
from .groups import group_audience

chat = Feature("chat")

#: How many of the newest messages can be reacted to, and how many are let go of at once beyond them.
KEPT, SPARE = 5000, 500


#: The ``userId`` of a system message. It is a participant's only in a shop that gives one this id.
SYSTEM = "system"


class MessageSchema(StoredEvent):
    message = Text(required=True, validate=validate.Length(1))
    groupId = identifier()
    replyTo = identifier()


class ReceivedShape(Numbered):
    messageId = string()
    userId = string()
    displayName = string()
    message = string()
    type = string("text", "system", "action")
    clientMessageId = string(required=False)
    groupId = string(required=False)
    replyTo = string(required=False)


class SaidShape(Stored):
    messageId = string(required=False)


chat.sends("messageReceived", ReceivedShape, "everyone in the session, the sender too; a group's: that group and staff")
chat.answers(SaidShape, "sendMessage")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that somebody refers to, and who else hears of it: the audience that it had itself."""

    id: str
    audience: str
    members: tuple[str, ...]


@fold("messageReceived")
def _note_message(replica: Replica, entry: Entry) -> None:
    """The newest messages: id -> whom it was for, ``None``: everybody."""
    messages = replica.state.setdefault("messages", {})
    messages[entry.id] = list(entry.draft.members) if entry.draft.audience == "group" else None
    if len(messages) >= KEPT + SPARE:
        for message_id in list(islice(messages, SPARE)):
            del messages[message_id]
            replica.state.get("reactions", {}).pop(message_id, None)


@fold("messageDeleted")
def _forget_message(replica: Replica, entry: Entry) -> None:
    message_id = entry.draft.data["messageId"]
    replica.state.setdefault("deletedMessages", {})[message_id] = True
    replica.state.get("messages", {}).pop(message_id, None)
    replica.state.get("reactions", {}).pop(message_id, None)


def is_deleted(replica: Replica, message_id: str) -> bool:
    return message_id in replica.state.get("deletedMessages", ())


def newest_message(context: Context, message_id: str) -> Message:
    """One of the newest messages, which the user can see.

    :raises ClassWavesError: ``MESSAGE_NOT_FOUND``.
    """
    messages: Mapping[str, list[str] | None] = context.live.replica.state.get("messages", {})
    if message_id in messages:
        members = messages[message_id]
        if members is None:
            return Message(message_id, "all", ())
        if context.is_staff or context.principal.user_id in members:
            return Message(message_id, "group", tuple(members))
    raise ClassWavesError("MESSAGE_NOT_FOUND")


def any_message(context: Context, message_id: str) -> Message:
    """A message of any age, which the user can see; an old one costs a read of the log, or of the archive.

    :raises ClassWavesError: ``MESSAGE_NOT_FOUND``.
    """
    live, seq = context.live, seq_of(message_id)
    if seq and message_id not in live.replica.state.get("messages", {}) and not is_deleted(live.replica, message_id):
        entry = _old_message(context, seq)
        is_it = entry is not None and entry.id == message_id and entry.draft.event == "messageReceived"
        if entry and is_it and entry.is_for(context.principal.user_id, context.is_staff):
            return Message(message_id, entry.draft.audience, entry.draft.members)
    return newest_message(context, message_id)


def _old_message(context: Context, seq: int) -> Entry | None:
    """The entry at this seq, if the log still has it; else the message, if the archive has one for this user."""
    live, hub = context.live, context.hub
    found = hub.store.read(live.id, seq - 1, 1)
    if hub.archive and seq < live.replica.seq and not (found and found[0].seq == seq):
        who = context.principal.user_id
        kept = hub.archive.page(live.id, Asked("messageReceived", seq + 1, seq - 1, 1, who, context.is_staff))
        return kept[0].entry if kept else None
    return found[0] if found else None


def check_text(text: str, longest: int) -> None:
    """Refuse a message that is too long or has nothing to read. :raises ClassWavesError: ``INVALID_PAYLOAD``."""
    if len(text) > longest:
        raise ClassWavesError("INVALID_PAYLOAD", details={"message": [f"Longer than maximum length {longest}."]})
    if not text.strip():
        raise ClassWavesError("INVALID_PAYLOAD", details={"message": ["There is nothing in it to read."]})


def system_message(text: str, group_id: str | None) -> dict[str, Any]:
    """The payload of a message that nobody in the class has written."""
    payload = {"userId": SYSTEM, "displayName": "System", "message": text, "type": "system"}
    return payload if group_id is None else {**payload, "groupId": group_id}


@chat.event("sendMessage", schema=MessageSchema, allow="speaker", overlaps=True)
def send_message(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say something to everybody, or with ``groupId`` to a group and staff."""
    check_text(data["message"], context.hub.settings.max_message_length)
    payload = {
        "userId": context.principal.user_id,
        "displayName": context.principal.display_name,
        "message": data["message"],
        "type": "text",
    }
    if context.client_message_id:
        payload["clientMessageId"] = context.client_message_id
    audience, members = "all", tuple[str, ...]()
    if "groupId" in data:
        payload["groupId"] = data["groupId"]
        audience, members = "group", group_audience(context, data["groupId"])
    if "replyTo" in data:
        payload["replyTo"] = any_message(context, data["replyTo"]).id
    return context.publish("messageReceived", payload, audience=audience, members=members, id_field="messageId")
