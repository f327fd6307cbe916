"""The fold: what a classroom session is, computed from its events. Pure: no I/O, no clock, no Flask.

Imports only models. A replica is a function of the log's prefix: folding a checkpoint and the tail after it gives what
folding from the start gives, on every worker. The fold accepts any log; what its prefix makes meaningless changes
nothing. A feature adds its own state and folds with :func:`fold`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from .models import Entry, Participant, SessionRecord

#: Raise it when the fold of any event changes: checkpoints of another version are ignored.
FOLD_VERSION = 1

Fold = Callable[["Replica", Entry], None]
FOLDS: dict[str, Fold] = {}


def fold(event: str) -> Callable[[Fold], Fold]:
    """Register what an event of this name changes. The function must not fail, whatever the log says before it."""

    def register(function: Fold) -> Fold:
        if event in FOLDS:
            raise RuntimeError(f"{event} has a fold already; an event is folded in one place")
        FOLDS[event] = function
        return function

    return register


class Replica:
    """One session's state. ``state`` holds what features keep, as plain JSON-able values under their own names."""

    def __init__(self, epoch: str = "") -> None:
        #: the numbering that the store is at; entries from before it changed keep their own
        self.epoch = epoch
        self.seq = 0
        self.record: SessionRecord | None = None
        #: name -> the seq of the newest event that moved this fence
        self.fences: dict[str, int] = {}
        self.participants: dict[str, Participant] = {}
        #: user id -> display name and role of everybody who ever joined
        self.known: dict[str, list[str]] = {}
        self.removed: set[str] = set()
        self.state: dict[str, Any] = {}

    def apply(self, entry: Entry) -> None:
        """Fold one entry, which must be the next one."""
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow {self.seq}")
        self.seq = entry.seq
        for name in entry.draft.bumps:
            self.fences[name] = entry.seq
        if function := FOLDS.get(entry.draft.event):
            function(self, entry)

    def fence(self, name: str) -> int:
        """The value that an append relying on this fence must name."""
        return self.fences.get(name, 0)

    def dump(self) -> str:
        """The replica as text, for a checkpoint."""
        data = {
            "epoch": self.epoch,
            "seq": self.seq,
            "record": self.record.to_dict() if self.record else None,
            "fences": self.fences,
            "participants": [asdict(participant) for participant in self.participants.values()],
            "known": self.known,
            "removed": sorted(self.removed),
            "state": self.state,
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Replica:
        """The replica that :meth:`dump` described."""
        data = json.loads(text)
        replica = cls(data["epoch"])
        replica.seq = data["seq"]
        replica.record = SessionRecord.from_dict(data["record"]) if data["record"] else None
        replica.fences = data["fences"]
        replica.participants = {item["user_id"]: Participant(**item) for item in data["participants"]}
        replica.known = data["known"]
        replica.removed = set(data["removed"])
        replica.state = data["state"]
        return replica


@fold("sessionCreated")
def _created(replica: Replica, entry: Entry) -> None:
    if replica.record is None:
        replica.record = SessionRecord.from_dict(entry.draft.data["record"])


@fold("sessionStatusChanged")
def _status_changed(replica: Replica, entry: Entry) -> None:
    if replica.record and replica.record.status != "ended":
        replica.record = replica.record.with_changes(status=entry.draft.data["status"])


@fold("sessionChanged")
def _changed(replica: Replica, entry: Entry) -> None:
    if replica.record:
        data = entry.draft.data
        replica.record = replica.record.with_changes(
            title=data["title"], settings={**replica.record.settings, **data["settings"]}
        )


@fold("participantChanged")
def _participant_changed(replica: Replica, entry: Entry) -> None:
    """Arrivals and departures of a user, not of each tab: joined, returned, disconnected, left."""
    data, user_id = entry.draft.data, entry.draft.author
    change, present = data["change"], replica.participants.get(user_id)
    if change == "joined" and present is None and user_id not in replica.removed:
        replica.participants[user_id] = Participant(user_id, data["displayName"], data["role"], entry.time)
        replica.known[user_id] = [data["displayName"], data["role"]]
    elif change in ("returned", "disconnected") and present:
        replica.participants[user_id] = replace(present, connected=change == "returned")
    elif change == "left" and present:
        del replica.participants[user_id]
