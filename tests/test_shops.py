"""Three shops, run as they are: their tests pass with the classroom as without it, and so do those of their events."""

import ast
import os
import subprocess
import sys

import pytest

from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ

SHOPS = ROOT / "tests" / "shops"
NAMES = ("notebook", "courses", "stores")
PLUGIN = "classwaves.testing.plugin"


def run(shop: str, *arguments: str, **env: str) -> list[str]:
    """Run a shop's tests in a process of their own, and return the names of those that passed."""
    folder = SHOPS / shop
    path = os.pathsep.join([str(ROOT), str(folder)])
    alone = {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-c", str(SHOPS / "pytest.ini"), "--rootdir", str(folder), "--confcutdir", str(folder), "-vv"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", *arguments, "tests"],
        cwd=folder,
        env=minimal_environ() | alone | env,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(line.split(" PASSED")[0] for line in done.stdout.splitlines() if " PASSED" in line)


@pytest.mark.parametrize("shop", NAMES)
def test_a_shops_tests_pass_beside_the_classrooms(shop: str) -> None:
    without = run(shop)
    both = run(shop, "-p", PLUGIN, WITH_CLASSROOM="1")
    assert len(without) >= 4
    assert set(without) < set(both)
    assert {name for name in both if name not in without} == {name for name in both if "test_classroom.py" in name}


@pytest.mark.parametrize("shop", NAMES)
def test_a_classroom_is_mounted_in_ten_lines(shop: str) -> None:
    """With the function that asks the shop for its users, and without the event, which is a file of its own."""
    tree = ast.parse((SHOPS / shop / "classroom.py").read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    wsgi = (SHOPS / shop / "wsgi.py").read_text()
    assert len(statements) - 1 + sum("classwaves" in line for line in wsgi.splitlines()) <= 10, "but the docstring"
