"""Live captions: interim texts, of which the newest counts, and final ones, which are kept; and how a stream does."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from ..declared import InSession, Numbered, Shape, Stored, flag, many, moment, string, whole
from ..errors import ClassWavesError, StaleFence, StoreUnavailable
from ..events import Context, Feature
from ..live import LiveSession, adopts, follows, hears
from ..models import Draft, Entry, iso
from ..payloads import Flag, Number, StoredEvent, Text, identifier, position, user_identifier
from ..replica import Replica, fold, snapshot
from .groups import group_audience, group_of

logger = logging.getLogger(__name__)

transcription = Feature("transcription")

#: The fence of which segments are closed and how the streams do.
FENCE = "transcription"

#: How many closed segments, and how many streams, are remembered, and how many are forgotten at once beyond them.
SEGMENTS, STREAMS, SPARE = 5000, 200, 500

STATUSES = ("started", "stopped", "stalled", "failed")


class SegmentSchema(StoredEvent):
    groupId = identifier()
    streamId = identifier()
    segmentId = identifier(required=True)
    revision = position(required=True)
    text = Text(required=True, validate=validate.Length(1, 4000))
    isFinal = Flag(required=True)
    startMs = position(required=True)
    endMs = position(required=True)
    speakerId = user_identifier()
    confidence = Number(validate=validate.Range(0, 1))
    language = Text(validate=validate.Regexp(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z"))

    @validates_schema
    def _in_order(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data["endMs"] < data["startMs"]:
            raise ValidationError("It ends before it starts.", "endMs")


class StreamSchema(StoredEvent):
    streamId = identifier(required=True)


class StopSchema(StreamSchema):
    failed = Flag()
    reason = Text(validate=validate.Length(1, 200))


class CaptionShape(InSession):
    """A final text has a ``seq``."""

    speakerId = string()
    text = string()
    confidence = fields.Float(required=True, allow_none=True)
    segmentId = string()
    revision = whole()
    isFinal = flag()
    startMs = whole()
    endMs = whole()
    groupId = string(required=False)
    streamId = string(required=False)
    language = string(required=False)
    timestamp = moment()
    seq = whole(required=False)


class StreamShape(Shape):
    streamId = string()
    status = string(*STATUSES)


class StatusShape(StreamShape, Numbered):
    reason = string(required=False)


class StreamsShape(Shape):
    """How the streams do, as a joiner finds it."""

    streams = many(StreamShape)


class CaptionedShape(Stored):
    stale = flag(required=False)


transcription.sends("transcriptionUpdate", CaptionShape, "everyone in the session; a group's: that group and staff")
transcription.sends("transcriptionStatus", StatusShape)
transcription.answers(CaptionedShape, "publishTranscription")
transcription.answers(Stored, "startTranscription", "stopTranscription")


# the fold


@fold("transcriptionUpdate")
def _close_segment(replica: Replica, entry: Entry) -> None:
    """The newest closed segments: id -> the revision that closed it."""
    closed = replica.state.setdefault("segments", {})
    closed.setdefault(entry.draft.data["segmentId"], entry.draft.data["revision"])
    if len(closed) >= SEGMENTS + SPARE:
        for segment_id in list(islice(closed, SPARE)):
            del closed[segment_id]


@fold("transcriptionStatus")
def _stream_status(replica: Replica, entry: Entry) -> None:
    """stream id -> how it does, and whose it is."""
    streams: dict[str, Any] = replica.state.setdefault("streams", {})
    data = entry.draft.data
    if data["status"] == "stopped":
        streams.pop(data["streamId"], None)
        return
    owner = entry.draft.author or streams.get(data["streamId"], {}).get("userId", "")
    streams[data["streamId"]] = {"status": data["status"], "userId": owner, "seq": entry.seq}
    if len(streams) > STREAMS:
        del streams[next(iter(streams))]


@snapshot("transcription")
def _streams(replica: Replica, user_id: str, staff: bool) -> dict[str, Any]:
    """How the streams do that were not stopped. The text so far is in ``fetchTranscript``."""
    streams = replica.state.get("streams", {})
    return {"streams": [{"streamId": key, "status": stream["status"]} for key, stream in streams.items()]}


# the events


@transcription.event("publishTranscription", schema=SegmentSchema, allow="captioner", active=True, exclusive=True)
def publish_segment(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Caption: an interim text replaces the one before of its segment, a final one closes the segment and is kept.

    What comes for a closed segment, or with a lower revision, is dropped; the ack then says ``stale: true``.
    """
    replica, final = context.live.replica, data["isFinal"]
    if final:
        context.rely(FENCE)
    group_id = _group_of(context, data)
    audience, members = _audience(context, group_id)
    if data["segmentId"] in replica.state.get("segments", ()):
        return context.first_answer() or {"stale": True}
    payload: dict[str, Any] = {
        "speakerId": data.get("speakerId", context.principal.user_id),
        "text": data["text"],
        "confidence": data.get("confidence"),
        **{key: data[key] for key in ("segmentId", "revision", "isFinal", "startMs", "endMs")},
        **{key: data[key] for key in ("streamId", "language") if key in data},
        **({"groupId": group_id} if group_id else {}),
    }
    if data["revision"] < _revision(context.live, data["segmentId"]):
        return context.first_answer() or {"stale": True}
    revived = _revived(context, data)
    if final:
        draft = Draft("transcriptionUpdate", payload, context.principal.user_id, audience, tuple(members), (FENCE,))
        return context.publish_all([*revived, draft])
    if data["revision"] <= _revision(context.live, data["segmentId"]):
        return {"stale": True}
    if revived:
        context.rely(FENCE)
        context.publish_all(revived)
        context.rely(FENCE)  # which this has moved itself
    context.signal("interim", {"payload": payload, "audience": audience, "members": members})
    return {}


