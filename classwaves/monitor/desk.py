"""A worker's desk at the monitor: it posts its numbers while somebody watches, and shows all workers' to who does here.

Imports connections, errors, hub, the store's shapes and the picture. While nobody watches, on any worker, this does
nothing at all: who watches asks all workers, time after time, over the control channel, and each answers on the board.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from ..connections import Emitter
from ..errors import ClassWavesError, StoreUnavailable
from ..hub import Hub
from ..models import Principal, iso
from ..store.board import Posting
from .picture import Pictures, brief

#: The word to all workers that somebody watches.
WATCHED = "watched"
#: Which keys a report has. While servers are replaced by those of another version, both leave the other's alone.
FORM = 1
#: After how many turns without a word a worker is shown as silent.
MISSED = 3
#: How long the first picture waits for the answers of other workers, in seconds.
FIRST = 0.2


def may_watch(who: Principal) -> bool:
    """Admins alone, and no program that captions with an admin's login."""
    return who.role == "admin" and not who.is_transcriber


class Desk:
    """The monitor's part of one worker.

    :param emitter: the sockets of those who watch here.
    :param disconnect: ends one of them.
    """

    def __init__(self, hub: Hub, emitter: Emitter, disconnect: Callable[[str], None]) -> None:
        self._hub = hub
        self._emitter = emitter
        self._disconnect = disconnect
        self._seconds = hub.settings.monitor_seconds
        self._watchers: dict[str, Principal] = {}
        self._silent = MISSED * self._seconds
        self._pictures = Pictures(self._silent)
        self._turning = False
        self._posted_as = ""
        self._posted_at = 0.0
        self._listens = self._left = False
        hub.control_readers.append(self._on_control)

    # those who watch here

    def watch(self, sid: str, who: Principal) -> None:
        """A socket watches from now on, or its login was renewed."""
        self._watchers[sid] = who
        if not self._turning:
            self._turning = True
            self._pictures = Pictures(self._silent)
            self._hub.scheduler.after(0, self._ask)
            self._hub.scheduler.after(min(FIRST, self._seconds), self._turn)

    def unwatch(self, sid: str) -> None:
        self._watchers.pop(sid, None)

    def watcher(self, sid: str) -> Principal | None:
        return self._watchers.get(sid)

    def _ask(self) -> None:
        self._hub.store.announce({WATCHED: True})

    def _turn(self) -> None:
        """Show a picture, ask for the reports of the next one, and come again while somebody watches."""
        if not self._watchers:
            self._turning = False
            return
        self._hub.scheduler.after(self._seconds, self._turn)
        postings, reachable = self._postings()
        self._check_watchers(reachable)
        store = {"kind": self._hub.store.kind, "reachable": reachable}
        head = {"time": iso(int(self._hub.clock.time() * 1000)), "periodSeconds": self._seconds, "store": store}
        self._emitter.emit("monitor", head | self._pictures.make(postings), list(self._watchers))

    def _postings(self) -> tuple[list[Posting], bool]:
        """All reports; without a store this worker's alone."""
        store = self._hub.store
        try:
            postings = store.postings(self._silent + self._hub.settings.lease)
            self._ask()
        except StoreUnavailable:
            return [Posting(self._hub.worker, 0.0, self._report())], False
        return [posting for posting in postings if posting.report.get("form") == FORM], True

    def _check_watchers(self, reachable: bool) -> None:
        """Who watches only listens, so nothing but this finds out that they may no longer."""
        if not self._watchers:
            return
        try:
            auths = self._hub.store.auths([who.auth.id for who in self._watchers.values()]) if reachable else None
        except StoreUnavailable:
            auths = None
        for sid, who in list(self._watchers.items()):
            auth = who.auth if auths is None else auths.get(who.auth.id)
            if auth is None:
                self._dismiss(sid, "SESSION_EXPIRED")
            elif not may_watch(Principal(auth, who.expires_at)):
                self._dismiss(sid, "FORBIDDEN")
            elif who.expires_at + self._hub.settings.jwt_leeway <= self._hub.clock.time():
                self._dismiss(sid, "TOKEN_EXPIRED")

    def _dismiss(self, sid: str, code: str) -> None:
        self._emitter.emit("error", ClassWavesError(code).to_dict(), [sid])
        self.unwatch(sid)
        self._disconnect(sid)

    # this worker's part of the picture

    def _on_control(self, message: dict[str, Any]) -> None:
        """Called by who reads the channel, which must not wait."""
        if message.get(WATCHED):
            self._hub.scheduler.after(0, self._post)
        elif self._watchers and ("authEnded" in message or "roleChanged" in message):
            self._hub.scheduler.after(0, lambda: self._check_watchers(True))

    def _post(self) -> None:
        """Answer who asked; several who ask at the same time get the same answer."""
        now, name = self._hub.clock.monotonic(), self._hub.worker
        if self._left or now - self._posted_at < self._seconds / 2:
            return
        self._posted_at = now
        if self._posted_as not in ("", name):  # the worker has taken another name
            self._hub.store.unpost(self._posted_as)
        self._posted_as = name
        self._hub.store.post(name, self._report(), self._silent + self._hub.settings.lease)

    def _report(self) -> dict[str, Any]:
        return {"form": FORM, "host": socket.gethostname(), **brief(self._hub.tally.snapshot())}

    # see :class:`classwaves.transport.beat.Listener`

    def beat(self, lag: float, due: float) -> None:
        """The first one: listen to whoever watches, also before this worker has a socket of its own."""
        if not self._listens:
            self._listens = True
            self._hub.scheduler.after(0, self._hub.start)

    def end(self) -> None:
        """The worker ends, in an orderly way, and is missed by nobody."""
        self._left = True
        if self._posted_as:
            with contextlib.suppress(StoreUnavailable):  # else it is shown as silent, and then goes
                self._hub.store.unpost(self._posted_as)
