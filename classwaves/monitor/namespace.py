"""The Socket.IO namespace ``/monitor``: admins listen, and say nothing but that they have another token.

Imports auth, errors, limits and the desk. It is refused as ``/`` refuses, and to who is no admin with ``FORBIDDEN``.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from flask import Flask
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import Namespace, SocketIO

from ..addresses import source
from ..auth.tokens import Tokens
from ..errors import ClassWavesError
from ..hub import Hub
from ..limits import RateLimits
from ..models import Principal
from ..namespace import REFUSALS
from ..tally import add
from ..transport.server import close_transport
from .desk import Desk, may_watch

logger = logging.getLogger(__name__)

PATH = "/monitor"


class Entrance(Protocol):
    """Who a handshake's token speaks for; each try counts against the limits, and one who enters has to leave."""

    def __call__(self, environ: dict[str, Any], auth: Any, address: str) -> Principal: ...


class MonitorNamespace(Namespace):  # type: ignore[misc] # flask-socketio has no types
    """Every socket of this worker that watches.

    :param enter: checks the token as the classroom's namespace does.
    """

    def __init__(self, app: Flask, sio: SocketIO, tokens: Tokens, limits: RateLimits, enter: Entrance) -> None:
        super().__init__(PATH)
        self._app = app
        self._sio = sio
        self._tokens = tokens
        self._limits = limits
        self._enter = enter
        #: what each socket counts as, until it leaves: its address and its user
        self._seats: dict[str, tuple[str, str]] = {}
        self.desk: Desk
        self.hub: Hub

    def bind(self, desk: Desk, hub: Hub) -> None:
        """The desk needs the namespace's sockets, and the namespace the desk."""
        self.desk, self.hub = desk, hub

    def end(self, sid: str) -> None:
        """Disconnect one who watches."""
        self._sio.server.disconnect(sid, namespace=PATH, ignore_queue=True)

    def trigger_event(self, event: str, sid: str, *args: Any) -> Any:
        """Everything comes through here; an event *named* ``connect`` is an unknown one."""
        if event in ("connect", "disconnect") and not self._sio.server.manager.is_connected(sid, PATH):
            return self._connect(sid, *args) if event == "connect" else self._disconnect(sid)
        if (who := self.desk.watcher(sid)) is None:  # disconnected while the event was on its way
            return None
        with self._app.app_context():
            return self._answer(sid, who, event, args)

    def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> bool | None:
        eio_sid = self._sio.server.manager.eio_sid_from_sid(sid, PATH)
        address = str(environ.get("REMOTE_ADDR", ""))
        try:
            with self._app.app_context():
                who = self._enter(environ, auth, address)
            if may_watch(who):
                self.hub.start()
                self._seats[sid] = source(address), who.user_id
                self.desk.watch(sid, who)
                return None
            self._limits.leave(source(address), who.user_id)
            self.hub.audit.note("access.refused", who.user_id, details={"route": PATH}, via="socket")
            raise ClassWavesError("FORBIDDEN", "The monitor is for admins")
        except ClassWavesError as error:
            message = REFUSALS.get(error.code, error.message)
            if error.code in REFUSALS or error.code == "FORBIDDEN":
                add(self.hub.tally.auth_failures, (error.code, "connect"))
                raise Refused(message, {"code": error.code, "message": error.message}) from None
            logger.warning("a connection to the monitor was closed: %s", error.code)
            self.hub.tally.refuse(f"connect: {error.code}")
        except Exception:  # python-socketio would leave the client without an answer
            logger.exception("a connection attempt failed")
            self.hub.tally.fail("connect")
        close_transport(self._sio, eio_sid)
        return False

    def _disconnect(self, sid: str) -> None:
        self.desk.unwatch(sid)
        if (seat := self._seats.pop(sid, None)) is not None:
            self._limits.leave(*seat)

    def _answer(self, sid: str, who: Principal, event: str, args: tuple[Any, ...]) -> dict[str, Any]:
        try:
            self._limits.hit("event", who.user_id)
            if event != "refreshAuth":
                raise ClassWavesError("UNKNOWN_EVENT")
            self._refresh(sid, who, args)
        except ClassWavesError as error:
            return {"ok": False, "error": error.to_dict()}
        except Exception:
            logger.exception("an event of the monitor failed")
            self.hub.tally.fail("event")
            return {"ok": False, "error": ClassWavesError("INTERNAL_ERROR").to_dict()}
        return {"ok": True}

    def _refresh(self, sid: str, who: Principal, args: tuple[Any, ...]) -> None:
        given = args[0] if len(args) == 1 and isinstance(args[0], dict) else {}
        if set(given) != {"token"} or not isinstance(given["token"], str):
            raise ClassWavesError("INVALID_PAYLOAD")
        fresh = self._tokens.check(given["token"])
        if fresh.user_id != who.user_id or not may_watch(fresh):
            raise ClassWavesError("FORBIDDEN")
        self.desk.watch(sid, fresh)
