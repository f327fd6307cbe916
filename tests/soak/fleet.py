"""The server of the soak: gunicorn with two workers and a Redis, and what they hold."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from classwaves.auth.accounts import StoreAuthenticator
from classwaves.settings import Settings
from classwaves.store import open_store
from tests.soak.world import PASSWORD
from tests.support.clients import Api
from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.protocol import http
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.wires import Closed

WORKERS = 2
SETTINGS = {
    "CLASSWAVES_REQUIRE_REDIS": "1",
    "CLASSWAVES_TRUSTED_PROXIES": "1",
    "CLASSWAVES_LOG_FORMAT": "text",
    "CLASSWAVES_LOGIN_RATE": "1000/minute",  # of a teacher, who gives short lessons
    "CLASSWAVES_LOGIN_NAME_RATE": "1000/minute",
    "CLASSWAVES_CREATE_RATE": "1000/minute",
    "CLASSWAVES_REDIS_TIMEOUT": "10",  # the machine has more to do than it can
    "CLASSWAVES_MAX_BACKLOG_BYTES": "200000",
}
"""What is short, so that it is seen to end, is a part of the scale: see :func:`short`."""


def short(pause: float) -> dict[str, str]:
    """The settings of what has to end within the test.

    :param pause: how long a client waits between two things that it does, in seconds; most times go by that
    """
    seconds = {
        "PING_INTERVAL": pause,
        "PING_TIMEOUT": 2 * pause,
        "CONNECT_TIMEOUT": 2 * pause,
        "REQUEST_TIMEOUT": 2 * pause,
        "ANSWER_TIMEOUT": 2 * pause,
        "DISCONNECT_GRACE": pause / 2,
        "LEFT_AFTER": pause,
        "TYPING_TIMEOUT": pause,
        "STALL_AFTER": 2 * pause,
        "UPLOAD_TIMEOUT": 2 * pause,
        "LEASE": 3 * pause,
        "RENEW": pause / 2,
        "RETENTION_HOURS": 4 * pause / 3600,
        "GUEST_TOKEN_HOURS": 8 * pause / 3600,
        "ACCESS_TOKEN_MINUTES": 8 * pause / 60,
        "REFRESH_TOKEN_DAYS": 8 * pause / 86400,
    }
    return {f"CLASSWAVES_{name}": f"{value:.9f}" for name, value in seconds.items()}


@dataclass(frozen=True)
class Worker:
    """What a worker holds."""

    resident: int
    """Bytes, before the allocator is asked to give back what it does not need, and after it."""
    trimmed: int
    proportional: int
    files: int
    """Descriptors, without those to Redis: its pool grows to its size and stays."""
    redis: int
    counts: dict[str, int]
    types: dict[str, int]
    limits: dict[str, int]
    blocks: int
    """Python's small objects; see :func:`tests.soak.app.used`."""
    allocated: int
    """Bytes in use of the C library's."""


