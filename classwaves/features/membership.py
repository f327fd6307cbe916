"""Entering and leaving a session: ``joinSession`` and ``syncSession``, with resume, and ``leaveSession``."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from ..errors import ClassWavesError, StaleFence
from ..events import Context, Feature, entry_fences
from ..live import LiveSession
from ..models import Principal
from ..payloads import EventSchema, Text, session_code
from ..ring import Resume
from ..tally import add

membership = Feature("membership")

TRIES = 5


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


def check_entry(live: LiveSession, principal: Principal) -> None:
    """Who may enter: staff, and whom the session's settings let in.

    :raises ClassWavesError: ``SESSION_ENDED``, ``SESSION_ACCESS_DENIED``.
    """
    record = live.record
    if record.status == "ended":
        raise ClassWavesError("SESSION_ENDED")
    if principal.auth.guest_of not in (None, live.id):
        raise ClassWavesError("SESSION_ACCESS_DENIED", "This guest belongs to another session")
    if principal.user_id in live.replica.removed:
        raise ClassWavesError("SESSION_ACCESS_DENIED", "You were removed from this session")
    if live.is_staff(principal) or _captions_for_staff(live, principal):
        return
    if principal.role == "teacher":
        raise ClassWavesError("SESSION_ACCESS_DENIED", "This session belongs to another teacher")
    if record.settings["access"] == "roster" and principal.user_id not in record.settings["rosterUserIds"]:
        raise ClassWavesError("SESSION_ACCESS_DENIED", "You are not on this session's roster")


def _captions_for_staff(live: LiveSession, principal: Principal) -> bool:
    """A program that captions, with a token that staff asked for or that is of a login of theirs."""
    own = principal.auth.guest_of == live.id or live.record.is_staff(principal.user_id, principal.role)
    return principal.is_transcriber and own


@membership.event("joinSession", schema=JoinSchema, allow="connected", arguments=("sessionCode", "resume"))
def join(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Let the socket in and tell it where things stand; joining again only tells."""
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
            _take_seat(context, live)
        return _enter(context, live, resume)
    except BaseException:
        if connection.sid not in live.members:
            del connection.seats[session_id]
            hub.depart(connection, live, 0)  # the store may have the seat even if its answer was lost
        raise


def _take_seat(context: Context, live: LiveSession) -> None:
    """Add the connection to the roster, and wait until the arrival has come along the feed."""
    principal = context.principal
    for _ in range(TRIES):
        fences = entry_fences(live, principal)  # before the check that relies on them
        check_entry(live, principal)
        uncounted = live.is_staff(principal) or principal.is_transcriber
        capacity = None if uncounted else live.record.settings["maxParticipants"] + live.replica.captioners()
        try:
            result = context.hub.store.join(
                live.id,
                context.seat,
                display_name=principal.display_name,
                role=principal.participant_role,
                fences=fences,
                capacity=capacity,
            )
        except StaleFence:
            live.catch_up()
        else:
            return live.reach(result.seq)
    raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)


def _enter(context: Context, live: LiveSession, resume: Resume | None) -> dict[str, Any]:
    older = live.older(resume)
    with live.lock:  # snapshot and room in one turn: no event falls between
        check_entry(live, context.principal)  # somebody may have been removed while the log was read
        missed = live.missed(context.principal, resume, older)
        _count(context, resume, missed)
        snapshot = live.snapshot(context.principal, missed)
        live.enter(context.connection.sid, context.principal, snapshot)
        return {"seq": live.replica.seq, "epoch": live.replica.epoch, "recovered": missed is not None}


@membership.event("syncSession", schema=SyncSchema, allow="participant", reads=True)
def sync(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Tell a socket that is in the session where things stand, and what it has missed: what ``sessionJoined`` has."""
    live, resume = context.live, Resume(data["sinceSeq"], data["epoch"])
    older = live.older(resume)
    with live.lock:
        if context.connection.sid not in live.members:  # removed while the log was read
            raise ClassWavesError("NOT_IN_SESSION")
        missed = live.missed(context.principal, resume, older)
        _count(context, resume, missed)
        return live.snapshot(context.principal, missed)


def _count(context: Context, resume: Resume | None, missed: list[Any] | None) -> None:
    outcome = "fresh" if resume is None else "snapshot" if missed is None else "complete"
    add(context.hub.tally.resumes, outcome)


@membership.event("leaveSession", schema=LeaveSchema, allow="connected", arguments=("sessionCode",))
def leave(context: Context, data: dict[str, Any]) -> None:
    """Take this socket out of the session. The participant has left when it was their last."""
    connection, hub = context.connection, context.hub
    code = data["sessionCode"].strip().upper()
    seat = next(((key, live) for key, live in connection.seats.items() if live.record.code == code), None)
    if seat is not None:
        session_id, live = seat
        hub.store.leave(session_id, context.seat)
        live.remove(connection.sid)
        del connection.seats[session_id]
        hub.release(session_id)
    hub.emitter.emit("sessionLeft", {"sessionCode": code}, [connection.sid])
