"""Several Redis servers that are one: a master with its replica and sentinels, or a cluster."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import redis
from redis.crc import key_slot

from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

SERVICE = "classroom"
DOWN_AFTER = 800
"""Milliseconds of silence after which the sentinels give a master up that a test kills."""
NODE_TIMEOUT = 700
"""The same for the nodes of a cluster."""
PATIENT_TIMEOUT = 15_000
"""The same while nobody is killed: a server that a busy machine keeps waiting is not given up."""
SLOTS = 16384


class Node(RedisServer):
    """A server that is asked in short."""

    def ask(self, *command: Any) -> Any:
        """Return the answer to one command."""
        with self.client() as client:
            return client.execute_command(*command)


class Sentinel(Node):
    """One that watches; it keeps what it knows in a file, which it needs to have."""

    name = "sentinel"

    def command(self) -> list[str]:
        """Return the server with its file."""
        path = self.directory / "sentinel.conf"
        if not path.exists():
            path.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\nset-proc-title no\n")
        return [super().command()[0], str(path), "--sentinel"]


class ServerSet:
    """Servers that are started together. As a context manager it leaves none of them behind."""

    def __init__(self) -> None:
        self.servers: list[Node] = []
        self._pids: list[int] = []  # of when they were last seen whole

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                server.start(wait=False)
            for server in self.servers:
                server.wait_ready()
            self._form()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all of them."""
        for server in self.servers:
            server.close()

    def heal(self) -> None:
        """Bring back whatever a test has killed, and wait until all are in their places again."""
        for server in self.servers:
            if not server.running:
                server.start()
        if (pids := [server.pid for server in self.servers]) != self._pids:  # else nothing has happened to them
            self._mend()
            eventually(self.seems_whole, timeout=20, what="a whole set")
            self._rest()
            self._pids = pids

    def seems_whole(self) -> bool:
        """Whether :meth:`is_whole`, where a server that does not answer is not."""
        try:
            return self.is_whole()
        except redis.RedisError:
            return False

    def is_whole(self) -> bool:
        """Whether everybody knows everybody, and replicas follow."""
        raise NotImplementedError

    def _form(self) -> None:
        raise NotImplementedError

    def _mend(self) -> None:
        """Hurry what they would do by themselves, in the end."""

    def _rest(self) -> None:
        """Be patient with each other until the next one is killed."""


