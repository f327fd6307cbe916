"""A program: what a lane does under gevent, told as JSON. Its argument is the port of a Redis."""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import gc
import json
import sys
import threading

import gevent
import redis

from classwaves.store.redis_lane import RedisLane

PORT = int(sys.argv[1])
TIMEOUT = 1.0


def reads(client: redis.Redis) -> int:
    """How often Redis has read from a connection that brought it something."""
    return int(client.info("stats")["total_reads_processed"])


def in_one_turn(lane: RedisLane, client: redis.Redis, count: int) -> int:
    """The number of reads that Redis needs for a command of each of these greenlets."""
    lane.run("PING")
    before, asking = reads(client), [gevent.spawn(lane.run, "ECHO", number) for number in range(count)]
    gevent.joinall(asking, raise_error=True)
    assert [one.value for one in asking] == [str(number).encode() for number in range(count)]
    return reads(client) - before - 1  # the question itself


def first_is_killed(lane: RedisLane, client: redis.Redis) -> list[str]:
    """What comes of the commands of a batch whose first caller is killed while Redis waits, and of the next."""
    client.client_pause(60_000, all=False)
    asking = [gevent.spawn(lane.run, "INCR", "lost") for _ in range(4)]
    gevent.sleep(0)
    asking[0].kill()
    gevent.joinall(asking)
    client.client_unpause()
    return [type(one.exception or one.value).__name__ for one in asking] + [lane.run("ECHO", "on").decode()]


def owner_is_killed(lane: RedisLane, client: redis.Redis) -> list[str]:
    """What comes of a command whose owner is killed, and of the next one."""
    client.client_pause(60_000, all=False)
    asking = gevent.spawn(lane.run, "INCR", "lost")
    gevent.sleep(0.1)
    [ident] = [thread.ident for thread in threading.enumerate() if thread.name == "classwaves-lane"]
    [owner] = [one for one in gc.get_objects() if isinstance(one, gevent.Greenlet) and id(one) == ident]
    owner.kill()
    asking.join()
    client.client_unpause()
    return [type(asking.exception).__name__, lane.run("ECHO", "on").decode()]


def main() -> None:
    lane = RedisLane(lambda: redis.Connection(port=PORT, socket_timeout=TIMEOUT, protocol=2), TIMEOUT)  # type: ignore[no-untyped-call]
    with redis.Redis(port=PORT, protocol=2) as client:
        told = {
            "reads": in_one_turn(lane, client, 100),
            "first killed": first_is_killed(lane, client),
            "owner killed": owner_is_killed(lane, client),
        }
    lane.close()
    print(json.dumps(told))


main()
