"""Two processes of the product on one Redis, as a load balancer would have behind it.

A test file imports the fixtures it uses: ``from tests.support.pair import kept_pair as kept_pair``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from redis import Redis

from tests.support.clients import RawClient
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, gathered
from tests.support.school import School

QUICK = {"CLASSWAVES_DISCONNECT_GRACE": "0.5", "CLASSWAVES_LEASE": "3", "CLASSWAVES_RENEW": "0.5"}
"""Settings for tests that wait for what takes its time."""

STEADY = {**QUICK, "CLASSWAVES_LEASE": "30"}
"""The same where no worker dies: one that the machine holds up for three seconds is not taken for dead."""


class Pair:
    """Two servers that share sessions and logins, and clients of both."""

    def __init__(self, servers: Sequence[Gunicorn]) -> None:
        self.a, self.b = (School(server) for server in servers)
        self._clients: list[ResumingClient] = []

    def history(self, code: str) -> list[dict[str, Any]]:
        """Return all messages of a session."""
        return self.b.api.messages(self.b.teacher, code)

    def client(self, token: str, code: str, *schools: School, seed: int = 0) -> ResumingClient:
        """Start a client that knows these servers, both unless told otherwise."""
        urls = [school.url for school in schools or (self.a, self.b)]
        client = ResumingClient(urls, token, code, seed=seed)
        self._clients.append(client)
        return client.start()

    def guest(self, code: str, *schools: School, seed: int = 0) -> ResumingClient:
        """Start a client of a new guest."""
        return self.client(self.b.api.guest(code, f"Guest {seed}"), code, *schools, seed=seed)

    def crowd(self, code: str, school: School, count: int) -> list[ResumingClient]:
        """Start clients of new guests on one server and wait until they are in the session."""
        clients = [self.guest(code, school, seed=number) for number in range(count)]
        gathered(clients)
        return clients

    def watch(self, code: str, school: School) -> RawClient:
        """Join as the teacher on one server."""
        client = school.connect(school.teacher)
        client.join(code)
        return client

    def redis(self) -> Redis:
        """Return a client of the Redis of both."""
        return Redis.from_url(str(self.b.server.env["REDIS_URL"]))

    def dismiss(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.stop()
        for client in self._clients:
            client.close()
        self._clients.clear()
        self.a.dismiss()
        self.b.dismiss()

    def start_afresh(self) -> None:
        """Close all clients and forget what Redis has forgotten: the logins."""
        self.dismiss()
        self.a, self.b = School(self.a.server), School(self.b.server)


@contextmanager
def open_pair(
    redis_url: str,
    env: Mapping[str, str] = QUICK,
    *,
    first_url: str | None = None,
    kinds: tuple[type[Gunicorn], type[Gunicorn]] = (Gunicorn, Gunicorn),
) -> Iterator[Pair]:
    """Run two servers without rate limits on this Redis, which they never do without.

    :param first_url: another way to that Redis, for the first of them
    """
    settings = {**TEST_KEYS, "CLASSWAVES_REQUIRE_REDIS": "1", "CLASSWAVES_RATELIMIT_ENABLED": "0", **env}
    with ExitStack() as stack:
        urls = (first_url or redis_url, redis_url)
        servers = [kind(env={**settings, "REDIS_URL": url}) for kind, url in zip(kinds, urls, strict=True)]
        for server in servers:
            stack.callback(server.close)
            server.start(wait=False)
        for server in servers:
            server.wait_ready()
        pair = Pair(servers)
        stack.callback(pair.dismiss)
        yield pair


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """Return the two servers that the test file runs as ``running``, without the clients of the test before."""
    yield running
    running.dismiss()


@pytest.fixture(scope="module")
def kept_redis() -> Iterator[RedisServer]:
    """Return a Redis that has every write on disk before it answers; use :func:`kept_pair` to get it back each time."""
    with RedisServer(aof=True) as server:
        yield server


@pytest.fixture(scope="module")
def kept_servers(kept_redis: RedisServer) -> Iterator[Pair]:
    with open_pair(kept_redis.url, {**QUICK, "CLASSWAVES_REDIS_TIMEOUT": "1"}) as pair:
        yield pair


@pytest.fixture
def kept_pair(kept_servers: Pair, kept_redis: RedisServer) -> Iterator[Pair]:
    """Return two servers on :func:`kept_redis`, which a test may take away."""
    yield kept_servers
    kept_servers.dismiss()
    kept_redis.resume()
    if not kept_redis.running:
        kept_redis.start()
