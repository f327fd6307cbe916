"""The end of a worker, as its clients see it: they are advised, closed one after the other, and come back elsewhere.

Imports hub, namespace, settings and transport. Nobody is shown as disconnected who is back within the grace, because
the seats in the rosters stay (:meth:`classwaves.hub.Hub.hand_on`).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from .hub import Hub
from .namespace import ClassroomNamespace
from .settings import Settings
from .transport.server import SocketIOEmitter

logger = logging.getLogger(__name__)

#: How many sockets are closed in a second at the most: each comes back with a handshake and a join.
RATE = 500
#: How long an event that is being handled is waited for, and how long between two looks, in seconds.
PATIENCE, PAUSE = 1.0, 0.02
#: How long a client is waited for that is going over to WebSocket, which takes it two round trips, in seconds.
UPGRADE = 3.0


class Closing:
    """What gunicorn's worker calls before it ends; see :data:`classwaves.transport.drain.DRAINS`."""

    def __init__(self, engine: Any, namespace: ClassroomNamespace, hub: Hub, emitter: SocketIOEmitter) -> None:
        self._engine = engine
        self._namespace = namespace
        self._hub = hub
        self._emitter = emitter
        self._settings: Settings = hub.settings

    def __call__(self, until: float) -> None:
        """Close all sockets. :param until: by ``time.monotonic``; what is not done then is not done any more."""
        began = time.monotonic()
        self._hub.draining = self._engine.draining = True
        times = self._plan(until - began)
        self._advise(times)
        for sid, seconds in times.items():
            if (wait := began + seconds - time.monotonic()) > 0:
                time.sleep(wait)
            self._close(sid, until)
        while self._engine.sockets and time.monotonic() < until:  # those that wait, and who came at the last moment
            for sid in list(self._engine.sockets):
                self._close(sid, until)
            time.sleep(PAUSE)
        self._hub.hand_on(until)

    @property
    def sockets(self) -> int:
        """How many are open."""
        return len(self._engine.sockets)

    def let_go(self, seconds: float, stop: threading.Event) -> None:
        """Close all sockets over so many seconds, and take no new ones; the worker lives on. Until ``stop`` is set."""
        began = time.monotonic()
        self._engine.draining = True
        sids = list(self._engine.sockets)
        seconds = max(seconds, len(sids) / RATE)
        times = {sid: seconds * place / len(sids) for place, sid in enumerate(sids, start=1)}
        self._advise(times)
        for sid, due in times.items():
            if stop.wait(max(0.0, began + due - time.monotonic())):
                return
            self._close(sid)
        while self._engine.sockets and not stop.wait(PAUSE):  # whose handshake was under way
            for sid in list(self._engine.sockets):
                self._close(sid)

    def take_again(self) -> None:
        """Take new sockets again after :meth:`let_go`."""
        self._engine.draining = self._hub.draining

    def _plan(self, left: float) -> dict[str, float]:
        """When each socket is closed, in seconds from now."""
        sids = list(self._engine.sockets)
        seconds = max(0.0, min(self._settings.drain_seconds, len(sids) / RATE, left - 2 * PATIENCE))
        return {sid: seconds * place / len(sids) for place, sid in enumerate(sids, start=1)}

    def _advise(self, times: dict[str, float]) -> None:
        for connection in self._namespace.open_connections():
            advice = {"delayMs": int(times.get(connection.eio_sid, 0) * 1000), "reason": "restart"}
            self._emitter.emit("reconnectAdvised", advice, [connection.sid])

    def _close(self, sid: str, until: float = math.inf) -> None:
        if (socket := self._engine.sockets.get(sid)) is not None and not socket.closing:
            socket.closing = True
            self._engine.turns.run(lambda: self._end(socket, until))

    @staticmethod
    def _end(socket: Any, until: float) -> None:
        # its event is to have its answer, and who polls what was said before
        _wait(lambda: socket.busy or socket.owing, PATIENCE, until)
        # the JavaScript client does not hear of an end that comes while it goes over: it would wait for a ping
        _wait(lambda: socket.upgrading, UPGRADE, until)
        socket.close(reason="server shutdown")


def _wait(condition: Callable[[], bool], seconds: float, until: float) -> None:
    """Wait while something is so, for so many seconds and until that moment at the most."""
    until = min(until, time.monotonic() + seconds)
    while condition() and time.monotonic() < until:
        time.sleep(PAUSE)
