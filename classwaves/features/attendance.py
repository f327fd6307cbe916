"""Attendance: when each user was there, from the arrivals and departures in the log, over all their devices."""

from __future__ import annotations

from typing import Any

from ..events import Feature
from ..models import TRANSCRIBER, Entry, iso
from ..replica import Replica, fold

#: It has no events of its own: it is read over REST.
attendance = Feature("attendance")


@fold("sessionStatusChanged")
def _note_status(replica: Replica, entry: Entry) -> None:
    sheet = _sheet(replica)
    if entry.draft.data["status"] == "active":
        sheet.setdefault("startedAt", entry.time)
    elif entry.draft.data["status"] == "ended":
        sheet.setdefault("endedAt", entry.time)
        for user_id, row in sheet["users"].items():
            row.setdefault("status", _status(replica, user_id))
            _end(row, entry.time)


@fold("participantChanged")
def _note_change(replica: Replica, entry: Entry) -> None:
    """Until the end: a seat that is taken again afterwards, because the store was away, is no attendance."""
    if "endedAt" in _sheet(replica):
        return
    users, user_id = _sheet(replica)["users"], entry.draft.author
    participant = replica.participants.get(user_id)
    if participant is not None and participant.connected:
        row = users.setdefault(user_id, {"joinedAt": entry.time, "present": 0, "since": None, "until": None})
        row["since"] = row["since"] or entry.time
    elif user_id in users:
        _end(users[user_id], entry.time)


@fold("participantRemoved")
def _note_removal(replica: Replica, entry: Entry) -> None:
    if row := _sheet(replica)["users"].get(entry.draft.data["userId"]):
        _end(row, entry.time)


def _sheet(replica: Replica) -> dict[str, Any]:
    """``startedAt``, ``endedAt``, and ``users``: joinedAt, present (until now), since, until; all in milliseconds.

    A user's ``status`` is there once the session has ended: how it was then.
    """
    sheet: dict[str, Any] = replica.state.setdefault("attendance", {"users": {}})
    return sheet


def _end(row: dict[str, Any], now: int) -> None:
    if row["since"] is not None:
        row["present"] += now - row["since"]
        row["since"], row["until"] = None, now


def sheet(replica: Replica, now: int, late_after: float) -> list[dict[str, Any]]:
    """A row for everybody who was there or was expected, in the order of joining.

    :param now: milliseconds since the epoch, up to which who is there is counted.
    :param late_after: seconds from the start of the session after which a joiner is late.
    :returns: ``{userId, displayName, role, status, joinedAt, leftAt, minutesPresent, late, minutesLate}``, where
        ``status`` is ``present``, ``disconnected``, ``left``, ``removed`` or ``absent``.
    """
    kept = replica.state.get("attendance", {"users": {}})
    users, started = kept["users"], kept.get("startedAt")
    rows = [
        _row(replica, user_id, row, min(now, kept.get("endedAt", now)), started, late_after)
        for user_id, row in users.items()
        if replica.known[user_id][1] != TRANSCRIBER
    ]
    settings = replica.record.settings if replica.record else {}
    expected = settings.get("rosterUserIds", []) if settings.get("access") == "roster" else []
    return rows + [_absent(user_id) for user_id in expected if user_id not in users]


def _row(
    replica: Replica, user_id: str, row: dict[str, Any], now: int, started: int | None, late_after: float
) -> dict[str, Any]:
    name, role = replica.known[user_id]
    present = row["present"] + (max(now - row["since"], 0) if row["since"] is not None else 0)
    behind = max(row["joinedAt"] - started, 0) if started is not None else 0
    late = behind > late_after * 1000
    return {
        "userId": user_id,
        "displayName": name,
        "role": role,
        "status": row.get("status") or _status(replica, user_id),
        "joinedAt": iso(row["joinedAt"]),
        "leftAt": iso(row["until"]) if row["since"] is None else None,
        "minutesPresent": round(present / 60_000, 1),
        "late": late,
        "minutesLate": round(behind / 60_000, 1) if late else 0,
    }


def _status(replica: Replica, user_id: str) -> str:
    if user_id in replica.removed:
        return "removed"
    participant = replica.participants.get(user_id)
    if participant is None:
        return "left"
    return "present" if participant.connected else "disconnected"


def _absent(user_id: str) -> dict[str, Any]:
    never = {"joinedAt": None, "leftAt": None, "minutesPresent": 0, "late": False, "minutesLate": 0}
    return {"userId": user_id, "displayName": "", "role": "", "status": "absent", **never}
