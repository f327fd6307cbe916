"""Both clients of ``classwaves.client`` with one face, so that a test is run with each."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Self

from classwaves.client import AsyncClient, Client, Event
from classwaves.client.aio import AsyncRoom
from classwaves.client.sync import Room

KINDS = ("threads", "asyncio")

AnyEvent = Event[str, Any]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        return self.begin(task).result(60)

    def begin(self, task: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(task, self._loop)

    def close(self) -> None:
        """End it as ``asyncio.run`` does: a task of python-engineio's may still wait when its connection has ended."""
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class AnyRoom:
    """A room of either client."""

    def __init__(self, room: Room | AsyncRoom, run: Callable[[Any], Any]) -> None:
        self.room = room
        self._run = run
        self._events: Any = None

    @property
    def snapshot(self) -> Any:
        return self.room.snapshot

    def join(self, *args: Any, **how: Any) -> Self:
        self._run(self.room.join(*args, **how))
        return self

    def leave(self) -> None:
        self._run(self.room.leave())

    def send(self, text: str, **how: Any) -> Any:
        return self._run(self.room.send(text, **how))

    def call(self, event: str, data: Any = None, **how: Any) -> Any:
        return self._run(self.room.call(event, data, **how))

    def messages(self, **how: Any) -> Any:
        return self._run(self.room.messages(**how))

    def on(self, name: str) -> Callable[[Callable[[Any], Any]], Any]:
        def register(handler: Callable[[Any], Any]) -> Any:
            async def later() -> None:
                self.room.on(name)(handler)

            return self.room.on(name)(handler) if isinstance(self.room, Room) else self._run(later())

        return register

    def events(self, timeout: float | None = 0.3) -> Iterator[AnyEvent]:
        found: Any = self.room.events(timeout)
        if isinstance(self.room, Room):
            yield from found
            return
        while (event := self._run(anext(found, None))) is not None:
            yield event

    def next(self, name: str, timeout: float = 20, **fields: Any) -> AnyEvent:
        """The next event of this name with these fields; those before it are read, too."""
        for event in self.events(timeout):
            if event.name == name and event.data.items() >= fields.items():
                return event
        raise AssertionError(f"no {name} with {fields}")

    def texts(self, last: str) -> list[str]:
        """The messages of the events up to one with this text."""
        found: list[str] = []
        for event in self.events(20):
            if event.name == "messageReceived":
                found.append(event.data["message"])
                if found[-1] == last:
                    return found
        raise AssertionError(f"no {last} after {found}")


class AnyClient:
    """A client of either kind."""

    def __init__(self, kind: str, make: Callable[[type[Client] | type[AsyncClient]], Client | AsyncClient]) -> None:
        self.loop = Loop() if kind == "asyncio" else None
        self.client: Any = make(Client if kind == "threads" else AsyncClient)

    def run(self, what: Any) -> Any:
        return self.loop.run(what) if self.loop else what

    def connect(self, timeout: float | None = 20) -> Self:
        self.run(self.client.connect(timeout))
        return self

    def room(self, code: str) -> AnyRoom:
        return AnyRoom(self.client.room(code), self.run)

    def join(self, code: str, *args: Any, **how: Any) -> AnyRoom:
        return AnyRoom(self.run(self.client.join(code, *args, **how)), self.run)

    def close(self) -> None:
        if self.loop:
            self.loop.run(self.client.close())
            self.loop.close()
        else:
            self.client.close()


class Clients:
    """The clients of a test, of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._made: list[AnyClient] = []

    def make(self, make: Callable[[Any], Any]) -> AnyClient:
        client = AnyClient(self.kind, make)
        self._made.append(client)
        return client

    def new(self, url: str, token: str | None = None, **how: Any) -> AnyClient:
        return self.make(lambda kind: kind(url, token, **how))

    def guest(self, url: str, code: str, name: str = "Ann", **how: Any) -> AnyClient:
        """A connected guest."""
        return self.make(lambda kind: kind.guest(url, code, name, **how)).connect()

    def teacher(self, url: str, **how: Any) -> AnyClient:
        """The connected demo teacher."""
        return self.make(lambda kind: kind.login(url, "teacher", "classwaves", **how)).connect()

    def close(self) -> None:
        for client in self._made:
            client.close()
