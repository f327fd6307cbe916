"""Both stores behind one fixture, someone who listens to their feed, and what is put into them.

A test file imports the fixtures it uses: ``from tests.support.stores import store as store``.
"""

import time
from collections.abc import Iterator
from typing import Protocol, TypeVar

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.models import new_id
from classwaves.store import MemoryStore
from classwaves.store.base import Clock, Limits, Store
from classwaves.store.redis import RedisStore
from classwaves.testing.suites.steps import LIMITS as LIMITS
from classwaves.testing.suites.steps import LONG as LONG
from classwaves.testing.suites.steps import ROOM as ROOM
from classwaves.testing.suites.steps import Listener as Listener
from classwaves.testing.suites.steps import NewStore as NewStore
from classwaves.testing.suites.steps import at_once as at_once
from classwaves.testing.suites.steps import created as created
from classwaves.testing.suites.steps import facts as facts
from classwaves.testing.suites.steps import join as join
from classwaves.testing.suites.steps import login as login
from classwaves.testing.suites.steps import message as message
from classwaves.testing.suites.steps import new_record as new_record
from classwaves.testing.suites.steps import new_session as new_session
from classwaves.testing.suites.steps import say as say
from classwaves.testing.suites.steps import seat as seat
from classwaves.testing.suites.steps import texts as texts
from classwaves.testing.suites.steps import upload as upload
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer

T = TypeVar("T")

KINDS = ("memory", "redis")
FORMS = ("sentinel", "cluster")
"""Of Redis, beside a single server: what the store promises is tested with them too."""


PATIENT = 10.0
"""Seconds a store waits for Redis in tests of other things: longer than a busy machine lets a process stand still."""


def redis_store(url: str, limits: Limits = LIMITS, timeout: float = PATIENT, prefix: str = "test") -> RedisStore:
    """Return a store on Redis; close it."""
    return RedisStore(url, prefix=prefix, limits=limits, timeout=timeout, connections=16)


def answers(store: RedisStore) -> bool:
    """Whether Redis does, in the time that this store has."""
    try:
        store.ping()
    except StoreUnavailable:
        return False
    return True


class StoreFactory(NewStore, Protocol):
    """What the fixture :func:`make_store` is."""

    kind: str


class _Factory:
    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self._url = url
        self._prefix = f"test-{new_id(6)}"  # not all servers are empty
        self.made: list[Store] = []

    def __call__(self, limits: Limits = LIMITS) -> Store:
        made: Store = MemoryStore(limits)
        if self.kind != "memory":
            made = redis_store(self._url, limits, prefix=self._prefix)
        self.made.append(made)
        return made


def _url(request: pytest.FixtureRequest, kind: str) -> str:
    match kind:
        case "redis":
            return str(request.getfixturevalue("redis_url"))
        case "sentinel" | "cluster":
            return str(request.getfixturevalue(f"{kind}_set").url)
    return ""


def _make_stores(request: pytest.FixtureRequest) -> Iterator[StoreFactory]:
    factory = _Factory(request.param, _url(request, request.param))
    yield factory
    for made in factory.made:
        made.close()


@pytest.fixture(params=KINDS)
def make_store(request: pytest.FixtureRequest) -> Iterator[StoreFactory]:
    """Return a factory of stores of one kind, closed after the test; those in Redis share their data."""
    yield from _make_stores(request)


@pytest.fixture(name="make_store", params=KINDS + FORMS)
def make_every_store(request: pytest.FixtureRequest) -> Iterator[StoreFactory]:
    """Return what :func:`make_store` does, also on a Sentinel set and on a cluster; to be imported in its place."""
    yield from _make_stores(request)


class EveryStore:
    """Runs a suite of :mod:`classwaves.testing.suites` with every kind of store."""

    @pytest.fixture(params=KINDS + FORMS)
    def new_store(self, request: pytest.FixtureRequest) -> Iterator[StoreFactory]:
        """Return a factory of stores of one kind, closed after the test; those in Redis share their data."""
        yield from _make_stores(request)


@pytest.fixture
def store(make_store: StoreFactory) -> Store:
    """Return an empty store: the test runs with each kind."""
    return make_store()


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[FaultyProxy]:
    """Return a proxy before the Redis of the test."""
    with FaultyProxy(redis_server.port) as standing:
        yield standing


@pytest.fixture
def shaky(proxy: FaultyProxy) -> Iterator[RedisStore]:
    """Return a store on Redis through the proxy."""
    opened = redis_store(proxy.url, timeout=2)
    yield opened
    opened.close()


@pytest.fixture
def direct(redis_url: str) -> Iterator[RedisStore]:
    """Return a store on the same Redis that nothing cuts off: another worker's."""
    opened = redis_store(redis_url)
    yield opened
    opened.close()


class ManualClock:
    """A clock for the memory store that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


_: Clock = ManualClock()
