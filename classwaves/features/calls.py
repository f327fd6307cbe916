"""Calls: what two browsers have to tell each other so that voice and video go from one to the other (WebRTC).

A signal reaches one participant, on whatever worker their sockets are, in the order in which it was sent. It is in no
log, and no newer one takes its place.
"""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from .. import codec
from ..declared import InSession, Nothing, anything, string
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..live import LiveSession, hears
from ..models import TRANSCRIBER
from ..payloads import Json, SessionEvent, Text, identifier, user_identifier
from ..rules import forbidden

calls = Feature("calls")

#: What a signal may carry, in bytes of JSON: a description of a whole call, or one address.
DESCRIPTION, SMALL = 65_536, 8192
MOST = {"offer": DESCRIPTION, "answer": DESCRIPTION, "candidate": SMALL, "hangup": SMALL}


class SignalSchema(SessionEvent):
    targetUserId = user_identifier(required=True)
    callId = identifier(required=True)
    type = Text(required=True, validate=validate.OneOf(list(MOST)))
    payload = Json(allow_none=True)


class ReceivedShape(InSession):
    fromUserId = string()
    callId = string()
    type = string(*MOST)
    payload = anything()


calls.sends("signalReceived", ReceivedShape, "the user it was sent to")
calls.answers(Nothing, "signal")


def _weight(data: dict[str, Any]) -> int:
    """Each further 8 KiB counts as a signal, or large ones would fill a slow line until its owner is dropped."""
    return _size(data) // SMALL


def _size(data: dict[str, Any]) -> int:
    return len(codec.dumps(data.get("payload")))


@calls.event("signal", schema=SignalSchema, allow="participant", rate="signal", weight=_weight)
def signal(context: Context, data: dict[str, Any]) -> None:
    """Tell one participant something about a call: an offer, an answer, an address (`candidate`), or its end.

    The pipeline has looked at who sends it, and so has each worker that hears it, because it is not fenced: nobody's
    call breaks because the teacher pauses the session.
    """
    live, target, payload = context.live, data["targetUserId"], data.get("payload")
    if _size(data) > MOST[data["type"]]:
        raise ClassWavesError("PAYLOAD_TOO_LARGE", details={"maxBytes": MOST[data["type"]]})
    participant = live.replica.participants.get(target)
    if participant is None or not participant.connected or participant.role == TRANSCRIBER:
        raise ClassWavesError("PEER_UNAVAILABLE")
    if reason := _closed(live, context.principal.user_id, target, data["type"]):
        raise forbidden(reason, "Calls between students are closed now")
    about = {"callId": data["callId"], "type": data["type"], "payload": payload}
    context.signal("call", {"target": target, "about": about}, fenced=False)


@hears("call")
def _on_signal(live: LiveSession, message: dict[str, Any]) -> None:
    sender, target, about = message["user"], message["data"]["target"], message["data"]["about"]
    removed, ended = sender in live.replica.removed, live.record.status == "ended"
    if removed or ended or _closed(live, sender, target, about["type"]):
        return  # since the look at it
    payload = {"sessionCode": live.record.code, "fromUserId": sender, **about}
    live.crowd.send("signalReceived", payload, "user", [target])


def _closed(live: LiveSession, sender: str, target: str, kind: str) -> str | None:
    """Why this sender may not, if so: between students a call is as much as a chat. Its end may always be told."""
    if kind == "hangup" or sender == target or any(_is_staff(live, user_id) for user_id in (sender, target)):
        return None
    if sender in live.replica.muted:
        return "muted"
    return None if live.replica.mode == "open" else live.replica.mode


def _is_staff(live: LiveSession, user_id: str) -> bool:
    participant = live.replica.participants.get(user_id)
    return participant is not None and live.record.is_staff(user_id, participant.role)
