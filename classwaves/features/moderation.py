"""What staff may do about others: delete a message, remove or mute a participant, close the chat.

Each moves a fence that the events it forbids rely on, so none of them comes after it in the log, on any worker.
"""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from ..declared import Numbered, Stored, flag, string
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..models import Draft
from ..payloads import Flag, StoredEvent, Text, identifier, user_identifier
from ..replica import Replica, snapshot
from ..rules import forbidden
from .chat import any_message

moderation = Feature("moderation")


@snapshot("muted")
def _muted(replica: Replica, user_id: str, staff: bool) -> list[str]:
    return sorted(replica.muted)


MODES = ("open", "focus", "quiz")


class DeleteMessageSchema(StoredEvent):
    messageId = identifier(required=True)


class RemoveSchema(StoredEvent):
    userId = user_identifier(required=True)


class MuteSchema(RemoveSchema):
    muted = Flag(required=True)


class ModeSchema(StoredEvent):
    mode = Text(required=True, validate=validate.OneOf(MODES))


class DeletedShape(Numbered):
    messageId = string()
    deletedBy = string()


class RemovedShape(Numbered):
    userId = string()
    removedBy = string()


class MutedShape(Numbered):
    userId = string()
    muted = flag()
    mutedBy = string()


class ModeShape(Numbered):
    mode = string(*MODES)
    previousMode = string(*MODES)
    updatedBy = string()


moderation.sends("messageDeleted", DeletedShape, "whom the message was for")
moderation.sends("participantRemoved", RemovedShape, "everyone in the session, the removed too")
moderation.sends("participantMuted", MutedShape)
moderation.sends("sessionModeChanged", ModeShape)
moderation.answers(Stored, "deleteMessage", "removeParticipant", "muteParticipant", "setSessionMode")


@moderation.event("deleteMessage", schema=DeleteMessageSchema, allow="staff", audits="message.deleted")
def delete_message(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Take a message back, with its reactions. It is in no page of the history any more."""
    context.rely(f"message:{data['messageId']}")
    message = any_message(context, data["messageId"])
    return context.publish(
        "messageDeleted",
        {"messageId": message.id, "deletedBy": context.principal.user_id},
        audience=message.audience,
        members=message.members,
        bumps=[f"message:{message.id}"],
    )


@moderation.event("removeParticipant", schema=RemoveSchema, allow="staff", audits="participant.removed")
def remove_participant(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Put a participant out of this session for good. They stay connected, and are in no group any more."""
    context.rely("groups")
    user_id = _target(context, data["userId"])
    payload = {"userId": user_id, "removedBy": context.principal.user_id}
    groups = context.live.replica.state.get("groups", {})
    mine = [f"group:{group_id}" for group_id, group in groups.items() if user_id in group["members"]]
    # also if they are in none: on another worker somebody may just be putting them into one
    bumps = ("groups", *mine)
    author = context.principal.user_id
    draft = Draft("participantRemoved", payload, author, bumps=(f"user:{user_id}", *bumps))
    return context.publish_all([draft], unseat=user_id)


@moderation.event("muteParticipant", schema=MuteSchema, allow="staff", audits="participant.muted")
def mute_participant(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Keep a participant from chat, reactions and typing, or no longer. Their hand they may raise."""
    user_id = _target(context, data["userId"])
    payload = {"userId": user_id, "muted": data["muted"], "mutedBy": context.principal.user_id}
    return context.publish("participantMuted", payload, bumps=[f"user:{user_id}"])


@moderation.event("setSessionMode", schema=ModeSchema, allow="staff", audits="session.mode")
def set_session_mode(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """``open``; ``focus``: only staff chat and react; ``quiz``: the same, while responses to an activity go on."""
    payload = {"mode": data["mode"], "previousMode": context.live.replica.mode}
    payload["updatedBy"] = context.principal.user_id
    return context.publish("sessionModeChanged", payload, bumps=["session"])


def _target(context: Context, user_id: str) -> str:
    """Somebody who has been in the session and is not staff.

    :raises ClassWavesError: ``NOT_FOUND``, ``FORBIDDEN``.
    """
    replica = context.live.replica
    if user_id not in replica.known:
        context.live.catch_up()  # somebody who has just joined on another worker
    if user_id not in replica.known:
        raise ClassWavesError("NOT_FOUND", "There is no such participant")
    if replica.is_staff(user_id):
        raise forbidden("staff", "This is for participants who are not staff")
    return user_id
