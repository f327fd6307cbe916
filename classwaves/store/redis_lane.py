"""The lane: commands that are asked for at the same time go to Redis in one write on one connection.

Imports redis-py, hiredis and the wire. No thread owns the connection: whoever finds the lane free writes and reads for
itself. What is asked for meanwhile waits as a batch, whose first caller takes the lane next, writes all of it and reads
an answer for each command. An answer is never left unread: a connection on which anything goes wrong is thrown away
whole, and the next exchange opens another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .redis_wire import NEVER, Wire

#: How many commands go together at most: what is too much for Redis must not make all of them late.
BATCH = 256
#: How many bytes are sent on behalf of others, who come next: what the empty buffers of a socket hold.
AHEAD = 65536
#: Whoever finds the lane free so shortly after another lets those who are about to ask join, in seconds.
RUSH = 0.002

Script = Callable[[Sequence[str], Sequence[Any]], Any]

#: The events of a batch that nobody can join: making them would be a good part of what an exchange costs.
_ALONE = threading.Event()
_ALONE.set()


def digest_of(source: str) -> str:
    """By what Redis calls a script."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def evaluated(run: Callable[..., Any], source: str) -> Script:
    """A function of keys and arguments that runs a Lua script; Redis gets the source when it has not got it."""
    digest = digest_of(source)

    def call(keys: Sequence[str], args: Sequence[Any]) -> Any:
        try:
            return run("EVALSHA", digest, len(keys), *keys, *args)
        except NoScriptError:
            return run("EVAL", source, len(keys), *keys, *args)

    return call


