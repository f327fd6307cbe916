"""gunicorn's worker for ClassWaves: gevent-websocket's, with requests read in time and sockets that can be taken over.

Imports tally, beat, door, drain, http, succession and the keys under which an upgrade and a hand-over are offered.
gunicorn's master imports this before anything is patched, so it imports nothing of the application.
"""

from __future__ import annotations

import _socket
import base64
import binascii
import contextlib
import errno
import gc
import hashlib
import io
import logging
import os
import socket
import sys
import time
from functools import partial
from typing import Any

import gevent
from gevent import pywsgi
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler
from gunicorn.workers.ggevent import PyWSGIHandler, PyWSGIServer

from ..tally import EARLY, add
from . import HAND_OVER_KEY, UPGRADE_KEY, beat
from .door import Door, Gone
from .drain import DRAINS, STARTS
from .gunicorn_log import write_failures
from .http import MAX_LINE, BadHead, ChunkedBody, Head, SocketReader, TooSlow, check_request_line
from .succession import await_successors, await_turn, fail, serve, settle

logger = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
#: How long a client may take to end after an answer that came before all of its request, in seconds.
LINGER = 2.0
#: When the cyclic garbage collector runs: after so many new objects, and every so many of these runs more thoroughly.
GC_THRESHOLDS = (10_000, 50, 50)
#: What is left of gunicorn's ``graceful_timeout`` for the end of the process, in seconds.
SPARE = 2.5
#: How often a worker that ends looks for those whom nobody else accepts, and how many it takes then.
PAUSE, ACCEPTED = 0.1, 64
#: Set by the environment alone, because requests are read before there is an application.
REQUEST_TIMEOUT = float(os.environ.get("CLASSWAVES_REQUEST_TIMEOUT") or 10)
ANSWER_TIMEOUT = float(os.environ.get("CLASSWAVES_ANSWER_TIMEOUT") or 60)
#: How much of an answer must be taken in that time, in bytes.
PIECE = 65_536


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


class HandOver:
    """The offer to let another worker of this machine handle a request, and what follows over its connection."""

    def __init__(self, handler: Handler, door: Door) -> None:
        self._handler = handler
        self._door = door
        #: The name of this worker.
        self.name = door.name

    def to(self, owner: str) -> None:
        """Hand over. What the application answers then goes nowhere.

        :raises NotHere: this machine has no such worker; the request can be answered as any other.
        :raises Gone: it has died, or takes nothing, or part of the body was read here.
        """
        reader = self._handler.rfile
        if not reader.untouched:
            raise Gone
        self._door.pass_on(owner, self._handler.socket.fileno(), reader.all())
        self._handler.let_go()


class Handler(WebSocketHandler):  # type: ignore[misc] # gevent-websocket has no types
    """Handles the requests of one connection."""

    environ: Any
    socket: Any
    status: Any
    response_headers: Any
    handed_over = False

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        super().__init__(sock, address, server, rfile or SocketReader(sock, REQUEST_TIMEOUT))

    def handle(self) -> None:
        try:
            super().handle()
        finally:
            self.environ = None  # in which there is what refers to this handler, and a socket may keep it for hours

    def read_requestline(self) -> str:
        self.rfile.begin()
        self.server.idle.add(self)
        try:
            line: str = self.rfile.readline(MAX_LINE + 2).decode("latin-1")
        finally:
            self.server.idle.discard(self)
        return line

    def read_request(self, raw_requestline: str) -> bool:
        done = self._read_request(raw_requestline)
        if self.server.draining:
            self.close_connection = True
        return done

    def _read_request(self, raw_requestline: str) -> bool:
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
            self.server.count_request()

    def MessageClass(self, reader: SocketReader, *_: Any) -> Head:
        return Head(reader)

    def run_application(self) -> None:
        if self._asks_for_websocket():
            self.environ[UPGRADE_KEY] = Upgrade(self)
        self.environ[HAND_OVER_KEY] = HandOver(self, self.server.door)
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

    def _sendall(self, data: bytes | bytearray) -> None:
        """Who takes nothing of an answer, which is held meanwhile, is gone."""
        whole = memoryview(data)
        for start in range(0, len(whole), PIECE):
            self._send_in_time(whole[start : start + PIECE])

    def _send_in_time(self, piece: memoryview) -> None:
        timeout = gevent.Timeout.start_new(ANSWER_TIMEOUT, TooSlow("the answer is not taken"))
        try:
            super()._sendall(piece)
        except TooSlow as error:
            logger.info("an answer was broken off: the client does not take it")
            add(EARLY, "answer not taken")
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from None
        finally:
            timeout.close()

    def finalize_headers(self) -> None:
        super().finalize_headers()
        if self.close_connection and self.code != 101:  # or a proxy might send its next request (RFC 9112, section 9.6)
            self.response_headers.append((b"Connection", b"close"))

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
        self._forget_socket()
        return sock, early

    def let_go(self) -> None:
        """Another process has the connection now."""
        self.socket.close()
        self.handed_over = True
        self._forget_socket()

    def _forget_socket(self) -> None:
        self.socket = None
        self.close_connection = self.headers_sent = True
        self.status, self.code = b"101 Switching Protocols", 101

    def log_request(self) -> None:
        """For gunicorn's access log; gevent-websocket has a logger of its own, which would name queries."""
        if not self.handed_over and self.environ:  # who answers it logs it; what is no request is logged already
            self.response_headers = self.response_headers or []  # of a WebSocket
            PyWSGIHandler.log_request(self)

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        logger.info("a request was refused: %s", ex if isinstance(ex, BadHead) else type(ex).__name__)
        add(EARLY, "bad request head")
        return "400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Discardable:
    """What gevent calls when the answer has been given."""

    def __init__(self, body: ChunkedBody) -> None:
        self._discard = body.end


