"""The fold: what a classroom session is, computed from its events. Pure: no I/O, no clock, no Flask.

Imports models and what stands for an erased name. A replica is a function of the log's prefix: folding a checkpoint and
the tail after it gives what folding from the start gives, on every worker. The fold accepts any log; what its prefix
makes meaningless changes nothing. A feature adds its own state and folds with :func:`fold`, shows it to joiners with
:func:`snapshot`, says with :func:`view` what of an event is only known, or only told to some, when it is delivered, and
takes out with :func:`erases` what a user had written.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from .erasure import NOBODY
from .models import TRANSCRIBER, Entry, Participant, SessionRecord

logger = logging.getLogger(__name__)

#: Raise it when the fold of any event changes: checkpoints of another version are ignored.
FOLD_VERSION = 4

Fold = Callable[["Replica", Entry], None]
#: event -> what it changes, the session's own first and then each feature's
FOLDS: dict[str, list[Fold]] = {}

Snapshot = Callable[["Replica", str, bool], Any]
#: key of ``sessionJoined`` -> what makes its value for a user who is, or is not, staff
SNAPSHOTS: dict[str, Snapshot] = {}


def fold(event: str) -> Callable[[Fold], Fold]:
    """Register what an event of this name changes. The function must not fail, whatever the log says before it.

    Several features may fold an event: each changes its own state and reads only the session's.

    :raises RuntimeError: a function of this name in this module folds it already.
    """

    def register(function: Fold) -> Fold:
        folds = FOLDS.setdefault(event, [])
        name = (function.__module__, function.__qualname__)
        if name in [(other.__module__, other.__qualname__) for other in folds]:
            raise RuntimeError(f"{event} has a fold {function.__qualname__} already; a feature folds it in one place")
        folds.append(function)
        return function

    return register


def snapshot(key: str) -> Callable[[Snapshot], Snapshot]:
    """Register what a joiner is told under a key of ``sessionJoined``, made from replica, user id and being staff.

    :raises RuntimeError: the key is taken.
    """

    def register(function: Snapshot) -> Snapshot:
        if key in SNAPSHOTS:
            raise RuntimeError(f"{key} is in the snapshot already; choose another key")
        SNAPSHOTS[key] = function
        return function

    return register


Eraser = Callable[["Replica", str], None]
ERASERS: list[Eraser] = []


def erases(function: Eraser) -> Eraser:
    """Register what takes a user's names and texts out of a feature's state.

    It leaves what folding the log leaves after :func:`classwaves.erasure.erased` was applied to its entries.
    """
    ERASERS.append(function)
    return function


@dataclass(frozen=True, slots=True)
class View:
    """How an event is shown: ``function`` makes the payload of its payload; ``by_role``: staff see another one."""

    function: Callable[[Replica, dict[str, Any], bool], dict[str, Any]]
    by_role: bool = False


VIEWS: dict[str, View] = {}


def view(event: str, *, by_role: bool = False) -> Callable[[Any], Any]:
    """Register a function of replica, payload and being staff that makes the payload as it is shown now.

    :param by_role: it differs for staff, so that it is made and encoded twice.
    :raises RuntimeError: the event has one.
    """

    def register(function: Any) -> Any:
        if event in VIEWS:
            raise RuntimeError(f"{event} has a view already; an event is shown in one way")
        VIEWS[event] = View(function, by_role)
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
        self.muted: set[str] = set()
        #: ``open``, ``focus`` or ``quiz``
        self.mode = "open"
        self.state: dict[str, Any] = {}

    def apply(self, entry: Entry) -> None:
        """Fold one entry, which must be the next one."""
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow {self.seq}")
        self.seq = entry.seq
        for function in FOLDS.get(entry.draft.event, ()):
            try:
                function(self, entry)
            except Exception:
                if function.__module__.startswith(f"{__package__}."):
                    raise
                # a shop's: the entry is in the log for good, and nobody could be told of it, or load the session, again
                name = f"{function.__module__}.{function.__qualname__}"
                logger.exception("the fold %s failed at %s, seq %d", name, entry.draft.event, entry.seq)
        for name in entry.draft.bumps:  # last: who has noted a fence, and then looks, sees what has moved it
            self.fences[name] = entry.seq

    def shown(self, entry: Entry, code: str, staff: bool) -> dict[str, Any]:
        """An entry's payload as this role sees it now."""
        payload, found = entry.payload(code), VIEWS.get(entry.draft.event)
        return found.function(self, payload, staff) if found else payload

    def is_staff(self, user_id: str) -> bool:
        """Whether somebody who has ever joined is the owner, a co-teacher or an admin."""
        role = self.known[user_id][1] if user_id in self.known else ""
        return self.record is not None and self.record.is_staff(user_id, role)

    def students(self) -> list[str]:
        """The participants who are not staff, in the order in which they joined; programs that caption do not count."""
        return [p.user_id for p in self.participants.values() if p.role != TRANSCRIBER and not self.is_staff(p.user_id)]

    def captioners(self) -> int:
        """How many programs that caption have a place in the roster, where they are in nobody's way."""
        return sum(participant.role == TRANSCRIBER for participant in self.participants.values())

    def fence(self, name: str) -> int:
        """The value that an append relying on this fence must name."""
        return self.fences.get(name, 0)

    def erase(self, user_id: str) -> None:
        """Take a user's names and texts out, as if they had never been in the log."""
        if user_id in self.known:
            self.known[user_id][0] = NOBODY
        if present := self.participants.get(user_id):
            self.participants[user_id] = replace(present, display_name=NOBODY)
        for function in ERASERS:
            function(self, user_id)

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
            "muted": sorted(self.muted),
            "mode": self.mode,
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
        replica.removed, replica.muted = set(data["removed"]), set(data["muted"])
        replica.mode = data["mode"]
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


@fold("participantRemoved")
def _participant_removed(replica: Replica, entry: Entry) -> None:
    """Removed is final for this session: the participant is gone and does not come in again."""
    user_id = entry.draft.data["userId"]
    replica.removed.add(user_id)
    replica.participants.pop(user_id, None)


@fold("participantMuted")
def _participant_muted(replica: Replica, entry: Entry) -> None:
    data = entry.draft.data
    (replica.muted.add if data["muted"] else replica.muted.discard)(data["userId"])


@fold("sessionModeChanged")
def _mode_changed(replica: Replica, entry: Entry) -> None:
    replica.mode = entry.draft.data["mode"]
