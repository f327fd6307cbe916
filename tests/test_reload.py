"""SIGHUP with an application that takes its time to load: the old workers serve until the new ones do."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.clients import RawClient
from tests.support.fleet import Crowded
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.pair import QUICK
from tests.support.redis_server import RedisServer
from tests.support.school import School
from tests.support.waiting import eventually
from tests.support.wires import Closed


class Slow(Crowded):
    """A machine whose workers have loaded when :attr:`gate` is there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate.touch()

    @property
    def gate(self) -> Path:
        return self.directory / "load"

    def command(self) -> list[str]:
        return [*super().command()[:-1], "tests.support.slow_app:app"]

    def environ(self) -> dict[str, str]:
        own = {**TEST_KEYS, **QUICK, "CLASSWAVES_REQUIRE_REDIS": "1", "CLASSWAVES_DRAIN_SECONDS": "0.5"}
        return {**super().environ(), **own, "LOAD_WHEN": str(self.gate)}


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Slow]:
    with Slow(env={"REDIS_URL": redis_server.url}) as server:
        yield server


@pytest.fixture
def school(server: Slow) -> Iterator[School]:
    school = School(server)
    yield school
    school.dismiss()


@pytest.fixture
def code(school: School) -> str:
    return school.session()


@pytest.fixture
def students(school: School, code: str) -> list[RawClient]:
    return [school.joined(code, f"Guest {number}") for number in range(6)]


def reload(server: Slow) -> list[int]:
    """Begin a reload whose new workers do not get on, and return the old ones."""
    old = server.worker_pids
    server.gate.unlink()
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: len({*server.directory.glob("at-the-gate-*")}) == 4, 60, "new workers beside the old ones")
    eventually(lambda: server.log().count("serves until the new ones do") == 2, what="old workers that wait")
    return old


def test_the_old_workers_serve_until_the_new_ones_do(
    server: Slow, school: School, code: str, students: list[RawClient]
) -> None:
    old = reload(server)
    students.append(school.joined(code, "Ben"))
    ack = students[0].say(code, "still here")
    for student in students:
        student.wait_for("messageReceived", seq=ack["seq"])
        assert "reconnectAdvised" not in [name for name, _ in student.inbox]
    server.gate.touch()
    for student in students:
        student.wait_for("reconnectAdvised")
        with pytest.raises(Closed):
            while True:
                student.read()
    eventually(lambda: not {*old} & {*server.worker_pids}, what="the end of the old workers")
    assert len(server.worker_pids) == 2
    school.joined(code, "Cleo")


def test_an_end_in_the_middle_of_a_reload(server: Slow, students: list[RawClient]) -> None:
    """Nobody waits for workers that are not to come any more."""
    reload(server)
    processes = psutil.Process(server.pid).children()
    os.kill(server.pid, signal.SIGTERM)
    for student in students:
        student.wait_for("reconnectAdvised")
    server.gate.touch()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    assert server.process.wait(5) == 0
