"""The examples, run by the commands that their docstrings give."""

import ast
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.clients import RawClient
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.server_process import HttpServerProcess

EXAMPLES = ROOT / "examples"


def commands(name: str) -> list[str]:
    """Return the lines by which an example is run, without the installation of what is installed here."""
    docstring = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())) or ""
    block = docstring.split("\n\n")[1].splitlines()
    assert all(line.startswith("    ") for line in block), f"{name}: the second paragraph of its docstring runs it"
    lines = [re.sub(r"^pip install [^&]*(&& )?", "", line.strip()) for line in block]
    return [line for line in lines if line]


def environ(**env: str) -> dict[str, str]:
    """A minimal environment in which the programs of this one are found."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return {**minimal_environ(), **own, **env}


class Example(HttpServerProcess):
    """An example that serves, or goes on until it is stopped.

    :param example: its name, without ``.py``.
    :param replace: texts of its commands, and what stands for them here.
    :param env: more of its environment.
    """

    start_timeout = 60.0

    def __init__(self, example: str, replace: Mapping[str, str] | None = None, **env: str) -> None:
        self.name = example
        super().__init__()
        self._replace, self._env = replace or {}, env
        self._clients: list[RawClient] = []

    def connect(self, token: str) -> RawClient:
        """Connect a client, which :meth:`close` drops."""
        client = RawClient(self.url, token)
        self._clients.append(client)
        return client

    def close(self) -> None:
        while self._clients:
            self._clients.pop().wire.drop()
        super().close()

    def command(self) -> list[str]:
        *before, last = commands(self.name)
        script = "\n".join(["set -e", *before, f"exec env {last}"])
        for text, instead in self._replace.items():
            assert text in script, f"{self.name}: its commands have no {text}"
            script = script.replace(text, instead)
        return ["sh", "-c", script]

    def environ(self) -> dict[str, str]:
        address = {"PORT": str(self.port), "CLASSWAVES_HOST": "127.0.0.1"}
        return environ(**address, CLASSWAVES_RATELIMIT_ENABLED="0") | self._env

    def working_directory(self) -> Path:
        return EXAMPLES
