"""The ways to Redis of one worker, for each form of ``REDIS_URL``: a client, the lane, the feed.

Imports the URL's parser, the lane and the feed. What only a cluster needs is in ``redis_cluster``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPoolProxy, SentinelManagedConnection

from ..redis_url import RedisAddress
from .redis_feed import Hear, RedisFeed
from .redis_lane import RedisLane, Script, evaluated


class Lane(Protocol):
    """Commands that share round trips; see :class:`~classwaves.store.redis_lane.RedisLane`."""

    def run(self, *command: Any) -> Any:
        """The answer to a command whose first argument is its key."""

    def script(self, source: str) -> Script: ...

    def close(self) -> None: ...


class Channels(Protocol):
    """Who hears channels; see :class:`~classwaves.store.redis_feed.RedisFeed`."""

    def start(self) -> None: ...

    def subscribe(self, channel: str, hear: Hear, *, wait: bool = True) -> None: ...

    def unsubscribe(self, channel: str) -> None: ...

    def close(self) -> None: ...


class Servers(Protocol):
    """All ways to the servers of one URL. Nothing is connected before it is used."""

    #: For what is not worth the lane, or too long for it.
    client: redis.Redis
    lane: Lane
    #: The channels of sessions and mailboxes.
    feed: Channels
    #: The channels that every worker hears.
    control: Channels

    def script(self, source: str) -> Script:
        """A function of keys and arguments that runs a Lua script by the client."""

    def publish(self, channel: str, data: str | bytes) -> bool:
        """Publish on a channel of ``feed``, by the lane; ``False`` if surely nobody hears it."""

    def ping(self, key: str = "") -> None:
        """:raises redis.RedisError: they do not answer, or cannot write this key."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How to deal with servers.

    :param timeout: patience with one command, in seconds.
    :param connections: the size of each pool.
    :param on_reconnect: called when some channels were not heard for a while and all are heard again.
    :param on_new_connection: called before anything is heard from a connection that replaces a lost one.
    """

    timeout: float
    connections: int
    on_reconnect: Callable[[], None]
    on_new_connection: Callable[[], None]


def make_pool(url: str, terms: Terms, **options: Any) -> redis.BlockingConnectionPool:
    """A pool whose users wait for a connection as long as for an answer."""
    # redis-py repeats up to ten times by default; once is enough for a pooled connection that died unnoticed
    return redis.BlockingConnectionPool.from_url(
        url,
        max_connections=terms.connections,
        timeout=terms.timeout,
        protocol=2,
        socket_timeout=terms.timeout,
        socket_connect_timeout=terms.timeout,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        **options,
    )


def connection(pool: redis.ConnectionPool) -> Any:
    """A connection for one owner, who must hear of its loss, so it repeats nothing.

    It is not counted by the pool, whose ``make_connection`` refuses when it has made so many, living or not.
    """
    return pool.connection_class(**{**pool.connection_kwargs, "protocol": 2, "retry": Retry(NoBackoff(), 0)})


class OneServer:
    """One Redis: that of a ``redis://`` URL, or whichever the sentinels call the master when a connection is made."""

    def __init__(self, address: RedisAddress, terms: Terms) -> None:
        pool = master_pool(address, terms) if address.form == "sentinel" else make_pool(address.url, terms)
        connect = functools.partial(connection, pool)
        self.client = redis.Redis(connection_pool=pool)
        self._on_new_connection = terms.on_new_connection
        self.lane: Lane = RedisLane(connect, terms.timeout)
        self.feed: Channels = RedisFeed(connect, terms.on_reconnect, terms.timeout, self._comes_back)
        self.control: Channels = self.feed

    def _comes_back(self) -> None:
        """The master may be another one: what is looked up from now on is looked up there."""
        self.client.connection_pool.disconnect(inuse_connections=False)
        self._on_new_connection()

    def script(self, source: str) -> Script:
        return evaluated(self.client.execute_command, source)

    def publish(self, channel: str, data: str | bytes) -> bool:
        return bool(self.lane.run("PUBLISH", channel, data))

    def ping(self, key: str = "") -> None:
        if key:
            self.client.set(key, b"", ex=60)
        else:
            self.client.ping()

    def close(self) -> None:
        self.feed.close()
        self.lane.close()
        self.client.close()
        self.client.connection_pool.disconnect()


def master_pool(address: RedisAddress, terms: Terms) -> redis.BlockingConnectionPool:
    """A pool of connections that ask the sentinels for the master as they connect, and give up a demoted one."""
    patience = terms.timeout / 2  # one that hangs is asked after the others from then on
    asked = {"socket_timeout": patience, "socket_connect_timeout": patience, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(address.hosts, sentinel_kwargs={**asked, **address.sentinel})  # type: ignore[no-untyped-call]
    pool = make_pool(address.node_url("master", 0), terms, connection_class=SentinelManagedConnection)
    # as redis-py's SentinelConnectionPool does, which does not wait for a free connection
    pool.connection_kwargs["connection_pool"] = SentinelConnectionPoolProxy(  # type: ignore[no-untyped-call]
        connection_pool=pool,
        is_master=True,
        check_connection=False,
        service_name=address.service,
        sentinel_manager=sentinel,
    )
    return pool
