"""Clients of ``clients/js`` in a Node process, which a test leads by the hand; see ``tests/node/rooms.mjs``."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.tools import node
from tests.support.waiting import eventually


class Refused(Exception):
    """What a promise was rejected with; ``code`` and ``details`` are its :class:`ClassWavesError`'s."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['name']}: {error['code']}")
        self.code = str(error["code"])
        self.details = error.get("details")


class Rooms:
    """A Node process with classrooms in it. A context manager, which ends it.

    :param directory: for what Node says of its own
    """

    def __init__(self, directory: Path) -> None:
        self._errors = directory / "rooms.log"
        self._answers: dict[int, dict[str, Any]] = {}
        self._arrived = threading.Condition()
        self._numbers = 0
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [node(), str(ROOT / "tests/node/rooms.mjs")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=minimal_environ(),
                text=True,
            )
        self._reader = threading.Thread(target=self._read, name="rooms", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._arrived:
                self._answers[answer.pop("number")] = answer
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def begin(self, command: str, *args: Any) -> int:
        """Give a command and do not wait; the number is for :meth:`end`."""
        assert self._process.stdin
        self._numbers += 1
        self._process.stdin.write(json.dumps([self._numbers, command, *args]) + "\n")
        self._process.stdin.flush()
        return self._numbers

    def end(self, number: int, timeout: float = 60) -> Any:
        """Wait for what comes of a command. :raises Refused: its promise was rejected."""
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers or self._process.poll() is not None, timeout)
            assert number in self._answers, f"no answer within {timeout:g} s\n{self._errors.read_text()[-3000:]}"
            answer = self._answers.pop(number)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["value"]

    def ask(self, command: str, *args: Any) -> Any:
        return self.end(self.begin(command, *args))

    def room(self, name: str, **given: Any) -> "Room":
        """Make a classroom, which does not connect yet; ``given`` are its options, with ``tokens`` for ``refresh``."""
        self.ask("open", name, given)
        return Room(self, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()


class Room:
    """One ``Classroom``."""

    def __init__(self, rooms: Rooms, name: str) -> None:
        self._rooms = rooms
        self.name = name

    def begin(self, method: str, *args: Any) -> int:
        """Call a method and do not wait."""
        return self._rooms.begin("call", self.name, method, *args)

    def end(self, number: int, timeout: float = 60) -> Any:
        return self._rooms.end(number, timeout)

    def join(self) -> dict[str, Any]:
        snapshot: dict[str, Any] = self.end(self.begin("join"))
        return snapshot

    def send(self, event: str, **payload: Any) -> dict[str, Any]:
        ack: dict[str, Any] = self.end(self.begin("send", event, payload))
        return ack

    def look(self) -> dict[str, Any]:
        """``state``, ``seq``, ``epoch``, ``me``, ``heard`` and how often a token was ``asked`` for."""
        seen: dict[str, Any] = self._rooms.ask("look", self.name)
        return seen

    def heard(self, event: str) -> list[Any]:
        """The payloads of an event, all that have come."""
        return [data for name, data in self.look()["heard"] if name == event]

    def messages(self) -> list[str]:
        return [data["message"] for data in self.heard("messageReceived")]

    def states(self) -> list[str]:
        """The states that it was in, one after the other."""
        return [data["state"] for data in self.heard("state")]

    def until(self, condition: Callable[[dict[str, Any]], object], what: str, timeout: float = 60) -> None:
        """Wait for something that :meth:`look` shows."""
        try:
            eventually(lambda: condition(self.look()), timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.look()}") from None
