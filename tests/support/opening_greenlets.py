"""A program: commands of many greenlets while a lane opens its connection. Its argument is the port of a Redis.

It prints, as JSON, the numbers of the commands in the order in which Redis got them; they were asked for from 0 on.
"""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import json
import sys

import gevent
import redis

from classwaves.store.redis_lane import RedisLane

PORT = int(sys.argv[1])


def main() -> None:
    lane = RedisLane(lambda: redis.Connection(port=PORT, socket_timeout=5, protocol=2), 5)  # type: ignore[no-untyped-call]
    asking: list[gevent.Greenlet[..., object]] = []

    def ask(number: int) -> None:
        """Begin the next one and ask, as a client's events do."""
        if number < 200:
            asking.append(gevent.spawn(ask, number + 1))
        lane.run("RPUSH", "order", number)

    ask(0)
    for one in asking:  # which grows meanwhile
        one.get()
    print(json.dumps([int(number) for number in lane.run("LRANGE", "order", 0, -1)]))
    lane.close()


main()
