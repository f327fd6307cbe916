"""The feed of a cluster: one connection for subscriptions per master, and one for what is said to all of them.

Imports errors, the topology and the feed. A sharded channel is heard on the master of its slot only. When the slot
moves the server says so, and when a master is lost the map tells who follows: the channels are subscribed there, and
whoever listens is told that they were away. Servers before Redis 7 have no such channels: what is published on one node
is heard on all, and soonest on the same; when a slot moves, its channels may stay.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import MovedError, RedisError

from ..errors import StoreUnavailable
from .redis_feed import Hear, RedisFeed, Subscription
from .redis_topology import PAUSE, Node, Topology, slot_of

logger = logging.getLogger(__name__)


class ShardFeed(RedisFeed):
    """The feed of one master.

    :param on_gone: called by the reader with the channels that this node serves no more; they are forgotten here.
    :param on_lost: called by the reader when the node is away.
    """

    def __init__(
        self,
        node: Node,
        topology: Topology,
        on_gone: Callable[[ShardFeed, list[str]], None],
        on_lost: Callable[[ShardFeed], None],
    ) -> None:
        terms = topology.terms
        super().__init__(node.connect, terms.on_reconnect, terms.timeout, terms.on_new_connection)
        self.node = node
        if topology.sharded:
            self.SUBSCRIBE, self.UNSUBSCRIBE = "SSUBSCRIBE", "SUNSUBSCRIBE"
            self.SUBSCRIBED, self.MESSAGE = b"ssubscribe", b"smessage"
        self._on_gone = on_gone
        self._on_lost = on_lost
        self._leaving: Counter[str] = Counter()  # what we unsubscribed ourselves, until it is confirmed

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            self._leaving[channel] += 1
        super().unsubscribe(channel)

    def forget(self, channel: str) -> None:
        """Stop hearing a channel that somebody else is about to hear, for whom others may be waiting."""
        with self._lock:
            if subscription := self._heard.pop(channel, None):
                subscription.confirmed.clear()
                self._leaving[channel] += 1
                self._send(self.UNSUBSCRIBE, channel)

    def _send_all(self) -> None:
        self._leaving.clear()
        for channel in self._heard:  # they may not be of several slots in one command
            self._send(self.SUBSCRIBE, channel)

    def _lost(self) -> None:
        self._on_lost(self)

    def _refused(self, error: redis.ResponseError) -> None:
        if not isinstance(error, MovedError):
            raise error
        self._gone([channel for channel in self._channels() if slot_of(channel) == error.slot_id])

    def _channels(self) -> list[str]:
        with self._lock:
            return [*self._heard, *self._leaving]

    def _dispatch(self, kind: bytes, name: bytes, data: Any = None) -> None:
        if kind not in (b"sunsubscribe", b"unsubscribe"):
            return super()._dispatch(kind, name, data)
        channel = name.decode()
        with self._lock:
            ours = self._leaving[channel] > 0
            self._leaving[channel] -= 1
            if self._leaving[channel] <= 0:
                del self._leaving[channel]
        if not ours:
            self._gone([channel])
        return None

    def _gone(self, channels: list[str]) -> None:
        with self._lock:
            for channel in channels:
                self._leaving.pop(channel, None)
                if subscription := self._heard.pop(channel, None):
                    subscription.confirmed.clear()
        self._on_gone(self, channels)


class ClusterFeed:
    """Hears each channel where it is published."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._terms = topology.terms
        self._lock = threading.RLock()
        self._feeds: dict[Node, ShardFeed] = {}
        self._heard: dict[str, tuple[Subscription, ShardFeed | None]] = {}  # without a feed it has to move
        self._doubted: set[ShardFeed] = set()
        self._mover: threading.Thread | None = None
        self._closed = threading.Event()
        self._next = secrets.randbelow(16384)
        #: For the channels that every worker hears: any node will do.
        terms = self._terms
        self.control = RedisFeed(self._connect, terms.on_reconnect, terms.timeout, terms.on_new_connection)

    def _connect(self) -> Any:
        """A connection to one node after the other, as one may be away."""
        self._topology.refresh(time.monotonic())
        masters = self._topology.masters()
        self._next += 1
        return masters[self._next % len(masters)].connect()

    def start(self) -> None:
        """Each connection is made when it is first needed."""

    def subscribe(self, channel: str, hear: Hear, *, wait: bool = True) -> None:
        """See :meth:`RedisFeed.subscribe`."""
        try:
            self._topology.load()
        except RedisError as error:
            raise StoreUnavailable from error
        with self._lock:
            subscription, _ = self._heard.get(channel, (Subscription(channel, hear), None))
            subscription.hear = hear
            self._place(subscription)
        if wait and not subscription.confirmed.wait(self._terms.timeout):
            self.unsubscribe(channel)
            raise StoreUnavailable

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            subscription, feed = self._heard.pop(channel, (None, None))
        if feed is not None:
            feed.unsubscribe(channel)
        if subscription is not None:
            subscription.confirmed.set()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            feeds = [self.control, *self._feeds.values()]
        for feed in feeds:
            feed.close()

    def _place(self, subscription: Subscription) -> None:
        """Hear a channel on its node, or let it be moved there when it has one. With the lock held."""
        channel = subscription.channel
        _, before = self._heard.get(channel, (None, None))
        self._heard[channel] = subscription, None
        try:
            node = self._topology.node(slot_of(channel))
        except RedisError:
            return self._move()
        if (feed := self._feeds.get(node)) is None:
            self._feeds[node] = feed = ShardFeed(node, self._topology, self._gone, self._lost)
            feed.start()
        if before is not None and before is not feed:
            before.forget(channel)
        self._heard[channel] = subscription, feed
        feed.add(subscription)
        return None

    # moving

    def _gone(self, feed: ShardFeed, channels: list[str]) -> None:
        with self._lock:
            for channel in channels:
                subscription, place = self._heard.get(channel, (None, None))
                if subscription is not None and place is feed:
                    self._heard[channel] = subscription, None
            self._move()

    def _lost(self, feed: ShardFeed) -> None:
        with self._lock:
            self._doubted.add(feed)
            self._move()

    def _move(self) -> None:
        """Have somebody look after the channels without a feed, and after those of doubted ones."""
        if self._mover is None and not self._closed.is_set():
            self._mover = threading.Thread(target=self._run, name="classwaves-feed-move", daemon=True)
            self._mover.start()

    def _run(self) -> None:
        try:
            self._move_all()
        except Exception:  # such as a listener's: another one begins when there is something to move
            logger.exception("channels could not be moved")
            with self._lock:
                self._mover = None

    def _move_all(self) -> None:
        pause, moving = PAUSE, list[Subscription]()
        while not self._closed.wait(pause):
            with contextlib.suppress(RedisError):
                self._topology.refresh(time.monotonic())
            if homeless := self._homeless():
                self._terms.on_new_connection()
            with self._lock:
                for subscription in homeless:
                    if subscription.channel in self._heard:
                        self._place(subscription)
            moving += [subscription for subscription in homeless if subscription not in moving]
            until = time.monotonic() + self._terms.timeout / 4
            away = [one for one in moving if not one.confirmed.wait(max(0.0, until - time.monotonic()))]
            if len(away) < len(moving):
                self._terms.on_reconnect()
            pause, moving = min(pause * 2, 0.5) if away else PAUSE, away
            if not moving and self._is_settled():
                return

    def _homeless(self) -> list[Subscription]:
        """The channels to be subscribed somewhere, which nobody hears now, as far as their slots have a master."""
        with self._lock:
            doubted, self._doubted = self._doubted, set()
            for channel, (subscription, feed) in self._heard.items():
                if feed in doubted and self._topology.peek(slot_of(channel)) is not feed.node:
                    feed.forget(channel)
                    self._heard[channel] = subscription, None
            homeless = [subscription for subscription, feed in self._heard.values() if feed is None]
            return [one for one in homeless if self._topology.peek(slot_of(one.channel)) is not None]

    def _is_settled(self) -> bool:
        """Whether the mover is done, who then closes the feeds of nodes that are masters no more."""
        with self._lock:
            if self._doubted or any(feed is None for _, feed in self._heard.values()):
                return False
            self._mover = None
            used = {feed for _, feed in self._heard.values()}
            masters = self._topology.masters()
            idle = [feed for node, feed in self._feeds.items() if feed not in used and node not in masters]
            for feed in idle:
                del self._feeds[feed.node]
        for feed in idle:
            feed.close()
        return True
