"""A Redis that was restarted knows no scripts: a new connection of the lane brings them before anybody asks for one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from classwaves.store.redis import RedisStore
from classwaves.store.redis_lane import RedisLane
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer
from tests.support.school import School, open_school
from tests.support.stores import PATIENT, at_once, join, message, new_session, redis_store, seat, texts
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent
BURST = 300


@pytest.fixture(scope="module")
def kept() -> Iterator[RedisServer]:
    """Return a Redis that has every write on disk before it answers."""
    with RedisServer(aof=True) as server:
        yield server


@pytest.fixture
def store(kept: RedisServer) -> Iterator[RedisStore]:
    opened = redis_store(kept.url, timeout=PATIENT)
    yield opened
    opened.close()


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def refused(server: RedisServer) -> tuple[bool, bool]:
    """Whether, since Redis was started, a script was missing, and whether one was sent with a command."""
    with server.client() as client:
        missing = client.info("errorstats").get("errorstat_NOSCRIPT")
        return missing is not None, "cmdstat_eval" in client.info("commandstats")


def test_the_first_steps_after_a_restart_find_their_scripts(kept: RedisServer, store: RedisStore) -> None:
    session = new_session(store)
    for turn in range(3):
        restart(kept)
        if turn:
            store.append(session.id, [message(f"{turn}")], dedupe=f"{turn}")
        join(store, session, seat(f"user{turn}"))
        store.set_cursor(session.id, "ann", f"x-{turn + 1}")
        assert refused(kept) == (False, False)
    assert texts(store.read(session.id, 0, 100)) == ["1", "2"]


def test_a_crowd_after_a_restart_finds_its_scripts(kept: RedisServer, store: RedisStore) -> None:
    session = new_session(store)
    restart(kept)
    at_once(20, lambda number: store.append(session.id, [message("hello")], dedupe=f"{number}"))
    assert refused(kept) == (False, False)
    assert len(texts(store.read(session.id, 0, 100))) == 20


def test_a_script_that_redis_cannot_read_keeps_nobody_from_the_lane(redis_server: RedisServer) -> None:
    port = redis_server.port
    lane = RedisLane(lambda: redis.Connection(port=port, socket_timeout=5, protocol=2), 5)  # type: ignore[no-untyped-call]
    broken, good = lane.script("this is no Lua"), lane.script("return 'good'")
    try:
        assert good([], []) == b"good"
        with pytest.raises(redis.ResponseError, match="compiling"):
            broken([], [])
        assert lane.run("ECHO", "on") == b"on"
    finally:
        lane.close()


# a burst of one client on a real server


@pytest.fixture(scope="module")
def school(kept: RedisServer) -> Iterator[School]:
    with open_school(REDIS_URL=kept.url) as school:
        yield school


def test_a_burst_after_a_restart_keeps_its_order(school: School, kept: RedisServer) -> None:
    code = school.session()
    ann = school.joined(code, "Ann")
    first = 0
    stored: list[tuple[int, str]] = []
    for _ in range(3):
        restart(kept)
        numbers = [
            ann.send("sendMessage", {"sessionCode": code, "message": str(number)})
            for number in range(first, first + BURST)
        ]
        acks = [ann.ack(number) for number in numbers]
        assert {ack["error"]["code"] for ack in acks if not ack["ok"]} <= {"SERVICE_UNAVAILABLE"}
        stored += [(ack["seq"], str(first + at)) for at, ack in enumerate(acks) if ack["ok"]]
        first += BURST
        eventually(lambda: ann.ask("fetchHistory", {"sessionCode": code})["ok"], what="the server to be well")
    assert len(stored) >= BURST
    assert stored == sorted(stored)
    log = [(item["seq"], item["message"]) for item in school.api.messages(school.teacher, code)]
    assert set(stored) <= set(log), "who is told that the store is away may be in it"
    assert [int(text) for _, text in log] == sorted(int(text) for _, text in log)


def test_nobody_is_overtaken_while_a_connection_is_opened(redis_server: RedisServer) -> None:
    command = (sys.executable, "-m", "tests.support.opening_greenlets", str(redis_server.port))
    ran = subprocess.run(command, cwd=ROOT, env=minimal_environ(), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == list(range(201))
