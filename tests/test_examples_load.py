"""The example of a load: everything that was said reaches everybody, and the numbers are numbers."""

import re
import subprocess
import sys

from tests.support.examples import EXAMPLES, commands, environ
from tests.support.school import open_school


def load(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it by its documented command, with other numbers."""
    (command,) = commands("load")
    assert command == "python load.py DEM234 --students 20 --seconds 10 --every 2"
    run = [sys.executable, *command.replace("DEM234", code).split()[1:], *options]
    return subprocess.run(run, cwd=EXAMPLES, env=environ(), capture_output=True, text=True, timeout=60)


def test_students_talk() -> None:
    with open_school() as school:
        done = load("DEM234", "--server", school.url, "--students", "8", "--seconds", "2", "--every", "0.5")
        assert (done.returncode, done.stderr) == (0, "")
        found = re.fullmatch(
            r"8 students, (\d+) messages, (\d+) deliveries a second\n"
            r"delivery: p50 (\d+) ms, p95 (\d+) ms, p99 (\d+) ms\n"
            r"ack: p50 \d+ ms, p95 \d+ ms, p99 \d+ ms\n",
            done.stdout,
        )
        assert found, done.stdout
        messages, rate, *cuts = map(int, found.groups())
        assert messages >= 8 and cuts == sorted(cuts)
        assert len(school.api.messages(school.teacher, "DEM234")) == messages
        assert 0 < rate <= messages * 8 / 2

        nowhere = load("ZZZZZZ", "--server", school.url, "--students", "1")
        assert nowhere.returncode == 1
        assert nowhere.stderr.splitlines()[-1] == "load: SESSION_NOT_FOUND: There is no such session"
