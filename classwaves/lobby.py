"""Who waits to be let into a session, on this worker and on all others.

Imports errors, models, store and settings. Nothing of it is stored: who waits has a socket, and its worker tells the
others, again and again. A list that is not repeated for as long as a lease lasts is that of a dead worker, and goes. So
there are no ghosts, and no name of somebody who was not let in is in a log.

Whoever calls holds the session's lock; what begins with ``say`` asks the store, and is called without it.
"""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .errors import ClassWavesError
from .models import Principal, iso, new_id
from .settings import Settings
from .store.base import Store

#: user id -> the name that staff see, and since when they wait (ms)
Names = dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Waiter:
    """A socket that waits. Both functions are called without the session's lock and may take their time."""

    principal: Principal
    since: int
    let_in: Callable[[], None]
    turn_away: Callable[[ClassWavesError], None]


class Teller(Protocol):
    """How staff hear of who comes and goes: :class:`~classwaves.delivery.Delivery`, as a lobby sees it."""

    id: str
    store: Store
    settings: Settings
    lock: Any

    @property
    def later(self) -> Callable[[float, Callable[[], Any]], Any]: ...

    def tell_waiting(self, user_id: str, display_name: str | None) -> None:
        """Somebody waits, or, without a name, no longer."""

    def has_decided(self, user_id: str) -> bool:
        """Whether staff have let somebody in, or turned them away."""


