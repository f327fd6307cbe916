"""A Redis Cluster: one pool, one lane and one connection for subscriptions per master.

Imports the topology, the servers' protocols and the cluster's lane and feed.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import ClusterDownError, RedisError

from ..redis_url import RedisAddress
from .redis_cluster_feed import ClusterFeed
from .redis_cluster_lane import ClusterLane
from .redis_lane import Script, evaluated
from .redis_servers import Channels, Lane, Terms
from .redis_topology import Node, Topology, sharded

#: Commands that are about no key.
KEYLESS = frozenset({"PING", "PUBLISH", "TIME"})
#: How many arguments of a script come before its first key.
SCRIPTS = {"EVAL": 3, "EVALSHA": 3}


class ClusterServers:
    """All ways to a cluster; see :class:`~classwaves.store.redis_servers.Servers`."""

    def __init__(self, address: RedisAddress, terms: Terms) -> None:
        self.topology = Topology(address, terms)
        self.client: redis.Redis = ClusterClient(self.topology)
        self._lane = ClusterLane(self.topology)
        self.lane: Lane = self._lane
        feed = ClusterFeed(self.topology)
        self.feed: Channels = feed
        self.control: Channels = feed.control

    def script(self, source: str) -> Script:
        plain, own = (evaluated(self.client.execute_command, one) for one in (source, sharded(source)))

        def run(keys: Any, args: Any) -> Any:
            self.topology.load()
            return (own if self.topology.sharded else plain)(keys, args)

        return run

    def publish(self, channel: str, data: str | bytes) -> bool:
        if self._lane.publish(channel, data):
            return True
        if self.topology.sharded:
            return False
        nodes = self.topology.masters()
        # that counts those who are connected to the same node, where they are unless the slot has moved
        return any(node.ask(self.topology.terms.timeout, ("PUBSUB", "NUMSUB", channel))[0][1] for node in nodes)

    def ping(self, key: str = "") -> None:
        if b"cluster_state:ok" not in self.topology.ask(("CLUSTER", "INFO"))[0]:
            raise ClusterDownError("the cluster is down")
        if key:
            self._write(key)

    def _write(self, key: str) -> None:
        """One master that writes is enough: a worker can serve those who are on it."""
        failure: RedisError = ClusterDownError("no node takes writes")
        for node, name in self.topology.spread(key).items():
            try:
                node.client.set(name, b"", ex=60)
                return
            except RedisError as error:
                failure = error
        raise failure

    def close(self) -> None:
        self.feed.close()
        self.topology.close()


class ClusterClient(redis.Redis):
    """Redis-py's commands, each on the node of its key, with a patience that redis-py's own cluster client has not."""

    def __init__(self, topology: Topology) -> None:
        super().__init__(connection_pool=redis.ConnectionPool())  # which stays empty
        self._topology = topology

    def execute_command(self, *args: Any, **options: Any) -> Any:
        def call(node: Node) -> Any:
            return node.client.execute_command(*args, **options)  # type: ignore[no-untyped-call]

        if args[0] in KEYLESS:
            return self._topology.anywhere(call)
        return self._topology.run(key_of(args), call)

    def pipeline(self, transaction: bool = False, shard_hint: Any = None) -> ClusterPipeline:
        return ClusterPipeline(self, self._topology)


class ClusterPipeline(Pipeline):
    """Commands that go to each node together, and are answered in the order in which they were given."""

    def __init__(self, client: ClusterClient, topology: Topology) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, False, None)
        self._client = client
        self._topology = topology

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        shares: dict[Node, list[int]] = {}
        for place, (args, _) in enumerate(stack):
            shares.setdefault(self._topology.run(key_of(args), lambda node: node), []).append(place)
        answers: list[Any] = [None] * len(stack)
        for node, places in shares.items():
            for place, answer in zip(places, self._share(node, [stack[place] for place in places]), strict=True):
                answers[place] = answer
        return answers

    def _share(self, node: Node, commands: list[Any]) -> list[Any]:
        """The answers of one node, and of others for what is not there any more."""
        try:
            with node.client.pipeline(transaction=False) as pipe:
                for args, options in commands:
                    pipe.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                answers = pipe.execute(raise_on_error=False)
        except redis.ConnectionError as error:
            answers = [error] * len(commands)
        return [
            self._client.execute_command(*args, **options) if isinstance(answer, RedisError) else answer
            for answer, (args, options) in zip(answers, commands, strict=True)
        ]


def key_of(command: Any) -> str | bytes:
    """What decides on the node of a command."""
    key: str | bytes = command[SCRIPTS.get(command[0], 1)]
    return key
