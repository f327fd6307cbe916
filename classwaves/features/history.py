"""What was said, in pages: ``fetchHistory`` for messages, ``fetchTranscript`` for captions; REST asks here too."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from ..declared import Shape, an_object, flag, many, whole
from ..events import Context, Feature
from ..history import Log, Window, page
from ..live import LiveSession
from ..models import Entry, Principal
from ..payloads import SessionEvent, identifier
from .chat import ReceivedShape, is_deleted
from .reactions import reacted
from .transcription import CaptionShape

history = Feature("history")


class PageSchema(SessionEvent):
    beforeSeq = fields.Integer(strict=True, validate=validate.Range(1, 2**53))
    afterSeq = fields.Integer(strict=True, validate=validate.Range(0, 2**53))
    limit = fields.Integer(strict=True, load_default=50, validate=validate.Range(1, 100))
    groupId = identifier()


class KeptMessageShape(ReceivedShape):
    """A message, and how often it got which emoji."""

    reactions = an_object(required=False, values=fields.Integer())


class OlderShape(Shape):
    hasMore = flag()
    nextBeforeSeq = whole(allow_none=True)


class MessagesShape(OlderShape):
    messages = many(KeptMessageShape)


class SegmentsShape(OlderShape):
    segments = many(CaptionShape)


history.answers(MessagesShape, "fetchHistory")
history.answers(SegmentsShape, "fetchTranscript")


def messages(log: Log, live: LiveSession, who: Principal, window: Window) -> dict[str, Any]:
    """Messages that were addressed to a user, without those that were deleted.

    :returns: ``{messages, hasMore, nextBeforeSeq}``, newest last, in the shape in which they were received, with
        ``reactions`` (emoji -> count) where there are any.
    """

    def shown(entry: Entry) -> dict[str, Any] | None:
        if is_deleted(live.replica, entry.id):
            return None
        counts = {emoji: len(users) for emoji, users in reacted(live.replica, entry.id).items()}
        payload = entry.payload(live.record.code)
        return {**payload, "reactions": counts} if counts else payload

    return page(log, live, who, "messages", "messageReceived", window, shown)


def segments(log: Log, live: LiveSession, who: Principal, window: Window) -> dict[str, Any]:
    """Final captions that were addressed to a user: ``{segments, hasMore, nextBeforeSeq}``, newest last."""
    code = live.record.code
    return page(log, live, who, "segments", "transcriptionUpdate", window, lambda entry: entry.payload(code))


@history.event("fetchHistory", schema=PageSchema, allow="participant", reads=True)
def fetch_history(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """The newest messages before ``beforeSeq`` and after ``afterSeq``, of everybody or of one group."""
    return messages(Log(context.hub.store, context.hub.archive), context.live, context.principal, Window.of(data))


@history.event("fetchTranscript", schema=PageSchema, allow="participant", reads=True)
def fetch_transcript(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """The newest final captions before ``beforeSeq`` and after ``afterSeq``."""
    return segments(Log(context.hub.store, context.hub.archive), context.live, context.principal, Window.of(data))
