"""The class: real clients on Node and in Python, on each transport, who hold on as the contract asks front ends to."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.holders import ChaosClient, PythonClient
from tests.chaos.lesson import Step
from tests.chaos.library import Asyncio, Threads
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.python_clients import Loop
from tests.support.waiting import eventually

Payload = dict[str, Any]


@dataclass
class Person:
    """Somebody who is to take part.

    :param kind: ``node``, ``insider`` (``clients/js``), ``raw`` (by hand), ``threads`` or ``asyncio``
        (``classwaves.client``)
    :param way: ``websocket``, ``polling`` or ``upgrade``
    """

    name: str
    token: str
    kind: str
    way: str
    plan: list[Step]


@dataclass
class Witness:
    """What one client has seen and done. Beside what the server sent, ``events`` has ``connect``, ``upgrade``,
    ``join`` and ``disconnect`` where the client did that, and ``history`` where it had read the messages over REST."""

    name: str
    way: str
    userId: str
    events: list[tuple[str, Payload]]
    acks: dict[str, Payload]
    """Of what was stored, by ``clientMessageId``."""
    sent: dict[str, str]
    """``clientMessageId`` -> event."""
    rejected: dict[str, Payload]
    """Errors of acks that said "no"."""
    faults: list[str]
    refusals: dict[str, int] = field(default_factory=dict)
    """How often which "not now" was heard."""
    connections: int = 0


@dataclass(frozen=True)
class State:
    """How far a client is: steps of its plan that are left, and what of what it has sent is not acked."""

    name: str
    ready: bool
    left: int
    unacked: list[str]
    seq: int
    more: str = ""
    """What else may explain why it is not ready."""


class Crowd(Protocol):
    """Some of the class, in one process."""

    def talk(self) -> None: ...
    def states(self) -> list[State]: ...
    def witnesses(self) -> list[Witness]: ...
    def leave(self) -> None: ...
    def close(self) -> None: ...


class NodeCrowd:
    """Those of ``tests/node/chaos.mjs``."""

    def __init__(self, node: str, url: str, code: str, people: Sequence[Person], directory: Path) -> None:
        self._testimony = directory / "testimony.jsonl"
        self._errors = directory / "node.log"
        listed = directory / "people.json"
        listed.write_text(
            json.dumps(
                [{"name": p.name, "token": p.token, "kind": p.kind, "way": p.way, "plan": p.plan} for p in people]
            )
        )
        given = {"url": url, "code": code, "people": str(listed), "testimony": str(self._testimony)}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [node, str(ROOT / "tests/node/chaos.mjs"), json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=minimal_environ(),
                text=True,
            )

    def _ask(self, command: str) -> Any:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        assert answer, f"Node has ended: {self._errors.read_text()[-2000:]}"
        return json.loads(answer)

    def talk(self) -> None:
        self._ask("talk")

    def states(self) -> list[State]:
        return [State(**one) for one in self._ask("state")]

    def witnesses(self) -> list[Witness]:
        self._ask("dump")
        with self._testimony.open() as lines:
            return [Witness(**json.loads(line)) for line in lines]

    def leave(self) -> None:
        self._ask("leave")

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()


class PythonCrowd:
    """Clients in this process: each has a thread of its own, and one more acts for all of them."""

    def __init__(self, url: str, code: str, people: Sequence[Person]) -> None:
        self._loop = Loop()
        make: dict[str, Callable[..., PythonClient]] = {
            "raw": ChaosClient,
            "threads": Threads,
            "asyncio": partial(Asyncio, self._loop),
        }
        self._clients = [make[who.kind](who.name, url, who.token, code, who.way) for who in people]
        plans = zip(self._clients, people, strict=True)
        # sorted by time alone: what is planned for the same moment keeps its order
        self._plan = sorted(
            ((step, client) for client, person in plans for step in person.plan), key=lambda item: item[0][0]
        )
        self._left = Counter(client.name for _, client in self._plan)
        self._over = threading.Event()
        self._talker = threading.Thread(target=self._talk, name="talker", daemon=True)
        for client in self._clients:
            client.start()

    def talk(self) -> None:
        self._talker.start()

    def _talk(self) -> None:
        begin = time.monotonic()
        for (at, what, of), client in self._plan:
            if self._over.wait(max(0.0, begin + at / 1000 - time.monotonic())):
                return
            if event := client.known.event(what, of):
                client.do(event[0], **event[1])
            self._left[client.name] -= 1

    def states(self) -> list[State]:
        return [
            State(
                one.name,
                one.in_session,
                self._left[one.name],
                list(one.unacked_ids),
                one.seq,
                "" if one.in_session else repr(one),
            )
            for one in self._clients
        ]

    def witnesses(self) -> list[Witness]:
        return [
            Witness(
                client.name,
                client.way,
                client.user_id,
                list(client.events),
                dict(client.acks),
                dict(client.sent),
                dict(client.rejected),
                [*client.faults, *([f"ended for good: {client.stopped}"] if client.stopped else [])],
                dict(Counter(error["code"] for error in client.refused)),
                client.connections,
            )
            for client in self._clients
        ]

    def leave(self) -> None:
        self._over.set()
        for client in self._clients:
            client.leave()

    def close(self) -> None:
        self._over.set()
        if self._talker.is_alive():
            self._talker.join()
        for client in self._clients:
            client.leave()
        for client in self._clients:
            client.close()
        self._loop.close()


def settled(crowds: Sequence[Crowd], timeout: float) -> None:
    """Wait until everybody is in the session, has said all there was to say, and has it acked."""

    def nobody_waits() -> bool:
        states = [state for crowd in crowds for state in crowd.states()]
        waiting = [state for state in states if not state.ready or state.left or state.unacked]
        assert not waiting, f"{len(waiting)} clients are not done, for example {waiting[:5]}"
        return True

    eventually(nobody_waits, timeout, "everybody is in the session, and everything is acked", pause=0.2)
