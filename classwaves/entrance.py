"""The way into a session: who may enter, the shop's word, the wait for staff, a place in the roster, the room.

Imports errors, models, gate, lobby, replica, live and events.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

from .errors import ClassWavesError, StaleFence
from .events import Context, entry_fences
from .gate import Join
from .live import LiveSession
from .lobby import Waiter
from .models import Principal
from .replica import Replica
from .ring import Resume
from .signals import participant_joined
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
    if admissions(live.replica).get(principal.user_id) is False:
        raise ClassWavesError("SESSION_ACCESS_DENIED", "You were not let into this session")
    if live.is_staff(principal) or _captions_for_staff(live, principal):
        return
    if principal.role == "teacher":
        raise ClassWavesError("SESSION_ACCESS_DENIED", "This session belongs to another teacher")
    if record.settings["access"] == "roster" and principal.user_id not in record.settings["rosterUserIds"]:
        raise ClassWavesError("SESSION_ACCESS_DENIED", "You are not on this session's roster")


def admissions(replica: Replica) -> Mapping[str, bool]:
    """user id -> whether staff let them in from the waiting room; kept by :mod:`classwaves.features.waiting`."""
    decided: Mapping[str, bool] = replica.state.get("admissions", {})
    return decided


def must_wait(live: LiveSession, principal: Principal) -> bool:
    """Whether somebody is a guest of a session with a waiting room, whom staff have not let in."""
    guest = principal.auth.guest_of is not None and not principal.is_transcriber
    return guest and live.record.settings["waitingRoom"] and not admissions(live.replica).get(principal.user_id)


def _captions_for_staff(live: LiveSession, principal: Principal) -> bool:
    """A program that captions, with a token that staff asked for or that is of a login of theirs."""
    own = principal.auth.guest_of == live.id or live.record.is_staff(principal.user_id, principal.role)
    return principal.is_transcriber and own


def ask_guard(context: Context, live: LiveSession) -> None:
    """Ask the shop. Called without the session's lock, because its answer may take its time.

    :raises ClassWavesError: ``SESSION_ACCESS_DENIED``.
    """
    context.hub.gate.check(Join.of(context.principal, live.record, context.connection.address))


def take_seat(context: Context, live: LiveSession) -> bool:
    """Add the connection to the roster, and wait until the arrival has come along the feed.

    :returns: ``False`` if there is no seat before staff have let the guest in.

    :raises ClassWavesError: what :func:`check_entry` raises, ``SESSION_FULL``, ``SERVICE_UNAVAILABLE``.
    """
    principal = context.principal
    for _ in range(TRIES):
        fences = entry_fences(live, principal)  # before the check that relies on them
        check_entry(live, principal)
        if must_wait(live, principal):
            return False
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
            live.reach(result.seq)
            if result.came:
                who, name, role = principal.user_id, principal.display_name, principal.participant_role
                facts = {"session": live.record, "user_id": who, "display_name": name, "role": role}
                context.hub.herald.tell(participant_joined, **facts)
            return True
    raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)


def _capacity(live: LiveSession, principal: Principal) -> int | None:
    return None if live.is_staff(principal) or principal.is_transcriber else places(live)


def places(live: LiveSession) -> int:
    """How many there may be in the roster; programs that caption are in nobody's way."""
    most: int = live.record.settings["maxParticipants"]
    return most + live.replica.captioners()


def seated_or_waiting(context: Context, live: LiveSession, resume: Resume | None) -> bool:
    """Take a seat, or wait for staff, as the session's state says now; ``False``: the socket waits."""
    while not take_seat(context, live):
        if _wait(context, live, resume):
            return False
    return True


def _wait(context: Context, live: LiveSession, resume: Resume | None) -> bool:
    """Have the socket wait for staff; ``False`` if it need not any more.

    :raises ClassWavesError: what :func:`check_entry` raises, ``SERVICE_UNAVAILABLE``.
    """
    who = context.principal
    let_in = functools.partial(_let_in, context, live, resume)
    turn_away = functools.partial(_turn_away, context, live)
    with live.lock:  # or what staff decide now would not find the socket
        check_entry(live, who)
        if not must_wait(live, who):
            return False
        live.lobby.add(context.connection.sid, Waiter(who, int(time.time() * 1000), let_in, turn_away))
    live.lobby.say_added(who.user_id)
    return True


def _let_in(context: Context, live: LiveSession, resume: Resume | None) -> None:
    """Staff have let the guest in, while no event of theirs is handled: what comes of it is an event."""
    connection = context.connection
    with context.hub.herald.after(), connection.lock:  # the shop is told when the lock is let go
        if connection.seats.get(live.id) is not live or connection.sid in live.members:
            return  # they left, or asked again and are in
        try:
            if seated_or_waiting(context, live, resume):
                enter(context, live, resume)
        except ClassWavesError as error:
            give_up(context, live)
            _refuse(context, error)


def _turn_away(context: Context, live: LiveSession, error: ClassWavesError) -> None:
    connection = context.connection
    with connection.lock:
        if connection.seats.get(live.id) is live and connection.sid not in live.members:
            give_up(context, live)
            _refuse(context, error)


def _refuse(context: Context, error: ClassWavesError) -> None:
    sid = context.connection.sid
    context.hub.emitter.emit("error", {**error.to_dict(), "event": context.event.name}, [sid])


def give_up(context: Context, live: LiveSession) -> None:
    """The socket did not get in: it has no place, here or in the roster, where an answer may have got lost."""
    connection = context.connection
    with live.lock:
        live.lobby.leave(connection.sid)
    del connection.seats[live.id]
    context.hub.depart(connection, live, 0)


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
