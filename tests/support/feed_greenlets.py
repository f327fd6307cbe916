"""A program: who else has a turn under gevent while the feed has ever more to read. Its argument is a port of Redis.

It prints, as JSON, after how many turns of another greenlet each message was heard.
"""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import json
import sys
import time

import gevent
import redis

from classwaves.store.redis_feed import RedisFeed

PORT = int(sys.argv[1])
MESSAGES = 200
WORK = 0.001
"""Seconds that each message takes, without waiting for anything."""


class Other:
    """Whoever else has something to do, and works at each message."""

    def __init__(self) -> None:
        self.turns = 0
        self.heard: list[int] = []

    def run(self) -> None:
        while len(self.heard) < MESSAGES:
            self.turns += 1
            gevent.sleep(0)

    def hear(self, data: bytes) -> None:
        self.heard.append(self.turns)
        until = time.monotonic() + WORK
        while time.monotonic() < until:
            pass


def connection() -> redis.Connection:
    return redis.Connection(port=PORT, socket_timeout=5, protocol=2)  # type: ignore[no-untyped-call]


def main() -> None:
    other = Other()
    feed = RedisFeed(connection, lambda: None, 5)
    feed.start()
    feed.subscribe("channel", other.hear)
    with redis.Redis(port=PORT, protocol=2) as client:
        # all of them are there before the first is read
        client.eval("for n = 1, ARGV[1] do redis.call('PUBLISH', KEYS[1], 'E{}') end", 1, "channel", MESSAGES)
        with gevent.Timeout(30):
            other.run()
    feed.close()
    print(json.dumps(other.heard))


main()
