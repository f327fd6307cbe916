"""A worker, its Redis and its clients, and what they use while something steady goes on."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from benchmarks.crowd import Crowd, Room, make_rooms
from benchmarks.fleet import TEXT
from benchmarks.servers import Ours
from benchmarks.wire import Broken, event
from classwaves.models import Draft, new_id
from classwaves.store import Store
from tests.support.redis_server import RedisServer

NOTHING = "1000000/minute"
LIMITS = {
    "CLASSWAVES_ARCHIVE_URL": "none",
    "CLASSWAVES_RATELIMIT_ENABLED": "1",  # counted, as in a school, but for what all clients of one address share
    **{f"CLASSWAVES_{name}_RATE": NOTHING for name in ("LOGIN", "LOGIN_NAME", "GUEST", "READ")},
}

Use = dict[str, float]
"""What was used in some time: ``worker`` and ``redis`` in seconds of CPU, ``commands``, ``in`` and ``out`` (bytes)."""


class Scene:
    """A worker, or several, on one core, its Redis and its clients; ``idle``: what a second costs without any."""

    def __init__(self, core: int, **env: str) -> None:
        self.redis = RedisServer()
        self.redis.start()
        self.client = redis.Redis.from_url(self.redis.url)
        self.server = Ours(core, self.redis.url)
        self.server.env |= LIMITS | env
        self.server.start()
        self.crowd = Crowd(self.server.port)
        self._own: Use = {}
        first = self._read()
        second = self._read()
        self._own = {name: second[name] - first[name] for name in ("redis", "commands", "in", "out")}

    def close(self) -> None:
        """End all of it."""
        self.server.close()
        self.crowd.close()
        self.client.close()
        self.redis.close()

    def rooms(self, count: int, size: int) -> list[Room]:
        """Bring guests into new sessions, 30 at a time."""
        rooms = make_rooms(self.server, count, size)
        self.crowd.enter(rooms, at_once=30)
        return rooms

    def memory(self) -> tuple[float, float]:
        """Return the bytes of all processes of the server, and of Redis's data."""
        return sum(self.server.resident()), float(self.client.info("memory")["used_memory"])

    def _read(self) -> Use:
        cpu, stats = self.client.info("cpu"), self.client.info("stats")
        return {
            "worker": self.server.cpu(),
            "redis": cpu["used_cpu_user"] + cpu["used_cpu_sys"],
            "commands": stats["total_commands_processed"],
            "in": stats["total_net_input_bytes"],
            "out": stats["total_net_output_bytes"],
            "seconds": time.perf_counter(),
        }

    def used(self, act: Callable[[], object]) -> Use:
        """Do something and return what it used, less what it takes to ask."""
        before = self._read()
        act()
        return {name: value - before[name] - self._own.get(name, 0) for name, value in self._read().items()}

    def steadily(self, rate: float, seconds: float, *acts: Callable[[], object], period: int = 1) -> int:
        """Do things in turn, so many a second, while the clients read, and return how many.

        :param period: the second one comes once in so many times
        """
        start, count = time.perf_counter(), 0
        while count < rate * seconds:
            acts[0 if len(acts) == 1 or count % period else 1]()
            count += 1
            self.read_for(max(0.0, start + count / rate - time.perf_counter()))
        return count

    def read_for(self, seconds: float) -> None:
        """Let the clients read and count what is delivered."""
        deadline = time.perf_counter() + seconds
        while True:
            for descriptor in self.crowd.ready(max(0.0, deadline - time.perf_counter())):
                self.crowd.clients[descriptor].deliveries()
            if time.perf_counter() >= deadline:
                return

    def expect(self, deliveries: int) -> None:
        """Wait for the last deliveries. :raises Broken: they are not as many."""
        deadline = time.monotonic() + 10
        while (come := self.delivered) < deliveries and time.monotonic() < deadline:
            self.read_for(0.1)
        if come != deliveries:
            raise Broken(f"{come} of {deliveries} deliveries came")

    @property
    def delivered(self) -> int:
        """How many messages have come to all clients."""
        return sum(client.received for client in self.crowd.clients.values())


@contextmanager
def scene(core: int, **env: str) -> Iterator[Scene]:
    """Open a scene for the time of the block."""
    opened = Scene(core, **env)
    try:
        yield opened
    finally:
        opened.close()


def talk(rooms: list[Room]) -> Callable[[], object]:
    """Return what lets the next participant say something: of each room in turn, the first, then the second ..."""
    speakers = [(room, room.clients[place]) for place in range(len(rooms[0].clients)) for room in rooms]
    letters = {room.code: event("sendMessage", {"sessionCode": room.code, "message": TEXT}) for room in rooms}
    turns = itertools.cycle(speakers)

    def say() -> None:
        room, client = next(turns)
        client.send(letters[room.code])

    return say


def stir(rooms: list[Room]) -> Callable[[], object]:
    """Return what changes the status of the next participant."""
    turns = itertools.cycle(
        (room, client, status) for status in ("idle", "active") for room in rooms for client in room.clients
    )

    def change() -> None:
        room, client, status = next(turns)
        client.send(event("updatePresence", {"sessionCode": room.code, "status": status}))

    return change


def appender(store: Store, session_ids: list[str]) -> Callable[[], object]:
    """Return what appends a message to the next of these sessions, as another worker does."""
    turns, numbers = itertools.cycle(session_ids), itertools.count()
    data = {"userId": new_id(), "displayName": "Somebody", "message": TEXT, "type": "text"}
    message = Draft("messageReceived", data, data["userId"], id_field="messageId")
    fences = {f"user:{data['userId']}": 0, "group:nobody": 0}
    return lambda: store.append(next(turns), [message], dedupe=f"-{new_id()}-{next(numbers)}", fences=fences)
