"""A server run as a child process: started, waited for, killed, paused, started again."""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psutil

from tests.support import processes
from tests.support.ports import free_port
from tests.support.waiting import eventually


class ServerProcess:
    """One server on a port of its own, in an operating system session of its own.

    A subclass says what to start (:meth:`command`) and how to see that it answers (:meth:`is_ready`).
    As a context manager it starts on entry, unless it runs already, and leaves no process and no directory behind.

    :param port: where it listens on 127.0.0.1; a free one is reserved if not given
    :param directory: where it works and logs; a temporary one, removed by :meth:`close`, if not given
    """

    name = "server"
    start_timeout = 60.0
    """Seconds until it has to answer."""

    def __init__(self, port: int | None = None, directory: Path | None = None) -> None:
        self.port = port or free_port()
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"classwaves-{self.name}-"))
        self.log_path = self.directory / f"{self.name}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def command(self) -> list[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Ask the server once, quickly."""
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        """Return the whole environment that it runs in."""
        return processes.minimal_environ()

    def working_directory(self) -> Path:
        """Return where it is started."""
        return self.directory

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What was started last.

        :raises RuntimeError: when nothing was
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process

    @property
    def pid(self) -> int:
        """The pid of what was started last; it names the session of all its descendants."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process itself (not only a descendant) is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self, wait: bool = True) -> None:
        """Start it, on the same port and in the same directory as before; the log goes on.

        :param wait: until it answers
        :raises AssertionError: with the end of the log, when it exits or does not answer in time
        """
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._started_at = time.time()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.working_directory(),
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until it answers, ``start_timeout`` seconds if not told otherwise.

        :raises AssertionError: with the end of the log, when it exits or does not answer in time
        """

        def answers() -> bool:
            return not self.running or self.is_ready()

        try:
            eventually(answers, timeout or self.start_timeout, f"an answer of {self.name}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None
        if not self.running:
            raise AssertionError(f"{self.name} exited with {self.process.returncode}\n{self.log_tail()}")

    def members(self) -> list[psutil.Process]:
        """Return its living processes, also those whose parent has died."""
        return processes.of_session(self.pid, self._started_at) if self._process else []

    def kill(self) -> None:
        """Kill everything it consists of with -9, at once, as a power cut would."""
        if self._process is None:
            return
        # One who is just being forked escapes a single look.
        while members := self.members():
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            self._process.poll()
            psutil.wait_procs(members, timeout=0.2)
        self._process.wait()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM to the process that was started), without waiting."""
        if self.running:
            self.process.terminate()

    def wait(self, timeout: float = 30) -> int:
        """Wait for its own end and return the exit code.

        :raises AssertionError: with the end of the log, when it has not ended in time
        """
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout:g} s\n{self.log_tail()}") from None

    def stop(self, timeout: float = 30) -> int:
        """End it in an orderly way and return the exit code. Whatever is left of it is killed.

        :raises AssertionError: with the end of the log, when it has not ended in time
        """
        self.resume()
        self.terminate()
        try:
            return self.wait(timeout)
        finally:
            self.kill()

    def pause(self) -> None:
        """Freeze all its processes (SIGSTOP): connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let frozen processes go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """Return everything it has written, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of the log, for a failure."""
        return f"--- end of {self.log_path.name} ---\n" + "\n".join(self.log().splitlines()[-lines:])

    def close(self) -> None:
        """Kill what is left and remove a temporary directory. May be called again."""
        self.kill()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            if not self.running:
                self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal(self, number: signal.Signals) -> None:
        for member in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, number)


class HttpServerProcess(ServerProcess):
    """One that says by ``/healthz`` when it serves."""

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Ask ``/healthz`` once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
