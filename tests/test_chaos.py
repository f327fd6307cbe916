"""Everything breaks while a class talks: a process, Redis, an answer.

``CHAOS_SEED`` repeats a run (but for what the machine's timing decides), ``CHAOS_SECONDS`` makes a longer one, in which
more breaks after the first round: things freeze, and connections are cut.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.pair import Pair, open_pair
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, agreed, gathered
from tests.support.waiting import eventually

ROUND = 8.0
"""Seconds in which each thing breaks once."""
SECONDS = float(os.environ.get("CHAOS_SECONDS") or ROUND)
MESSAGES = 300
"""In each round, at least."""
CLIENTS = 10

Step = tuple[float, str, Callable[[], object]]


class Chaos:
    """What goes wrong, and when: in each round a process, Redis and an answer, in any order and overlapping."""

    def __init__(self, chance: random.Random, pair: Pair, redis: RedisServer, proxy: FaultyProxy) -> None:
        self._chance = chance
        self._servers = [pair.a.server, pair.b.server]
        self._redis = redis
        self._proxy = proxy
        rounds = [self._round(number * ROUND) for number in range(max(1, round(SECONDS / ROUND)))]
        self._plan: list[Step] = sorted(sum(rounds, []), key=lambda step: step[0])
        self._started = time.monotonic()

    def _round(self, begin: float) -> list[Step]:
        number = self._chance.randrange(2)
        server, other = self._servers[number], self._servers[1 - number]
        killed, away, lost, frozen, hung, cut = (begin + ROUND * self._chance.uniform(0.05, 0.65) for _ in range(6))
        first: list[Step] = [
            (killed, f"kill server {number}", server.kill9),
            (killed + self._chance.uniform(0, 2), f"start server {number}", lambda: server.start(wait=False)),
            (away, "kill Redis", self._redis.kill),
            (away + self._chance.uniform(0, 2), "start Redis", lambda: self._redis.start(wait=False)),
            (lost, "swallow an answer", lambda: self._proxy.swallow_next_reply(b"messageReceived")),
        ]
        more: list[Step] = [
            (frozen, f"freeze server {1 - number}", other.pause),
            (frozen + self._chance.uniform(0, 5), f"thaw server {1 - number}", other.resume),
            (hung, "freeze Redis", self._redis.pause),
            (hung + self._chance.uniform(0, 3), "thaw Redis", self._redis.resume),
            (cut, "cut all connections to Redis", self._proxy.cut),
        ]
        return first + (more if begin else [])

    def step(self) -> bool:
        """Do what is due; false when nothing is left to do."""
        while self._plan and self._plan[0][0] <= time.monotonic() - self._started:
            _, name, action = self._plan.pop(0)
            print(f"{time.monotonic() - self._started:.2f} {name}")
            action()
        return bool(self._plan)


def talk(chance: random.Random, clients: list[ResumingClient], chaos: Chaos) -> None:
    """Say 300 messages a round, and more if the chaos is not over then."""
    said = 0
    while chaos.step() or said < MESSAGES * SECONDS / ROUND:
        chance.choice(clients).say(f"message {said}")
        said += 1
        time.sleep(chance.uniform(0, 2 * ROUND / MESSAGES))


def all_there(pair: Pair, code: str) -> bool:
    """Whether both processes say that all guests are there."""
    lists = [school.api.ok("GET", f"/sessions/{code}/participants", school.teacher) for school in (pair.a, pair.b)]
    return [[one["status"] for one in found["participants"]] for found in lists] == [["active"] * CLIENTS] * 2


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_every_client_ends_with_the_same_list() -> None:
    """Nothing is missing that was acked, nothing is doubled, and everybody is there."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    with (
        RedisServer(aof=True) as redis,
        FaultyProxy(redis.port) as proxy,
        open_pair(proxy.url) as pair,
    ):
        code = pair.a.session()
        ways = [(pair.a, pair.b), (pair.b, pair.a)]
        clients = [pair.guest(code, *ways[number % 2], seed=seed + number) for number in range(CLIENTS)]
        gathered(clients)
        talk(chance, clients, Chaos(chance, pair, redis, proxy))
        for server in (redis, pair.a.server, pair.b.server):
            server.wait_ready()

        eventually(lambda: not sum(client.unacked for client in clients), 30, "everything acked")
        history = pair.history(code)
        agreed(clients, history)
        acked = [(client.user_id, name) for client in clients for name in client.acks]
        assert Counter((said["userId"], said["clientMessageId"]) for said in history) == Counter(acked)
        assert proxy.swallowed.is_set()
        assert {client.stopped for client in clients} == {None}
        eventually(lambda: all_there(pair, code), 20, "everybody there")
