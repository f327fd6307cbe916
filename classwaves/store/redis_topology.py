"""Who serves which slot of a Redis Cluster, and what the errors say that tell otherwise.

Imports the URL's parser, the lane and the servers' pools. Keys of one hash tag are in one slot, and a slot has one
master. The map of them is learned from any node, and mended by the answers of nodes that were asked for the wrong slot.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import redis
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..redis_url import RedisAddress
from .redis_lane import RedisLane
from .redis_servers import Terms, connection, make_pool

T = TypeVar("T")
Place = tuple[str, int]

#: Between two tries of what cannot be done yet, and between two looks at the map, in seconds.
PAUSE = 0.02


def slot_of(key: str | bytes) -> int:
    """The slot of a key or of a sharded channel."""
    return key_slot(key.encode() if isinstance(key, str) else key)


class Node:
    """One server of the cluster: a pool and a lane. ``sources``: the scripts that the lane loads."""

    def __init__(self, url: str, place: Place, terms: Terms, sources: list[str]) -> None:
        self.place = place
        self._pool = make_pool(url, terms)
        self.client = redis.Redis(connection_pool=self._pool)
        self.connect = functools.partial(connection, self._pool)
        self.lane = RedisLane(self.connect, terms.timeout, sources)

    def ask(self, timeout: float, *commands: tuple[str, ...]) -> list[Any]:
        """Answers as they come, by a connection of its own, so that nobody else's patience counts."""
        asking = self.connect()
        asking.socket_timeout = asking.socket_connect_timeout = timeout
        try:
            asking.connect()
            for command in commands:
                asking.send_command(*command)
            return [asking.read_response() for _ in commands]
        finally:
            asking.disconnect()

    def close(self) -> None:
        self.lane.close()
        self.client.close()
        self._pool.disconnect()


