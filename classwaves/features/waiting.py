"""The waiting room: guests of a session that has one wait until staff let them in. ``admitParticipant`` decides.

What is decided is in the log; who waits is in no log, see :mod:`classwaves.lobby`.
"""

from __future__ import annotations

from typing import Any

from ..declared import InSession, Numbered, Stored, flag, string
from ..entrance import admissions, check_entry, must_wait, places
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..live import LiveSession, adopts, follows, hears
from ..models import Entry
from ..payloads import Flag, StoredEvent, user_identifier
from ..replica import Replica, fold

waiting = Feature("waiting")


class AdmitSchema(StoredEvent):
    userId = user_identifier(required=True)
    admitted = Flag(required=True)


class RequestedShape(InSession):
    userId = string()
    displayName = string()


class WithdrawnShape(InSession):
    userId = string()


class AdmittedShape(Numbered):
    userId = string()
    admitted = flag()
    admittedBy = string()


waiting.sends("joinRequested", RequestedShape, "staff")
waiting.sends("joinWithdrawn", WithdrawnShape, "staff")
waiting.sends("participantAdmitted", AdmittedShape, "staff")
waiting.answers(Stored, "admitParticipant")


@fold("participantAdmitted")
def _decided(replica: Replica, entry: Entry) -> None:
    """user id -> whether they were let in; the first word counts."""
    data = entry.draft.data
    replica.state.setdefault("admissions", {}).setdefault(data["userId"], data["admitted"])


@fold("sessionChanged")
def _already_in(replica: Replica, entry: Entry) -> None:
    """Who is in the session when the waiting room is opened need not ask when they come back."""
    if entry.draft.data["settings"].get("waitingRoom"):
        decided = replica.state.setdefault("admissions", {})
        for user_id in replica.participants:
            decided.setdefault(user_id, True)


@waiting.event("admitParticipant", schema=AdmitSchema, allow="staff", audits="participant.admitted")
def admit(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Let somebody in who waits, or turn them away, for good. Said again, it changes nothing."""
    user_id, admitted, live = data["userId"], data["admitted"], context.live
    context.rely(f"user:{user_id}")
    decided = admissions(live.replica).get(user_id)
    if decided == admitted:
        return context.first_answer() or {}
    if decided is not None:
        raise ClassWavesError("CONFLICT", "This was decided before", details={"current": {"admitted": decided}})
    with live.lock:
        if not live.lobby.waits(user_id):
            raise ClassWavesError("NOT_FOUND", "Nobody of this id waits to be let in")
    if admitted and len(live.replica.participants) >= places(live):
        raise ClassWavesError("SESSION_FULL")
    payload = {"userId": user_id, "admitted": admitted, "admittedBy": context.principal.user_id}
    return context.publish("participantAdmitted", payload, audience="staff", bumps=[f"user:{user_id}"])


@follows("participantAdmitted")
def _strike(live: LiveSession, entry: Entry) -> None:
    live.lobby.strike(entry.draft.data["userId"])
    _look(live)


@follows("participantRemoved")
@follows("sessionChanged")
@follows("sessionStatusChanged")
def _look_again(live: LiveSession, entry: Entry) -> None:
    _look(live)


@adopts
def _begin(live: LiveSession) -> None:
    if live.replica.record is None:
        return
    _look(live)
    if live.record.settings["waitingRoom"]:
        live.later(0, live.lobby.say_asking)


def _look(live: LiveSession) -> None:
    """Do for each socket that waits here what the session's state says now."""
    for sid, waiter in live.lobby.here():
        try:
            check_entry(live, waiter.principal)
        except ClassWavesError as error:
            live.lobby.turn_away(sid, error)
        else:
            if not must_wait(live, waiter.principal):
                live.lobby.let_in(sid)


@hears("waiting")
def _hear(live: LiveSession, message: dict[str, Any]) -> None:
    live.lobby.hear(message)


@hears("waitingAsked")
def _answer(live: LiveSession, message: dict[str, Any]) -> None:
    if live.lobby.here():
        live.later(0, live.lobby.say_all)
