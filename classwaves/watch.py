"""The logins behind the sockets of a worker: their ends, their roles, and the moments when their tokens expire.

Imports errors, models, store, scheduler, deadlines and greeting. What the store's control channel says takes effect on
all workers at once; what it lost, a look at all logins finds.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from .connections import Connection, Emitter
from .deadlines import TICK, Deadlines
from .errors import ClassWavesError
from .greeting import greeting, limits
from .models import Principal, iso
from .scheduler import Scheduler
from .settings import Settings
from .store import Store

logger = logging.getLogger(__name__)

#: How long what the control channel said is remembered, in seconds: for sockets whose token was checked just before
#: it, and which are not among the open ones yet.
REMEMBERED = 60.0

#: When all logins are looked at for the first time: the channel is heard by then.
FIRST_LOOK = 1.0

#: When it is tried again to end a socket whose token has expired, if that went wrong, in seconds.
AGAIN = 1.0


class Entrance(Protocol):
    """Where sockets come in and are put out."""

    def open_connections(self) -> list[Connection]:
        """The sockets that are open here."""

    def check(self, token: str) -> Principal:
        """Who an access token speaks for. :raises ClassWavesError: nobody."""

    def end(self, connection: Connection, error: ClassWavesError) -> None:
        """Tell a socket why, and disconnect it."""


class Watch:
    """Keeps the sockets of a worker to what their logins and tokens allow."""

    def __init__(
        self, store: Store, emitter: Emitter, settings: Settings, scheduler: Scheduler, entrance: Entrance
    ) -> None:
        self._store = store
        self._emitter = emitter
        self._settings = settings
        self._scheduler = scheduler
        self._entrance = entrance
        self._limits = limits(settings)
        # or a client whose tokens are that short would fetch the next one as soon as it has one
        self._warning = min(settings.auth_warning, settings.access_token_minutes * 30)
        self._clock = scheduler.clock
        self._deadlines = Deadlines(self._clock.time())
        self._waiting: dict[str, Connection] = {}
        self._lock = threading.Lock()
        self._ticks = False
        self._ended = _Recent()
        self._roles = _Recent()

    def start(self) -> None:
        self._scheduler.after(FIRST_LOOK, self.look)
        self._scheduler.every(self._settings.auth_check, self.look)

    # one socket

    def admit(self, connection: Connection) -> None:
        """A socket is in: greet it, and note when its token ends."""
        self._emitter.emit("connectionReady", greeting(connection.principal, self._limits), [connection.sid])
        self._heed(connection)

    def forget(self, connection: Connection) -> None:
        """A socket has ended."""
        self._deadlines.cancel(connection.sid)
        self._waiting.pop(connection.sid, None)

    def renew(self, connection: Connection, token: str) -> Principal:
        """Take another token of the same user; its login, role and scopes are the socket's from now on.

        :raises ClassWavesError: what :meth:`Entrance.check` raises; ``FORBIDDEN``: it is of somebody else, or of a
            guest of another session.
        """
        principal, before = self._entrance.check(token), connection.principal
        if principal.user_id != before.user_id or principal.auth.guest_of != before.auth.guest_of:
            reason = {"reason": "user"}
            raise ClassWavesError("FORBIDDEN", "This token is not of the user of this connection", details=reason)
        self._recast(connection, principal)
        self._heed(connection)
        return connection.principal

    def _heed(self, connection: Connection) -> None:
        """What has just been said of this login counts, although its token was checked before; then its token."""
        auth = connection.principal.auth
        if auth.id in self._ended:
            return self._end(connection, "SESSION_EXPIRED")
        if auth.guest_of is None and (role := self._roles.get(auth.user_id)):
            self._give_role(connection, role)
        self._look_at_token(connection)

    def _look_at_token(self, connection: Connection) -> None:
        """End a socket whose token has expired; warn it before that; look again when it is time to."""
        now, ends = self._clock.time(), connection.principal.expires_at
        warns = ends - self._warning
        if not math.isfinite(ends):
            return
        if now >= ends + self._settings.jwt_leeway:
            self._wait(connection, now + AGAIN)  # forgotten if it ends
            return self._end(connection, "TOKEN_EXPIRED")
        if now >= warns:
            self._emitter.emit("authExpiring", {"expiresAt": iso(int(ends * 1000))}, [connection.sid])
        self._wait(connection, ends + self._settings.jwt_leeway if now >= warns else warns)

    def _wait(self, connection: Connection, moment: float) -> None:
        with self._lock:
            self._waiting[connection.sid] = connection
            self._deadlines.set(connection.sid, moment)
            ticks, self._ticks = self._ticks, True
        if not ticks:
            self._scheduler.after(TICK, self._tick)
        if connection.closed:  # meanwhile
            self.forget(connection)

    def _tick(self) -> None:
        for sid in self._deadlines.due(self._clock.time()):
            if connection := self._waiting.pop(sid, None):
                self._look_at_token(connection)
        with self._lock:
            self._ticks = bool(self._waiting)
        if self._ticks:
            self._scheduler.after(TICK, self._tick)

    # all sockets

    def on_control(self, message: dict[str, Any]) -> None:
        """What the store tells all workers."""
        if auth_id := message.get("authEnded"):
            self._ended.add(auth_id)
            for connection in self._entrance.open_connections():
                if connection.principal.auth.id == auth_id:
                    self._end(connection, "SESSION_EXPIRED")
        if changed := message.get("roleChanged"):
            user_id, role = changed
            self._roles.add(user_id, role)
            for connection in self._entrance.open_connections():
                if connection.principal.user_id == user_id and connection.principal.auth.guest_of is None:
                    self._give_role(connection, role)

    def on_reconnect(self) -> None:
        """The control channel was away: what it said last may not hold any more."""
        self._roles.clear()
        self._scheduler.after(0, self.look)

    def look(self) -> None:
        """The control channel may lose: ask for the logins of all sockets here."""
        connections = self._entrance.open_connections()
        auth_ids = {connection.principal.auth.id for connection in connections}
        auths = self._store.auths(list(auth_ids)) if auth_ids else {}
        for connection in connections:
            if (auth := auths.get(connection.principal.auth.id)) is not None:
                # what was said while the store was asked is newer
                said = self._roles.get(auth.user_id) if auth.guest_of is None else None
                self._give_role(connection, said or auth.role)
            elif connection.principal.auth.id in auth_ids:  # it may have got another one meanwhile
                self._end(connection, "SESSION_EXPIRED")

    def _end(self, connection: Connection, code: str) -> None:
        """Put a socket out. What goes wrong there, such as in a shop's handler, keeps no other socket here."""
        try:
            self._entrance.end(connection, ClassWavesError(code))
        except Exception:
            logger.exception("a socket could not be put out")

    def _give_role(self, connection: Connection, role: str) -> None:
        principal = connection.principal
        if principal.role != role:
            self._recast(connection, replace(principal, auth=replace(principal.auth, role=role)))

    def _recast(self, connection: Connection, principal: Principal) -> None:
        """Make somebody else of a socket, in all sessions that it is in."""
        before, connection.principal = connection.principal, principal
        for live in list(connection.seats.values()):
            live.recast(connection.sid, principal)
        if principal.role != before.role:
            self._emitter.emit("roleChanged", {"role": principal.role}, [connection.sid])


class _Recent:
    """What was said lately, in the order in which it was said."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, float]] = {}

    def add(self, key: str, value: str = "") -> None:
        now = time.monotonic()
        self._said.pop(key, None)
        self._said[key] = (value, now + REMEMBERED)
        for old in self._past(now):
            self._said.pop(old, None)

    def clear(self) -> None:
        self._said.clear()

    def _past(self, now: float) -> Iterator[str]:
        for key, (_, until) in list(self._said.items()):
            if until > now:
                return
            yield key

    def get(self, key: str) -> str | None:
        value, until = self._said.get(key, ("", 0.0))
        return value if until > time.monotonic() else None

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None
