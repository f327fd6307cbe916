"""socket.io-client on Node through the whole seed flow, on every transport and both stores; see ``tests/node``."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import minimal_environ
from tests.support.school import STORES, School, open_school
from tests.support.tools import node

pytestmark = pytest.mark.xdist_group("node-client")

SCRIPTS = Path(__file__).with_name("node")
INVALID = ["INVALID_TOKEN", "Invalid authentication token"]


@pytest.fixture(scope="module", params=STORES)
def school(request: pytest.FixtureRequest) -> Iterator[School]:
    node()
    # a client that is slow to come back has not been away
    with open_school(request.param, CLASSWAVES_DISCONNECT_GRACE="30") as school:
        yield school


@pytest.fixture(params=["websocket", "polling", "upgrade"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(script: str, **given: Any) -> list[str]:
    """Run a script to its end and return the steps that it reported."""
    command = [node(), str(SCRIPTS / script), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=minimal_environ(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [json.loads(line)["step"] for line in done.stdout.splitlines()]
    assert steps[-1] == "end", done.stdout + done.stderr
    return steps[:-1]


def test_the_seed_flow(school: School, way: str) -> None:
    code = school.session()
    student = school.api.guest(code, "Ann")
    steps = run("seed_flow.mjs", url=school.url, way=way, code=code, teacher=school.teacher, student=student)
    assert steps == ["connect", "join", "message", "presence", "errors", "order", "resume"]


def test_a_broken_transport_is_opened_again_and_nothing_is_missed(school: School, way: str) -> None:
    code = school.session()
    student = school.api.guest(code, "Ann")
    steps = run("reconnection.mjs", url=school.url, way=way, code=code, teacher=school.teacher, student=student)
    assert len(steps) == 5


def test_keys_that_mean_something_to_javascript_are_data(school: School) -> None:
    code = school.session()
    school.api.step(school.teacher, code, "start")
    student = school.api.guest(code, "Ann")
    given = {"url": school.url, "way": "upgrade", "code": code, "teacher": school.teacher, "student": student}
    assert run("prototypes.mjs", **given) == ["join", "data", "fields"]


def test_refusals(school: School, way: str) -> None:
    gone = school.api.login("student")
    school.api.ok("POST", "/auth/logout", gone["accessToken"])
    cases: list[list[Any]] = [
        [None, "AUTH_REQUIRED", "Authentication required"],
        [{}, "AUTH_REQUIRED", "Authentication required"],
        [{"token": "nonsense"}, *INVALID],
        [{"token": school.api.login("student")["refreshToken"]}, *INVALID],
        [{"token": gone["accessToken"]}, "SESSION_EXPIRED", "Session expired"],
    ]
    steps = run("refusals.mjs", url=school.url, way=way, cases=cases, student=school.api.token("student"))
    assert steps == [code for _, code, _ in cases]
