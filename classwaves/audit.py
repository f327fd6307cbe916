"""The audit stream: who did what that not everybody may. Append-only, for as long as a setting says.

Imports errors, models, trail, store and the archive's base. It is beside the sessions' logs, which end with their
sessions, and has neither names nor texts, so that it may be kept longer and read by who looks after the server.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import trail
from .archive.base import Archive
from .errors import StoreUnavailable
from .models import SessionRecord, iso
from .store import Store
from .store.acts import Act, Noted

logger = logging.getLogger(__name__)

PAGE = 500

#: What is written down, and what it means. Nothing else may be.
ACTS: dict[str, str] = {
    "session.created": "a session was created",
    "session.started": "a session was started, or went on",
    "session.paused": "a session was paused",
    "session.ended": "a session was ended",
    "session.changed": "its settings or its title were changed; `details` has the settings",
    "session.mode": "the chat was closed or opened (`details.mode`)",
    "session.exported": "a session's whole log was handed out",
    "session.read": "an operator read a session's names and texts in a shell; `target` is the session",
    "participant.admitted": "a guest was let in, or turned away (`details.admitted`)",
    "participant.removed": "a participant was put out for good",
    "participant.muted": "a participant was muted, or no longer (`details.muted`)",
    "message.deleted": "staff took a message back; `target` is the message",
    "file.removed": "staff took a file back; `target` is the file",
    "token.transcriber": "a token for a program that captions was given out; `target` is its user",
    "token.issued": "an operator made a token for somebody without their password; `target` is its user",
    "account.created": "an account was made",
    "user.role": "a user got another role (`details.role`)",
    "user.blocked": "a user was blocked, and their logins ended",
    "user.unblocked": "a user may log in again",
    "user.logins": "all logins of a user were ended",
    "user.exported": "what is kept of a user was handed out",
    "user.erased": "a user's names, texts and files were erased (`details.complete: false`: it was broken off)",
    "worker.drained": "an operator let workers drain; `details.workers` says which",
    "worker.undrained": "an operator let them go on",
    "audit.exported": "this stream was handed out whole",
    "access.refused": "somebody asked for what is for admins, and is none; `details.route` says what",
}

_VIA = {trail.EVENT: "socket", trail.REQUEST: "rest"}


class Audit:
    """The stream of one application.

    :param seconds: how long an act is kept; 0: for ever.
    :param archive: has what the store has lost, or let go of.
    """

    def __init__(self, store: Store, seconds: float, archive: Archive | None = None) -> None:
        self._store, self._seconds, self._archive = store, seconds, archive

    def note(
        self,
        what: str,
        who: str = "",
        *,
        record: SessionRecord | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
        via: str = "",
        once: str = "",
    ) -> None:
        """Write an act down, which has happened. If the store is away by now, the log has it instead.

        :param once: what it is known by, if it may be told more than once.
        :raises KeyError: ``what`` is not in :data:`ACTS`.
        """
        ACTS[what]
        now = trail.current()
        session, code = (record.id, record.code) if record else ("", "")
        by = via or (_VIA.get(now.kind, "app") if now else "app")
        act = Act(what, who, by, session, code, target, now.id if now else "", details or {})
        try:
            self._store.note_act(act, self._seconds, once)
        except StoreUnavailable:
            logger.error("the store is away, and the audit stream lacks this: %s", act.text())

    @contextmanager
    def noting(self, what: str, who: str = "", *, target: str = "", via: str = "") -> Iterator[None]:
        """Write down an act of many steps when it ends; ``details: {"complete": false}`` if it was broken off."""
        details: dict[str, Any] = {"complete": False}
        try:
            yield
            details = {}
        finally:
            self.note(what, who, target=target, details=details, via=via)

    def page(self, before: str, limit: int) -> list[Noted]:
        """The newest acts before this id, newest first."""
        found = self._store.acts(before, limit)
        if self._archive and len(found) < limit:
            found += self._archive.acts(found[-1].id if found else before, limit - len(found))
        return found

    def everything(self) -> Iterator[Noted]:
        """The whole stream, oldest first, read as it is asked for."""
        after = ""
        for source in (self._archive, self._store):
            while source and (page := source.acts_after(after, PAGE)):
                yield from page
                after = page[-1].id


def shown(noted: Noted) -> dict[str, Any]:
    """An act as REST and exports have it."""
    act = noted.act
    return {
        "id": noted.id,
        "timestamp": iso(noted.time),
        "what": act.what,
        "who": act.who or None,
        "via": act.via,
        "sessionCode": act.code or None,
        "sessionId": act.session or None,
        "target": act.target or None,
        "traceId": act.trace or None,
        "details": dict(act.details),
    }


#: The fields of events of which an act tells.
_TARGETS, _DETAILS = ("userId", "messageId", "fileId"), ("admitted", "muted", "mode")


def of_event(data: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The target and the details of a client event, of its payload and its ack."""
    target = next((data[name] for name in _TARGETS if name in data), "")
    return target, {**{name: data[name] for name in _DETAILS if name in data}, "seq": answer["seq"]}


def of_settings(settings: Mapping[str, Any], titled: bool) -> dict[str, Any]:
    """The details of a change: what was set, with who became a co-teacher, and without the roster."""
    told = {name: value for name, value in settings.items() if name != "rosterUserIds"}
    if "rosterUserIds" in settings:
        told["rosterUserIds"] = len(settings["rosterUserIds"])
    return {"settings": told, **({"title": "changed"} if titled else {})}