class Server(PyWSGIServer):  # type: ignore[misc] # gunicorn has no types
    """One listening socket of a worker."""

    def __init__(self, *args: Any, worker: Worker, **options: Any) -> None:
        super().__init__(*args, **options)
        self._worker = worker
        #: Those whose connection waits for its next request.
        self.idle: set[Handler] = set()
        worker.servers.append(self)

    @property
    def door(self) -> Door:
        return self._worker.door

    @property
    def draining(self) -> bool:
        return self._worker.draining

    def count_request(self) -> None:
        self._worker.count_request()

    def handle(self, sock: Any, address: Any, early: bytes = b"") -> None:
        self.handler_class(sock, address, self, SocketReader(sock, REQUEST_TIMEOUT, early)).handle()

    def accept_what_waits(self) -> None:
        """Other workers would have accepted it by now: they end too, or are still to start, or there will be none."""
        for _ in range(ACCEPTED):
            if self.full() or not (accepted := self.do_read()):
                return
            self.do_handle(*accepted)

    def end_idle(self) -> None:
        """Close the connections that wait for a next request."""
        for handler in list(self.idle):
            with contextlib.suppress(OSError):
                handler.socket.shutdown(socket.SHUT_RDWR)


class Worker(GeventWebSocketWorker):  # type: ignore[misc] # gevent-websocket has no types
    """``worker_class = "classwaves.transport.worker.Worker"``."""

    wsgi_handler = Handler
    door: Door

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.servers: list[Server] = []
        self.draining = False
        self._serves = False
        self._requests = 0

    def init_process(self) -> None:
        if self.cfg.is_ssl:
            raise RuntimeError("ClassWaves speaks no TLS: let the proxy in front of it do so")
        super().init_process()

    def load_wsgi(self) -> None:
        write_failures(gevent.get_hub())
        try:
            super().load_wsgi()
        except (Exception, SystemExit):
            if not fail(self.age):
                raise
            # gunicorn would end the whole server, and with it those who serve
            logger.exception("this worker cannot be loaded; those that serve go on")
            sys.exit(1)
        # thousands of connections are thousands of objects that live long, and messages make none that need the
        # collector: looking at all of them again and again would be a fifth of the work
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def run(self) -> None:
        self.door = Door(self._adopt)
        self.server_class = partial(Server, worker=self)
        for start in STARTS:
            start()
        watch = gevent.spawn(beat.watch)
        try:
            super().run()
        finally:
            watch.kill()
            beat.end()
            self.door.close()

    def notify(self) -> None:
        """gunicorn's heartbeat, which begins when the worker serves."""
        super().notify()
        if not self._serves:
            self._serves = True
            serve(self.age)
            logger.info("this worker is ready")

    def _adopt(self, sock: socket.socket, read: bytes) -> None:
        """Handle the requests of a connection that another worker has accepted."""
        gevent.spawn(self.servers[0].do_handle, sock, sock.getpeername(), read)  # it waits if there are too many

    # the end

    def count_request(self) -> None:
        """gunicorn's ``max_requests``: a worker that has handled as many is replaced."""
        self._requests += 1
        if self._requests == self.max_requests:
            gevent.spawn(self._end_in_turn)

    def _end_in_turn(self) -> None:
        """There is no hurry, and the others may have handled as many: one after the other."""
        await_turn(self.cfg.workers, gevent.sleep)
        self._begin_to_drain("max_requests")

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM, to which gunicorn's own answer is to wait for sockets that never end, and then to cut them."""
        self._begin_to_drain("SIGTERM")

    def _begin_to_drain(self, why: str) -> None:
        if not self.servers:  # still starting
            settle(self.age)
            self.alive = False
        elif not self.draining:
            self.draining = True
            gevent.spawn(self._end, why)  # a signal's handler must not wait

    def _end(self, why: str) -> None:
        if why == "SIGTERM" and not await_successors(self.age, gevent.sleep):
            logger.error("reload: the new workers cannot be loaded; this one goes on")
            self.draining = False
        else:
            settle(self.age)
            self._drain(why)

    def _drain(self, why: str) -> None:
        try:
            logger.info("%s: this worker ends, and lets its clients go", why)
            for server in self.servers:
                server.stop_accepting()
            self._let_go()
        except Exception:
            logger.exception("the worker could not let all of its clients go")
        finally:
            self.alive = False  # gunicorn's loop looks once a second
            self.door.close()  # while there is a server to take what has been handed in
            for server in self.servers:
                server.end_idle()

    def _let_go(self) -> None:
        """Drain the applications, and see to those whom nobody else accepts."""
        until = time.monotonic() + self.cfg.graceful_timeout - SPARE
        drains = [gevent.spawn(drain, until) for drain in list(DRAINS)]
        while time.monotonic() < until and len(gevent.joinall(drains, timeout=PAUSE)) < len(drains):
            for server in self.servers:
                server.accept_what_waits()
