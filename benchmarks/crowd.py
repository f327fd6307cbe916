"""Who is in which room: tokens made ahead of time, connections made together, and a watch over the idle ones."""

import http.client
import json
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.servers import Measured
from benchmarks.wire import Broken, Client

PATIENCE = 60
"""Seconds for one batch of clients to come in."""


@dataclass
class Room:
    """A room, the tokens of those who will be in it, and those who are."""

    code: str
    tokens: list[str]
    clients: list[Client] = field(default_factory=list)


def make_rooms(server: Measured, count: int, size: int, prefix: str = "ROOM") -> list[Room]:
    """Return rooms whose tokens are ready: guests of sessions that are started, or nobody in particular."""
    if not server.contract:
        return [Room(f"{prefix}{number}", [""] * size) for number in range(count)]
    with _api(server.port) as call:
        teacher = call("/auth/login", {"username": "teacher", "password": "classwaves"})["accessToken"]
        return [_session(call, teacher, f"{prefix} {number}", size) for number in range(count)]


def _session(call: Any, teacher: str, title: str, size: int) -> Room:
    code = call("/sessions", {"title": title}, teacher)["sessionCode"]
    call(f"/sessions/{code}/start", {}, teacher)
    join = f"/sessions/{code}/join"
    return Room(code, [call(join, {"displayName": f"Guest {number}"})["accessToken"] for number in range(size)])


@contextmanager
def _api(port: int) -> Iterator[Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def call(path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request("POST", "/api/v1" + path, json.dumps(body), headers)
        answer = connection.getresponse()
        decoded: dict[str, Any] = json.loads(answer.read())
        if answer.status >= 300:
            raise Broken(f"{path} was answered {answer.status} {decoded}")
        return decoded

    try:
        yield call
    finally:
        connection.close()


class Crowd:
    """All connections to one server, which are closed on exit."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.loop = select.epoll()
        self.clients: dict[int, Client] = {}

    def enter(self, rooms: list[Room], at_once: int = 100) -> None:
        """Bring everybody into the rooms.

        :param at_once: how many connect, authenticate and join at the same time
        """
        seats = [(room, token) for room in rooms for token in room.tokens]
        for start in range(0, len(seats), at_once):
            self._enter(seats[start : start + at_once])

    def _enter(self, seats: list[tuple[Room, str]]) -> None:
        coming = set()
        for room, token in seats:
            client = Client(self.port, room.code, token)
            room.clients.append(client)
            self.clients[client.fileno] = client
            self.loop.register(client.fileno, select.EPOLLIN)
            coming.add(client.fileno)
        deadline = time.monotonic() + PATIENCE
        while coming:
            coming -= {descriptor for descriptor in self.ready(0.5) if self.clients[descriptor].advance()}
            if time.monotonic() > deadline:
                raise Broken(f"{len(coming)} of {len(seats)} clients did not come in")

    def ready(self, seconds: float) -> list[int]:
        """Return the descriptors that can be read, waiting at most so long for one."""
        return [descriptor for descriptor, _ in self.loop.poll(seconds)]

    def settle(self, seconds: float) -> None:
        """Read what still comes, and answer pings, for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for descriptor in self.ready(left):
                self.clients[descriptor].read()

    def close(self) -> None:
        """Close all connections."""
        for client in self.clients.values():
            client.socket.close()
        self.loop.close()
