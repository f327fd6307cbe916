"""Know every process that the tests start, whoever is its parent by now.

Each test process puts a mark of its own into its environment. Children inherit it, servers with a
minimal environment are handed it by :func:`minimal_environ`, and a reaper (``reaper.py``) kills whoever
still carries it when the test process has died, however it died.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

MARK = "CWTEST_RUN"

# What a developer's shell may hold and a server under test must not see by accident.
SERVER_VARIABLES = ("PORT", "WEB_CONCURRENCY", "REDIS_URL", "JWT_SECRET_KEY", "SECRET_KEY")
SERVER_PREFIXES = ("CLASSWAVES_", "FLASK_", "GUNICORN_", "XDG_")

_reapers: list[subprocess.Popen[bytes]] = []


def mark_this_process() -> None:
    """Mark this process and everything it starts from now on, and start the reaper. Once a process."""
    if _reapers:
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    # The mark of who started us (xdist's controller, .ci/run) stays in front, so that ours is theirs as well.
    # The full stop ends it: 12 is not the beginning of 123.
    mark = os.environ[MARK] = f"{os.environ.get(MARK, 'run.')}{worker}-{os.getpid()}."
    reaper = Path(__file__).with_name("reaper.py")
    _reapers.append(
        # Held open by this process alone, its standard input ends when this process does.
        subprocess.Popen(
            [sys.executable, "-S", str(reaper), f"{MARK}={mark}"], stdin=subprocess.PIPE, start_new_session=True
        )
    )


def dismiss_reaper() -> None:
    """Let the reaper end: it kills what is left, and nothing should be."""
    while _reapers:
        reaper = _reapers.pop()
        assert reaper.stdin
        reaper.stdin.close()
        reaper.wait()


def forget_server_settings() -> None:
    """Take the settings of a server out of this process's environment."""
    for name in list(os.environ):
        if name in SERVER_VARIABLES or name.startswith(SERVER_PREFIXES):
            del os.environ[name]


def minimal_environ() -> dict[str, str]:
    """Return an environment for a server: program path, home, language, our mark, coverage's variables."""
    kept = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "CLASSWAVES_ARCHIVE_URL", MARK}
    return {name: value for name, value in os.environ.items() if name in kept or name.startswith("COVERAGE_")}


def of_session(session_id: int, since: float) -> list[psutil.Process]:
    """Return the living processes of an operating system session.

    :param session_id: the pid of the process that was started with ``start_new_session``
    :param since: seconds since 1970; a process older than this is somebody else's, who got a recycled number
    """
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session_id and process.create_time() >= since - 1 and is_alive(process):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def started_here() -> list[psutil.Process]:
    """Return the living processes that this process has started, also those that left its tree; not the reaper."""
    spared = {os.getpid(), *(reaper.pid for reaper in _reapers)}
    children = {process.pid for process in psutil.Process().children(recursive=True)}
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid in children or process.environ().get(MARK, "").startswith(os.environ[MARK])
            if ours and process.pid not in spared and is_alive(process):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def describe(process: psutil.Process) -> str:
    """Return a process as a line for a failure."""
    try:
        return f"{process.pid}: {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid}: gone"


def left_behind(grace: float) -> list[str]:
    """Return, and kill, what this process has started and what is still there after ``grace`` seconds."""
    deadline = time.monotonic() + grace
    while (left := started_here()) and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [describe(process) for process in left]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return lines


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is there and more than a zombie that nobody has waited for."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
