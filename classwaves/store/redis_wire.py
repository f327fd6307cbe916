"""The wire: a connection that redis-py has opened, written to and read from without the many calls of redis-py.

Imports redis-py and hiredis.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

#: How many bytes are read at once at most.
CHUNK = 32768

NEVER = float("inf")

_INCOMPLETE = object()


class Wire:
    """An open connection. After any error it must be closed: nothing is known of what would come next.

    Its socket has no timeout, because with gevent that is a timer for each read; :meth:`watch` keeps the time instead.

    :param connection: redis-py's, connected, with RESP2; nothing else reads from it or writes to it from now on.
    """

    __slots__ = ("_connection", "_ended", "_reader", "_sock", "due")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._sock = connection._sock
        self._sock.settimeout(None)
        self._reader = hiredis.Reader(InvalidResponse, connection._parser.parse_error, notEnoughData=_INCOMPLETE)
        self._ended = threading.Event()
        #: When whoever uses it has waited for too long, by ``time.monotonic``; set by them before they do.
        self.due = NEVER

    def begin(self, data: bytes) -> bytes:
        """Send what can be sent at once, nearly always all, and return the rest. Raises what :meth:`write` does."""
        try:
            return data[self._sock.send(data) :]
        except OSError as error:
            raise self._lost(str(error)) from None

    def write(self, data: bytes) -> None:
        """Send all of it.

        :raises redis.ConnectionError: the connection is lost.
        :raises redis.TimeoutError: it was cut because it was due.
        """
        if data and (rest := self.begin(data)):  # with gevent much cheaper than sendall()
            try:
                self._sock.sendall(rest)
            except OSError as error:
                raise self._lost(str(error)) from None

    def read(self, answers: list[Any]) -> None:
        """Wait until something comes, and add the answers that are complete.

        The refusal of a command is an answer: a :class:`redis.ResponseError`.

        :raises redis.ConnectionError: the connection is lost, or Redis is not fit for commands.
        :raises redis.TimeoutError: it was cut because it was due.
        """
        try:
            data = self._sock.recv(CHUNK)
        except OSError as error:
            raise self._lost(str(error)) from None
        if not data:
            raise self._lost("closed")
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _INCOMPLETE:
            if isinstance(answer, RedisError):
                self._check(answer)
            answers.append(answer)

    @staticmethod
    def _check(answer: RedisError) -> None:
        if isinstance(answer, RedisConnectionError):  # such as that it is still loading
            raise answer
        # before Redis 7 a script's error is quoted in another one
        if isinstance(answer, ReadOnlyError) or "-READONLY " in str(answer):
            raise RedisConnectionError("it is a replica now")  # whose master another connection finds

    def _lost(self, why: str) -> RedisError:
        if time.monotonic() >= self.due:
            return RedisTimeoutError("no answer in time")
        return RedisConnectionError(f"the connection was lost: {why}")

    def watch(self, seconds: float) -> None:
        """Look every so many seconds whether it is due, and cut it then. Returns when it is closed."""
        while not self._ended.wait(seconds):
            if time.monotonic() >= self.due:
                self.cut()

    def cut(self) -> None:
        """Let whoever waits in another method find the connection lost; to be called from anywhere."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection. Whoever uses it must be done with it."""
        self._ended.set()
        with contextlib.suppress(Exception):  # it is of no use any more in any case
            self._connection.disconnect()