class SentinelSet(ServerSet):
    """Three sentinels over a master and its replica."""

    def __init__(self) -> None:
        super().__init__()
        self.stores = [Node(arguments=("--repl-diskless-sync-delay", "0")) for _ in range(2)]
        self.sentinels = [Sentinel() for _ in range(3)]
        self.servers = [*self.stores, *self.sentinels]

    @property
    def url(self) -> str:
        """The URL for ``REDIS_URL``."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/0/{SERVICE}"

    def master(self) -> Node:
        """Return the server that the sentinels call the master."""
        _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.stores if server.port == int(port))

    def replica(self) -> Node:
        """Return the other one."""
        master = self.master()
        return next(server for server in self.stores if server is not master)

    def fail_over(self) -> None:
        """Let the sentinels exchange the master for the replica, as soon as they think that it is fit."""
        before = self.master()

        def accepted() -> bool:
            try:
                return bool(self.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE))
            except redis.ResponseError:
                return False

        eventually(accepted, timeout=20, what="a fit replica")
        eventually(lambda: self.master() is not before, 30, "another master")

    def kill(self, node: Node) -> None:
        """Kill a master, whom the sentinels give up soon."""
        self._give_up_after(DOWN_AFTER)
        node.kill()

    def _rest(self) -> None:
        self._give_up_after(PATIENT_TIMEOUT)

    def _give_up_after(self, milliseconds: int) -> None:
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "SET", SERVICE, "down-after-milliseconds", milliseconds)

    def _mend(self) -> None:
        """Make a former master a replica, for which the sentinels take ten seconds."""
        master = self.master()
        for server in self.stores:
            if server is not master and server.ask("ROLE")[0] == "master":
                server.ask("REPLICAOF", "127.0.0.1", master.port)

    def is_whole(self) -> bool:
        """Whether the replica follows, and each sentinel knows it and the other two."""
        roles = {server.ask("ROLE")[0] for server in self.stores}
        if roles != {"master", "slave"} or self._link() != "up":
            return False
        for sentinel in self.sentinels:
            flat = sentinel.ask("SENTINEL", "MASTER", SERVICE)
            known = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
            if int(known["num-slaves"]) < 1 or int(known["num-other-sentinels"]) < 2 or known["flags"] != "master":
                return False
        return True

    def _link(self) -> str | None:
        """How the replica follows; ``None`` if it is the master, of which the first sentinel has not heard yet."""
        status: str | None = self.replica().ask("INFO", "replication").get("master_link_status")
        return status

    def _form(self) -> None:
        first, second = self.stores
        second.ask("REPLICAOF", "127.0.0.1", first.port)
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", first.port, 2)
            for name, value in (("down-after-milliseconds", DOWN_AFTER), ("failover-timeout", 1000)):
                sentinel.ask("SENTINEL", "SET", SERVICE, name, value)
        eventually(self.seems_whole, timeout=20, what="the sentinels to find each other and the replica")


class ClusterSet(ServerSet):
    """A cluster of three masters, the first of which has a replica."""

    def __init__(self) -> None:
        super().__init__()
        options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(NODE_TIMEOUT),
            "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": "0",
            "repl-diskless-sync-delay": "0",
        }
        arguments = tuple(word for name, value in options.items() for word in (f"--{name}", value))
        self.servers = [Node(arguments=arguments) for _ in range(4)]

    @property
    def url(self) -> str:
        """The URL for ``REDIS_URL``, with some of the nodes."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers[1:])

    def masters(self) -> list[Node]:
        """Return the nodes that are masters, as they see themselves."""
        return [server for server in self.servers if server.running and server.ask("ROLE")[0] == "master"]

    def owner(self, key: str) -> Node:
        """Return the master of a key."""
        slot = key_slot(key.encode())
        for first, last, (_, port, *_), *_ in self._ranges():
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == port)
        raise LookupError(key)

    def has_replica(self, node: Node) -> bool:
        """Whether somebody can follow this master."""
        return f"slave {node.ask('CLUSTER', 'MYID')}" in node.ask("CLUSTER", "NODES")

    def move(self, key: str, target: Node, between: Callable[[], object] = lambda: None) -> None:
        """Give the slot of a key to another master, with all that is in it, as ``redis-cli --cluster reshard`` does.

        :param between: called when the move has begun and nothing has been moved yet
        """
        source, slot = self.owner(key), key_slot(key.encode())
        ids = {server: server.ask("CLUSTER", "MYID") for server in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        between()
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for server in dict.fromkeys([target, source, *self.masters()]):  # told twice, one sends its subscribers away
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])

    def kill(self, node: Node) -> None:
        """Kill a node, whom the others give up soon."""
        self._give_up_after(NODE_TIMEOUT)
        node.kill()

    def _rest(self) -> None:
        self._give_up_after(PATIENT_TIMEOUT)

    def _give_up_after(self, milliseconds: int) -> None:
        for server in self.servers:
            server.ask("CONFIG", "SET", "cluster-node-timeout", milliseconds)

    def is_whole(self) -> bool:
        """Whether all slots are served, and all know all others."""
        for server in self.servers:
            info = server.ask("CLUSTER", "INFO")
            if "cluster_state:ok" not in info or "cluster_slots_ok:16384" not in info:
                return False
            nodes = server.ask("CLUSTER", "NODES").splitlines()
            if len(nodes) != len(self.servers) or any("fail" in node or "handshake" in node for node in nodes):
                return False
            role = server.ask("ROLE")
            if role[0] == "slave" and role[3] != "connected":
                return False
        return any(map(self.has_replica, self.masters()))

    def _form(self) -> None:
        *masters, replica = self.servers
        share = -(-SLOTS // len(masters))
        for number, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            for other in self.servers[:number]:
                server.ask("CLUSTER", "MEET", "127.0.0.1", other.port)
        for number, server in enumerate(masters):
            server.ask("CLUSTER", "ADDSLOTS", *range(number * share, min((number + 1) * share, SLOTS)))
        first = masters[0].ask("CLUSTER", "MYID")
        eventually(lambda: first in replica.ask("CLUSTER", "NODES"), what="the replica to know its master")
        eventually(lambda: replica.ask("CLUSTER", "REPLICATE", first), what="a replica")
        eventually(self.seems_whole, timeout=20, what="a cluster")

    def _ranges(self) -> list[Any]:
        asked = next(server for server in self.servers if server.running)
        return list(asked.ask("CLUSTER", "SLOTS"))


@pytest.fixture(scope="session")
def sentinel_process(process_leak_detector: None) -> Iterator[SentinelSet]:
    """Run one Sentinel set for all tests of this process. Tests use :func:`sentinel_set`, which is whole."""
    with SentinelSet() as servers:
        yield servers


@pytest.fixture(scope="session")
def cluster_process(process_leak_detector: None) -> Iterator[ClusterSet]:
    """Run one cluster for all tests of this process. Tests use :func:`cluster_set`, which is whole."""
    with ClusterSet() as servers:
        yield servers


@pytest.fixture
def sentinel_set(sentinel_process: SentinelSet) -> SentinelSet:
    """Return a Sentinel set with all its servers. A test may kill some: the next one gets them back."""
    sentinel_process.heal()
    return sentinel_process


@pytest.fixture
def cluster_set(cluster_process: ClusterSet) -> ClusterSet:
    """Return a cluster with all its servers. A test may kill some, or move slots: the next one gets them back."""
    cluster_process.heal()
    return cluster_process


def version_of(servers: ServerSet) -> str:
    """Return the version of the Redis that the tests use."""
    return str(servers.servers[0].ask("INFO", "server")["redis_version"])


def has_sharded_feed(servers: ClusterSet) -> bool:
    """Whether the servers have sharded pub/sub."""
    return int(version_of(servers).split(".")[0]) >= 7


def needs_sharded_feed(servers: ClusterSet) -> None:
    """Skip a test, aloud, where the servers have no sharded pub/sub."""
    if not has_sharded_feed(servers):
        pytest.skip(f"sharded pub/sub needs Redis 7; this is {version_of(servers)}")
