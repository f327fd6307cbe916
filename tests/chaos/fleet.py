"""Two machines with three workers, one Redis that is reached through a bad line, and a load balancer in front."""

import contextlib
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support import balancer
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.ports import free_port
from tests.support.protocol import http
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.server_process import ServerProcess
from tests.support.waiting import eventually
from tests.support.wires import Closed

WORKERS = {"a": 2, "b": 1}

SETTINGS = {
    "CLASSWAVES_REQUIRE_REDIS": "1",
    "CLASSWAVES_LOG_FORMAT": "text",
    "CLASSWAVES_RATELIMIT_ENABLED": "0",
    # short, so that what has to be settled after a fault is settled within the test
    "CLASSWAVES_DISCONNECT_GRACE": "1",
    "CLASSWAVES_LEASE": "3",
    "CLASSWAVES_RENEW": "0.5",
    "CLASSWAVES_DRAIN_GRACE": "6",
    "CLASSWAVES_PING_INTERVAL": "4",
    "CLASSWAVES_PING_TIMEOUT": "5",
    # what is behind a position is often read from the log, and checkpoints are often written
    "CLASSWAVES_RING_ENTRIES": "100",
    "CLASSWAVES_CHECKPOINT_ENTRIES": "200",
}


class Machine(Gunicorn):
    """One gunicorn with directories of its own: what workers of a machine share, others cannot see."""

    def __init__(self, name: str, workers: int, redis_url: str) -> None:
        self.label = name
        self.workers = workers
        self.tmp = Path(tempfile.mkdtemp(prefix=f"cw-{name}-"))  # short: a unix socket's path has 107 characters
        env = {**TEST_KEYS, **SETTINGS, "REDIS_URL": redis_url, "WEB_CONCURRENCY": str(workers)}
        super().__init__(env={**env, "TMPDIR": str(self.tmp)})

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.chaos.app:make_app()"]

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.tmp, ignore_errors=True)


class Balancer(ServerProcess):
    """:mod:`tests.support.balancer` in front of some ports."""

    name = "balancer"

    def __init__(self, backends: list[int]) -> None:
        super().__init__()
        self.control = free_port()
        self._backends = backends

    def command(self) -> list[str]:
        ports = [self.port, self.control, *self._backends]
        return [sys.executable, "-S", balancer.__file__, *map(str, ports)]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return balancer.cut(self.control, 0, 0) == 0
        return False

    def cut(self, share: float, seed: int) -> int:
        """Cut a share of the clients' connections, and return how many."""
        return balancer.cut(self.control, share, seed)


@dataclass(frozen=True)
class Holding:
    """What a worker holds."""

    memory: int
    """Resident, in bytes."""
    files: int
    """Descriptors, without those to Redis: its pool grows to its size and stays."""
    redis: int
    """Connections to Redis."""
    counts: dict[str, int]
    """What :func:`tests.support.counting_app.counts` knows of."""
    who: list[str]
    """The names of who is connected."""
    threads: list[str]
    """The names of its threads, which are greenlets."""


class Fleet:
    """The processes of a small deployment; a context manager, which starts and ends them."""

    def __init__(self) -> None:
        self.redis = RedisServer(aof=True)
        self.proxy = FaultyProxy(self.redis.port)
        self.machines = [Machine(name, workers, self.proxy.url) for name, workers in WORKERS.items()]
        # each worker gets about the same share
        turns = [machine.port for machine in self.machines for _ in range(machine.workers)]
        self.balancer = Balancer(turns)
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The address that clients know."""
        return f"http://127.0.0.1:{self.balancer.port}"

    def machine(self, name: str) -> Machine:
        return next(machine for machine in self.machines if machine.label == name)

    def workers(self) -> dict[int, Machine]:
        """The living workers by pid."""
        return {pid: machine for machine in self.machines for pid in sorted(machine.worker_pids)}

    def is_whole(self) -> bool:
        """Whether every machine has its workers, and each of them answers."""
        wanted = {machine.label: machine.workers for machine in self.machines}
        found = {machine.label: len(machine.worker_pids) for machine in self.machines}
        assert found == wanted, f"workers: {found}"
        missing = set(self.workers()) - set(self._ask())
        assert not missing, f"workers that do not answer: {missing}"
        return True

    def holdings(self) -> dict[int, Holding]:
        """What each worker holds, by pid. One that is kept waiting leaves all requests of a moment to the other."""
        told: dict[int, dict[str, Any]] = {}

        def all_have_answered() -> bool:
            told.update(self._ask())
            return told.keys() >= self.workers().keys()

        eventually(all_have_answered, 20, "an answer of each worker")
        return {pid: self._holding(pid, told[pid]) for pid in self.workers()}

    def _holding(self, pid: int, told: dict[str, Any]) -> Holding:
        process = psutil.Process(pid)
        remote = [found.raddr for found in process.net_connections("tcp")]
        redis = sum(address[1:] == (self.proxy.port,) for address in remote)
        return Holding(
            process.memory_info().rss, process.num_fds() - redis, redis, told["counts"], told["who"], told["threads"]
        )

    def _ask(self) -> dict[int, dict[str, Any]]:
        """What each worker tells; which of a machine's workers answers is chance."""
        found: dict[int, dict[str, Any]] = {}
        for machine in self.machines:
            for _ in range(20 * machine.workers):
                if len(found.keys() & set(machine.worker_pids)) == machine.workers:
                    break
                with contextlib.suppress(OSError, Closed, AssertionError):
                    answer: dict[str, Any] = json.loads(http(machine.port, "GET", "/counts").body)
                    found[answer.pop("pid")] = answer
        return found

    def channels(self) -> list[str]:
        """The sessions' channels that somebody listens on."""
        with self.redis.client() as client:
            found: list[str] = list(client.pubsub_channels("*feed*"))
            if int(client.info("server")["redis_version"].split(".")[0]) >= 7:
                found += client.execute_command("PUBSUB", "SHARDCHANNELS", "*feed*")
        return found

    def leases(self) -> tuple[set[str], set[str]]:
        """The workers that Redis knows: those with a lease, and those that have a set of sessions."""
        with self.redis.client() as client:
            leases: set[str] = set(client.zrange("cw:workers", 0, -1))
            return leases, {key.removeprefix("cw:worker:") for key in client.scan_iter("cw:worker:*")}

    def logs(self) -> str:
        """The ends of all logs, for a failure."""
        return "\n".join(server.log_tail(60) for server in (*self.machines, self.balancer))

    def tracebacks(self) -> dict[str, tuple[int, str]]:
        """The tracebacks in the workers' logs: what each kind ends with -> how often, and the last one whole."""
        found: dict[str, tuple[int, str]] = {}
        for machine in self.machines:
            whole: list[str] = []
            for line in machine.log().splitlines():
                if line.startswith("Traceback") or (whole and line.startswith(" ")):
                    whole.append(line)
                elif whole:
                    found[line] = found.get(line, (0, ""))[0] + 1, "\n".join([*whole, line])
                    whole = []
        return found

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.redis)
            stack.enter_context(self.proxy)
            for server in (*self.machines, self.balancer):
                stack.callback(server.close)
                server.start(wait=False)
            for server in (*self.machines, self.balancer):
                server.wait_ready()
            eventually(self.is_whole, 20, "all workers")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
