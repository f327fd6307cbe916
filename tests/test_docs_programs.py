"""The programs of docs/quickstart.md, presence.md and recovery.md: each block is a file, named by its first line."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gunicorn_server import ROOT, Gunicorn

FILES = {
    name: code
    for page in ("quickstart", "presence", "recovery")
    for name, code in re.findall(
        r"```(?:python|js)\n(?:#|//) (\S+)\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL
    )
}
WAIT = 60


class Shop(Gunicorn):
    """The page's own application, served as the page says."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gunicorn", "--config", "python:classwaves.gunicorn_conf", "shop:create_app()"]

    def working_directory(self) -> Path:
        return self.directory

    def environ(self) -> dict[str, str]:
        return super().environ() | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(self.directory)])}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with the page's files, with npm's packages and the clients."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    for name in ("node_modules", "clients"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Gunicorn() as server:
        yield server.url


@pytest.fixture
def shop(files: Path) -> Iterator[str]:
    with Shop(directory=files) as server:
        yield server.url


def run(files: Path, server: str, *command: str | Path) -> str:
    """Run a program of the page, and return what it has printed."""
    done = subprocess.run(
        command, cwd=files, env=os.environ | {"SERVER": server}, capture_output=True, text=True, timeout=WAIT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_clients(files: Path, server: str) -> None:
    printed = run(files, server, "node", "first.mjs")
    assert "Demo lesson [ 'Demo Student' ]" in printed
    assert re.search(r"\d+ Demo Student Hello from Node", printed)
    assert "stored as number" in printed
    printed = run(files, server, sys.executable, "first.py")
    assert "stored as number" in printed
    assert re.search(r"\d+ Demo Teacher Hello from Python", printed)


def test_coming_back(files: Path, server: str) -> None:
    shutil.copy(ROOT / "tests" / "node" / "guides.mjs", files)
    assert run(files, server, "node", "guides.mjs") == "recovery\npresence\n"


def test_the_own_event(files: Path, shop: str) -> None:
    printed = run(files, shop, "node", "board.mjs")
    assert printed == "the teacher sees [ 1, 2, 3, 4 ]\nand a wrong one is answered INVALID_PAYLOAD\n"