class _Batch:
    """Commands that go together. The caller of the first leads it, once ``turn`` is set; the others wait for ``done``.

    Who has no answer then has the error. ``deadline`` is a time of ``time.monotonic``. ``sent_on`` is the connection
    that has got the commands already, but for the bytes ``rest``.
    """

    __slots__ = ("answers", "commands", "deadline", "done", "error", "rest", "sent_on", "turn")

    def __init__(self, deadline: float, turn: threading.Event, done: threading.Event) -> None:
        self.commands: list[bytes] = []
        self.answers: list[Any] = []
        self.error: Exception = RedisConnectionError("the caller who led was killed")
        self.deadline = deadline
        self.sent_on: Wire | None = None
        self.rest = b""
        self.turn = turn
        self.done = done

    def left(self) -> float:
        """The seconds until the deadline. :raises redis.TimeoutError: it has passed."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise RedisTimeoutError("no answer in time")
        return seconds


class _Opening:
    """A connection that a thread of its own opens, as for looking up a name there is no timeout, and then watches."""

    def __init__(self, connect: Callable[[], Any], timeout: float, sources: Sequence[str]) -> None:
        self._connect = connect
        self._timeout = timeout
        self._sources = sources
        self._lock = threading.Lock()
        self._dropped = False
        self._wire: Wire | None = None
        self._error: Exception = RedisConnectionError("the lane is closed")
        self.over = threading.Event()
        threading.Thread(target=self._run, name="classwaves-lane", daemon=True).start()

    def _run(self) -> None:
        try:
            connection = self._connect()
            connection.connect()
            self._load_scripts(connection)
            wire = Wire(connection)
            with self._lock:
                if not self._dropped:
                    self._wire = wire
        except Exception as error:
            self._error = error
            return
        finally:
            self.over.set()
        if self._dropped:
            wire.close()
        wire.watch(self._timeout / 4)

    def _load_scripts(self, connection: Any) -> None:
        """A Redis that was restarted has none: a caller who had to send one would be overtaken by those behind it."""
        for source in self._sources:
            connection.send_command("SCRIPT LOAD", source)
        for _ in self._sources:
            with contextlib.suppress(ResponseError):  # whoever needs it is told
                connection.read_response()

    def take(self) -> Wire:
        """What came of it, once it is over. :raises Exception: no connection."""
        if self._wire is None:
            raise self._error
        return self._wire

    def drop(self) -> None:
        """Close the connection, or let it be closed when it has come, and let go who waits for it."""
        with self._lock:
            self._dropped = True
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        self.over.set()


class RedisLane:
    """Sends commands of all threads over one connection, in the order in which they are asked for.

    A command whose connection was lost is repeated once, so it must be one that may run twice.

    :param connect: makes a redis-py connection that repeats nothing by itself and gives up after ``timeout``.
    :param timeout: how long a caller waits at most, in seconds; a quarter more if Redis has got the command.
    :param sources: scripts that a new connection loads, beside those of :meth:`script`.
    """

    def __init__(self, connect: Callable[[], Any], timeout: float, sources: Sequence[str] = ()) -> None:
        self._connect = connect
        self._timeout = timeout
        self._sources = list(sources)
        self._closed = False
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (method := begin()) and method())

    def _begin(self) -> None:
        """Begin with nothing, also in a forked child, where nobody leads and the connection is the parent's."""
        self._lock = threading.Lock()
        self._leading: _Batch | None = None
        self._waiting: deque[_Batch] = deque()
        self._open: _Batch | None = None  # the newest batch, while it can be joined
        self._crowded = False  # the last batch had several commands
        self._left_at = -RUSH  # when the lane was last used, by time.monotonic
        self._wire: Wire | None = None  # the leader's; another may cut it
        self._opening: _Opening | None = None

    def run(self, *command: Any) -> Any:
        """The answer to a command.

        :raises redis.RedisError: Redis refused it, was away, or did not answer in time.
        """
        return self.answer(self.enter(hiredis.pack_command(command)))

    def answer(self, entered: tuple[_Batch, int]) -> Any:
        """The answer to a command that has entered the lane; raises what :meth:`run` does."""
        batch, place = entered
        if place:
            batch.done.wait()  # the leader keeps the time for all: a timer each would cost more than all else here
        else:
            self._lead(batch)
        if place >= len(batch.answers):
            raise batch.error.with_traceback(None)
        answer = batch.answers[place]
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    def script(self, source: str) -> Script:
        """A function of keys and arguments that runs a Lua script; Redis gets the source when it has not got it."""
        self._sources.append(source)
        return evaluated(self.run, source)

    def close(self) -> None:
        """Refuse all commands from now on, let everybody go who waits, and end the connection."""
        with self._lock:
            self._closed = True
            if self._opening is not None:
                self._opening.drop()
            if self._leading is None:
                self._disconnect()
            elif self._wire is not None:
                self._wire.cut()  # the leader notices, and each of those who wait, one after the other

    # the way to the lane, and away from it

    def enter(self, packed: bytes) -> tuple[_Batch, int]:
        """Take the lane if it is free, or join the batch that waits, or begin one: the batch, and the place in it.

        Whoever enters must ask for the :meth:`answer`, as others may wait for their lead.
        """
        with self._lock:
            if self._closed:
                raise RedisConnectionError("the lane is closed")
            batch = self._open
            if batch is None or len(batch.commands) >= BATCH:
                batch = self._begin_batch()
            batch.commands.append(packed)
            return batch, len(batch.commands) - 1

    def _begin_batch(self) -> _Batch:
        now = time.monotonic()
        deadline = now + self._timeout
        # after a crowd, which may not have gone on yet, nobody is to have an answer at once
        if self._leading is None and not self._crowded and now - self._left_at > RUSH:
            self._leading = batch = _Batch(deadline, _ALONE, _ALONE)
            return batch
        self._open = batch = _Batch(deadline, threading.Event(), threading.Event())
        if self._leading is None:
            self._leading = batch
            batch.turn.set()
        else:
            self._waiting.append(batch)
        return batch

    def _lead(self, batch: _Batch) -> None:
        """Wait for the lane, get the answers to a batch, and give the lane to the next one."""
        try:
            if batch.done is _ALONE:
                pass
            elif batch.turn.is_set():
                time.sleep(0)  # for one turn of the loop, so that others may join
            elif not batch.turn.wait(self._timeout) and self._withdraw(batch):
                return
            self._serve(batch)
        finally:  # however it ends, even if this caller is killed, nobody is left waiting
            self._leave(batch)

    def _withdraw(self, batch: _Batch) -> bool:
        """Its time is over: let it not have the lane, unless it is about to get it."""
        with self._lock:
            if self._leading is batch:
                batch.turn.wait()
                return False
            self._waiting.remove(batch)
            batch.error = RedisTimeoutError("no answer in time")
            return True

    def _leave(self, batch: _Batch) -> None:
        with self._lock:
            if self._open is batch:
                self._open = None
            if self._leading is batch:
                following = self._pass_on(batch)
            else:
                following = None
                with contextlib.suppress(ValueError):
                    self._waiting.remove(batch)  # its leader was killed
        batch.done.set()  # before the next one's turn, so that these go on before those do
        if following is not None:
            following.turn.set()

    def _pass_on(self, batch: _Batch) -> _Batch | None:
        """Give the lane to the batch that waits longest, and send it, so that Redis is at it while callers go on."""
        if len(batch.answers) < len(batch.commands):
            self._disconnect()
        self._left_at = time.monotonic()
        self._crowded = len(batch.commands) > 1
        self._leading = following = self._waiting.popleft() if self._waiting else None
        if following is None:
            if self._closed:
                self._disconnect()
        elif self._wire is not None and following.deadline > self._left_at:
            if self._open is following:
                self._open = None
            self._send_ahead(following, self._wire)
        return following

    @staticmethod
    def _send_ahead(batch: _Batch, wire: Wire) -> None:
        data = b"".join(batch.commands)
        if len(data) <= AHEAD:
            batch.sent_on, wire.due = wire, batch.deadline
            with contextlib.suppress(RedisError):  # its leader will find the connection lost
                batch.rest = wire.begin(data)

    # what the leader does

    def _serve(self, batch: _Batch) -> None:
        """Get the answers to a batch, by a second connection if the first is lost; or note the error."""
        if batch.done is not _ALONE:
            with self._lock:
                if self._open is batch:
                    self._open = None
        for _ in range(2):
            try:
                batch.left()
                self._exchange(batch)
                break
            except Exception as error:
                batch.error = RedisConnectionError("the lane is closed") if self._closed else error
                if not isinstance(error, RedisConnectionError):
                    break

    def _exchange(self, batch: _Batch) -> None:
        """Write the commands that are without an answer, and read one for each."""
        wire, commands, answers = self._wire or self._connected(batch), batch.commands, batch.answers
        wire.due = batch.deadline
        try:
            wire.write(batch.rest if batch.sent_on is wire else b"".join(commands[len(answers) :]))
            while len(answers) < len(commands):
                wire.read(answers)
            wire.due = NEVER
        except BaseException:  # whatever it was, nothing is known of what the connection would bring next
            self._disconnect()
            raise

    def _connected(self, batch: _Batch) -> Wire:
        """A new connection. One that does not come before the deadline is the next leader's, if it comes."""
        # without the lock: to start a thread lets others run, and who waits for a lock may be overtaken
        opening = self._opening or _Opening(self._connect, self._timeout, self._sources)
        with self._lock:
            if self._closed:
                opening.drop()
                raise RedisConnectionError("the lane is closed")
            self._opening = opening
        if not opening.over.wait(batch.left()):
            raise RedisTimeoutError("no connection in time")
        with self._lock:  # close() must find it in one place or the other
            self._opening = None
            self._wire = wire = opening.take()
            return wire

    def _disconnect(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
