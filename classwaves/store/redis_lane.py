"""The lane: commands that are asked for at the same time go to Redis in one write on one connection.

Imports redis-py and hiredis. A thread (a greenlet under gevent) owns the connection. It takes what waits as a batch,
writes it, reads an answer for each command, lets the callers go on and takes the next batch. It never leaves an answer
unread: a connection on which anything goes wrong is thrown away whole, and the next batch opens another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

#: How many commands go together at most: what is too much for Redis must not make all of them late.
BATCH = 256

Script = Callable[[Sequence[str], Sequence[Any]], Any]


class _Batch:
    """Commands that go together. Once ``done`` is set it is over, and whoever has no answer has the error."""

    __slots__ = ("answers", "commands", "done", "error")

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.answers: list[Any] = []
        self.error: Exception = RedisConnectionError("the lane has ended")
        self.done = threading.Event()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()


class RedisLane:
    """Sends commands of all threads over one connection, in the order in which they are asked for.

    A command whose connection was lost is repeated once, so it must be one that may run twice.

    :param connect: makes a redis-py connection that repeats nothing by itself and gives up after ``timeout``.
    :param timeout: how long a caller waits at most, in seconds.
    """

    def __init__(self, connect: Callable[[], Any], timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._closed = False
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (method := begin()) and method())

    def _begin(self) -> None:
        """Begin with nothing, also in a forked child, which has no owner and a connection that is its parent's."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: deque[_Batch] = deque()
        self._served: _Batch | None = None
        self._owner: threading.Thread | None = None
        self._connection: Any = None  # the owner's alone

    def run(self, *command: Any) -> Any:
        """The answer to a command.

        :raises redis.RedisError: Redis refused it, was away, or did not answer in time.
        """
        batch, place = self._enter(hiredis.pack_command(command))
        # The first caller keeps the time for all of a batch: a timer each would cost more than all else here. If it is
        # killed, the owner still has the timeouts of its connection.
        if not batch.done.wait(None if place else self._timeout):
            self._give_up(batch)
        if place >= len(batch.answers):
            raise batch.error.with_traceback(None)
        answer = batch.answers[place]
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    def script(self, source: str) -> Script:
        """A function of keys and arguments that runs a Lua script; Redis gets the source when it has not got it."""
        digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

        def run(keys: Sequence[str], args: Sequence[Any]) -> Any:
            try:
                return self.run("EVALSHA", digest, len(keys), *keys, *args)
            except NoScriptError:
                return self.run("EVAL", source, len(keys), *keys, *args)

        return run

    def close(self) -> None:
        """Refuse all commands from now on, let everybody go who waits, and end the owner and its connection."""
        with self._lock:
            self._closed = True
            self._wake.set()
            owner, batches = self._owner, [*self._waiting, *([self._served] if self._served else [])]
        for batch in batches:
            batch.fail(RedisConnectionError("the lane is closed"))
        if owner is not None and owner is not threading.current_thread():
            owner.join(self._timeout)

    # the callers' side

    def _enter(self, packed: bytes) -> tuple[_Batch, int]:
        """Join the batch that waits, or begin one: the batch, and the place in it."""
        with self._lock:
            if self._waiting and len(self._waiting[-1].commands) < BATCH:
                batch = self._waiting[-1]
            else:
                batch = self._begin_batch()
            batch.commands.append(packed)
            return batch, len(batch.commands) - 1

    def _begin_batch(self) -> _Batch:
        if self._closed:
            raise RedisConnectionError("the lane is closed")
        if self._owner is None:
            owner = threading.Thread(target=self._run, name="classwaves-lane", daemon=True)
            owner.start()
            self._owner = owner
        batch = _Batch()
        self._waiting.append(batch)
        self._wake.set()
        return batch

    def _give_up(self, batch: _Batch) -> None:
        """The time of a batch is over, whatever the owner is at. What was not sent yet is never sent."""
        with self._lock, contextlib.suppress(ValueError):
            self._waiting.remove(batch)
        if not batch.done.is_set():
            batch.fail(RedisTimeoutError("no answer in time"))

    # the owner's side

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                try:
                    self._serve(batch)
                finally:
                    batch.done.set()
        finally:  # however it ends, nobody is left waiting and the next command starts another owner
            self._disconnect()
            with self._lock:
                self._owner, left = None, [*self._waiting]
                self._waiting.clear()
            for batch in left:
                batch.done.set()

    def _next(self) -> _Batch | None:
        """Wait for a batch, which nobody can join any more then; ``None`` once the lane is closed."""
        while True:
            with self._lock:
                self._served = None
                if self._closed:
                    return None
                if self._waiting:
                    self._served = self._waiting.popleft()
                    return self._served
                self._wake.clear()
            self._wake.wait()

    def _serve(self, batch: _Batch) -> None:
        """Get the answers to a batch, by a second connection if the first is lost; or note the error."""
        for _ in range(2):
            if batch.done.is_set():
                return
            try:
                return self._exchange(batch)
            except Exception as error:  # whatever it was, nothing is known of what the connection would bring next
                self._disconnect()
                if not batch.done.is_set():
                    batch.error = error
                if not isinstance(error, RedisConnectionError):
                    return

    def _exchange(self, batch: _Batch) -> None:
        """Write the commands that are without an answer, and read one for each."""
        if self._connection is None:
            self._connection = self._connect()
            self._connection.connect()
        if batch.done.is_set():
            return
        self._connection.send_packed_command([b"".join(batch.commands[len(batch.answers) :])])
        while len(batch.answers) < len(batch.commands):
            if batch.done.is_set():
                raise RedisTimeoutError("given up")
            try:
                batch.answers.append(self._connection.read_response())
            except ResponseError as error:  # of this command alone
                batch.answers.append(error)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it is of no use any more in any case
                connection.disconnect()
