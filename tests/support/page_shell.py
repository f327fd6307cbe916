"""The shell of one page of the docs: its commands run for real, one after the other, in a folder of the page's own.

What would install something is looked up instead: ``pip install`` and ``npm install`` succeed if what they name is
installed in what the tests run in, ``make`` if it knows the target. A server is started, and goes on until the page
ends.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import eventually

SERVERS = {
    r"\bgunicorn\b": ("web", r"Listening at|Booting worker"),
    r"\bflask\b.*\brun\b": ("web", r"Running on"),
    r"\bcelery\b.*\bworker\b": ("celery", r"celery@"),
    r"\bcaddy run\b": ("caddy", r"serving initial configuration"),
    r"\bpython -m http\.server\b": ("files", r"Serving HTTP"),
}
"""Commands that do not end by themselves: of what kind they are, and what they write when they have begun."""

SHIMS = {
    "make": 'exec /usr/bin/make --dry-run "$@" >/dev/null',
    "pip": f'exec {sys.executable} -m tests.support.installed pip "$@"',
    "npm": f'exec {sys.executable} -m tests.support.installed npm "$@"',
}
PATIENCE = 30.0


class PageShell:
    """Runs commands; what they export and where they go to holds for the next ones.

    :param folder: where the page begins
    :param env: what it finds in its environment
    :param port: where a gunicorn listens that is not told where
    :param second: of another server, which may run beside it
    """

    def __init__(self, folder: Path, env: dict[str, str], port: int, second: int) -> None:
        self._cwd = folder
        self._hidden = folder.with_name(f"{folder.name}-shell")
        self._hidden.mkdir()
        self._port, self._second = port, second
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        for name, script in SHIMS.items():
            shim = self._hidden / name
            shim.write_text(f"#!/bin/sh\n{script}\n")
            shim.chmod(0o755)
        path = os.pathsep.join((str(self._hidden), str(Path(sys.executable).parent), env["PATH"]))
        self._env = env | {"PATH": path}

    def run(self, command: str) -> str:
        """Run one command and return what it wrote.

        :raises AssertionError: when it does not end with 0, or a server does not begin
        """
        if server := serves(command):
            self._serve(server, command.rstrip(" &\n"))
            return ""
        keep = f"trap 'env -0 >{self._hidden}/env; pwd >{self._hidden}/cwd' EXIT\n"
        process = subprocess.Popen(
            ["bash", "-c", f"{keep}{command}"],
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, wrong = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, wrong = process.communicate()
            raise AssertionError(f"$ {command}\n{output}{wrong}\ndoes not end; is it a server?") from None
        assert process.returncode == 0, f"$ {command}\n{output}{wrong}\nexit code {process.returncode}"
        pairs = (self._hidden / "env").read_text().split("\0")
        self._env = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        self._cwd = Path((self._hidden / "cwd").read_text().strip())
        return output

    def close(self) -> None:
        """End the servers of the page."""
        for name in list(self._servers):
            self._end(name)

    def _serve(self, kind: str, command: str) -> None:
        name = f"{kind}-2" if str(self._second) in command else kind
        self._end(name)  # a reader stops the one before, which has the same port
        begun = next(begun for server, (_, begun) in SERVERS.items() if re.search(server, command))
        log = self._hidden / f"{name}.log"
        env = dict(self._env)
        if "gunicorn" in command and "--config" not in command and not re.search(r"--bind|-b ", command):
            env["GUNICORN_CMD_ARGS"] = f"--bind=127.0.0.1:{self._port}"
        with log.open("wb") as written:
            process = self._servers[name] = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self._cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
            )

        def known() -> bool:
            return process.poll() is not None or bool(re.search(begun, log.read_text()))

        eventually(known, PATIENCE, f"a beginning of {command}")
        assert process.poll() is None, f"$ {command}\n{log.read_text()}"

    def _end(self, name: str) -> None:
        if process := self._servers.pop(name, None):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def serves(command: str) -> str:
    """Return what kind of server a command starts, or nothing."""
    if re.search(r"\bcheck\b|--help|--version|--check-config", command):
        return ""
    return next((kind for server, (kind, _) in SERVERS.items() if re.search(server, command)), "")


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands of a block, each with what the page says that it writes.

    With prompts (``$``) what has none is output; without, every line is a command.
    """
    prompts = any(line.startswith("$ ") for line in text.splitlines())
    found: list[tuple[str, str]] = []
    command = ""
    for line in text.splitlines():
        if not command and prompts and not line.startswith("$ "):
            assert found, f"output before a command: {line}"
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
            continue
        command += line.removeprefix("$ ") if prompts and not command else line.removeprefix("> " if prompts else "")
        if line.endswith("\\") or not _is_whole(command):
            command += "\n"
        else:
            found += [(command, "")] if command.split("#")[0].strip() else []
            command = ""
    assert not command, f"does not end: {command}"
    return found


def _is_whole(command: str) -> bool:
    """Ask bash, which knows where a heredoc or a loop ends."""
    done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True)
    return not done.returncode and not done.stderr
