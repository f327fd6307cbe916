"""The feed over Redis pub/sub: one connection of a worker, for its sessions, its mail and the control channel.

Imports errors and the wire. Pub/sub may lose: whoever listens is told when the connection was away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hiredis
import redis

from ..errors import StoreUnavailable
from .redis_wire import Wire

logger = logging.getLogger(__name__)

#: How long the feed is read before everybody else gets a turn, in seconds.
SLICE = 0.002
#: A read that takes longer than this had to wait, in seconds.
WAITED = 0.0005


#: What is done with a message of a channel, by the reader; it must not wait.
Hear = Callable[[bytes], None]


@dataclass(slots=True)
class Subscription:
    """A channel that is heard. ``confirmed``: Redis said so, on the connection that there is now."""

    channel: str
    hear: Hear
    confirmed: threading.Event = field(default_factory=threading.Event)


class RedisFeed:
    """Reads the feed in one thread (a greenlet under gevent) and connects again when it must.

    :param connect: makes a redis-py connection that repeats nothing by itself and gives up after ``timeout``.
    :param on_reconnect: called when the connection was lost, and all channels are heard again.
    :param timeout: how long a confirmation or a pong may take, in seconds.
    :param on_new_connection: called by the reader when the connection was lost, before it reads another one.
    """

    SUBSCRIBE, UNSUBSCRIBE = "SUBSCRIBE", "UNSUBSCRIBE"
    SUBSCRIBED, MESSAGE = b"subscribe", b"message"

    def __init__(
        self,
        connect: Callable[[], Any],
        on_reconnect: Callable[[], None],
        timeout: float,
        on_new_connection: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect = connect
        self._on_new_connection = on_new_connection
        self._on_reconnect = on_reconnect
        self._timeout = timeout
        self._lock = threading.Lock()
        self._heard: dict[str, Subscription] = {}
        self._wire: Wire | None = None  # read by the reader alone; whoever sends on it holds the lock
        self._silent = 0  # turns of the watch since something came
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read, if nobody has begun it yet."""
        with self._lock:
            if self._thread is not None or self._closed.is_set():
                return
            self._thread = threading.Thread(target=self._run, name="classwaves-feed", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="classwaves-feed-watch", daemon=True).start()

    def close(self) -> None:
        """End the reader, which closes its connection."""
        self._closed.set()
        with self._lock:
            self._send("PING")  # its answer wakes the reader
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._timeout)

    def subscribe(self, channel: str, hear: Hear, *, wait: bool = True) -> None:
        """Returns once Redis confirmed: what is published from then on arrives. If not to ``wait``, at once.

        :raises StoreUnavailable: no confirmation in time.
        """
        subscription = self.add(Subscription(channel, hear))
        if wait and not subscription.confirmed.wait(self._timeout):
            self.unsubscribe(channel)
            raise StoreUnavailable

    def add(self, subscription: Subscription) -> Subscription:
        """Ask for a channel, now or when there is a connection, and return what stands for it from now on."""
        with self._lock:
            if known := self._heard.get(subscription.channel):
                known.hear = subscription.hear
                subscription = known
            self._heard[subscription.channel] = subscription
            self._send(self.SUBSCRIBE, subscription.channel)
            return subscription

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            if subscription := self._heard.pop(channel, None):
                subscription.confirmed.set()  # nobody is to wait for it any more
            self._send(self.UNSUBSCRIBE, channel)

    def _send(self, *command: Any) -> None:
        """Send, with the lock held, if there is a connection; if not, the reader subscribes to all once there is."""
        if self._wire is not None:
            try:
                self._wire.write(hiredis.pack_command(command))
            except redis.RedisError:
                self._wire.cut()  # which the reader notices
                self._wire = None

    # the reader

    def _run(self) -> None:
        away, pause = False, 0.05
        while not self._closed.is_set():
            wire = None
            try:
                wire = self._open()
                if away:
                    self._on_new_connection()
                    back = threading.Thread(target=self._came_back, args=(wire,), name="classwaves-feed-back")
                    back.daemon = True
                    back.start()
                away, pause = True, 0.05
                self._listen(wire)
            except Exception as error:  # whatever redis-py makes of it: without the reader the worker is deaf
                if not self._closed.is_set():
                    logger.warning("the feed lost Redis: %s; trying again", type(error).__name__)
                    self._lost()
                away = True
            finally:
                self._drop(wire)
            self._closed.wait(pause)
            pause = min(pause * 2, 1.0)

    def _open(self) -> Wire:
        connection = self._connect()
        connection.connect()
        with self._lock:
            self._silent = 0
            self._wire = wire = Wire(connection)
            self._send_all()
        return wire

    def _send_all(self) -> None:
        if self._heard:
            self._send(self.SUBSCRIBE, *self._heard)

    def _drop(self, wire: Wire | None) -> None:
        with self._lock:
            self._wire = None
            for subscription in self._heard.values():
                subscription.confirmed.clear()
        if wire is not None:
            wire.close()

    def _came_back(self, wire: Wire) -> None:
        """Tell the listener once all channels are confirmed again: what it reads after that has no hole."""
        while self._wire is wire:  # else it was lost again, and whoever comes next tells
            with self._lock:
                pending = [one.confirmed for one in self._heard.values() if not one.confirmed.is_set()]
            if not pending:
                return self._on_reconnect()
            pending[0].wait(self._timeout)

    def _listen(self, wire: Wire) -> None:
        """Read until the connection ends."""
        answers: list[Any] = []
        until = 0.0
        while not self._closed.is_set():
            asked = time.monotonic()
            wire.read(answers)
            if time.monotonic() - asked > WAITED:  # and everybody else had a turn
                until = time.monotonic() + SLICE
            self._silent = 0
            for answer in answers:
                if isinstance(answer, redis.ResponseError):
                    self._refused(answer)
                elif isinstance(answer, list):  # and not the pong of a connection without channels
                    self._dispatch(*answer)
                if time.monotonic() >= until:  # there may always be more: the sockets get their turn
                    time.sleep(0)
                    until = time.monotonic() + SLICE
            answers.clear()

    def _watch(self) -> None:
        """Ping a connection that is silent for the timeout, and cut one that then is silent for the timeout again."""
        while not self._closed.wait(self._timeout):
            self._silent += 1
            if self._silent == 2:  # nothing since the last turn but one, so for the timeout at least
                with self._lock:
                    self._send("PING")
            elif self._silent > 2 and (wire := self._wire) is not None:
                wire.cut()  # the reader notices

    def _lost(self) -> None:
        """The connection was lost, or could not be made."""

    def _refused(self, error: redis.ResponseError) -> None:
        raise error  # it may not subscribe

    def _dispatch(self, kind: bytes, name: bytes, data: Any = None) -> None:
        try:
            if kind == self.MESSAGE and (heard := self._heard.get(name.decode())):
                heard.hear(data)
            elif kind == self.SUBSCRIBED and (heard := self._heard.get(name.decode())):
                heard.confirmed.set()
        except Exception:  # the reader serves all channels, so one bad message must not end it
            logger.exception("a message of the feed failed")
