"""SIGHUP with an application that takes its time to load: the old workers serve until the new ones do, if they do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.clients import RawClient
from tests.support.fleet import Crowded
from tests.support.gunicorn_server import ROOT, TEST_KEYS
from tests.support.pair import QUICK
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer
from tests.support.school import School
from tests.support.waiting import eventually
from tests.support.wires import Closed


class Slow(Crowded):
    """A machine whose workers have loaded when :attr:`gate` is there."""

    start_timeout = 60.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate.touch()

    @property
    def gate(self) -> Path:
        return self.directory / "load"

    def command(self) -> list[str]:
        # before that, gunicorn's master looks at no other signal while the old workers are there
        return [*super().command()[:-1], "--graceful-timeout", "4", "tests.support.slow_app:app"]

    def environ(self) -> dict[str, str]:
        own = {**TEST_KEYS, **QUICK, "CLASSWAVES_REQUIRE_REDIS": "1", "CLASSWAVES_DRAIN_SECONDS": "0.5"}
        own["CLASSWAVES_PING_TIMEOUT"] = "120"  # the students answer no ping while workers load
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


def numbers(server: Slow) -> Path:
    """Return the folder where master and workers leave word for each other."""
    (folder,) = server.directory.glob("cw-numbers-*")
    return folder


def reload(server: Slow) -> list[int]:
    """Begin a reload whose new workers do not get on, and return the old ones."""
    eventually(lambda: len([*numbers(server).glob("serves-*")]) == 2, 60, "two workers that serve")
    old, waits = server.worker_pids, "serves until the new ones do"
    before, there = server.log().count(waits), {*server.directory.glob("at-the-gate-*")}
    server.gate.unlink()
    os.kill(server.pid, signal.SIGHUP)
    eventually(
        lambda: len({*server.directory.glob("at-the-gate-*")} - there) == 2, 60, "new workers beside the old ones"
    )
    eventually(lambda: server.log().count(waits) == before + 2, what="old workers that wait")
    return old


def are_still_served(school: School, code: str, students: list[RawClient]) -> None:
    """They hear each other and whoever comes, and nobody has told them to go."""
    students.append(school.joined(code, "Ben"))
    ack = students[0].say(code, "still here")
    for student in students:
        student.wait_for("messageReceived", seq=ack["seq"])
        assert "reconnectAdvised" not in [name for name, _ in student.inbox]


def has_others_than(server: Slow, old: list[int]) -> None:
    eventually(lambda: len(server.worker_pids) == 2 and not {*old} & {*server.worker_pids}, 60, "other workers")


def test_the_old_workers_serve_until_the_new_ones_do(
    server: Slow, school: School, code: str, students: list[RawClient]
) -> None:
    old = reload(server)
    are_still_served(school, code, students)
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
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    assert server.wait() == 0


def test_new_workers_that_cannot_be_loaded_and_one_that_is_killed(
    server: Slow, school: School, code: str, students: list[RawClient]
) -> None:
    """Who serves goes on if the new version is broken; of a better one, nobody waits for whom there is no more."""
    old = reload(server)
    server.gate.write_text("a mistake")
    eventually(lambda: server.log().count("this one goes on") == 2, 60, "old workers that go on")
    are_still_served(school, code, students)
    assert server.worker_pids == old
    assert reload(server) == old
    killed = max({*server.worker_pids} - {*old})
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in server.worker_pids, 60, "its end")
    are_still_served(school, code, students)
    server.gate.touch()
    has_others_than(server, old)
    for student in students:
        student.wait_for("reconnectAdvised")


def test_a_folder_that_cannot_be_written(server: Slow, school: School) -> None:
    """A full disk, or somebody has tidied up: neither a reload nor a worker's death may end the server."""
    eventually(lambda: len([*numbers(server).glob("serves-*")]) == 2, 60, "two workers that serve")
    old = server.worker_pids
    (numbers(server) / "0-dead.new").mkdir()
    (numbers(server) / "reload.new").mkdir()
    os.kill(old[0], signal.SIGKILL)
    has_others_than(server, old[:1])
    old = [*server.worker_pids, *old]
    os.kill(server.pid, signal.SIGHUP)
    has_others_than(server, old)
    school.joined(school.session())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may have workers of somebody else")
def test_workers_of_another_user_may_write_into_the_folder_which_goes_with_the_master(tmp_path: Path) -> None:
    """gunicorn's ``user``. Here the master's hook alone: nobody else may read the Python that runs this, maybe."""
    program = """if True:
        from types import SimpleNamespace as Some
        from classwaves import gunicorn_conf
        gunicorn_conf.on_starting(Some(cfg=Some(uid=65534, gid=65533)))
        folder = gunicorn_conf._numbers.stat()
        print(folder.st_uid, folder.st_gid)
    """
    env = {**minimal_environ(), **TEST_KEYS, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "65534 65533\n"
    assert [*tmp_path.iterdir()] == []
