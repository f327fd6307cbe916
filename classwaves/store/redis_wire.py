"""The wire: a connection that redis-py has opened, written to and read from without the many calls of redis-py.

Imports redis-py and hiredis.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

#: How many bytes are read at once at most.
CHUNK = 32768

_INCOMPLETE = object()


class Wire:
    """An open connection. After any error it must be closed: nothing is known of what would come next.

    :param connection: redis-py's, connected, with RESP2; nothing else reads from it or writes to it from now on.
    """

    __slots__ = ("_connection", "_reader", "_sock")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._sock = connection._sock
        self._reader = hiredis.Reader(InvalidResponse, connection._parser.parse_error, notEnoughData=_INCOMPLETE)

    def write(self, data: bytes, timeout: float) -> None:
        """Send all of it, in so many seconds.

        :raises redis.ConnectionError: the connection is lost.
        :raises redis.TimeoutError: Redis did not take it in time.
        """
        try:
            self._sock.settimeout(timeout)
            sent = self._sock.send(data)  # with gevent much cheaper than sendall(), and nearly always enough
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except TimeoutError:
            raise RedisTimeoutError("not taken in time") from None
        except OSError as error:
            raise RedisConnectionError(f"lost while writing: {error}") from None

    def read(self, answers: list[Any], timeout: float) -> None:
        """Wait until something comes, for so many seconds, and add the answers that are complete.

        The refusal of a command is an answer: a :class:`redis.ResponseError`.

        :raises redis.ConnectionError: the connection is lost, or Redis is not fit for commands.
        :raises redis.TimeoutError: nothing came.
        """
        try:
            self._sock.settimeout(timeout)
            data = self._sock.recv(CHUNK)
        except TimeoutError:
            raise RedisTimeoutError("nothing came in time") from None
        except OSError as error:
            raise RedisConnectionError(f"lost while reading: {error}") from None
        if not data:
            raise RedisConnectionError("closed by Redis")
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _INCOMPLETE:
            if isinstance(answer, RedisConnectionError):  # such as that it is still loading
                raise answer
            answers.append(answer)

    def cut(self) -> None:
        """Let whoever waits in another method find the connection lost; to be called from anywhere."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection. Whoever uses it must be done with it."""
        with contextlib.suppress(Exception):  # it is of no use any more in any case
            self._connection.disconnect()
