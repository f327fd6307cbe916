"""What everybody in the soak shares: the server's address, the lessons that there are, and what has been seen."""

import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event
from typing import Any

from tests.soak.client import PATIENCE, Client, LiveWire, Polling
from tests.support.wires import Closed

API = "/api/v1"
"""Not from where the tests have it: that imports the server, which takes a process a second."""
PASSWORD = "the password of all teachers"
ADDRESSES = 500
"""From so many addresses clients seem to come: limits are kept by address, too."""


@dataclass(eq=False)
class Lesson:
    """A session that somebody teaches.

    :param waiting: whether it has a waiting room
    """

    code: str
    token: str
    waiting: bool
    activity: str = ""
    pupils: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """The ids of who came last."""
    groups: list[str] = field(default_factory=list)
    files: deque[str] = field(default_factory=lambda: deque(maxlen=5))


@dataclass
class Guest:
    """Somebody who may come in."""

    token: str
    user_id: str
    headers: dict[str, str]


class World:
    """The soak of one server.

    :param pause: how long people wait between two things that they do, in seconds, on the average
    """

    def __init__(self, port: int, seed: int, pause: float) -> None:
        self.port = port
        self.chance = random.Random(seed)
        self.pause = pause
        self.over = Event()
        self.lessons: list[Lesson] = []
        self.seen: Counter[str] = Counter()
        """What has happened, to show that it has."""
        self.wrong: Counter[str] = Counter()
        """What must not happen."""

    def moment(self, share: float = 1.0) -> float:
        """A time to wait before the next thing that somebody does. :raises Closed: all is over, and everybody goes."""
        if self.over.is_set():
            raise Closed("all is over")
        return min(self.chance.expovariate(1 / (self.pause * share)), 4 * self.pause)

    def address(self) -> dict[str, str]:
        """The headers of a proxy in front, for a client at any address."""
        number = self.chance.randrange(ADDRESSES)
        return {"X-Forwarded-For": f"198.51.{number // 250}.{number % 250 + 1}"}

    def rest(
        self, method: str, path: str, token: str = "", body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Ask over REST. :raises Closed: the connection was closed instead of an answer."""
        lines = {"Content-Type": "application/json", **(headers or self.address())}
        if token:
            lines["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, API + path, None if body is None else json.dumps(body), lines)
            answer = connection.getresponse()
            data = answer.read()
        except (ConnectionError, HTTPException) as error:
            raise Closed from error
        finally:
            connection.close()
        self.seen[f"http {answer.status}"] += 1
        if answer.status >= 500 and answer.status != 503:  # which a machine that has too much to do may say
            self.wrong[f"{method} {path.split('/')[1]}: {answer.status} {data[:200]!r}"] += 1
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(data or b"null") if is_json else data

    def guest(self, lesson: Lesson) -> Guest:
        """A new guest of a lesson. :raises Closed: which does not take any."""
        headers = self.address()
        status, found = self.rest("POST", f"/sessions/{lesson.code}/join", "", {"displayName": "Gus"}, headers)
        if status != 200:
            raise Closed(status)
        return Guest(found["accessToken"], found["user"]["userId"], headers)

    def connect(self, guest: Guest, transport: str = "", room: int = 0) -> Client:
        """Open a socket, over either transport if not told."""
        transport = transport or self.chance.choice(["polling", *["websocket"] * 6])
        self.seen[transport] += 1
        if transport == "polling":
            return Client(Polling(f"http://127.0.0.1:{self.port}", guest.headers), guest.token, self.over)
        return Client(LiveWire(self.port, guest.headers, room=room), guest.token, self.over)

    def enter(self, lesson: Lesson, guest: Guest, transport: str = "", room: int = 0) -> Client:
        """Open a socket and join. :raises Closed: it is not let in."""
        client = self.connect(guest, transport, room)
        try:
            if client.refusal:
                raise Closed(client.refusal)
            ack = client.ask("joinSession", lesson.code)
            if not ack["ok"]:
                raise Closed(ack["error"]["code"])
        except BaseException:
            client.wire.drop()
            raise
        self.seen["waiting" if ack.get("waiting") else "joined"] += 1
        lesson.pupils.append(guest.user_id)
        return client

    def leave(self, client: Client, lesson: Lesson) -> None:
        """End a visit in one of the ways in which people leave; most of them close the tab."""
        way = self.chance.choice(["left", "closed", "dropped", "dropped", "reset", "half open"])
        self.seen[way] += 1
        wire = client.wire
        if way == "left":
            client.ask("leaveSession", lesson.code)
            wire.close()
        elif way == "closed":
            wire.close()
        elif way == "reset" and isinstance(wire, LiveWire):
            wire.reset()
        elif way == "half open":
            self.over.wait(3 * self.pause)  # the server's pings go unanswered
            wire.drop()
        else:
            wire.drop()
