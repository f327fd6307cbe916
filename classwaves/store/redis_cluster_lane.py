"""The lanes of a cluster, one per master, behind one: what is asked about one slot keeps its order when it moves.

Imports the topology and the lane. A command enters the lane of its slot's node at once, unless the slot was just found
to be elsewhere. Then everybody lines up: those who were sent away come back to the place they had, those who come later
stand behind. Once nobody is on the way any more, the first one tries alone, and when it got an answer the others follow
in their order.
"""

from __future__ import annotations

import bisect
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.exceptions import AskError, ClusterDownError, NoScriptError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .redis_lane import Script, digest_of
from .redis_topology import Node, Topology, sharded, slot_of

#: What says that another node has the slot, or will have it soon.
ELSEWHERE = (AskError, TryAgainError, ClusterDownError, RedisConnectionError)


class _Turn:
    """A command and where it is: in line, called out of it, or away in a lane until the answer comes.

    ``probe``: it goes alone, to find out how things are.
    """

    __slots__ = ("event", "number", "probe", "where")

    def __init__(self, number: int) -> None:
        self.number = number
        self.where = "line"
        self.probe = False
        self.event: threading.Event | None = None  # if it has to wait


class _Line:
    """What is asked about one slot. With the lane's lock held.

    ``called``: who may enter a lane next, and has not yet; ``away``: how many have entered one and have no answer.
    """

    __slots__ = ("away", "blocked", "called", "members", "waiting")

    def __init__(self) -> None:
        self.members = self.away = 0
        self.blocked = False
        self.called: _Turn | None = None
        self.waiting: list[_Turn] = []

    def put(self, turn: _Turn) -> None:
        """Take a turn out of where it is, and into the line."""
        self.take(turn)
        turn.where = "line"
        bisect.insort(self.waiting, turn, key=lambda other: other.number)
        self.call()

    def take(self, turn: _Turn) -> None:
        if turn.where == "away":
            self.away -= 1
        elif turn is self.called:
            self.called = None
        elif turn in self.waiting:
            self.waiting.remove(turn)

    def call(self) -> None:
        """Call the next one: behind a block only when nobody is away any more."""
        if self.waiting and self.called is None and not (self.blocked and self.away):
            self.called = turn = self.waiting.pop(0)
            turn.where, turn.probe = "called", self.blocked
            if turn.event is not None:
                turn.event.set()

    def send(self, turn: _Turn) -> None:
        """Whoever was called has entered a lane."""
        self.called = None
        turn.where = "away"
        self.away += 1
        if not self.blocked:
            self.call()


class ClusterLane:
    """Sends commands of all threads to the nodes of their keys, those of one slot in the order of asking."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._lock = threading.Lock()
        self._lines: dict[int, _Line] = {}
        self._numbers = itertools.count()

    def run(self, *command: Any) -> Any:
        """The answer to a command whose first argument is its key.

        :raises redis.RedisError: Redis refused it, was away, or did not answer in time.
        """
        return self._run(slot_of(command[1]), lambda: command)

    def publish(self, channel: str, data: str | bytes) -> int:
        """Publish on a channel of its slot; how many hear it, as far as the node knows."""
        words = "PUBLISH", "SPUBLISH"
        return int(self._run(slot_of(channel), lambda: (words[self._topology.sharded], channel, data)))

    def script(self, source: str) -> Script:
        """A function of keys and arguments that runs a Lua script on the node of the first key."""
        self._topology.sources.append(source)
        sources = source, sharded(source)
        digests = [digest_of(one) for one in sources]

        def run(keys: Sequence[str], args: Sequence[Any]) -> Any:
            slot = slot_of(keys[0])
            try:
                return self._run(slot, lambda: ("EVALSHA", digests[self._topology.sharded], len(keys), *keys, *args))
            except NoScriptError:
                return self._run(slot, lambda: ("EVAL", sources[self._topology.sharded], len(keys), *keys, *args))

        return run

    def close(self) -> None:
        """The nodes close their lanes."""

    def _run(self, slot: int, command: Callable[[], Sequence[Any]]) -> Any:
        """The answer to a command that may depend on what the nodes are, which is not known at first."""
        deadline = time.monotonic() + self._topology.terms.timeout
        turn = _Turn(next(self._numbers))
        with self._lock:
            if (line := self._lines.get(slot)) is None:
                line = self._lines[slot] = _Line()
            line.members += 1
            line.put(turn)
        try:
            attempt = 0
            while True:
                self._wait(line, turn, deadline)
                node = None
                try:
                    node = self._topology.node(slot)
                    return self._ask(node, line, turn, hiredis.pack_command(tuple(command())))
                except RedisError as error:
                    self._judge(line, turn, error)
                    self._topology.consider(error, slot, node, deadline, attempt)
                attempt += 1
                with self._lock:
                    line.put(turn)
        finally:
            with self._lock:
                line.take(turn)
                line.members -= 1
                if line.members:
                    line.call()
                else:
                    del self._lines[slot]

    def _wait(self, line: _Line, turn: _Turn, deadline: float) -> None:
        """Wait to be called. :raises redis.TimeoutError: not in time."""
        with self._lock:
            if turn.where == "called":
                return
            turn.event = event = threading.Event()
        if not event.wait(max(0.0, deadline - time.monotonic())):
            with self._lock:
                if turn.where == "line":
                    raise RedisTimeoutError("no answer in time")

    def _ask(self, node: Node, line: _Line, turn: _Turn, packed: bytes) -> Any:
        entered = node.lane.enter(packed)
        with self._lock:
            line.send(turn)
        answer = node.lane.answer(entered)
        if turn.probe:
            self._judge(line, turn, None)
        return answer

    def _judge(self, line: _Line, turn: _Turn, error: RedisError | None) -> None:
        """Block the line if the slot seems to be elsewhere; let it go on if somebody who went alone found it."""
        with self._lock:
            if isinstance(error, ELSEWHERE):
                line.blocked = True
            elif turn.probe:
                line.blocked = False
