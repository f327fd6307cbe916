"""Signs of life that are kept in no log: who is typing, and up to where somebody has read."""

from __future__ import annotations

from typing import Any

from ..declared import InSession, Nothing, Shape, flag, string
from ..events import Context, Feature
from ..live import LiveSession, follows, hears
from ..models import Entry, seq_of
from ..payloads import Flag, SessionEvent, StoredEvent, identifier
from .chat import any_message
from .groups import group_audience

signs = Feature("signs", needs=("chat",))


class TypingSchema(SessionEvent):
    isTyping = Flag(required=True)
    groupId = identifier()


class ReadSchema(StoredEvent):
    messageId = identifier(required=True)


class TypingShape(InSession):
    userId = string()
    isTyping = flag()
    groupId = string(required=False)


class ReceiptShape(InSession):
    userId = string()
    messageId = string()


class CursorShape(Shape):
    """Up to where one has read."""

    messageId = string()


signs.sends("typingUpdated", TypingShape, "everyone in the session; with groupId: that group and staff")
signs.sends("readReceiptUpdated", ReceiptShape)
signs.answers(Nothing, "typing")
signs.answers(CursorShape, "markRead")


@signs.event("typing", schema=TypingSchema, allow="speaker")
def typing(context: Context, data: dict[str, Any]) -> None:
    """Say that one types, or no longer; after 5 s without another word it ends by itself."""
    news: dict[str, Any] = {"isTyping": data["isTyping"]}
    if "groupId" in data:
        news |= {"groupId": data["groupId"], "members": group_audience(context, data["groupId"])}
    context.signal("typing", news)


@hears("typing")
def _on_typing(live: LiveSession, message: dict[str, Any]) -> None:
    """Tell of it, and on each worker remember when it is over."""
    typists: dict[tuple[str, str], tuple[float, dict[str, Any]]] = live.transient.setdefault("typing", {})
    data, key = message["data"], (message["user"], message["data"].get("groupId", ""))
    if data["isTyping"]:
        if key not in typists:
            live.later(live.settings.typing_timeout, lambda: _end_typing(live, key))
        typists[key] = live.clock.monotonic() + live.settings.typing_timeout, data
    else:
        typists.pop(key, None)
    _tell(live, key, data, data["isTyping"])


def _end_typing(live: LiveSession, key: tuple[str, str]) -> None:
    """Tell that it is over to whom it was told last: a group may have others in it by then."""
    with live.lock:
        typists = live.transient["typing"]
        if key not in typists:
            return
        until, data = typists[key]
        if (left := until - live.clock.monotonic()) > 0:
            live.later(left, lambda: _end_typing(live, key))
        else:
            del typists[key]
            _tell(live, key, data, False)


@follows("participantMuted")
@follows("participantRemoved")
def _stop_typing(live: LiveSession, entry: Entry) -> None:
    """Also what waits for its turn: nobody is shown as typing who may not."""
    typists = live.transient.get("typing", {})
    for key in [key for key in typists if key[0] == entry.draft.data["userId"]]:
        _tell(live, key, typists.pop(key)[1], False)


def _tell(live: LiveSession, key: tuple[str, str], data: dict[str, Any], typing: bool) -> None:
    user_id, group_id = key
    payload = {"userId": user_id, "isTyping": typing, **({"groupId": group_id} if group_id else {})}
    live.say(key, "typingUpdated", lambda: payload, "group" if group_id else "all", data.get("members", ()))


@signs.event("markRead", schema=ReadSchema, allow="participant")
def mark_read(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say up to which message one has read. Only forward: what was read before changes nothing."""
    message = any_message(context, data["messageId"])
    me = context.principal.user_id
    if context.live.cursors.get(me) != message.id:
        context.hub.store.set_cursor(context.live.id, me, message.id)
    return {"messageId": message.id}


@hears("read")
def _on_read(live: LiveSession, message: dict[str, Any]) -> None:
    user_id, message_id = message["user"], message["data"]["messageId"]
    if seq_of(message_id) <= seq_of(live.cursors.get(user_id, "")):
        return  # the session was loaded since it was sent
    live.cursors[user_id] = message_id
    live.say(user_id, "readReceiptUpdated", lambda: {"userId": user_id, "messageId": message_id})
