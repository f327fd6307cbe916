"""Entering and leaving a session: ``joinSession`` and ``syncSession``, with resume, and ``leaveSession``."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from ..declared import Nothing, Shape, flag, string, whole
from ..entrance import ask_guard, check_entry, count_resume, enter, give_up, seated_or_waiting
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..payloads import EventSchema, Text, session_code
from ..ring import Resume
from ..signals import participant_left

membership = Feature("membership")


class ResumeSchema(EventSchema):
    """Where the client was: the highest ``seq`` it has seen, and the numbering that it belongs to."""

    sinceSeq = fields.Integer(required=True, strict=True, validate=validate.Range(0, 2**53))
    epoch = Text(required=True, validate=validate.Length(1, 64))


class JoinSchema(EventSchema):
    sessionCode = session_code()
    resume = fields.Nested(ResumeSchema, allow_none=True)


class SyncSchema(ResumeSchema):
    sessionCode = session_code()


class LeaveSchema(EventSchema):
    sessionCode = session_code()


class EnteredShape(Shape):
    """Where the session is; or that the guest waits to be let in."""

    seq = whole(required=False)
    epoch = string(required=False)
    recovered = flag(required=False)
    waiting = flag(required=False)


membership.answers(EnteredShape, "joinSession")
membership.answers(Nothing, "leaveSession")


@membership.event("joinSession", schema=JoinSchema, allow="connected", arguments=("sessionCode", "resume"))
def join(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Let the socket in and tell it where things stand; joining again only tells. Guests may have to wait."""
    connection, hub = context.connection, context.hub
    if connection.closed:  # it ended while this event waited for its turn, and would leave a seat behind
        raise ClassWavesError("NOT_IN_SESSION")
    session_id = hub.find(data["sessionCode"])
    resume = Resume(data["resume"]["sinceSeq"], data["resume"]["epoch"]) if data.get("resume") else None
    live = connection.seats.get(session_id)
    if live is None:
        live = hub.acquire(session_id)
        try:
            check_entry(live, context.principal)
        except ClassWavesError:
            hub.release(session_id)
            raise
        connection.seats[session_id] = live
    try:
        check_entry(live, context.principal)
        if connection.sid not in live.members:
            ask_guard(context, live)
            if not seated_or_waiting(context, live, resume):
                return {"waiting": True}
        return enter(context, live, resume)
    except BaseException:
        if connection.sid not in live.members:
            give_up(context, live)
        raise


@membership.event("syncSession", schema=SyncSchema, allow="participant", reads=True)
def sync(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Tell a socket that is in the session where things stand, and what it has missed: what ``sessionJoined`` has."""
    live, resume = context.live, Resume(data["sinceSeq"], data["epoch"])
    older = live.older(resume)
    with live.lock:
        if context.connection.sid not in live.members:  # removed while the log was read
            raise ClassWavesError("NOT_IN_SESSION")
        missed = live.missed(context.principal, resume, older)
        count_resume(context, resume, missed)
        return live.snapshot(context.principal, missed)


@membership.event("leaveSession", schema=LeaveSchema, allow="connected", arguments=("sessionCode",))
def leave(context: Context, data: dict[str, Any]) -> None:
    """Take this socket out of the session. The participant has left when it was their last."""
    connection, hub = context.connection, context.hub
    code = data["sessionCode"].strip().upper()
    seat = next(((key, live) for key, live in connection.seats.items() if live.record.code == code), None)
    if seat is not None:
        session_id, live = seat
        with live.lock:
            waited = live.lobby.leave(connection.sid)
        if not waited and hub.store.leave(session_id, context.seat):
            who = context.principal.user_id
            hub.herald.tell(participant_left, session=live.record, user_id=who, reason="left")
        live.remove(connection.sid)
        del connection.seats[session_id]
        hub.release(session_id)
    hub.emitter.emit("sessionLeft", {"sessionCode": code}, [connection.sid])
