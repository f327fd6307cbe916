"""A TCP proxy that breaks connections in the ways that networks do."""

import contextlib
import socket
import threading
import time
from typing import Self

from tests.support.ports import free_port

CHUNK = 65536


class FaultyProxy:
    """Stands on a port of its own before a server, by default before a Redis, and misbehaves when told to.

    As a context manager it listens from entry to exit. All methods may be called from any thread.

    :param target: the port of the server on 127.0.0.1
    :param port: where to listen on 127.0.0.1; reserved if not given
    """

    def __init__(self, target: int, port: int | None = None) -> None:
        self.target = target
        self.port = port or free_port()
        self.delay = 0.0
        """Seconds that every piece of an answer is held back; may be changed at any time, also for what is held."""
        self.swallowed = threading.Event()
        """Set when the answer that :meth:`swallow_next_reply` asked for has been swallowed."""
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._armed: bytes | None = None

    @property
    def url(self) -> str:
        """The URL of Redis through this proxy, for ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def connections(self) -> int:
        """How many connections go through now."""
        with self._lock:
            return len(self._links)

    def accept(self) -> None:
        """Listen, as it does from the start; after :meth:`refuse` again, on the same port."""
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Listen no more: new connections are refused, those that are open stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the thread in accept(), which a close alone would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def cut(self) -> None:
        """Cut all connections that are open. New ones are taken, unless :meth:`refuse` was called before."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()

    def swallow_next_reply(self, containing: bytes = b"") -> None:
        """Let the next request through, and cut its connection when the answer comes back, before it is passed on.

        So the server has carried the request out and its client cannot know. The same goes for the requests that
        follow at once, as in a pipeline: the cut comes when the server has had nothing to say for 0.1 s.
        :attr:`swallowed` is set afterwards.

        :param containing: only a request with these bytes counts, e.g. ``b"EVALSHA"``; they have to arrive
            in one piece, as a short Redis command does
        """
        self.swallowed.clear()
        with self._lock:
            self._armed = containing

    def close(self) -> None:
        """Stop listening and cut everything. May be called again."""
        self.refuse()
        self.cut()

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(self, client, server)
            with self._lock:
                self._links.add(link)
            link.start()
            # refuse() and cut() may have come while the server was being connected to.
            if listener is not self._listener:
                link.cut()

    def _forget(self, link: "_Link") -> None:
        with self._lock:
            self._links.discard(link)

    def _claim(self, request: bytes) -> bool:
        """Return whether the answer to this request is the one to swallow; true once."""
        with self._lock:
            if self._armed is None or self._armed not in request:
                return False
            self._armed = None
            return True


class _Link:
    """One connection through the proxy: a thread for each direction."""

    def __init__(self, proxy: FaultyProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._doomed = False
        self._sending = threading.Lock()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        requests = threading.Thread(target=self._requests, daemon=True)
        requests.start()
        threading.Thread(target=self._replies, args=(requests,), daemon=True).start()

    def cut(self) -> None:
        """End both sides, which wakes both threads; the second of them closes the sockets."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _requests(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(CHUNK):
                with self._sending:
                    # Decided before it is sent: the answer may be there before sendall() returns.
                    self._doomed = self._doomed or self._proxy._claim(data)
                    self._server.sendall(data)
        if not self._doomed:
            self.cut()

    def _replies(self, requests: threading.Thread) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(CHUNK):
                if self._doomed:
                    self._swallow()
                    break
                came = time.monotonic()
                while (left := came + self._proxy.delay - time.monotonic()) > 0:
                    time.sleep(min(left, 0.02))
                self._client.sendall(data)
        self.cut()
        requests.join()
        self._client.close()
        self._server.close()
        self._proxy._forget(self)

    def _swallow(self) -> None:
        """Drop answers until no more come, cut the client off, and let the server finish: its end of file tells."""
        self._drop_replies(quiet=0.1)
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        with self._sending:
            self._server.shutdown(socket.SHUT_WR)
        self._drop_replies(quiet=5)
        self._proxy.swallowed.set()

    def _drop_replies(self, quiet: float) -> None:
        self._server.settimeout(quiet)
        with contextlib.suppress(TimeoutError):
            while self._server.recv(CHUNK):
                pass
        self._server.settimeout(None)