@transcription.event("startTranscription", schema=StreamSchema, allow="captioner", active=True, exclusive=True)
def start_stream(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say that captions come from now on. Said again, it keeps a stream from stalling while nobody speaks."""
    context.rely(FENCE)
    stream = context.live.replica.state.get("streams", {}).get(data["streamId"])
    if stream and stream["status"] == "started" and not context.client_message_id:
        context.signal("alive", {"streamId": data["streamId"]})
        return {}
    return context.publish_all([_status(context, data["streamId"], "started")])


@transcription.event("stopTranscription", schema=StopSchema, allow="captioner", exclusive=True)
def stop_stream(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say that no more captions come; with ``failed`` because something went wrong, which ``reason`` may tell."""
    context.rely(FENCE)
    if data["streamId"] not in context.live.replica.state.get("streams", {}) and not context.client_message_id:
        return {}
    status = "failed" if data.get("failed") else "stopped"
    return context.publish_all([_status(context, data["streamId"], status, data.get("reason"))])


def _group_of(context: Context, data: Mapping[str, Any]) -> str | None:
    """The group whose text it is. With ``ownGroup``, what somebody says who is in a group is that group's."""
    group_id: str | None = data.get("groupId")
    if group_id is None and context.live.record.settings["transcriptAudience"] == "ownGroup":
        context.rely("groups")
        return group_of(context.live.replica, data.get("speakerId", context.principal.user_id))
    return group_id


def _audience(context: Context, group_id: str | None) -> tuple[str, tuple[str, ...]]:
    """A group's text is for that group and staff."""
    if group_id is None:
        return "all", ()
    if context.principal.is_transcriber:  # whose place is in no group
        context.rely(f"group:{group_id}")
        found = context.live.replica.state.get("groups", {}).get(group_id)
        if found is None:
            raise ClassWavesError("GROUP_NOT_FOUND")
        return "group", tuple(found["members"])
    return "group", group_audience(context, group_id)


def _status(context: Context, stream_id: str, status: str, reason: str | None = None) -> Draft:
    data = {"streamId": stream_id, "status": status, **({"reason": reason} if reason else {})}
    return Draft("transcriptionStatus", data, context.principal.user_id, bumps=(FENCE,))


def _revived(context: Context, data: Mapping[str, Any]) -> list[Draft]:
    """Text has come: the streams that it is from have stalled no longer."""
    streams = context.live.replica.state.get("streams", {})
    mine = [key for key in _fed(streams, context.principal.user_id, data) if streams[key]["status"] != "started"]
    return [_status(context, stream_id, "started", "resumed") for stream_id in mine]


def _fed(streams: Mapping[str, Any], user_id: str, data: Mapping[str, Any]) -> list[str]:
    """The streams that a text is from: the one that it names, or all of who sends it."""
    if "streamId" in data:
        return [data["streamId"]] if data["streamId"] in streams else []
    return [stream_id for stream_id, stream in streams.items() if stream["userId"] == user_id]


# what each worker does


def _revision(live: LiveSession, segment_id: str) -> int:
    """The newest interim revision that this worker has seen of an open segment."""
    revision: int = live.transient.get("interim", {}).get(segment_id, -1)
    return revision


@hears("interim")
def _on_interim(live: LiveSession, message: dict[str, Any]) -> None:
    payload = message["data"]["payload"]
    segment_id, revision = payload["segmentId"], payload["revision"]
    _note_life(live, message["user"], payload)
    if segment_id in live.replica.state.get("segments", ()) or revision <= _revision(live, segment_id):
        return
    seen = live.transient.setdefault("interim", {})
    seen[segment_id] = revision
    if len(seen) > SEGMENTS:  # segments that nobody ever closed
        del seen[next(iter(seen))]
    shown = {**payload, "timestamp": iso(int(time.time() * 1000))}
    live.say(segment_id, "transcriptionUpdate", lambda: shown, message["data"]["audience"], message["data"]["members"])


@hears("alive")
def _on_alive(live: LiveSession, message: dict[str, Any]) -> None:
    _note_life(live, message["user"], message["data"])


@follows("transcriptionUpdate")
def _on_final(live: LiveSession, entry: Entry) -> None:
    segment_id = entry.draft.data["segmentId"]
    live.transient.get("interim", {}).pop(segment_id, None)
    live.forget("transcriptionUpdate", segment_id)  # an interim text that waits for its turn comes too late
    _note_life(live, entry.draft.author, entry.draft.data)


def _note_life(live: LiveSession, user_id: str, data: Mapping[str, Any]) -> None:
    heard = live.transient.setdefault("streams", {})
    for stream_id in _fed(live.replica.state.get("streams", {}), user_id, data):
        heard[stream_id] = live.clock.monotonic()


@follows("transcriptionStatus")
def _watch(live: LiveSession, entry: Entry) -> None:
    """Each worker watches each stream; whoever finds out first says it, and the others' word is the same append."""
    stream_id = entry.draft.data["streamId"]
    if entry.draft.data["status"] == "started":
        _keep_watch(live, stream_id, entry.seq)
    elif entry.draft.data["status"] == "stopped":
        for kept in ("streams", "watched"):
            live.transient.get(kept, {}).pop(stream_id, None)


@adopts
def _watch_all(live: LiveSession) -> None:
    """A worker that comes later watches what others have begun."""
    for stream_id, stream in live.replica.state.get("streams", {}).items():
        if stream["status"] == "started":
            _keep_watch(live, stream_id, stream["seq"])


def _keep_watch(live: LiveSession, stream_id: str, seq: int) -> None:
    live.transient.setdefault("streams", {})[stream_id] = live.clock.monotonic()
    watched = live.transient.setdefault("watched", {})
    if watched.get(stream_id) != seq:  # else a session that was loaded anew would be watched twice
        watched[stream_id] = seq
        live.later(live.settings.stall_after, lambda: _look_after(live, stream_id, seq))


def _look_after(live: LiveSession, stream_id: str, seq: int) -> None:
    """Is this stream, which was started by the entry ``seq``, still alive?"""
    with live.lock:
        stream = live.replica.state.get("streams", {}).get(stream_id)
        if stream is None or stream["seq"] != seq or live.closed or live.record.status == "ended":
            return
        left = live.transient["streams"][stream_id] + live.settings.stall_after - live.clock.monotonic()
        participant = live.replica.participants.get(stream["userId"])
        fence = live.replica.fence(FENCE)
    if left > 0:
        live.later(left, lambda: _look_after(live, stream_id, seq))
        return
    gone = participant is None or not participant.connected
    data = {"streamId": stream_id, "status": "failed" if gone else "stalled"}
    data["reason"] = "disconnected" if gone else "silent"
    draft = Draft("transcriptionStatus", data, stream["userId"], bumps=(FENCE,))
    try:
        live.store.append(live.id, [draft], dedupe=f"-stall:{stream_id}:{seq}", fences={FENCE: fence})
    except StaleFence:  # a text came meanwhile
        live.later(1.0, lambda: _look_after(live, stream_id, seq))
    except StoreUnavailable:
        raise  # the scheduler tries again
    except ClassWavesError as error:
        logger.info("a stalled transcription could not be told of: %s", error.code)
