"""What the sockets of a session are told: entries and signals as they come, and where things stand for who joins.

Imports errors, clock, models, replica, ring, crowd, lobby, throttle and store. Whoever calls holds ``lock``, unless it
says otherwise.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from .clock import AppClock
from .connections import Emitter, Member
from .crowd import Crowd
from .errors import ClassWavesError
from .lobby import Lobby
from .models import Entry, Principal, SessionRecord, iso
from .replica import SNAPSHOTS, VIEWS, Replica
from .ring import Resume, Ring
from .settings import Settings
from .store.base import Store
from .throttle import Throttle

#: How many entries are read from the log at once.
PAGE = 500
#: What an event's frame adds to its entry, about, in bytes.
FRAME = 120


class Delivery:
    """A session's replica as its sockets on this worker see it.

    :param session_id: the internal id, which names the rooms.
    :param store: read when a client has missed more than the ring has.
    :param emitter: the sockets.
    :param later: called with seconds and a task, which it runs then, without ``lock``.
    :param clock: the one by which it counts those seconds.
    """

    def __init__(
        self,
        session_id: str,
        store: Store,
        emitter: Emitter,
        settings: Settings,
        later: Callable[[float, Callable[[], Any]], Any],
        clock: AppClock | None = None,
    ) -> None:
        self.id = session_id
        self.store = store
        self.settings = settings
        self.later = later
        self.clock = clock or AppClock()
        self.lock = threading.RLock()
        self.replica = Replica()
        self.statuses: dict[str, str] = {}
        #: user id -> the message up to which they have read
        self.cursors: dict[str, str] = {}
        self.crowd = Crowd(session_id, emitter)
        self.lobby = Lobby(self)
        flush = weakref.WeakMethod(self._flush)  # a session that has nothing else that holds it has nobody to tell
        self._throttle = Throttle(
            settings.ephemeral_window,
            lambda seconds: later(seconds, lambda: (task := flush()) and task()),
            self.clock.monotonic,
        )
        self._ring = Ring(settings.ring_entries, settings.ring_bytes)

    @property
    def record(self) -> SessionRecord:
        """The session's record. :raises ClassWavesError: ``SESSION_NOT_FOUND``: the log does not tell of one."""
        if self.replica.record is None:
            raise ClassWavesError("SESSION_NOT_FOUND")
        return self.replica.record

    @property
    def members(self) -> dict[str, Member]:
        """The sockets of this worker that have joined."""
        return self.crowd.members

    def is_staff(self, principal: Principal) -> bool:
        """Whether somebody is staff here. :raises ClassWavesError: see :attr:`record`."""
        return not principal.is_transcriber and self.record.is_staff(principal.user_id, principal.role)

    # entries and signals

    def enter(self, sid: str, principal: Principal, snapshot: dict[str, Any]) -> None:
        """Let a socket in. Called with ``lock`` held since the snapshot was made, so that no event falls between."""
        self.crowd.enter(sid, principal, self.is_staff(principal))
        self.crowd.tell([sid], "sessionJoined", snapshot)

    def recast(self, sid: str, principal: Principal) -> None:
        """A socket's user has another role, or other scopes."""
        with self.lock:
            if self.replica.record is not None:
                self.crowd.recast(sid, principal, self.is_staff(principal))

    def remove(self, sid: str) -> None:
        """Deliver nothing more to this socket, which may be one that waits to be let in."""
        with self.lock:
            self.crowd.remove(sid)
            self.lobby.leave(sid, self.settings.disconnect_grace)

    def _deliver(self, entry: Entry) -> None:
        draft, code = entry.draft, self.record.code
        if draft.audience == "presence":
            self._deliver_presence(entry)
        elif (view := VIEWS.get(draft.event)) is None:
            self.crowd.send(draft.event, entry.payload(code), draft.audience, draft.members)
        elif view.by_role:
            staff, others = (self.replica.shown(entry, code, role) for role in (True, False))
            self.crowd.send_by_role(draft.event, staff, others, draft.audience, draft.members)
        else:
            self.crowd.send(draft.event, self.replica.shown(entry, code, False), draft.audience, draft.members)
        if draft.event == "sessionChanged":
            self.crowd.sort(self.is_staff)
        elif draft.event == "participantRemoved":
            self.announce(draft.data["userId"], "left", entry.time)
            self._turn_out(draft.data["userId"])

    def _deliver_presence(self, entry: Entry) -> None:
        user_id, change = entry.draft.author, entry.draft.data["change"]
        status = {"joined": "active", "returned": "active"}.get(change, change)
        self.statuses[user_id] = status
        if user_id not in self.replica.removed:
            self.announce(user_id, status, entry.time)
        if change == "left":
            self.statuses.pop(user_id, None)

    def _turn_out(self, user_id: str) -> None:
        """A participant was removed: their sockets here are out of the session, and stay connected."""
        for sid in self.crowd.sockets_of([user_id]):
            self.crowd.remove(sid)
            self.crowd.tell([sid], "sessionLeft", {"sessionCode": self.record.code})

    def say(
        self,
        key: Hashable,
        event: str,
        data: Callable[[], Mapping[str, Any]],
        audience: str = "all",
        members: Sequence[str] = (),
    ) -> None:
        """Send something without a seq, with ``lock`` held. Of one key only the newest leaves in a window of time.

        :param data: makes the payload when it leaves.
        """

        def send() -> None:
            self.crowd.send(event, {"sessionCode": self.record.code, **data()}, audience, members)

        self._throttle.run((event, key), send)

    def forget(self, event: str, key: Hashable) -> None:
        """What :meth:`say` has kept for later under this key comes too late now."""
        self._throttle.forget((event, key))

    def _flush(self) -> None:
        with self.lock:
            self._throttle.flush()

    def announce(self, user_id: str, status: str, milliseconds: int) -> None:
        """Tell everybody but a user of their presence."""
        display_name, role = self.replica.known.get(user_id, ["", ""])
        payload = {
            "sessionCode": self.record.code,
            "userId": user_id,
            "status": status,
            "displayName": display_name,
            "role": role,
            "timestamp": iso(milliseconds),
        }

        def send() -> None:
            self.crowd.send("presenceUpdated", payload, "all", skip=self.crowd.sockets_of([user_id]))

        self._throttle.run(("presenceUpdated", user_id), send)

    def tell_waiting(self, user_id: str, display_name: str | None) -> None:
        """Tell staff that somebody waits to be let in, or, without a name, no longer."""
        came = display_name is not None
        event, other = ("joinRequested", "joinWithdrawn") if came else ("joinWithdrawn", "joinRequested")
        self.forget(other, user_id)  # or it might leave later than this
        payload = {"userId": user_id, **({"displayName": display_name} if came else {})}
        self.say(user_id, event, lambda: payload, "staff")

    def has_decided(self, user_id: str) -> bool:
        return user_id in self.replica.state.get("admissions", ())

    # what a joiner is told

    def status_of(self, user_id: str) -> str:
        participant = self.replica.participants.get(user_id)
        if participant is None or not participant.connected:
            return "disconnected"
        return self.statuses.get(user_id, "active")

    def participants(self) -> list[dict[str, Any]]:
        """All participants in the contract's shape, in the order in which they joined."""
        return [
            {
                "userId": participant.user_id,
                "displayName": participant.display_name,
                "role": participant.role,
                "status": self.status_of(participant.user_id),
                "joinedAt": iso(participant.joined_at),
            }
            for participant in self.replica.participants.values()
        ]

    def snapshot(
        self,
        principal: Principal,
        missed: list[dict[str, Any]] | None = None,
        participants: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """``sessionJoined`` for one participant.

        :param missed: ``None`` unless everything missed is in it.
        :param participants: what :meth:`participants` gave, for who makes many snapshots.
        """
        record, staff = self.record, self.is_staff(principal)
        participants = self.participants() if participants is None else participants
        mine = next((item for item in participants if item["userId"] == principal.user_id), {})
        settings = dict(record.settings)
        if not staff:
            del settings["rosterUserIds"]
        return {
            "sessionCode": record.code,
            "title": record.title,
            "participants": participants,
            "status": record.status,
            "seq": self.replica.seq,
            "epoch": self.replica.epoch,
            "self": {**mine, "staff": staff, "muted": principal.user_id in self.replica.muted},
            "mode": self.replica.mode,
            "readReceipts": dict(self.cursors),
            **{key: make(self.replica, principal.user_id, staff) for key, make in SNAPSHOTS.items()},
            **({"waiting": self.lobby.shown()} if staff else {}),
            "settings": settings,
            "recovered": missed is not None,
            "missed": missed or [],
        }

    def older(self, resume: Resume | None) -> list[Entry] | None:
        """What a resuming client missed from before the ring, read from the log; ``None`` if it must start again.

        Called without ``lock``; :meth:`missed` joins it with the ring.
        """
        if resume is None or resume.epoch != self.replica.epoch or resume.since_seq > self.replica.seq:
            return None
        entries: list[Entry] = []
        position = resume.since_seq
        while position < self._ring.starts_after(self.replica.seq):
            page = self.store.read(self.id, position, PAGE)
            if not page or page[0].seq != position + 1:
                return None  # trimmed
            entries += page
            position = page[-1].seq
            if len(entries) > self.settings.resume_entries * 4:
                return None  # more than anybody gets, even if some of it is for others
        return entries

    def missed(
        self, principal: Principal, resume: Resume | None, older: list[Entry] | None
    ) -> list[dict[str, Any]] | None:
        """Everything after the client's position that was addressed to it, or ``None``. Called with ``lock`` held."""
        if resume is None or older is None or resume.epoch != self.replica.epoch:
            return None
        position = older[-1].seq if older else resume.since_seq
        if position < self._ring.starts_after(self.replica.seq):
            return None  # the ring moved on by more than the page that was read
        # the log may be ahead of this replica, which delivers the rest itself
        read = [entry for entry in older if entry.seq <= self.replica.seq]
        entries = [*read, *(entry for entry in self._ring.items if entry.seq > position)]
        code, staff = self.record.code, self.is_staff(principal)
        mine = [entry for entry in entries if entry.is_for(principal.user_id, staff)]
        settings = self.settings
        if len(mine) > settings.resume_entries or sum(e.size + FRAME for e in mine) > settings.resume_bytes:
            return None
        return [{"event": entry.draft.event, "data": self.replica.shown(entry, code, staff)} for entry in mine]