class Topology:
    """The map of a cluster, which is learned when it is first needed."""

    def __init__(self, address: RedisAddress, terms: Terms) -> None:
        self.terms = terms
        #: Whether all nodes have sharded pub/sub; asked once, so that all that one worker does fits together.
        self.sharded = False
        self.sources: list[str] = []
        self._address = address
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._nodes: dict[Place, Node] = {}
        self._told_by: Place = address.hosts[0]
        self._slots: list[Node | None] = []
        self._masters: list[Node] = []
        self._asked_at = 0.0
        self._closed = False

    def load(self) -> None:
        """Learn the map, if that was not done yet. :raises redis.RedisError: no node tells."""
        if not self._slots:
            self.refresh(time.monotonic())
            if not self._slots:
                raise RedisConnectionError("no node of the cluster answers")

    def node(self, slot: int) -> Node:
        """The master of a slot. :raises redis.RedisError: it has none."""
        self.load()
        if node := self._slots[slot]:
            return node
        raise ClusterDownError("nobody serves this slot")

    def peek(self, slot: int) -> Node | None:
        """The master of a slot as far as it is known."""
        return self._slots[slot] if self._slots else None

    def spread(self, key: str) -> dict[Node, str]:
        """Names like this key, for one on each master, or nearly each."""
        self.load()
        names = [f"{key}:{number}" for number in range(8 * len(self._masters))]
        return {node: name for name in names if (node := self.peek(slot_of(name)))}

    def masters(self) -> list[Node]:
        self.load()
        return self._masters

    def _node(self, place: Place) -> Node:
        with self._lock:
            if self._closed:
                raise RedisConnectionError("the store is closed")
            if (node := self._nodes.get(place)) is None:
                url = self._address.node_url(*place)
                self._nodes[place] = node = Node(url, place, self.terms, self.sources)
            return node

    # learning

    def refresh(self, noticed: float) -> None:
        """Learn the map again, unless that was done since something was ``noticed`` to be wrong, or just before."""
        with self._asking:
            if self._asked_at + PAUSE > noticed:
                return
            with contextlib.suppress(RedisError, OSError):
                self._learn_map(*self.ask(("CLUSTER", "SLOTS"), ("HELLO",)))
            self._asked_at = time.monotonic()

    def ask(self, *commands: tuple[str, ...]) -> list[Any]:
        """What some node says. :raises redis.RedisError: none says anything in time."""
        deadline = time.monotonic() + self.terms.timeout
        error: Exception = RedisConnectionError("no node of the cluster answers")
        for place in list(dict.fromkeys([self._told_by, *self._address.hosts, *self._nodes])):
            if time.monotonic() >= deadline:
                break
            try:
                answers = self._node(place).ask(self.terms.timeout / 4, *commands)
            except (RedisError, OSError) as failure:
                error = failure
                continue
            self._told_by = place
            return answers
        raise error

    def _learn_map(self, ranges: list[Any], hello: list[Any]) -> None:
        slots: list[Node | None] = [None] * 16384
        for first, last, (host, port, *_), *_ in ranges:
            place = (host.decode() if host else self._told_by[0], port)
            slots[first : last + 1] = [self._node(place)] * (last + 1 - first)
        masters = list(dict.fromkeys(node for node in slots if node))
        if not self._slots:
            self.sharded = all(_major(one) >= 7 for one in [hello, *self._hellos(masters)])
            self.sources[:] = [sharded(source) for source in self.sources] if self.sharded else self.sources
        self._slots, self._masters = slots, masters

    def _hellos(self, nodes: list[Node]) -> Iterator[list[Any]]:
        for node in nodes:
            with contextlib.suppress(RedisError, OSError):  # one that is away is taken for the others' like
                yield node.ask(self.terms.timeout / 4, ("HELLO",))[0]

    # what errors say

    def run(self, key: str | bytes, call: Callable[[Node], T]) -> T:
        """What a call to the node of a key returns, on whichever node that is in the end.

        :raises redis.RedisError: it cannot be done, or not in time.
        """
        slot, deadline = slot_of(key), time.monotonic() + self.terms.timeout
        attempt = 0
        while True:
            node = None
            try:
                node = self.node(slot)
                return call(node)
            except RedisError as error:
                self.consider(error, slot, node, deadline, attempt)
            attempt += 1

    def anywhere(self, call: Callable[[Node], T]) -> T:
        """What a call to any node returns. :raises redis.RedisError: none can."""
        failure: RedisError = RedisConnectionError("no node of the cluster answers")
        for node in list(self.masters()):
            try:
                return call(node)
            except RedisError as error:
                failure = error
        raise failure

    def consider(self, error: RedisError, slot: int, node: Node | None, deadline: float, attempt: int) -> None:
        """Return when another try may help, with what the error tells being learned. :raises redis.RedisError: else."""
        if isinstance(error, RedisTimeoutError):
            self._look_again()
        if time.monotonic() >= deadline or isinstance(error, RedisTimeoutError):
            raise error
        if attempt and isinstance(error, ResponseError):
            time.sleep(PAUSE)
        if isinstance(error, MovedError) and node is not None:
            self._moved(error, node)
        elif isinstance(error, ClusterDownError):
            self.refresh(time.monotonic())
        elif isinstance(error, RedisConnectionError) and node is not None:
            self.refresh(time.monotonic())
            if self.node(slot) is node:
                raise error
        elif not isinstance(error, (AskError, TryAgainError)):
            raise error

    def _moved(self, error: MovedError, by: Node) -> None:
        """Believe a node that says who has a slot now."""
        node = self._node((error.host or by.place[0], error.port))
        self._slots[error.slot_id] = node
        if node not in self._masters:
            self._masters = [*self._masters, node]

    def _look_again(self) -> None:
        """Some node hangs, whose slots may have another master by now. Nobody is to wait for that here."""
        if not self._asking.locked():
            threading.Thread(target=self.refresh, args=(time.monotonic(),), daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            nodes = list(self._nodes.values())
        for node in nodes:
            node.close()


def sharded(source: str) -> str:
    """A script that publishes to the shard's own subscribers. On a node that cannot, it does all the rest."""
    return source.replace("redis.call('PUBLISH'", "redis.pcall('SPUBLISH'")


def _major(hello: list[Any]) -> int:
    """The first number of a server's version, from its answer to HELLO, which every user may ask."""
    version: bytes = dict(zip(hello[::2], hello[1::2], strict=True))[b"version"]
    return int(version.split(b".")[0])
