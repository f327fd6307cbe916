"""A program: what a lane does under gevent, told as JSON. Its argument is the port of a Redis."""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import json
import sys

import gevent
import redis

from classwaves.store.redis_lane import RUSH, RedisLane

# or gevent ends a turn of its loop after 5 ms, whoever else is to run in it: on a busy machine that is nothing
sys.setswitchinterval(60)

PORT = int(sys.argv[1])
TIMEOUT = 4.0


def reads(client: redis.Redis) -> int:
    """How often Redis has read from a connection that brought it something."""
    return int(client.info("stats")["total_reads_processed"])


def in_one_turn(lane: RedisLane, client: redis.Redis, count: int) -> int:
    """The number of reads that Redis needs for a command of each of these greenlets."""
    before, asking = reads(client), [gevent.spawn(lane.run, "ECHO", number) for number in range(count)]
    gevent.joinall(asking, raise_error=True)
    assert [one.value for one in asking] == [str(number).encode() for number in range(count)]
    return reads(client) - before - 1  # the question itself


def in_order(lane: RedisLane) -> bool:
    """Whether callers go on in the order in which they asked, whatever batches they were in."""
    went_on: list[int] = []

    def ask(number: int) -> None:
        lane.run("ECHO", number)
        went_on.append(number)

    asking = []
    for number in range(2000):
        asking.append(gevent.spawn(ask, number))
        if number % 7 == 0:
            gevent.sleep(0)
    gevent.joinall(asking, raise_error=True)
    return went_on == sorted(went_on)


def killed(client: redis.Redis, count: int, victims: list[int]) -> list[list[str]]:
    """What comes of commands of one turn, one of whose greenlets is killed while Redis waits, and of the next one.

    For each victim there is a lane, and all of them wait together: as long as a process may be kept waiting itself.
    """
    lanes = [new_lane() for _ in victims]
    for lane in lanes:
        calm(lane, client)
    client.client_pause(60_000, all=False)
    asking = [[gevent.spawn(lane.run, "INCR", "lost") for _ in range(count)] for lane in lanes]
    gevent.sleep(0.1)
    for of_lane, victim in zip(asking, victims, strict=True):
        of_lane[victim].kill()
    everybody = [one for of_lane in asking for one in of_lane]
    gevent.joinall(everybody, timeout=0.5)
    early = {one for one in everybody if one.ready()}
    gevent.joinall(everybody)
    client.client_unpause()
    told = [
        [type(one.exception or one.value).__name__ + " at once" * (one in early) for one in of_lane]
        for of_lane in asking
    ]
    for lane, words in zip(lanes, told, strict=True):
        words.append(lane.run("ECHO", "on").decode())
        lane.close()
    return told


def in_a_rush(lane: RedisLane, client: redis.Redis) -> list[str]:
    """What comes of commands that share a write, when the first caller is killed before it."""
    for _ in range(20):
        lane.run("PING")
        asking = [gevent.spawn(lane.run, "INCR", "lost") for _ in range(3)]
        gevent.get_hub().loop.run_callback(
            asking[0].throw, gevent.GreenletExit
        )  # when all have begun, and none has written
        gevent.joinall(asking)
        if not isinstance(asking[1].value, int):
            break
        # this process was kept waiting for longer than a rush lasts, so the first one had written already
    return [type(one.exception or one.value).__name__ for one in asking] + [lane.run("ECHO", "on").decode()]


def calm(lane: RedisLane, client: redis.Redis) -> redis.Redis:
    """Let the lane be unused for so long that the next caller does not wait for others."""
    lane.run("PING")
    gevent.sleep(RUSH * 5)
    return client


def new_lane() -> RedisLane:
    return RedisLane(lambda: redis.Connection(port=PORT, socket_timeout=TIMEOUT, protocol=2), TIMEOUT)  # type: ignore[no-untyped-call]


def main() -> None:
    lane = new_lane()
    with redis.Redis(port=PORT, protocol=2) as client:
        told = {
            "reads": in_one_turn(lane, calm(lane, client), 100),
            "in order": in_order(lane),
            "leader in a rush killed": in_a_rush(lane, client),
        }
        names = {"next leader killed": 1, "other killed": 2, "leader killed": 0}
        told |= zip(names, killed(client, 4, list(names.values())), strict=True)
    lane.close()
    print(json.dumps(told))


main()
