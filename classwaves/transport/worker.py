"""gunicorn's worker for ClassWaves: gevent-websocket's, with requests read in time and sockets that can be taken over.

Imports http and the key under which an upgrade is offered. gunicorn's master imports this before anything is patched,
so it imports nothing of the application.
"""

from __future__ import annotations

import _socket
import base64
import binascii
import gc
import hashlib
import io
import logging
import os
import socket
from typing import Any

import gevent
from gevent import pywsgi
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler

from . import UPGRADE_KEY
from .http import MAX_LINE, BadHead, ChunkedBody, Head, SocketReader, TooSlow, check_request_line

logger = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
#: How long a client may take to end after an answer that came before all of its request, in seconds.
LINGER = 2.0
#: When the cyclic garbage collector runs: after so many new objects, and every so many of these runs more thoroughly.
GC_THRESHOLDS = (10_000, 50, 50)
#: Set by the environment alone, because requests are read before there is an application.
REQUEST_TIMEOUT = float(os.environ.get("CLASSWAVES_REQUEST_TIMEOUT") or 10)


class Upgrade:
    """A WebSocket handshake that the application may accept (RFC 6455, section 4.2). Else it answers as to any request.

    ``problem`` is the status line and headers of the answer to a handshake that can not be accepted, or ``None``.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        environ = handler.environ
        self._key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
        self.problem: tuple[str, list[tuple[str, str]]] | None = None
        if environ.get("HTTP_SEC_WEBSOCKET_VERSION", "") != "13":
            self.problem = ("426 Upgrade Required", [("Sec-WebSocket-Version", "13")])
        elif environ["SERVER_PROTOCOL"] != "HTTP/1.1" or not _is_key(self._key):
            self.problem = ("400 Bad Request", [])

    def accept(self) -> tuple[_socket.socket, bytes, bytes]:
        """Take the connection away from the request.

        :return: the socket, which does not block; the answer, which is still to be sent; and what came early.
        """
        digest = hashlib.sha1(self._key.encode() + _GUID, usedforsecurity=False).digest()
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        sock, early = self._handler.give_away()
        return sock, answer, early


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


class Handler(WebSocketHandler):  # type: ignore[misc] # gevent-websocket has no types
    """Handles the requests of one connection."""

    socket: Any
    status: Any

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        super().__init__(sock, address, server, rfile or SocketReader(sock, REQUEST_TIMEOUT))

    def read_requestline(self) -> str:
        self.rfile.begin()
        line: str = self.rfile.readline(MAX_LINE + 2).decode("latin-1")
        return line

    def read_request(self, raw_requestline: str) -> bool:
        try:
            check_request_line(raw_requestline)
            return bool(super().read_request(raw_requestline))
        except TooSlow as error:
            raise BadHead("the head took too long") from error
        finally:
            self.rfile.end()

    def handle_one_request(self) -> Any:
        try:
            return super().handle_one_request()
        finally:
            self.rfile.end()

    def MessageClass(self, reader: SocketReader, *_: Any) -> Head:
        return Head(reader)

    def run_application(self) -> None:
        if self._asks_for_websocket():
            self.environ[UPGRADE_KEY] = Upgrade(self)
        pywsgi.WSGIHandler.run_application(self)

    def _asks_for_websocket(self) -> bool:
        environ = self.environ
        words = [word.strip() for word in environ.get("HTTP_CONNECTION", "").lower().split(",")]
        return (
            environ["REQUEST_METHOD"] == "GET"
            and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
            and "upgrade" in words
        )

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        if "HTTP_TRANSFER_ENCODING" in environ:
            chunks = ChunkedBody(self.rfile, lambda: self._go_ahead(environ))
            self.wsgi_input = _Discardable(chunks)
            environ["wsgi.input"] = io.BufferedReader(chunks)
        return environ

    def _go_ahead(self, environ: dict[str, Any]) -> None:
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        if status.startswith("413"):  # what is too large is not read, not even to be thrown away
            self.rfile.closed = self.close_connection = True
        return pywsgi.WSGIHandler.start_response(self, status, headers, exc_info)

    def handle_one_response(self) -> None:
        super().handle_one_response()
        if self.rfile.closed and self.socket is not None:
            self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: closing with its body unread would take it away again."""
        timeout = gevent.Timeout.start_new(LINGER, TooSlow("the client does not end"))
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        finally:
            timeout.close()

    def give_away(self) -> tuple[_socket.socket, bytes]:
        """Let go of the socket. This handler, its greenlet and its buffers end with the request."""
        early = self.rfile.rest()
        sock = _socket.socket(self.socket.family, self.socket.type, self.socket.proto, self.socket.detach())
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = None
        self.close_connection = self.headers_sent = True
        self.status, self.code = b"101 Switching Protocols", 101
        return sock, early

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        logger.info("a request was refused: %s", ex if isinstance(ex, BadHead) else type(ex).__name__)
        return "400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Discardable:
    """What gevent calls when the answer has been given."""

    def __init__(self, body: ChunkedBody) -> None:
        self._discard = body.end


class Worker(GeventWebSocketWorker):  # type: ignore[misc] # gevent-websocket has no types
    """``worker_class = "classwaves.transport.worker.Worker"``."""

    wsgi_handler = Handler

    def init_process(self) -> None:
        if self.cfg.is_ssl:
            raise RuntimeError("ClassWaves speaks no TLS: let the proxy in front of it do so")
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # thousands of connections are thousands of objects that live long, and messages make none that need the
        # collector: looking at all of them again and again would be a fifth of the work
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
