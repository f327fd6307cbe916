"""A server with a class that chats on it, and what a test does there to see that nobody is harmed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.support.bystanders import Bystanders, Student
from tests.support.debug_app import DebugGunicorn
from tests.support.protocol import Tcp, WebSocket
from tests.support.school import School, open_school
from tests.support.wires import Closed

T = TypeVar("T", bound=Tcp)

MB = 1 << 20
GROWTH = 8 * MB
"""By how much the worker's memory may grow, at its highest."""


@dataclass(frozen=True)
class Scene:
    """Everything that is there before somebody misbehaves."""

    school: School
    server: DebugGunicorn
    bystanders: Bystanders
    _opened: list[Tcp] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.port

    def harmless(self, misdeed: Callable[[], object], growth: int = GROWTH) -> float:
        """Run a misdeed while the class chats, and see that the worker has neither ended nor grown much.

        :return: the 99th percentile of the class's latencies, in seconds
        """
        worker = self.server.worker
        process = Path(f"/proc/{worker}")
        process.joinpath("clear_refs").write_text("5")  # the highest is from now on (Linux, proc(5))
        before = resident(process)
        latency = self.bystanders.meanwhile(misdeed)
        assert self.server.worker == worker, "the worker was replaced"
        grown = resident(process) - before
        assert grown < growth, f"the worker grew by {grown / MB:.1f} MB"
        return latency

    def tcp(self) -> Tcp:
        """Open a connection."""
        return self.keep(Tcp(self.port))

    def stranger(self, headers: dict[str, str] | None = None) -> WebSocket:
        """Open a WebSocket that has not sent CONNECT."""
        return self.keep(WebSocket(self.port, headers=headers))

    def student(self) -> Student:
        """Open a WebSocket of somebody who has logged in and joined a session of its own."""
        return self.keep(Student(self.school, self.school.session(), "Mallory"))

    def somebody(self, who: str) -> WebSocket:
        """:param who: ``stranger`` or ``student``"""
        return self.student() if who == "student" else self.stranger()

    def keep(self, opened: T) -> T:
        """Note a connection, which :meth:`dismiss` drops."""
        self._opened.append(opened)
        return opened

    def dismiss(self) -> None:
        """Drop all connections but the bystanders'."""
        while self._opened:
            self._opened.pop().drop()
        self.school.dismiss()


WHO = ("stranger", "student")


def resident(process: Path) -> int:
    """The highest resident memory of a process, in bytes."""
    status = process.joinpath("status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def open_scene(**env: str) -> Iterator[Scene]:
    """Run a server with a class of bystanders; ``env`` is the server's."""
    with open_school(server=DebugGunicorn, **env) as school, Bystanders(school) as bystanders:
        assert isinstance(school.server, DebugGunicorn)
        bystanders.alone()
        yield Scene(school, school.server, bystanders)


def pour(ws: WebSocket, data: bytes, times: int) -> None:
    """Send the same again and again, as long as the server takes it."""
    with suppress(Closed, TimeoutError):
        for _ in range(times):
            ws.send(data)
