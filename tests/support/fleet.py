"""Two machines on one Redis: gunicorn with two workers here, with one there, and no path from a door to the other.

A test file imports the fixtures it uses: ``from tests.support.fleet import running as running``.
"""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.clients import RawClient
from tests.support.gunicorn_server import Gunicorn
from tests.support.pair import QUICK, STEADY, Pair, open_pair
from tests.support.redis_server import RedisServer
from tests.support.wires import PollingWire


class Machine(Gunicorn):
    """A gunicorn with a temporary folder of its own, where the doors of its workers are."""

    def environ(self) -> dict[str, str]:
        return {**super().environ(), "TMPDIR": str(self.directory), "WEB_CONCURRENCY": str(self.workers)}

    workers = 1

    @property
    def doors(self) -> set[str]:
        """The names of the living workers."""
        folder = next(self.directory.glob("classwaves-*"), Path(tempfile.mkdtemp(dir=self.directory)))
        return {path.name for path in folder.iterdir() if path.is_socket()}


class Crowded(Machine):
    """A machine with two workers."""

    workers = 2


class Wandering(PollingWire):
    """Long-polling whose requests go to several servers in turn, the handshake to the first."""

    def __init__(self, urls: list[str], headers: dict[str, str], query: str = "") -> None:
        self._hosts = itertools.cycle([urlsplit(url).netloc for url in urls])
        super().__init__(urls[0], headers, query)

    def _request(self, method: str, body: str | None = None) -> str:
        self._host = next(self._hosts)
        return super()._request(method, body)


class Wanderer(RawClient):
    """A client that polls several servers in turn."""

    def __init__(self, urls: list[str], token: str) -> None:
        self._urls = urls
        super().__init__(urls[0], token, "polling")

    def _open(self, url: str, transport: str, headers: dict[str, str], query: str) -> PollingWire:
        return Wandering(self._urls, headers, query)


@contextmanager
def open_fleet(redis_url: str, **env: str) -> Iterator[Pair]:
    """Run both machines: ``a`` has two workers, ``b`` one."""
    with open_pair(redis_url, {**QUICK, **env}, kinds=(Crowded, Machine)) as pair:
        yield pair


@pytest.fixture(scope="module")
def running(redis: RedisServer) -> Iterator[Pair]:
    with open_fleet(redis.url, **STEADY) as pair:
        yield pair
