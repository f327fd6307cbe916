"""The lane: many callers, one connection, each its own answer, and no longer wait than the timeout."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from classwaves.store.redis_lane import BATCH, RedisLane
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer
from tests.support.stores import at_once
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent
SHORT = 0.5
"""Seconds of patience of the lanes that are to give up."""


def connection(port: int, timeout: float) -> redis.Connection:
    options: Any = {"port": port, "socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2}
    return redis.Connection(**options)  # type: ignore[no-untyped-call]


@pytest.fixture
def lane(redis_server: RedisServer) -> Iterator[RedisLane]:
    opened = RedisLane(lambda: connection(redis_server.port, 5), 5)
    yield opened
    opened.close()


@pytest.fixture
def hasty(redis_server: RedisServer) -> Iterator[RedisLane]:
    """A lane of little patience."""
    opened = RedisLane(lambda: connection(redis_server.port, SHORT), SHORT)
    yield opened
    opened.close()


def outcome(lane: RedisLane, *command: Any) -> Any:
    """The answer, or the error that a caller gets."""
    try:
        return lane.run(*command)
    except redis.RedisError as error:
        return type(error)


def watches() -> int:
    return sum(thread.name == "classwaves-lane" for thread in threading.enumerate())


def test_everybody_gets_their_own_answer(lane: RedisLane) -> None:
    def ask(number: int) -> None:
        for turn in range(50):
            assert lane.run("ECHO", f"{number}.{turn}") == f"{number}.{turn}".encode()

    at_once(20, ask)


def test_more_than_go_together_are_answered_too(lane: RedisLane, redis_server: RedisServer) -> None:
    redis_server.pause()
    asking = [threading.Thread(target=lane.run, args=("SADD", "all", number)) for number in range(BATCH + 20)]
    for thread in asking:
        thread.start()
    redis_server.resume()
    for thread in asking:
        thread.join(10)
    assert lane.run("SCARD", "all") == BATCH + 20


def test_a_refused_command_is_its_callers_alone(lane: RedisLane) -> None:
    lane.run("SET", "text", "x")

    def ask(number: int) -> Any:
        return outcome(lane, "INCR", "text") if number % 2 else outcome(lane, "ECHO", number)

    answers = at_once(20, ask)
    assert all(issubclass(refused, ResponseError) for refused in answers[1::2])
    assert answers[::2] == [str(number).encode() for number in range(0, 20, 2)]


def test_a_script_is_sent_when_redis_has_not_got_it(lane: RedisLane, redis_server: RedisServer) -> None:
    add = lane.script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    for turn in range(1, 4):
        with redis_server.client() as client:
            client.script_flush()
        at_once(10, lambda _: add(["sum"], [1]))
        assert add(["sum"], [0]) == turn * 10


def test_a_script_that_fails_is_an_error(lane: RedisLane) -> None:
    with pytest.raises(ResponseError, match="no luck"):
        lane.script("return redis.error_reply('ERR no luck')")([], [])


def test_greenlets_of_one_turn_share_a_write_and_their_death_harms_nobody(redis_server: RedisServer) -> None:
    command = (sys.executable, "-m", "tests.support.lane_greenlets", str(redis_server.port))
    ran = subprocess.run(command, cwd=ROOT, env=minimal_environ(), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["reads"] == 2, "the first one's, who does not wait for others, and theirs"
    assert told["in order"], "the pipeline tries again in this order what was refused"
    killed, lost, late = "GreenletExit at once", "ConnectionError at once", "TimeoutError"
    assert told["leader in a rush killed"] == ["GreenletExit", "ConnectionError", "ConnectionError", "on"]
    assert told["next leader killed"] == [late, killed, lost, lost, "on"]
    assert told["other killed"] == [late, late, killed, late, "on"]
    assert told["leader killed"] == [killed, late, late, late, "on"]


def test_a_forked_child_has_a_connection_of_its_own(redis_server: RedisServer) -> None:
    program = f"""
import os, redis
from classwaves.store.redis_lane import RedisLane
lane = RedisLane(lambda: redis.Connection(port={redis_server.port}, socket_timeout=5), 5)
mine = lane.run("CLIENT", "ID")
child = os.fork()
if not child:
    os._exit(0 if lane.run("CLIENT", "ID") != mine else 1)
assert os.waitpid(child, 0)[1] == 0
assert lane.run("CLIENT", "ID") == mine
lane.close()
"""
    command = (sys.executable, "-c", program)
    ran = subprocess.run(command, cwd=ROOT, env=minimal_environ(), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


# patience


def test_a_crowd_on_a_hung_redis_is_refused_all_at_once(hasty: RedisLane, redis_server: RedisServer) -> None:
    """One after the other it would take a minute."""
    hasty.run("PING")
    redis_server.pause()
    outcomes: list[Any] = []
    asking = [
        threading.Thread(target=lambda: outcomes.append(outcome(hasty, "ECHO", 1)), daemon=True) for _ in range(120)
    ]
    for thread in asking:
        thread.start()
    eventually(lambda: len(outcomes) == 120, 15, "everybody refused")
    assert set(outcomes) == {redis.TimeoutError}
    redis_server.resume()
    assert eventually(lambda: outcome(hasty, "ECHO", "on") == b"on", what="an answer")


def test_more_than_the_sockets_hold_does_not_block_for_ever(hasty: RedisLane, redis_server: RedisServer) -> None:
    hasty.run("PING")
    redis_server.pause()
    assert at_once(3, lambda _: outcome(hasty, "ECHO", b"x" * 30_000_000)) == [redis.TimeoutError] * 3
    redis_server.resume()
    assert eventually(lambda: outcome(hasty, "ECHO", "on") == b"on", what="an answer")


def test_what_was_given_up_before_it_was_sent_is_never_sent(redis_server: RedisServer) -> None:
    opening, may_open = threading.Event(), threading.Event()

    class Slow(redis.Connection):
        def connect(self) -> None:
            opening.set()
            assert may_open.wait(10)
            super().connect()  # type: ignore[no-untyped-call]

    lane = RedisLane(lambda: Slow(port=redis_server.port, socket_timeout=5), SHORT)  # type: ignore[no-untyped-call]
    assert outcome(lane, "INCR", "given up") is redis.TimeoutError
    assert opening.wait(10)
    assert outcome(lane, "INCR", "given up") is redis.TimeoutError, "which waited behind the first"
    may_open.set()
    assert eventually(lambda: outcome(lane, "GET", "given up") is None, what="an answer")
    lane.close()


# its end


def test_a_lane_that_nobody_used_has_no_thread(lane: RedisLane) -> None:
    eventually(lambda: watches() == 0, what="the end of the watches of the tests before")
    lane.run("PING")
    assert watches() == 1


def test_a_closed_lane_lets_everybody_go_and_leaves_nothing(lane: RedisLane, redis_server: RedisServer) -> None:
    """Those whose command Redis has, those who wait behind them, and those who come later."""
    lane.run("PING")
    redis_server.pause()
    outcomes: list[Any] = []
    threads = [threading.Thread(target=lambda: outcomes.append(outcome(lane, "ECHO", 1))) for _ in range(5)]
    threads.append(threading.Thread(target=lane.close))
    for thread in threads:
        thread.start()
    eventually(lambda: outcomes == [redis.ConnectionError] * 5, what="everybody let go, and not for want of time")
    assert outcome(lane, "PING") is redis.ConnectionError
    redis_server.resume()
    threads[-1].join(10)
    eventually(lambda: watches() == 0, what="the end of the watch")
    with redis_server.client() as client:
        eventually(lambda: len(client.client_list(_type="normal")) == 1, what="the end of the connection")
