"""What the parts of the store in memory share: its sessions, its lock and its clock.

Imports errors, models and the store's base.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ClassWavesError, StaleFence
from ..models import Entry, SessionRecord
from ..tally import Tally
from .base import Appended, Checkpoint, Clock, Feed, Upload, most_present


@dataclass(slots=True)
class User:
    """A participant's connections and their statuses, since when there is none, and when one of them left."""

    connections: dict[str, str] = field(default_factory=dict)
    absent_since: float = 0.0
    left_at: float = 0.0

    @property
    def status(self) -> str:
        return most_present(self.connections.values())


@dataclass(slots=True)
class Session:
    """What is kept of one session."""

    record: SessionRecord
    epoch: str
    seq: int = 0
    bytes: int = 0
    entries: list[Entry] = field(default_factory=list)
    fences: dict[str, int] = field(default_factory=dict)
    dedupe: OrderedDict[str, Appended] = field(default_factory=OrderedDict)
    roster: dict[str, User] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    uploads: dict[str, tuple[Upload, float]] = field(default_factory=dict)
    expires_at: float = math.inf
    archived: int = 0


class MemoryPart:
    """A part of the store.

    :param clock: seconds since the epoch.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tally = Tally()
        self._lock = threading.RLock()
        self._sessions: dict[str, Session] = {}
        self._feed: Feed | None = None

    def _held(self, session_id: str) -> Session | None:
        """A session whose data has not expired."""
        session = self._sessions.get(session_id)
        return session if session and session.expires_at > self._clock() else None

    def _session(self, session_id: str) -> Session:
        if session := self._held(session_id):
            return session
        raise ClassWavesError("SESSION_NOT_FOUND")

    @staticmethod
    def _check_fences(session: Session, fences: Mapping[str, int]) -> None:
        for name, value in fences.items():
            if session.fences.get(name, 0) != value:
                raise StaleFence(name)
