"""``flask classwaves bench``: every delivery is counted, and what goes wrong is told in a sentence."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from classwaves.cli import cli
from tests.support import processes
from tests.support.gunicorn_server import ROOT
from tests.support.ports import free_port
from tests.support.school import School, open_school


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school() as school:
        yield school


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bench", *arguments])


def test_guests_hear_all_that_is_said(school: School) -> None:
    code = school.session()
    ran = run(school.url, code, "--clients", "5", "--rate", "40", "--seconds", "0.5", "--json")
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert (found["clients"], found["sent"], found["deliveries"], found["missing"]) == (5, 20, 100, 0)
    assert 0 < found["p50Ms"] <= found["p99Ms"]
    assert len(school.api.messages(school.teacher, code)) == 20


def test_what_the_server_refuses_is_told(school: School) -> None:
    closed = school.session(guestsAllowed=False)
    refused = run(school.url, closed)
    assert (refused.exit_code, "SESSION_ACCESS_DENIED" in refused.output) == (1, True)
    away = run(f"http://127.0.0.1:{free_port()}", closed)
    assert (away.exit_code, away.output) == (1, "Error: The server cannot be reached (ConnectionRefusedError).\n")
    for nonsense in (
        ["school.example"],
        ["http://school.example:99999"],
        ["http://[school"],
        [school.url, "--rate", "nan"],
    ):
        assert run(*nonsense[:1], closed, *nonsense[1:]).exit_code == 2


def test_the_commands_run_without_flasks_own(school: School) -> None:
    command = [sys.executable, "-m", "classwaves", "bench", school.url, school.session(), "--clients", "1"]
    environ = {**processes.minimal_environ(), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [*command, "--seconds", "0.2"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split()[:4] == ["clients", "1", "sent", "2"]
