"""The servers that are compared, each on the same core of its own, and what they have used of it."""

import http.client
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import processes
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.server_process import ServerProcess

PEERS, NODE_MODULES = Path(__file__).with_name("peers"), Path(__file__).with_name("node_modules")
MANY = "20000"
"""More connections than any scenario has."""


def split_cores() -> int:
    """Keep one core for the server and put this process, and what it starts, on the others. Return the server's.

    Also lets both open as many sockets as the system allows.

    :raises RuntimeError: on a machine with one core
    """
    *others, core = sorted(os.sched_getaffinity(0))
    if not others:
        raise RuntimeError("the benchmarks need two cores: one for the server, one for the load")
    os.sched_setaffinity(0, others)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return core


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on one core inside the block; processes started there stay on it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Measured(ServerProcess):
    """A server on a core of its own.

    :param core: it runs on this one, and nothing else does
    :param redis_url: of its queue, adapter or store; empty: it keeps everything in memory
    """

    contract = False
    """Whether it wants logins, sessions and tokens; the others let anybody into any room."""

    def __init__(self, core: int, redis_url: str) -> None:
        super().__init__()
        self.core = core
        self.redis = {"REDIS_URL": redis_url} if redis_url else {}

    def start(self, wait: bool = True) -> None:
        """Start it on its core."""
        with on_core(self.core):
            super().start(wait=False)
        if wait:
            self.wait_ready()

    def cpu(self) -> float:
        """Return the seconds of CPU that its processes have used, threads that have ended included.

        Read from the kernel's clock of each process (``clock_getcpuclockid``), which counts nanoseconds: in the few
        hundredths of a second of a quiet run, the ticks of ``/proc`` would be too coarse.
        """
        return sum(time.clock_gettime((~process.pid << 3) | 2) for process in self.members())

    def resident(self) -> list[int]:
        """Return the resident bytes of each of its processes."""
        return [process.memory_info().rss for process in self.members()]


class Ours(Measured, Gunicorn):
    """ClassWaves as it is deployed, in demo mode, without rate limits: here one address sends everything."""

    contract = True

    def __init__(self, core: int, redis_url: str) -> None:
        super().__init__(core, redis_url)
        limits = {"CLASSWAVES_RATELIMIT_ENABLED": "0", "CLASSWAVES_MAX_CONNECTIONS": MANY}
        limits["CLASSWAVES_ARCHIVE_URL"] = "none"  # the others keep nothing either
        self.env = {**TEST_KEYS, **limits, **self.redis}


class Peer(Measured):
    """One of the programs in ``peers/``."""

    def environ(self) -> dict[str, str]:
        """Return a minimal environment with the port, the Redis, and a home directory to write to."""
        own = {"PORT": str(self.port), "HOME": str(self.directory), "NODE_ENV": "production"}
        return {**processes.minimal_environ(), **own, **self.redis}

    def working_directory(self) -> Path:
        """Return the folder of the peers; in the root, gunicorn would find the product's settings."""
        return PEERS

    def is_ready(self) -> bool:
        """Ask for any HTTP answer, once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Plain(Peer):
    """Flask-SocketIO on gevent-websocket's gunicorn worker."""

    def command(self) -> list[str]:
        """Return gunicorn with one worker."""
        worker = ["--worker-class", "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"]
        address = ["--bind", f"127.0.0.1:{self.port}", "--worker-connections", MANY]
        return [sys.executable, "-m", "gunicorn", *worker, *address, "plain:app"]


class Node(Peer):
    """Node's Socket.IO with ws and bufferutil."""

    def command(self) -> list[str]:
        """Return node with its script."""
        return ["node", "node.mjs"]


class Bare(Peer):
    """Nothing but the system calls."""

    def command(self) -> list[str]:
        """Return the script."""
        return [sys.executable, "bare.py"]


@dataclass(frozen=True)
class Kind:
    """One that is compared: a server, with or without Redis."""

    title: str
    server: type[Measured]
    redis: bool = False

    @property
    def missing(self) -> str:
        """What it lacks here, in words; empty if it can run."""
        if self.server is not Node or (shutil.which("node") and (NODE_MODULES / "ws").exists()):
            return ""
        return "Node or its packages are not installed (npm install in benchmarks/)"


KINDS = {
    "ours": Kind("ClassWaves", Ours),
    "flask": Kind("Flask-SocketIO", Plain),
    "node": Kind("Node", Node),
    "bare": Kind("bare sends", Bare),
    "ours-redis": Kind("ClassWaves, Redis", Ours, True),
    "flask-redis": Kind("Flask-SocketIO, Redis queue", Plain, True),
    "node-redis": Kind("Node, Redis adapter", Node, True),
}