class School(Gunicorn):
    """Two workers with the soak's application.

    :param pause: see :func:`short`
    """

    def __init__(self, redis: RedisServer, pause: float, directory: Path) -> None:
        self.redis = redis
        self.kept = directory / "files"
        own = {"REDIS_URL": redis.url, "WEB_CONCURRENCY": str(WORKERS), "CLASSWAVES_FILES": str(self.kept)}
        more = {name: value for name, value in os.environ.items() if name in ("PYTHONMALLOC", "PYTHONTRACEMALLOC")}
        super().__init__(env={**SETTINGS, **short(pause), **own, **more}, demo=False)

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.soak.app:make_app()"]

    def add_teachers(self, count: int) -> None:
        """Make the accounts teacher0, teacher1 and so on."""
        store = open_store(Settings.load({**TEST_KEYS, "REDIS_URL": self.redis.url}, {}))
        for number in range(count):
            StoreAuthenticator(store).create(f"teacher{number}", PASSWORD, f"Teacher {number}", "teacher")
        store.close()

    def end_lessons(self, teachers: int) -> None:
        """End what its teacher could not, whose answers the crowd did not wait for: it would be kept for weeks."""
        api = Api(self.url)
        for number in range(teachers):
            login = {"username": f"teacher{number}", "password": PASSWORD}
            token = api.ok("POST", "/auth/login", body=login)["accessToken"]
            for lesson in api.ok("GET", "/sessions?limit=100", token)["sessions"]:
                if lesson["status"] != "ended":
                    api.step(token, lesson["sessionCode"], "end")
            api.call("POST", "/auth/logout", token)

    def resident(self) -> list[int]:
        """The resident memory of each worker, in bytes."""
        return [psutil.Process(pid).memory_info().rss for pid in sorted(self.worker_pids)]

    def holdings(self) -> dict[int, Worker]:
        """What each worker holds, by pid."""
        sizes = {pid: psutil.Process(pid).memory_info().rss for pid in self.worker_pids}
        told = eventually(self._ask, 30, "an answer of each worker")
        return {pid: self._worker(pid, sizes[pid], told[pid]) for pid in sorted(sizes)}

    def _ask(self) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        with suppress(OSError, Closed):  # of a machine that has too much to do
            for _ in range(50):
                answer: dict[str, Any] = json.loads(http(self.port, "GET", "/counts").body)
                found[answer.pop("pid")] = answer
                if len(found) == WORKERS:
                    return found
        return {}

    def _worker(self, pid: int, resident: int, told: dict[str, Any]) -> Worker:
        process = psutil.Process(pid)
        memory = process.memory_full_info()
        redis = sum(found.raddr[1:] == (self.redis.port,) for found in process.net_connections("tcp"))
        return Worker(resident, memory.rss, memory.pss, process.num_fds() - redis, redis, **told)

    def in_redis(self) -> "Keys":
        """What Redis holds."""
        with self.redis.client() as client:
            kinds: Counter[str] = Counter()
            lasting: Counter[str] = Counter()
            items: Counter[str] = Counter()
            for key in client.scan_iter("*", count=1000):
                kinds[kind(key)] += 1
                if client.ttl(key) == -1:
                    lasting[kind(key)] += 1
                    if size := SIZES.get(client.type(key)):
                        items[kind(key)] += client.execute_command(size, key)
            seats = sum(client.hlen(key) for key in client.scan_iter("cw:{*}:roster", count=1000))
            files = sum(path.is_file() for path in self.kept.rglob("*"))
            return Keys(kinds, lasting, items, seats, client.info("memory")["used_memory"], files)

    def crowd(self, clients: int, teachers: int, seconds: float, pause: float, seed: int) -> "Crowd":
        """Let people come and go for so long."""
        return Crowd([str(value) for value in (self.port, clients, teachers, seconds, pause, seed)])


@dataclass(frozen=True)
class Keys:
    """What Redis holds."""

    kinds: dict[str, int]
    """How many keys of each kind."""
    lasting: dict[str, int]
    """How many of those never expire."""
    items: dict[str, int]
    """How much is in those."""
    seats: int
    memory: int
    files: int
    """On the disk, of uploads and shared ones."""


SIZES = {"zset": "ZCARD", "hash": "HLEN", "set": "SCARD", "list": "LLEN", "stream": "XLEN"}


def kind(key: str) -> str:
    """Return a key without what makes it one of many."""
    first, name, *more = re.sub(r"\{[^}]*\}", "{}", key).split(":")
    # of a session's keys the third part is a name, too; elsewhere an id may look like one
    named = name == "{}"
    return ":".join([first, name, *(one if named and re.fullmatch(r"[a-z_-]{1,12}", one) else "*" for one in more)])


class Crowd:
    """The process of :mod:`tests.soak.__main__`; a context manager that does not let it outlive the block."""

    def __init__(self, arguments: list[str]) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak", *arguments], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def report(self) -> dict[str, Any]:
        """Wait for its end, and return what it has seen."""
        output, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, self._process.returncode
        found: dict[str, Any] = json.loads(output)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
