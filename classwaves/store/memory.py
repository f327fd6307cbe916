"""The store of one server without Redis: the same steps as the Lua scripts, under one lock, lost when the process ends.

Imports errors, models, the store's base, and its parts that have modules of their own. The feed is delivered within the
call that caused it.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ClassWavesError
from ..models import Draft, Entry, SessionRecord, new_id, seq_of
from ..trail import marked
from .base import (
    ARREARS,
    Appended,
    Checkpoint,
    Clock,
    Edit,
    Feed,
    Limits,
    Loaded,
    PresenceResult,
    Seat,
    cursor_news,
    decode_entry,
    encode_draft,
    participant_fact,
)
from .memory_acts import MemoryActs
from .memory_base import Session, User
from .memory_board import MemoryBoard
from .memory_guests import MemoryGuests
from .memory_looks import MemoryLooks
from .memory_uploads import MemoryUploads

logger = logging.getLogger(__name__)


class MemoryStore(MemoryUploads, MemoryGuests, MemoryLooks, MemoryActs, MemoryBoard):
    """A :class:`~classwaves.store.base.Store` in this process.

    :param limits: how much of a session is kept.
    :param clock: seconds since the epoch.
    """

    kind = "memory"
    waits = False

    def __init__(self, limits: Limits, clock: Clock = time.time) -> None:
        super().__init__(clock)
        self._limits = limits
        self._codes: dict[str, str] = {}
        self._claims: dict[str, tuple[str, float]] = {}
        self._subscribed: set[str] = set()
        self._mailboxes: dict[str, Callable[[bytes], None]] = {}

    # sessions

    def create_session(self, record: SessionRecord, draft: Draft) -> Appended | None:
        with self._lock:
            self._drop_expired()
            held = self._codes.get(record.code)
            if held not in (None, record.id):
                return None
            self._codes[record.code] = record.id
            self._sessions.setdefault(record.id, Session(record, new_id(6)))
            return self.append(record.id, [draft], dedupe=f"create:{record.id}")

    def session_id(self, code: str) -> str | None:
        with self._lock:
            self._drop_expired()
            return self._codes.get(code)

    def record(self, session_id: str) -> SessionRecord | None:
        with self._lock:
            session = self._held(session_id)
            return session.record if session else None

    def standing(self, session_id: str) -> tuple[SessionRecord, int] | None:
        with self._lock:
            session = self._held(session_id)
            return (session.record, session.fences.get("session", 0)) if session else None

    def list_sessions(self, owner_id: str | None, offset: int, limit: int) -> list[SessionRecord]:
        with self._lock:
            self._drop_expired()
            records = [s.record for s in self._sessions.values() if owner_id in (None, s.record.owner_id)]
        records.sort(key=lambda record: (record.created_at, record.id), reverse=True)
        return records[offset : offset + limit]

    def expire(self, record: SessionRecord, seconds: float) -> None:
        with self._lock:
            if session := self._held(record.id):
                session.expires_at = self._clock() + seconds

    def _drop_expired(self) -> None:
        for session in list(self._sessions.values()):
            if not self._held(session.record.id):
                del self._sessions[session.record.id]
                del self._codes[session.record.code]

    # the log

    def append(
        self,
        session_id: str,
        drafts: Sequence[Draft],
        *,
        dedupe: str,
        fences: Mapping[str, int] | None = None,
        record: SessionRecord | None = None,
        unseat: str = "",
    ) -> Appended:
        with self._lock:
            session = self._session(session_id)
            if first := session.dedupe.get(dedupe):
                return replace(first, duplicate=True)
            self._check_fences(session, fences or {})
            for body in list(map(encode_draft, drafts)):  # all, before any is stored
                appended = self._push(session, body)
            session.dedupe[dedupe] = appended
            while len(session.dedupe) > self._limits.dedupe_keys:
                session.dedupe.popitem(last=False)
            if record:
                session.record = record
            session.roster.pop(unseat, None)
            return appended

    def _push(self, session: Session, body: bytes) -> Appended:
        # decoded again, as from Redis: a copy that nobody changes later
        entry = decode_entry(session.seq + 1, session.epoch, int(self._clock() * 1000), body)
        session.seq = entry.seq
        session.bytes += entry.size
        session.entries.append(entry)
        for name in entry.draft.bumps:
            session.fences[name] = entry.seq
        if self._feed and session.record.id in self._subscribed:
            try:
                self._feed.on_entry(session.record.id, entry)
            except Exception:  # as from Redis: it is stored, whatever becomes of a delivery
                logger.exception("an entry could not be delivered")
        return Appended(entry.seq, entry.epoch, entry.time)

    def _fact(self, session: Session, user_id: str, change: str, **data: str) -> None:
        self._push(session, encode_draft(participant_fact(user_id, change, **data)))

    def find(self, session_id: str, dedupe: str) -> Entry | None:
        with self._lock:
            session = self._held(session_id)
            first = session.dedupe.get(dedupe) if session else None
            found = self.read(session_id, first.seq - 1, 1) if first else []
            return found[0] if first and found and found[0].seq == first.seq else None

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        with self._lock:
            session = self._held(session_id)
            entries = session.entries if session else []
            start = bisect_right(entries, after, key=lambda entry: entry.seq)
            return entries[start : start + limit]

    def read_back(self, session_id: str, before: int, limit: int) -> list[Entry]:
        with self._lock:
            session = self._held(session_id)
            entries = session.entries if session else []
            end = bisect_right(entries, before - 1, key=lambda entry: entry.seq)
            return entries[max(0, end - limit) : end][::-1]

    def load(self, session_id: str, fold_version: int) -> Loaded | None:
        with self._lock:
            session = self._held(session_id)
            if session is None:
                return None
            checkpoint = session.checkpoints.get(fold_version)
            tail = self.read(session_id, checkpoint.seq if checkpoint else 0, session.seq)
            statuses = {user_id: user.status for user_id, user in session.roster.items()}
            body = checkpoint.body if checkpoint else None
            newest = session.entries[-1] if session.entries else None
            return Loaded(session.epoch, session.seq, body, tail, statuses, dict(session.cursors), newest)

    def save_checkpoint(self, session_id: str, checkpoint: Checkpoint) -> bool:
        with self._lock:
            session = self._held(session_id)
            stored = session.checkpoints.get(checkpoint.version) if session else None
            if session is None or checkpoint.epoch != session.epoch:
                return False
            if not (stored.seq if stored else 0) < checkpoint.seq <= session.seq:
                return False
            of = self.read(session_id, checkpoint.seq - 1, 1)
            if checkpoint.time and [entry.time for entry in of if entry.seq == checkpoint.seq] != [checkpoint.time]:
                return False
            session.checkpoints[checkpoint.version] = checkpoint
            self._trim(session)
            return True

    def _trim(self, session: Session) -> None:
        """Bound the log, never past a checkpoint, nor past what the archive has while that is bearable."""
        behind = min(checkpoint.seq for checkpoint in session.checkpoints.values())
        mean = max(1.0, session.bytes / session.seq)
        keep = min(self._limits.log_entries, int(self._limits.log_bytes / mean))
        if self._limits.archived:
            behind = min(behind, max(session.archived, session.seq - ARREARS * keep))
        first = min(session.seq - keep, behind) + 1
        del session.entries[: bisect_right(session.entries, first - 1, key=lambda entry: entry.seq)]

    def new_epoch(self, session_id: str, old: str) -> str:
        with self._lock:
            session = self._session(session_id)
            if session.epoch == old:
                session.epoch = new_id(6)
                if session.entries[0].seq == 1:  # else the log has no beginning without them
                    session.checkpoints.clear()
                self.publish(session_id, {"reset": session.epoch})
            return session.epoch

    def rewrite(self, session_id: str, edit: Edit) -> int:
        with self._lock:
            session = self._held(session_id)
            if session is None:
                return 0
            entries = [edit.entry(entry) for entry in session.entries]
            changed = sum(new is not old for new, old in zip(entries, session.entries, strict=True))
            before = session.checkpoints.get(edit.version)
            after = replace(before, body=edit.checkpoint(before.body)) if before else None
            keys = [key for key in session.dedupe if key.startswith(edit.forget)]
            if not changed and before == after and not keys:
                return 0
            session.entries = entries
            session.checkpoints = {edit.version: after} if after else {}
            for key in keys:
                del session.dedupe[key]
            session.epoch = new_id(6)
            self.publish(session_id, {"reset": session.epoch})
            return max(changed, 1)

    def vouch(self, session_id: str, epoch: str, newest: Entry) -> bool:
        with self._lock:
            return self._session(session_id).epoch == epoch and newest in self.read(session_id, newest.seq - 1, 1)

    def set_cursor(self, session_id: str, user_id: str, message_id: str) -> bool:
        with self._lock:
            session = self._session(session_id)
            if seq_of(message_id) <= seq_of(session.cursors.get(user_id, "-0")):
                return False
            session.cursors[user_id] = message_id
            self.publish(session_id, cursor_news(user_id, message_id))
            return True

    def positions(self, session_ids: Sequence[str]) -> dict[str, int]:
        with self._lock:
            return {key: session.seq for key in session_ids if (session := self._held(key))}

    def archived(self, session_id: str, newest: Entry) -> bool:
        with self._lock:
            session = self._held(session_id)
            if session is None or newest not in self.read(session_id, newest.seq - 1, 1):
                return False
            session.archived = newest.seq
            return True

    def now(self) -> int:
        return int(self._clock() * 1000)

    # tasks

    def claim(self, name: str, owner: str, seconds: float) -> bool:
        with self._lock:
            now = self._clock()
            holder, until = self._claims.get(name, (owner, 0.0))
            if holder != owner and until > now:
                return False
            for other in [key for key, (_, end) in self._claims.items() if end <= now]:
                del self._claims[other]
            self._claims[name] = (owner, now + seconds)
            return True

    # presence

    def join(
        self,
        session_id: str,
        seat: Seat,
        *,
        display_name: str,
        role: str,
        fences: Mapping[str, int],
        capacity: int | None,
    ) -> PresenceResult:
        with self._lock:
            session = self._session(session_id)
            self._check_fences(session, fences)
            user = session.roster.get(seat.user_id)
            came = user is None
            if user is None:
                if capacity is not None and len(session.roster) >= capacity:
                    raise ClassWavesError("SESSION_FULL")
                user = session.roster[seat.user_id] = User()
                self._fact(session, seat.user_id, "joined", displayName=display_name, role=role)
            elif not user.connections:
                self._fact(session, seat.user_id, "returned")
            if seat.connection not in user.connections:
                user.left_at = 0.0
                self._change(session, seat, user, "active", announce=bool(user.connections))
            return PresenceResult(user.status, session.seq, came)

    def _change(self, session: Session, seat: Seat, user: User, status: str | None, announce: bool = True) -> None:
        before = user.status
        if status is None:
            del user.connections[seat.connection]
        else:
            user.connections[seat.connection] = status
        if announce and user.connections and user.status != before:
            news = {
                "presence": user.status,
                "userId": seat.user_id,
                "time": int(self._clock() * 1000),
                "seq": session.seq,
            }
            self.publish(session.record.id, marked(news))

    def set_status(self, session_id: str, seat: Seat, status: str, fences: Mapping[str, int]) -> PresenceResult | None:
        with self._lock:
            session = self._session(session_id)
            self._check_fences(session, fences)
            user = session.roster.get(seat.user_id)
            if user is None or seat.connection not in user.connections:
                return None
            self._change(session, seat, user, status)
            return PresenceResult(user.status, session.seq)

    def leave(self, session_id: str, seat: Seat) -> bool:
        return self._take_out(session_id, seat, "left", 0.0)

    def vanish(self, session_id: str, seat: Seat, ago: float = 0.0) -> bool:
        return self._take_out(session_id, seat, "disconnected", ago)

    def retire(self, session_id: str, seats: Sequence[Seat]) -> None:
        """The seats end with this process, as all else here does."""

    def _take_out(self, session_id: str, seat: Seat, change: str, ago: float) -> bool:
        """Whether the user has left."""
        with self._lock:
            session = self._held(session_id)
            user = session.roster.get(seat.user_id) if session else None
            if session is None or user is None or seat.connection not in user.connections:
                return False
            if change == "left":
                user.left_at = self._clock()
            elif user.left_at and user.left_at > self._clock() - ago:
                change = "left"
            self._change(session, seat, user, None)
            if not user.connections:
                user.absent_since = self._clock()
                if change == "left":
                    del session.roster[seat.user_id]
                self._fact(session, seat.user_id, change)
            return not user.connections and change == "left"

    def expire_absent(self, session_id: str, older_than: float) -> list[str]:
        left = []
        with self._lock:
            session = self._held(session_id)
            due = self._clock() - older_than
            for user_id, user in list(session.roster.items()) if session else []:
                if session and not user.connections and user.absent_since <= due:
                    del session.roster[user_id]
                    self._fact(session, user_id, "left")
                    left.append(user_id)
        return left

    # workers: there is one, and what it knew ends with it

    def serve(self, worker: str, session_id: str) -> None:
        pass

    def unserve(self, worker: str, session_id: str) -> None:
        pass

    def is_served_by_another(self, worker: str, session_id: str) -> bool:
        return False

    def renew(self, worker: str, seconds: float) -> bool:
        return True

    def sweep(self) -> int:
        return 0

    def due_absences(self, older_than: float) -> list[str]:
        with self._lock:
            return [
                session_id
                for session_id, session in self._sessions.items()
                if any(
                    not user.connections and user.absent_since <= self._clock() - older_than
                    for user in session.roster.values()
                )
            ]

    # feed and life

    def start(self, feed: Feed) -> None:
        self._feed = feed

    def subscribe(self, session_id: str) -> None:
        with self._lock:
            self._subscribed.add(session_id)

    def unsubscribe(self, session_id: str) -> None:
        with self._lock:
            self._subscribed.discard(session_id)

    def publish(self, session_id: str, message: dict[str, Any]) -> None:
        if self._feed and session_id in self._subscribed:
            try:
                self._feed.on_ephemeral(session_id, message)
            except Exception:
                logger.exception("a signal could not be delivered")

    # mail between workers

    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None]) -> None:
        self._mailboxes[name] = on_mail

    def close_mailbox(self, name: str) -> None:
        self._mailboxes.pop(name, None)

    def send_mail(self, name: str, data: bytes) -> bool:
        on_mail = self._mailboxes.get(name)
        if on_mail is None:
            return False
        try:
            on_mail(data)
        except Exception:
            logger.exception("mail could not be delivered")
        return True

    def ping(self, *, writes: bool = False) -> None:
        pass

    def close(self) -> None:
        self._feed = None
        self._mailboxes.clear()
