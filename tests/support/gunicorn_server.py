"""The product as it is deployed: gunicorn with the repository's own configuration."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.support import processes
from tests.support.server_process import HttpServerProcess

ROOT = Path(__file__).parents[2]

STARTED = re.compile(r"ClassWaves: .* workers: (\d+)\)")
"""What the master says before it starts as many workers."""

TEST_KEYS = {
    "SECRET_KEY": "a-secret-key-for-tests-only-0123456789abcdef",
    "JWT_SECRET_KEY": "a-jwt-key-for-tests-only-0123456789abcdef01",
}
"""The keys of servers that are not in demo mode, so that several understand each other's tokens."""


class Gunicorn(HttpServerProcess):
    """``gunicorn --config gunicorn.conf.py wsgi:app``, in demo mode unless told otherwise, without Redis unless given.

    It sees a minimal environment, whatever the developer's shell holds. All demo servers of one test process share its
    temporary home directory (``conftest.py``), and thereby the keys that demo mode keeps there.

    :param port: reserved if not given
    :param env: variables to add, e.g. ``{"REDIS_URL": redis_url}``; ``None`` as a value takes one away
    :param demo: ``CLASSWAVES_DEMO=1``; without it the server gets :data:`TEST_KEYS`
    :param directory: for the log; temporary if not given
    """

    name = "gunicorn"

    def __init__(
        self,
        port: int | None = None,
        env: Mapping[str, str | None] | None = None,
        demo: bool = True,
        directory: Path | None = None,
    ) -> None:
        super().__init__(port, directory)
        self.env = dict(env or {})
        self.demo = demo

    def is_ready(self) -> bool:
        """Ask ``/healthz``, and wait for those of its workers that are slower than the one that answers."""
        *_, log = self.log().rpartition("Starting gunicorn")
        found = STARTED.search(log)
        return super().is_ready() and found is not None and log.count("this worker is ready") >= int(found[1])

    @property
    def worker_pids(self) -> list[int]:
        """The living children of the master."""
        if not self.running:
            return []
        return [child.pid for child in psutil.Process(self.pid).children() if processes.is_alive(child)]

    def command(self) -> list[str]:
        """Return the command of the Procfile."""
        return [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]

    def environ(self) -> dict[str, str]:
        """Return the minimal environment, the address, demo mode or keys, and last what the test gave."""
        mode = {"CLASSWAVES_DEMO": "1"} if self.demo else TEST_KEYS
        address = {"PORT": str(self.port), "CLASSWAVES_HOST": "127.0.0.1"}
        # or /healthz says for ten seconds that the machine held it up
        own = {**address, "PYTHONUNBUFFERED": "1", "CLASSWAVES_BLOCKED_AFTER": "3600"}
        merged: dict[str, str | None] = {**processes.minimal_environ(), **own, **mode, **self.env}
        return {name: value for name, value in merged.items() if value is not None}

    def working_directory(self) -> Path:
        """Return the root of the repository, where ``wsgi.py`` and ``gunicorn.conf.py`` are."""
        return ROOT

    def kill9(self) -> None:
        """Kill master and workers with -9, at once; :meth:`start` brings the server back on the same port."""
        self.kill()
