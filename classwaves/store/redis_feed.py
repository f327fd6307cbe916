"""The feed over Redis pub/sub: one connection of a worker, for the sessions it serves and the control channel.

Imports errors, models and the store's base. Pub/sub may lose: whoever listens is told when the connection was away.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from ..errors import StoreUnavailable
from .base import Feed, decode_entry

logger = logging.getLogger(__name__)


class RedisFeed:
    """Reads the feed in one thread (a greenlet under gevent) and connects again when it must.

    :param client: a client that repeats nothing by itself.
    :param channel: the name of a session's channel.
    :param control: the name of the control channel.
    :param timeout: how long a confirmation or a pong may take, in seconds.
    """

    def __init__(self, client: redis.Redis, channel: Callable[[str], str], control: str, timeout: float) -> None:
        self._client = client
        self._channel = channel
        self._control = control
        self._timeout = timeout
        self._lock = threading.Lock()
        self._sessions: dict[str, str] = {}  # channel -> session id
        self._confirmed: dict[str, threading.Event] = {}
        self._pubsub: Any = None
        self._broken = False
        self._feed: Feed | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._thread = threading.Thread(target=self._run, name="classwaves-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the reader, which closes its connection."""
        self._closed.set()
        with self._lock, contextlib.suppress(Exception):
            if self._pubsub is not None:
                self._pubsub.ping()  # its answer wakes the reader
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._timeout)

    def subscribe(self, session_id: str) -> None:
        """Returns once Redis confirmed: what is published from then on arrives.

        :raises StoreUnavailable: no confirmation in time.
        """
        channel = self._channel(session_id)
        with self._lock:
            self._sessions[channel] = session_id
            confirmed = self._confirmed.setdefault(channel, threading.Event())
            self._send("subscribe", channel)
        if not confirmed.wait(self._timeout):
            self.unsubscribe(session_id)
            raise StoreUnavailable

    def unsubscribe(self, session_id: str) -> None:
        channel = self._channel(session_id)
        with self._lock:
            self._sessions.pop(channel, None)
            if confirmed := self._confirmed.pop(channel, None):
                confirmed.set()  # nobody is to wait for it any more
            self._send("unsubscribe", channel)

    def _send(self, command: str, channel: str) -> None:
        if self._pubsub is None:
            return  # not connected: the reader subscribes to all when it is
        try:
            getattr(self._pubsub, command)(channel)
        except (redis.RedisError, OSError):
            self._broken = True  # redis-py may have connected again, and what was sent meanwhile is lost

    def _run(self) -> None:
        away, pause = False, 0.05
        while not self._closed.is_set():
            try:
                self._connect()
                if away:
                    back = threading.Thread(target=self._came_back, args=(self._pubsub,), name="classwaves-feed-back")
                    back.daemon = True
                    back.start()
                away, pause = True, 0.05
                self._listen()
            except Exception as error:  # whatever redis-py makes of it: without the reader the worker is deaf
                if not self._closed.is_set():
                    logger.warning("the feed lost Redis: %s; trying again", type(error).__name__)
                away = True
            finally:
                self._disconnect()
            self._closed.wait(pause)
            pause = min(pause * 2, 1.0)

    def _connect(self) -> None:
        pubsub: Any = self._client.pubsub()  # type: ignore[no-untyped-call]
        pubsub.subscribe(self._control)  # opens the connection
        with self._lock:
            self._pubsub, self._broken = pubsub, False
            if self._sessions:
                pubsub.subscribe(*self._sessions)

    def _disconnect(self) -> None:
        with self._lock:
            pubsub, self._pubsub = self._pubsub, None
            for confirmed in self._confirmed.values():
                confirmed.clear()
        if pubsub is not None:
            with contextlib.suppress(Exception):  # it is of no use any more in any case
                pubsub.close()

    def _came_back(self, pubsub: Any) -> None:
        """Tell the listener once all channels are confirmed again: what it reads after that has no hole."""
        while self._pubsub is pubsub:  # else it was lost again, and whoever comes next tells
            with self._lock:
                pending = [confirmed for confirmed in self._confirmed.values() if not confirmed.is_set()]
            if not pending:
                assert self._feed is not None  # noqa: S101 - for the type checker
                return self._feed.on_reconnect()
            pending[0].wait(self._timeout)

    def _listen(self) -> None:
        heard = time.monotonic()
        while not self._closed.is_set():
            if self._broken:
                raise redis.ConnectionError("a command was not sent")
            message = self._pubsub.get_message(timeout=self._timeout / 2)
            now = time.monotonic()
            if message is not None:
                heard = now
                self._dispatch(message)
            elif now - heard > self._timeout * 2:
                raise redis.ConnectionError("no pong")
            else:
                self._pubsub.ping()

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = (message["channel"] or b"").decode()
        try:
            if message["type"] == "subscribe":
                if confirmed := self._confirmed.get(channel):
                    confirmed.set()
            elif message["type"] == "message" and self._feed:
                if channel == self._control:
                    self._feed.on_control(json.loads(message["data"]))
                elif session_id := self._sessions.get(channel):
                    self._deliver(self._feed, session_id, message["data"])
        except Exception:  # the reader serves all sessions, so one bad message must not end it
            logger.exception("a message of the feed failed")

    @staticmethod
    def _deliver(feed: Feed, session_id: str, data: bytes) -> None:
        if data[:1] == b"D":
            seq, epoch, moment, body = data[1:].split(b" ", 3)
            feed.on_entry(session_id, decode_entry(int(seq), epoch.decode(), int(moment), body))
        else:
            feed.on_ephemeral(session_id, json.loads(data[1:]))