class Lobby:
    """The waiting room of one session, as this worker knows it."""

    def __init__(self, teller: Teller) -> None:
        self._held_by = weakref.ref(teller)  # not for longer than that: only the garbage collector would end both
        self._name = new_id(6)  # of this worker's list
        self._here: dict[str, Waiter] = {}  # by socket
        #: who was here a moment ago, and is on the list until their grace is over
        self._missed: dict[str, Waiter] = {}
        self._lists: dict[str, tuple[float, Names]] = {}  # until when it is believed, and who is on it
        self._beats = False
        self._voice = threading.Lock()  # what is said of this list is sent in the order in which it was so

    @property
    def _teller(self) -> Teller:
        teller = self._held_by()
        if teller is None:
            raise ReferenceError("this worker does not serve the session any more")
        return teller

    def _later(self, seconds: float, task: Callable[[], None]) -> None:
        teller = self._teller
        teller.later(seconds, functools.partial(_run_for, teller, task))

    # sockets of this worker

    def add(self, sid: str, waiter: Waiter) -> None:
        """A socket waits; :meth:`say_added` is to tell the others. Who asks again, or is back, keeps their place."""
        before = self._missed.pop(waiter.principal.user_id, None) or self._here.get(sid)
        self._here[sid] = replace(waiter, since=before.since) if before else waiter
        self._begin()

    def leave(self, sid: str, grace: float = 0.0) -> Waiter | None:
        """A socket waits no longer. If its user has no other one, they are off the list after the grace."""
        waiter = self._here.pop(sid, None)
        if waiter and all(one.principal.user_id != waiter.principal.user_id for one in self._here.values()):
            self._missed.pop(waiter.principal.user_id, None)
            if grace:
                self._missed[waiter.principal.user_id] = waiter
            self._later(grace, functools.partial(self._say_gone, waiter))
        return waiter

    def here(self) -> list[tuple[str, Waiter]]:
        return list(self._here.items())

    def let_in(self, sid: str) -> None:
        if waiter := self.leave(sid):
            _aside(waiter.let_in)

    def turn_away(self, sid: str, error: ClassWavesError) -> None:
        if waiter := self.leave(sid):
            _aside(functools.partial(waiter.turn_away, error))

    def turn_all_away(self, error: ClassWavesError) -> None:
        for sid in list(self._here):
            self.turn_away(sid, error)

    def _mine(self) -> Names:
        names: Names = {}
        for waiter in (*self._missed.values(), *self._here.values()):  # the first socket of somebody says since when
            names.setdefault(waiter.principal.user_id, (waiter.principal.display_name, waiter.since))
        return names

    # everybody

    def names(self) -> Names:
        """Who waits on any worker, in the order of asking."""
        names: Names = {}
        for _, theirs in self._lists.values():
            for user_id, (name, since) in theirs.items():
                known = names.get(user_id)
                if known is None or since < known[1]:
                    names[user_id] = (name, since)
        return dict(sorted(names.items(), key=lambda item: item[1][1]))

    def shown(self) -> list[dict[str, Any]]:
        """The same for staff's snapshot."""
        return [
            {"userId": user_id, "displayName": name, "requestedAt": iso(since)}
            for user_id, (name, since) in self.names().items()
        ]

    def strike(self, user_id: str) -> None:
        """Staff have decided about somebody, which they know."""
        for _, theirs in self._lists.values():
            theirs.pop(user_id, None)

    def hear(self, message: dict[str, Any]) -> None:
        """A worker, maybe this one, says who waits there: all of them, another one, or one less."""
        _, theirs = self._lists.get(message["of"], (0.0, {}))
        came = {**message.get("all", {}), **message.get("add", {})}
        # it may have been said before that worker knew what staff have decided
        came = {user_id: (name, at) for user_id, (name, at) in came.items() if not self._teller.has_decided(user_id)}
        gone = set(theirs) - set(came) if "all" in message else set(theirs) & set(message.get("gone", ()))
        new = [user_id for user_id in came if not self.waits(user_id)]
        theirs = {user_id: name for user_id, name in theirs.items() if user_id not in gone} | came
        self._lists[message["of"]] = (time.monotonic() + self._teller.settings.lease, theirs)
        if not theirs:
            del self._lists[message["of"]]
        for user_id in new:
            self._teller.tell_waiting(user_id, came[user_id][0])
        self._tell_gone(gone)
        self._begin()

    def waits(self, user_id: str) -> bool:
        return any(user_id in theirs for _, theirs in self._lists.values())

    def _tell_gone(self, user_ids: Iterable[str]) -> None:
        for user_id in user_ids:
            if not self.waits(user_id):
                self._teller.tell_waiting(user_id, None)

    # again and again, while somebody waits

    def _begin(self) -> None:
        if not self._beats and (self._here or self._missed or self._lists):
            self._beats = True
            self._later(self._teller.settings.renew, self._say_again)

    def _say_again(self) -> None:
        if self._here or self._missed:
            self.say_all()
        with self._teller.lock:
            before, now = self.names(), time.monotonic()
            self._lists = {name: (until, theirs) for name, (until, theirs) in self._lists.items() if until > now}
            self._tell_gone(before)
            self._beats = False
            self._begin()

    # to all workers

    def say_added(self, user_id: str) -> None:
        """:raises StoreUnavailable: nobody has heard of it."""
        with self._voice:
            with self._teller.lock:
                name = self._mine().get(user_id)
            if name:
                self._say(add={user_id: name})

    def say_all(self) -> None:
        """:raises StoreUnavailable: nobody has heard of it."""
        with self._voice:
            with self._teller.lock:
                names = self._mine()
            self._say(all=names)

    def say_asking(self) -> None:
        """Ask all workers who waits there: this one has just begun to serve the session."""
        self._teller.store.publish(self._teller.id, {"kind": "waitingAsked"})

    def _say_gone(self, waiter: Waiter) -> None:
        user_id = waiter.principal.user_id
        with self._voice:
            with self._teller.lock:
                if self._missed.get(user_id) is waiter:  # and has not come and gone once more
                    del self._missed[user_id]
                back = user_id in self._mine()
            if not back:
                self._say(gone=[user_id])

    def _say(self, **what: Any) -> None:
        self._teller.store.publish(self._teller.id, {"kind": "waiting", "of": self._name, **what})


def _run_for(teller: Teller, task: Callable[[], None]) -> None:
    """Run a task of a lobby, whose session there is until then."""
    task()


def _aside(task: Callable[[], None]) -> None:
    threading.Thread(target=task, name="classwaves-admission", daemon=True).start()
