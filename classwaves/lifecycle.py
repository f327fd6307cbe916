"""The life of a session, which only REST changes: created, started, paused, resumed, ended, its settings.

Imports errors, models, hub and live.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .audit import of_settings
from .errors import ClassWavesError, StaleFence
from .hub import Hub
from .live import LiveSession
from .models import DEFAULT_SESSION_SETTINGS, AuthSession, Draft, Principal, SessionRecord, new_code, new_id
from .signals import session_created, session_ended, session_started

TRIES = 5

#: step -> the states from which it may be taken, and the state to which it leads
STEPS: dict[str, tuple[frozenset[str], str]] = {
    "start": (frozenset({"created"}), "active"),
    "pause": (frozenset({"active"}), "paused"),
    "resume": (frozenset({"paused"}), "active"),
    "end": (frozenset({"created", "active", "paused"}), "ended"),
}

#: What the audit stream calls a step that was taken.
PAST = {"start": "started", "pause": "paused", "resume": "started", "end": "ended"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a step appends, and the session's record after it."""

    drafts: list[Draft]
    record: SessionRecord


def create(hub: Hub, owner_id: str, title: str, settings: Mapping[str, Any], code: str | None = None) -> SessionRecord:
    """Create a session with a code of its own.

    :param code: a code to use instead of a random one.
    :raises ClassWavesError: ``CONFLICT``: the code asked for is taken. ``SERVICE_UNAVAILABLE``.
    """
    for _ in range(20):
        record = SessionRecord(
            id=new_id(),
            code=code or new_code(),
            title=title,
            owner_id=owner_id,
            created_at=int(time.time() * 1000),
            settings={**DEFAULT_SESSION_SETTINGS, **settings},
        )
        draft = Draft("sessionCreated", {"record": record.to_dict()}, owner_id, audience="none", bumps=("session",))
        if hub.store.create_session(record, draft):
            hub.touch(record)
            hub.audit.note("session.created", owner_id, record=record)
            hub.herald.tell(session_created, session=record)
            return record
        if code:
            raise ClassWavesError("CONFLICT", "This code is taken")
    raise ClassWavesError("SERVICE_UNAVAILABLE", "No free session code was found", retry_after_ms=1000)


def step(hub: Hub, session_id: str, name: str, principal: Principal, reason: str | None = None) -> SessionRecord:
    """Take a step of :data:`STEPS`.

    :raises ClassWavesError: ``CONFLICT``: not from this state. ``SESSION_ACCESS_DENIED``: not staff.
    """
    sources, target = STEPS[name]

    def change(live: LiveSession) -> Change:
        record = live.record
        if record.status not in sources:
            raise ClassWavesError("CONFLICT", f"Cannot {name} a session that is {record.status}")
        data = {"status": target, "previousStatus": record.status}
        drafts = [Draft("sessionStatusChanged", data, principal.user_id, bumps=("session",))]
        if target == "ended":
            drafts.append(Draft("sessionEnded", {"reason": reason or "ended"}, principal.user_id))
        return Change(drafts, record.with_changes(status=target))

    record = _commit(hub, session_id, principal, change)
    hub.audit.note(f"session.{PAST[name]}", principal.user_id, record=record)
    if name == "start":
        hub.herald.tell(session_started, session=record, user_id=principal.user_id)
    elif name == "end":
        hub.herald.tell(session_ended, session=record, user_id=principal.user_id, reason=reason or "ended")
    return record


def configure(
    hub: Hub, session_id: str, principal: Principal, title: str | None, settings: Mapping[str, Any]
) -> SessionRecord:
    """Change a session's title and some of its settings.

    :raises ClassWavesError: ``SESSION_ENDED``, ``SESSION_ACCESS_DENIED``.
    """

    before: SessionRecord | None = None

    def change(live: LiveSession) -> Change:
        nonlocal before
        before = record = live.record
        if record.status == "ended":
            raise ClassWavesError("SESSION_ENDED")
        changed = record.with_changes(title=title or record.title, settings={**record.settings, **settings})
        data = {"title": changed.title, "settings": dict(settings)}
        return Change([Draft("sessionChanged", data, principal.user_id, "none", bumps=("session",))], changed)

    record = _commit(hub, session_id, principal, change)
    if record != before:
        details = of_settings(settings, titled=title is not None)
        hub.audit.note("session.changed", principal.user_id, record=record, details=details)
    return record


def _commit(hub: Hub, session_id: str, principal: Principal, change: Callable[[LiveSession], Change]) -> SessionRecord:
    dedupe = f"-{new_id()}"
    for _ in range(TRIES):
        live = hub.view(session_id)
        fences = {"session": live.replica.fence("session")}  # before the checks that rely on it
        if not live.is_staff(principal):
            raise ClassWavesError("SESSION_ACCESS_DENIED")
        wanted = change(live)
        try:
            stored = hub.store.append(session_id, wanted.drafts, dedupe=dedupe, fences=fences, record=wanted.record)
            live.heard(stored)
        except StaleFence:
            hub.refresh(live)
        else:
            hub.touch(wanted.record)
            hub.herald.appended(wanted.record, wanted.drafts, stored.seq, stored.epoch, stored.time)
            return wanted.record
    raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=100)


def system(user_id: str) -> Principal:
    """A principal for what the server does itself in a user's name."""
    return Principal(AuthSession("", user_id, "", "admin"), float("inf"))
