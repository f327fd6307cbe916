"""What pages of the docs are run on: one Redis and one demo server for all of them, and a folder for each.

Addresses on pages mean ours: ``8000`` is the demo server, until the page starts one itself; ``9000`` is a second one of
the page, ``6379`` the Redis. Each folder looks like a checkout, with ``shop.py`` of ``tests/docs`` beside it.
"""

import json
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.blocks import Block
from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.page_shell import PageShell
from tests.support.ports import free_port
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer

BESIDE = ROOT / "tests" / "docs"
FROM_NOTHING = ("README.md", "docs/quickstart.md", "docs/embedding.md", "docs/installing.md")
"""Pages whose reader has no keys and no settings yet; those of all others have what a server needs."""

COPIED = (
    *("wsgi.py", "gunicorn.conf.py", "Makefile", "setup.cfg", "pyproject.toml", "package.json", "Procfile"),
    "requirements.txt",
)
LINKED = ("classwaves", "examples", "scripts", "benchmarks", "docs", "clients", "deploy", "node_modules")


def plain(page: str) -> str:
    """Return the name of a page as that of a file of ``tests/docs``."""
    return re.sub(r"\W+", "_", page.removeprefix("docs/").removesuffix(".md")).lower()


class Stage:
    """The servers, each started when the first page needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()

    @cached_property
    def redis(self) -> RedisServer:
        """The Redis of all pages."""
        return self.stack.enter_context(RedisServer())

    @cached_property
    def server(self) -> Gunicorn:
        """The demo server, without rate limits."""
        env = {**TEST_KEYS, "REDIS_URL": self.redis.url, "CLASSWAVES_RATELIMIT_ENABLED": "0"}
        return self.stack.enter_context(Gunicorn(env=env))


class PageFolder:
    """A page's folder, with what its blocks run in."""

    def __init__(self, stage: Stage, page: str) -> None:
        self.name = plain(page)
        self.folder = stage.folder / self.name
        self.folder.mkdir()
        self.stage = stage
        self._from_nothing = page in FROM_NOTHING
        self._port, self._second = free_port(), free_port()
        self.serves = False
        """Whether the page has started a server of its own."""
        self._python: subprocess.Popen[str] | None = None
        for name in COPIED:
            shutil.copy(ROOT / name, self.folder)
        for name in LINKED:
            if (ROOT / name).exists():
                (self.folder / name).symlink_to(ROOT / name)
        shutil.copy(BESIDE / "shop.py", self.folder)
        activate = self.folder / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.touch()  # whose Python it is, is decided
        (self.folder / "pytest.ini").write_text("[pytest]\n")  # or it would take our own settings

    def ours(self, text: str) -> str:
        """Return a text with our addresses in it."""

        def port(found: re.Match[str]) -> str:
            match found[0]:
                case "6379":
                    return str(self.stage.redis.port)
                case "9000":
                    return str(self._second)
            return str(self._port if self.serves else self.stage.server.port)

        return re.sub(r"\b(8000|9000|6379)\b", port, text)

    @cached_property
    def env(self) -> dict[str, str]:
        """What a reader of this page has in their environment."""
        env = minimal_environ() | {
            "PYTHONPATH": f"{self.folder}:{ROOT}",
            "CLASSWAVES_DATA_DIR": str(self.folder / "data"),
            "FLASK_RUN_PORT": str(self._port),
            "PORT": str(self._port),
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # many processes load the same modules
        if self._from_nothing:
            return env
        return env | TEST_KEYS | {"REDIS_URL": self.stage.redis.url, "CLASSWAVES_DEMO": "1", "FLASK_APP": "wsgi"}

    @cached_property
    def shell(self) -> PageShell:
        """The page's shell."""
        shell = PageShell(self.folder, self.env, self._port, self._second)
        if (beside := self.beside(".sh")).exists():
            shell.run(self.ours(beside.read_text()))
        return shell

    def beside(self, ending: str) -> Path:
        """Return the file of ``tests/docs`` that belongs to this page, which need not exist."""
        return BESIDE / f"{self.name}{ending}"

    def write(self, block: Block) -> Path:
        """Write a block that is a file; what is a link or a copy gives way."""
        path = self.folder / block.file
        assert not path.parent.is_symlink(), f"{block.place}: {block.file} would be written into the repository"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.ours(block.text))
        return path

    def python(self, do: str, **order: Any) -> str:
        """Let the page's Python do something and return what it wrote.

        :raises AssertionError: with the traceback
        """
        if self._python is None:
            beside = self.beside(".py")
            self._python = subprocess.Popen(
                [sys.executable, "-m", "tests.support.page_python", str(beside) if beside.exists() else ""],
                cwd=self.folder,
                env=self.env | self._address(beside),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._python.stdin and self._python.stdout
        self._python.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._python.stdin.flush()
        line = self._python.stdout.readline()
        assert line, "Python ended"
        answer = json.loads(line)
        assert not answer["error"], f"{answer['error']}\n{answer['output']}"
        return str(answer["output"])

    def _address(self, beside: Path) -> dict[str, str]:
        """Tell where the server is to what asks for it, so that no other page has to wait for one."""
        if beside.exists() and "CLASSWAVES_URL" in beside.read_text():
            return {"CLASSWAVES_URL": f"http://127.0.0.1:{self.ours('8000')}"}
        return {}

    def close(self) -> None:
        """End what runs for this page."""
        if self._python:
            assert self._python.stdin and self._python.stdout
            self._python.stdin.close()
            try:
                self._python.wait(10)
            finally:
                self._python.kill()
                self._python.wait()
                self._python.stdout.close()
        if "shell" in vars(self):
            self.shell.close()
