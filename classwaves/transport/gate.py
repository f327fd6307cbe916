"""What stands before Engine.IO: handshakes that the worker cannot take, or not at this rate, are refused over HTTP.

Imports addresses, errors, limits, settings, the tally and the codec. Who is refused here comes again with a backoff.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask_socketio import SocketIO

from .. import codec
from ..addresses import source
from ..errors import ClassWavesError
from ..limits import RateLimits
from ..settings import Settings
from ..tally import Tally

WSGI = Callable[..., Iterable[bytes]]

PATH = "/socket.io/"
_JSONP = re.compile(r"(?:^|&)j=")
_SID = re.compile(r"(?:^|&)sid=([^&]+)")


class HandshakeGate:
    """WSGI middleware that refuses a handshake: the worker ends, has all it may have, or has had too many tries.

    Requests for connections that there are not are counted too: to find that out costs a look at other workers. What
    pages of elsewhere ask without saying so is refused.
    """

    def __init__(self, app: WSGI, sio: SocketIO, settings: Settings, limits: RateLimits) -> None:
        self._app = app
        self._sio = sio
        self._limit = settings.max_connections
        self._limits = limits
        self._tally: Tally = sio.server.manager.tally

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(PATH):
            return self._app(environ, start_response)
        if (
            environ["REQUEST_METHOD"] == "OPTIONS"
        ):  # a browser asks whether it may ask: Engine.IO says so, and does nothing
            return self._app(environ, start_response)
        if _is_foreign(environ):
            return _answer(start_response, 400, {"code": 3, "message": "Bad request"})
        sid = _SID.search(environ.get("QUERY_STRING", ""))
        try:
            if sid is None:
                self._check_handshake(environ)
            elif sid[1] not in self._sio.server.eio.sockets:
                start_response = self._watched(environ, start_response)
        except ClassWavesError as error:
            return _refuse(start_response, error, self._readable(environ))
        return self._app(environ, start_response)

    def _check_handshake(self, environ: dict[str, Any]) -> None:
        if getattr(self._sio.server.eio, "draining", False):
            self._tally.refuse("draining")
            raise ClassWavesError("SERVICE_UNAVAILABLE", retry_after_ms=1000)
        if self._full():
            self._tally.refuse("connection limit")
            raise ClassWavesError("CONNECTION_LIMIT", retry_after_ms=5000)
        self._limits.hit("handshake", "new", source(str(environ.get("REMOTE_ADDR", ""))))

    def _watched(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Count this request, if it turns out that nobody has the connection it is for."""
        key = "unknown", source(str(environ.get("REMOTE_ADDR", "")))
        self._limits.check("handshake", *key)

        def start(status: str, *rest: Any) -> Any:
            if status.startswith("400"):
                with contextlib.suppress(ClassWavesError):  # the next one is refused
                    self._limits.hit("handshake", *key)
            return start_response(status, *rest)

        return start

    def _readable(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        """The headers by which a page that may use this server may read a refusal; others get none."""
        headers: list[tuple[str, str]] = self._sio.server.eio._cors_headers(environ)
        if any(name == "Access-Control-Allow-Origin" for name, _ in headers):
            headers.append(("Access-Control-Expose-Headers", "Retry-After"))
        return headers

    def _full(self) -> bool:
        sockets = self._sio.server.eio.sockets
        # python-engineio keeps closed ones for a while
        return len(sockets) >= self._limit and sum(not one.closed for one in list(sockets.values())) >= self._limit


def _is_foreign(environ: dict[str, Any]) -> bool:
    """Whether a page of somewhere else asks in a way that has no ``Origin`` to check: as an image, or as a script.

    Browsers say so themselves (Fetch Metadata). Scripts are what the parameter ``j`` of old versions was for (JSONP).
    """
    elsewhere = environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")
    return (elsewhere and "HTTP_ORIGIN" not in environ) or bool(_JSONP.search(environ.get("QUERY_STRING", "")))


def _refuse(
    start_response: Callable[..., Any], error: ClassWavesError, headers: list[tuple[str, str]]
) -> Iterable[bytes]:
    seconds = str(math.ceil((error.retry_after_ms or 0) / 1000))
    return _answer(start_response, error.spec.status, {"error": error.to_dict()}, ("Retry-After", seconds), *headers)


def _answer(start_response: Callable[..., Any], status: int, body: Any, *more: tuple[str, str]) -> Iterable[bytes]:
    headers = [
        ("Content-Type", "application/json"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, *more])
    return [codec.dumps(body)]
