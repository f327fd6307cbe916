"""Reactions to messages: an emoji of a user, once; ``reactionUpdated`` has the count that there is when it arrives."""

from __future__ import annotations

from typing import Any

import regex
from marshmallow import ValidationError

from ..declared import Numbered, Stored, string, whole
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..models import Entry
from ..payloads import StoredEvent, Text, identifier
from ..replica import Replica, fold, view
from .chat import newest_message

reactions = Feature("reactions", needs=("chat",))

#: How many different emoji one message may have.
MOST = 50

#: A picture, how it looks or its skin, and what makes it the flag of a region (UTS 51, ED-14c).
_PICTURE = r"\p{Extended_Pictographic}[\uFE0E\uFE0F]?\p{Emoji_Modifier}?(?:[\U000E0020-\U000E007E]+\U000E007F)?"
#: A flag, a keycap, or pictures that are joined to one; nothing else, although graphemes may have letters on them.
EMOJI = regex.compile(rf"\p{{Regional_Indicator}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_PICTURE}(?:\u200D{_PICTURE})*")


class Emoji(Text):
    """One emoji, however many code points it is made of."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > 32 or not EMOJI.fullmatch(text):
            raise ValidationError("Give one emoji.")
        return text


class ReactionSchema(StoredEvent):
    messageId = identifier(required=True)
    emoji = Emoji(required=True)


class UpdatedShape(Numbered):
    messageId = string()
    userId = string()
    emoji = string()
    action = string("added", "removed")
    count = whole()


reactions.sends("reactionUpdated", UpdatedShape, "whom the message was for")
reactions.answers(Stored, "addReaction", "removeReaction")


@fold("reactionUpdated")
def _react(replica: Replica, entry: Entry) -> None:
    data, user_id = entry.draft.data, entry.draft.author
    if data["messageId"] not in replica.state.get("messages", ()):
        return
    mine = replica.state.setdefault("reactions", {}).setdefault(data["messageId"], {})
    users = mine.setdefault(data["emoji"], [])
    if data["action"] == "added" and user_id not in users:
        users.append(user_id)
    elif data["action"] == "removed" and user_id in users:
        users.remove(user_id)
    if not users:
        del mine[data["emoji"]]
    if not mine:
        del replica.state["reactions"][data["messageId"]]


def reacted(replica: Replica, message_id: str) -> dict[str, list[str]]:
    """Who reacted to a message: emoji -> user ids, in the order in which they did."""
    found: dict[str, list[str]] = replica.state.get("reactions", {}).get(message_id, {})
    return found


@view("reactionUpdated")
def _count(replica: Replica, payload: dict[str, Any], staff: bool) -> dict[str, Any]:
    return {**payload, "count": len(reacted(replica, payload["messageId"]).get(payload["emoji"], ()))}


@reactions.event("addReaction", schema=ReactionSchema, allow="speaker")
def add_reaction(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """React to one of the newest 5,000 messages. Twice is once."""
    return _publish(context, data, "added")


@reactions.event("removeReaction", schema=ReactionSchema, allow="speaker")
def remove_reaction(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Take a reaction back."""
    return _publish(context, data, "removed")


def _publish(context: Context, data: dict[str, Any], action: str) -> dict[str, Any]:
    message_id, emoji, me = data["messageId"], data["emoji"], context.principal.user_id
    context.rely(f"message:{message_id}")
    message = newest_message(context, message_id)
    there = reacted(context.live.replica, message_id)
    if (me in there.get(emoji, ())) == (action == "added") and not context.client_message_id:
        return {}  # nothing to change
    if action == "added" and emoji not in there and len(there) >= MOST:
        raise ClassWavesError("CONFLICT", f"A message has {MOST} different reactions at the most")
    payload = {"messageId": message_id, "userId": me, "emoji": emoji, "action": action}
    return context.publish("reactionUpdated", payload, audience=message.audience, members=message.members)
