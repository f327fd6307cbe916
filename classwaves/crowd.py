"""The sockets of one session on this worker: who they are, the rooms they are in, and how an audience is reached.

Imports connections and models. Whoever calls holds the session's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .connections import Emitter, Member, Silence
from .models import Principal


class Crowd:
    """The sockets that have joined a session here. Rooms are named by the session's internal id."""

    def __init__(self, session_id: str, emitter: Emitter) -> None:
        self.members: dict[str, Member] = {}
        self._by_user: dict[str, list[str]] = {}
        self._staff: dict[str, None] = {}  # in the order in which they came
        self.room = f"session:{session_id}"
        self.staff_room = f"session:{session_id}:staff"
        self._emitter = emitter

    def silence(self) -> None:
        """Reach nobody from now on: the rooms may be another object's by then."""
        self._emitter = Silence()

    def enter(self, sid: str, principal: Principal, staff: bool) -> None:
        if sid not in self.members:
            self._by_user.setdefault(principal.user_id, []).append(sid)
        self.members[sid] = Member(principal, staff)
        self._emitter.enter(sid, self.room)
        if staff:
            self._promote(sid)

    def recast(self, sid: str, principal: Principal, staff: bool) -> None:
        """A socket's user is another one now: has another role, or other scopes."""
        if member := self.members.get(sid):
            member.principal = principal
            self._place(sid, member, staff)

    def remove(self, sid: str) -> None:
        if member := self.members.pop(sid, None):
            mine = self._by_user[member.principal.user_id]
            mine.remove(sid)
            if not mine:
                del self._by_user[member.principal.user_id]
            self._emitter.leave(sid, self.room)
            self._demote(sid)

    def _promote(self, sid: str) -> None:
        self._staff[sid] = None
        self._emitter.enter(sid, self.staff_room)

    def _demote(self, sid: str) -> None:
        self._staff.pop(sid, None)
        self._emitter.leave(sid, self.staff_room)

    def sort(self, is_staff: Callable[[Principal], bool]) -> None:
        """Who is staff may have changed."""
        for sid, member in self.members.items():
            self._place(sid, member, is_staff(member.principal))

    def _place(self, sid: str, member: Member, staff: bool) -> None:
        if staff != member.staff:
            member.staff = staff
            (self._promote if staff else self._demote)(sid)

    def sockets_of(self, user_ids: Iterable[str]) -> list[str]:
        return [sid for user_id in user_ids for sid in self._by_user.get(user_id, ())]

    def tell(self, sids: Sequence[str], event: str, payload: dict[str, Any]) -> None:
        """Send something to these sockets alone."""
        self._emitter.emit(event, payload, list(sids))

    def send(
        self, event: str, payload: dict[str, Any], audience: str, members: Sequence[str] = (), skip: Sequence[str] = ()
    ) -> None:
        """Send a payload, encoded once, to an audience of :class:`~classwaves.models.Draft`."""
        if to := self._recipients(audience, members):
            self._emitter.emit(event, payload, to, skip)

    def send_by_role(
        self, event: str, staff: dict[str, Any], others: dict[str, Any], audience: str, members: Sequence[str] = ()
    ) -> None:
        """Send one payload to the staff in an audience and another one to everybody else in it."""
        to = self._recipients(audience, members)
        mine = list(self._staff)
        if not isinstance(to, str):
            mine = [sid for sid in mine if sid in to]
        if mine:
            self._emitter.emit(event, staff, mine)
        if to and to != self.staff_room:
            self._emitter.emit(event, others, to, mine)

    def _recipients(self, audience: str, members: Sequence[str]) -> str | list[str]:
        if audience == "all":
            return self.room
        if audience == "staff":
            return self.staff_room
        if audience == "group":
            return list({**self._staff, **dict.fromkeys(self.sockets_of(members))})
        return self.sockets_of(members) if audience == "user" else []

    def count(self, audience: str, members: Sequence[str], author: str) -> int:
        """How many sockets here an entry is for."""
        if audience == "presence":  # everybody but who it is about
            return len(self.members) - len(self.sockets_of([author]))
        counts = {"all": len(self.members), "staff": len(self._staff)}
        return counts[audience] if audience in counts else len(self._recipients(audience, members))
