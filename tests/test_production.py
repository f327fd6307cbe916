"""The start in production: the Procfile's command with real gunicorn, and what it does when Redis is away."""

import http.client
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.gunicorn_server import ROOT, Gunicorn
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

WARNING = "keeps everything IN MEMORY"


class Deployed(Gunicorn):
    """What a PaaS starts: the command of the Procfile, with keys, not in demo mode."""

    def __init__(self, **env: str | None) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        super().__init__(env={"PATH": path, **env}, demo=False)

    def command(self) -> list[str]:
        lines = dict(line.split(":", 1) for line in (ROOT / "Procfile").read_text().splitlines())
        return shlex.split(lines["web"])

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Send one request over a connection of its own, and return the status and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if "json" in (answer.headers["Content-Type"] or "") else text
        finally:
            connection.close()

    def logged(self, words: str, times: int) -> bool:
        """Whether these words are in the log so often."""
        return self.log().count(words) == times

    def ready(self) -> tuple[int, str, bool]:
        """The answer of ``/readyz``: status, word, and whether the store is Redis."""
        status, body = self.ask("/readyz")
        return status, body["status"], body["store"]["kind"] == "redis"

    def has_workers(self, count: int, besides: list[int] | None = None) -> set[int]:
        """Wait until there are so many workers, none of them one of those, and return their pids."""

        def there() -> set[int]:
            pids = set(self.worker_pids)
            return pids if len(pids) == count and pids.isdisjoint(besides or []) else set()

        return eventually(there, what=f"{count} workers")

    def kill_workers(self) -> None:
        """Kill all workers with -9 and wait until others have taken their places."""
        old = self.worker_pids
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: len(self.worker_pids) == len(old) and not set(self.worker_pids) & set(old), what="new workers"
        )
        eventually(self.is_ready, 30, what="an answer of the new workers")


READY, AWAY, DEGRADED = (200, "ok", True), (503, "unavailable", True), (200, "degraded", False)


one_server = pytest.mark.xdist_group("one server that fell back")


@pytest.fixture(scope="module")
def fallen_back() -> Iterator[Deployed]:
    """Run a server that was told of a Redis that nobody answers at, and to have three workers."""
    with Deployed(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", WEB_CONCURRENCY="3") as server:
        yield server


@one_server
def test_the_procfile_serves_without_demo_accounts(fallen_back: Deployed) -> None:
    assert fallen_back.ask("/healthz") == (200, {"status": "ok"})
    for name in ("teacher", "student"):
        status, body = fallen_back.ask("/api/v1/auth/login", {"username": name, "password": "classwaves"})
        assert (status, body["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert fallen_back.ask("/")[0] == 404
    status, body = fallen_back.ask("/api/v1/sessions/DEM234/join", {"displayName": "Gus"})
    assert (status, body["error"]["code"]) == (404, "SESSION_NOT_FOUND")


@one_server
def test_without_an_answer_of_redis_one_worker_serves_from_memory(fallen_back: Deployed) -> None:
    assert fallen_back.ready() == DEGRADED
    assert len(fallen_back.worker_pids) == 1
    assert fallen_back.logged(WARNING, 1)


@one_server
def test_a_store_in_memory_never_gets_a_second_worker(fallen_back: Deployed) -> None:
    refusals = 0
    while refusals < 2:  # by the second, all that followed the first is done
        os.kill(fallen_back.pid, signal.SIGTTIN)
        refusals += 1
        eventually(partial(fallen_back.logged, "there is one worker", refusals), what="the refusal")
    assert len(fallen_back.worker_pids) == 1


@one_server
def test_a_respawned_worker_does_not_decide_again(fallen_back: Deployed) -> None:
    fallen_back.kill_workers()
    assert fallen_back.ready() == DEGRADED
    assert len(fallen_back.worker_pids) == 1
    assert fallen_back.logged(WARNING, 1)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"JWT_SECRET_KEY": None}, "JWT_SECRET_KEY is not set"),
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "too-short-to-be-true"}, "SECRET_KEY is too short"),
        ({"CLASSWAVES_ORIGIN": "https://a.example"}, "CLASSWAVES_ORIGIN is not a setting of ClassWaves. Did you mean "
         "CLASSWAVES_ORIGINS?"),
        ({"CLASSWAVES_REQUIRE_REDIS": "1"}, "CLASSWAVES_REQUIRE_REDIS is set, but REDIS_URL is not"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL must start with redis://"),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_start_that_cannot_be_ends_with_a_sentence(env: dict[str, str | None], words: str) -> None:
    server = Deployed(**env)
    try:
        server.start(wait=False)
        assert server.wait() != 0
        assert f"ClassWaves cannot start: {words}" in server.log()
        assert "Traceback" not in server.log()
        assert "too-short-to-be-true" not in server.log()
    finally:
        server.close()


def test_a_server_that_requires_redis_waits_for_it() -> None:
    redis = RedisServer()
    try:
        with Deployed(REDIS_URL=redis.url, CLASSWAVES_REQUIRE_REDIS="1", WEB_CONCURRENCY="2") as server:
            workers = server.has_workers(2)
            assert server.ask("/healthz") == (200, {"status": "ok"})
            assert [server.ready() for _ in range(4)] == [AWAY] * 4
            redis.start()
            eventually(lambda: all(server.ready() == READY for _ in range(4)), what="readiness")
            assert set(server.worker_pids) == workers, "without a restart"
            assert WARNING not in server.log()
    finally:
        redis.close()


def test_workers_that_come_while_redis_is_away_wait_for_it() -> None:
    """Redis was there when the master started, so no worker ever serves from memory."""
    with RedisServer() as redis, Deployed(REDIS_URL=redis.url, WEB_CONCURRENCY="2") as server:
        server.has_workers(2)
        assert server.ready() == READY
        redis.kill()
        server.kill_workers()
        for _ in range(4):
            assert server.ready() == AWAY
            status, body = server.ask("/api/v1/sessions/AAAAAA/join", {"displayName": "Gus"})
            assert (status, body["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        redis.start()
        eventually(lambda: all(server.ready() == READY for _ in range(4)), what="readiness")
        assert server.ask("/api/v1/sessions/AAAAAA/join", {"displayName": "Gus"})[0] == 404
        assert len(server.worker_pids) == 2
