"""Where a room of a test is: an application in this process, or a real server. Both offer the same.

Imports backstage, clock, inbox and state.
"""

from __future__ import annotations

from typing import Any, Protocol

from flask import Flask
from werkzeug.test import Client

from .backstage import Backstage, Local
from .clock import RoomClock
from .inbox import Received


class Wire(Protocol):
    """One socket of a person. Making it connects it."""

    @property
    def connected(self) -> bool: ...

    def ask(self, event: str, *args: Any) -> Any:
        """Send an event and return its ack."""

    def take(self) -> list[Received]:
        """What has come since the last call."""

    def close(self) -> None:
        """End the connection without leaving the session."""


class Stage(Protocol):
    """Where the classroom is."""

    backstage: Backstage
    #: How long what is on its way may take, in seconds of the machine.
    patience: float
    #: Whether what was sent may be on its way when an ack has come.
    remote: bool

    @property
    def clock(self) -> RoomClock:
        """:raises RuntimeError: it goes by the machine's time."""

    def wire(self, token: str) -> Wire: ...

    def rest(self, token: str) -> Client:
        """A client of the HTTP side that shows this token."""

    def settle(self) -> None:
        """Wait for what the server does by itself and is to do now."""

    def wait(self, seconds: float) -> None:
        """Let time pass: the clock's, or the machine's."""


class MemoryStage:
    """An application in this process, over the test clients of Flask and Flask-SocketIO.

    Its store is in memory, so what an event causes has been delivered when it is acked.
    """

    patience = 2.0
    remote = False

    def __init__(self, app: Flask) -> None:
        self.app = app
        local = Local(app)
        self.backstage: Backstage = local
        state = local.state
        if state.settings.store_kind != "memory":
            raise RuntimeError(
                "the fixture classroom needs a store in memory: make the app of your tests without REDIS_URL, "
                "or mark the test with @pytest.mark.classwaves_server"
            )
        local.forget_rates()
        self._clock = RoomClock(state.hub.clock, state.hub.scheduler)
        state.hub.scheduler.after(0, lambda: None)  # it may have rested since another test

    @property
    def clock(self) -> RoomClock:
        return self._clock

    def wire(self, token: str) -> Wire:
        return MemoryWire(self.app, token, self.backstage.namespace())

    def rest(self, token: str) -> Client:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def settle(self) -> None:
        self._clock.settle()

    def wait(self, seconds: float) -> None:
        self._clock.advance(seconds)


class MemoryWire:
    """A :class:`Wire` by the Flask-SocketIO test client."""

    def __init__(self, app: Flask, token: str, namespace: str) -> None:
        self._namespace = namespace
        sockets = app.extensions["classwaves"].socketio
        self._client = sockets.test_client(app, namespace=namespace, auth={"token": token})

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected(self._namespace))

    def ask(self, event: str, *args: Any) -> Any:
        return self._client.emit(event, *args, callback=True, namespace=self._namespace)

    def take(self) -> list[Received]:
        taken = []
        while self._client.queue:  # get_received() may lose what a thread adds at that moment
            packet = self._client.queue.pop(0)
            args = packet["args"] if isinstance(packet["args"], list) else [packet["args"]]
            taken.append(Received(packet["name"], args[0] if len(args) == 1 else tuple(args)))
        return taken

    def close(self) -> None:
        self._client.disconnect(self._namespace)
