"""The way into a session: who may enter, the shop's word, a place in the roster, the room.

Imports errors, models, gate, live and events.
"""

from __future__ import annotations

from typing import Any

from .errors import ClassWavesError, StaleFence
from .events import Context, entry_fences
from .gate import Join
from .live import LiveSession
from .models import Principal
from .ring import Resume
from .tally import add

TRIES = 5


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


def ask_guard(context: Context, live: LiveSession) -> None:
    """Ask the shop. Called without the session's lock, because its answer may take its time.

    :raises ClassWavesError: ``SESSION_ACCESS_DENIED``.
    """
    context.hub.gate.check(Join.of(context.principal, live.record, context.connection.address))


def take_seat(context: Context, live: LiveSession) -> None:
    """Add the connection to the roster, and wait until the arrival has come along the feed.

    :raises ClassWavesError: what :func:`check_entry` raises, ``SESSION_FULL``, ``SERVICE_UNAVAILABLE``.
    """
    principal = context.principal
    for _ in range(TRIES):
        fences = entry_fences(live, principal)  # before the check that relies on them
        check_entry(live, principal)
        try:
            result = context.hub.store.join(
                live.id,
                context.seat,
                display_name=principal.display_name,
                role=principal.participant_role,
                fences=fences,
                capacity=_capacity(live, principal),
            )
        except StaleFence:
            live.catch_up()
        else:
            return live.reach(result.seq)
    raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)


def _capacity(live: LiveSession, principal: Principal) -> int | None:
    return None if live.is_staff(principal) or principal.is_transcriber else places(live)


def places(live: LiveSession) -> int:
    """How many there may be in the roster; programs that caption are in nobody's way."""
    most: int = live.record.settings["maxParticipants"]
    return most + live.replica.captioners()


def enter(context: Context, live: LiveSession, resume: Resume | None) -> dict[str, Any]:
    """Let the socket into the room, and tell it where things stand; the answer is the ack's."""
    older = live.older(resume)
    with live.lock:  # snapshot and room in one turn: no event falls between
        check_entry(live, context.principal)  # somebody may have been removed while the log was read
        missed = live.missed(context.principal, resume, older)
        count_resume(context, resume, missed)
        snapshot = live.snapshot(context.principal, missed)
        live.enter(context.connection.sid, context.principal, snapshot)
        return {"seq": live.replica.seq, "epoch": live.replica.epoch, "recovered": missed is not None}


def count_resume(context: Context, resume: Resume | None, missed: list[Any] | None) -> None:
    """Count what a client that came, or asked for what it missed, was answered."""
    outcome = "fresh" if resume is None else "snapshot" if missed is None else "complete"
    add(context.hub.tally.resumes, outcome)
