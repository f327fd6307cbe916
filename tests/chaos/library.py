"""Clients of ``classwaves.client`` for the chaos test, with threads and with asyncio: all that is hard is left to it.

What they testify is what it told them: nothing is sorted, left out or repeated here.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from classwaves.client import AsyncClient, AsyncRoom, ClassWavesError, Client, Event, Room
from tests.chaos.lesson import Knowledge
from tests.support.python_clients import Loop

Payload = dict[str, Any]

WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
QUEUE = 1000
"""How many events may wait for each reader: so few that some fall behind in a bad moment, and start again."""
AT_ONCE = 3
"""Threads of one client that ask for something."""
PATIENCE = 30.0


class LibraryClient(ABC):
    """Does what :class:`tests.chaos.holders.ChaosClient` does, and tells the same."""

    def __init__(self, name: str, url: str, token: str, code: str, way: str) -> None:
        self.name = name
        self.way = f"{type(self).__name__}, {way}"
        self.known = Knowledge()
        self.events: list[tuple[str, Any]] = []
        self.acks: dict[str, Payload] = {}
        self.sent: dict[str, str] = {}
        self.rejected: dict[str, Payload] = {}
        self.refused: list[Payload] = []  # it does not tell of what it repeats
        self.faults: list[str] = []
        self.stopped: str | None = None
        self.connections = 0
        self.seq = 0
        self.user_id = ""
        self._url, self._token, self._code = url, token, code
        self._how: Payload = {"transports": WAYS[way], "queue": QUEUE}
        self._reading = self._closing = False

    # what the test does and asks

    @abstractmethod
    def start(self) -> None: ...
    @abstractmethod
    def leave(self) -> None: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    def _begin(self, name: str, event: str, fields: Payload) -> None: ...

    @property
    def in_session(self) -> bool:
        return self._reading

    @property
    def unacked_ids(self) -> list[str]:
        return [name for name in self.sent if name not in self.acks and name not in self.rejected]

    def __repr__(self) -> str:
        return f"{self.name}: {self.way}, {self.connections} connections, {self.stopped=} {self.faults=}"

    def do(self, event: str, **fields: Any) -> str:
        name = f"{self.name} {len(self.sent)}"
        self.sent[name] = event
        self._begin(name, event, fields)
        return name

    # what it is told

    def _connected(self, _: Event[Any, Any]) -> None:
        self.connections += 1

    def _take(self, name: str, data: Mapping[str, Any]) -> bool:
        """Note an event; true if the messages are to be read anew."""
        again = name == "snapshot"
        if again or name == "resumed":
            name, data = "sessionJoined", {**data, "recovered": not again}
            self.user_id = data["self"]["userId"]
            self.seq = data["seq"]
        self.events.append((name, data))
        self.known.take(name, dict(data))
        self.seq = max(self.seq, data.get("seq", 0))
        self._reading = not again
        return again

    def _read(self, messages: list[Any]) -> None:
        self.events.append(("history", {"messages": messages}))
        self._reading = True

    def _answered(self, name: str, answer: Any) -> None:
        if isinstance(answer, ClassWavesError):
            self.rejected[name] = {"code": answer.code, "message": answer.message, "details": answer.details}
        else:
            self.acks[name] = answer

    def _failed(self, error: Exception) -> None:
        if not self._closing:
            self.stopped = repr(error)


class Threads(LibraryClient):
    """With threads: one reads, some ask."""

    def __init__(self, *who: Any) -> None:
        super().__init__(*who)
        self._client = Client(self._url, self._token, **self._how)
        self._client.on("connectionReady")(self._connected)
        self._room: Room = self._client.room(self._code)
        self._thread = threading.Thread(target=self._run, name="library-client", daemon=True)
        self._askers = ThreadPoolExecutor(AT_ONCE, "library-asker")

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        self._closing = True
        self._client.close()

    def close(self) -> None:
        self.leave()
        self._thread.join(PATIENCE)
        self._askers.shutdown()

    def _begin(self, name: str, event: str, fields: Payload) -> None:
        self._askers.submit(self._ask, name, event, fields)

    def _ask(self, name: str, event: str, fields: Payload) -> None:
        try:
            self._answered(name, self._room.call(event, fields, timeout=None, client_message_id=name))
        except ClassWavesError as error:
            self._answered(name, error)

    def _run(self) -> None:
        try:
            self._client.connect()
            if self._take("snapshot", self._room.join().snapshot):
                self._read(self._room.messages())
            for event in self._room.events():
                if self._take(event.name, event.data):
                    self._read(self._room.messages())
        except Exception as error:
            self._failed(error)


class Asyncio(LibraryClient):
    """With asyncio.

    :param loop: all clients may share one.
    """

    def __init__(self, loop: Loop, *who: Any) -> None:
        super().__init__(*who)
        self._loop = loop
        self._client: AsyncClient | None = None
        self._room: AsyncRoom | None = None
        self._running: Future[None] | None = None

    def start(self) -> None:
        self._running = self._loop.begin(self._run())

    def leave(self) -> None:
        self._closing = True
        if self._client:
            self._loop.begin(self._client.close())

    def close(self) -> None:
        self.leave()
        if self._running:
            self._running.result(PATIENCE)

    def _begin(self, name: str, event: str, fields: Payload) -> None:
        self._loop.begin(self._ask(name, event, fields))

    async def _ask(self, name: str, event: str, fields: Payload) -> None:
        assert self._room
        try:
            self._answered(name, await self._room.call(event, fields, timeout=None, client_message_id=name))
        except ClassWavesError as error:
            self._answered(name, error)

    async def _run(self) -> None:
        self._client = client = AsyncClient(self._url, self._token, **self._how)
        client.on("connectionReady")(self._connected)
        try:
            await client.connect()
            self._room = room = await client.join(self._code)
            if self._take("snapshot", room.snapshot):
                self._read(await room.messages())
            async for event in room.events():
                if self._take(event.name, event.data):
                    self._read(await room.messages())
        except Exception as error:
            self._failed(error)
