"""What the Redis servers of a URL say about themselves, for ``flask classwaves check``.

Imports the URL's parser and redis-py. Asks and judges nothing; the connections end with the report, and no error has
the URL, in which there may be a password.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from ..redis_url import RedisAddress, parse_redis_url

T = TypeVar("T")

#: How many round trips are measured.
ROUND_TRIPS = 7


@dataclass(frozen=True, slots=True)
class Server:
    """One server that can be written to.

    :param info: the answer to ``INFO``.
    :param save: when it saves a snapshot, as ``CONFIG GET save`` says; ``None`` if that may not be asked.
    :param round_trip: the median, in seconds.
    :param ahead: how much its clock is ahead of this machine's, in seconds.
    """

    place: str
    info: dict[str, Any]
    save: str | None
    round_trip: float
    ahead: float


@dataclass(slots=True)
class Report:
    """All servers of a URL.

    :param form: ``single``, ``sentinel`` or ``cluster``.
    :param away: place -> why it cannot be asked.
    :param cluster: the answer to ``CLUSTER INFO``.
    :param watch: what the sentinels say of the master.
    """

    form: str
    servers: list[Server] = field(default_factory=list)
    away: dict[str, str] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)


def report(url: str, timeout: float) -> Report:
    """Ask all servers.

    :param timeout: patience with each command, in seconds.
    :raises ValueError: what is wrong with the URL.
    """
    address = parse_redis_url(url)
    found = Report(address.form)
    places = {"single": _one, "sentinel": _master, "cluster": _masters}[address.form](address, timeout, found)
    for place, one in places.items():
        if server := _told(found, place, functools.partial(_ask, place, one, timeout)):
            found.servers.append(server)
    return found


def _told(found: Report, place: str, ask: Callable[[], T]) -> T | None:
    """An answer; why there is none is noted."""
    try:
        return ask()
    except redis.AuthenticationError:
        found.away[place] = "refuses the user or the password"
    except redis.exceptions.NoPermissionError:
        found.away[place] = "does not let this user ask"
    except redis.BusyLoadingError:
        found.away[place] = "is still loading its data"
    except redis.TimeoutError:
        found.away[place] = "does not answer in time"
    except (redis.RedisError, OSError, ValueError) as error:  # the URL, too, may have an option that cannot be meant
        found.away[place] = f"does not answer ({type(error).__name__})"
    return None


@contextmanager
def _client(url: str, timeout: float) -> Iterator[Any]:
    client = redis.Redis.from_url(url, **_terms(timeout), decode_responses=True)
    try:
        yield client
    finally:
        client.close()


def _terms(timeout: float) -> dict[str, Any]:
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}


def _one(address: RedisAddress, timeout: float, found: Report) -> dict[str, str]:
    host = address.url.partition("://")[2].rpartition("@")[2].partition("?")[0].partition("/")[0]
    return {host or "localhost": address.url}


def _master(address: RedisAddress, timeout: float, found: Report) -> dict[str, str]:
    def ask() -> dict[str, str]:
        sentinel: Any = Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
        host, port = sentinel.discover_master(address.service)
        for one in sentinel.sentinels:
            watch = _told(found, "a sentinel", functools.partial(one.sentinel_master, address.service))
            if watch:
                found.watch = watch
                break
        return {f"{host}:{port}": address.node_url(host, port)}

    options = {**_terms(timeout), **address.sentinel}
    hosts = ", ".join(f"{host}:{port}" for host, port in address.hosts)
    return _told(found, f"the sentinels at {hosts}", ask) or {}


def _masters(address: RedisAddress, timeout: float, found: Report) -> dict[str, str]:
    def ask(host: str, port: int) -> dict[str, str]:
        with _client(address.node_url(host, port), timeout) as client:
            found.cluster = client.cluster("INFO")
            nodes = client.cluster("NODES")
        masters = [place for place, node in nodes.items() if "master" in node["flags"] and node["slots"]]
        split = [(place.rpartition(":")[0] or host, int(place.rpartition(":")[2])) for place in masters]
        return {f"{name}:{at}": address.node_url(name, at) for name, at in split}

    for host, port in address.hosts:
        if masters := _told(found, f"{host}:{port}", functools.partial(ask, host, port)):
            return masters
    return {}


def _ask(place: str, url: str, timeout: float) -> Server:
    with _client(url, timeout) as client:
        client.ping()  # connects
        trips: list[float] = []
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            seconds, micros = client.time()
            trips.append(time.perf_counter() - began)
        ahead = seconds + micros / 1e6 - (time.time() - trips[-1] / 2)
        try:
            save = client.config_get("save").get("save")
        except redis.ResponseError:  # a managed service
            save = None
        return Server(place, client.info(), save, statistics.median(trips), ahead)
