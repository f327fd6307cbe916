"""A person's socket to a real server: a client of python-socketio, over WebSocket.

Imports inbox. Needs ``pip install classwaves[testing]``.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import socketio

from .inbox import Received

#: How long a connection and an ack may take, in seconds.
PATIENCE = 10.0


class SocketWire:
    """A :class:`~classwaves.testing.stages.Wire` to a server.

    :param url: of the server.
    :param token: an access token.
    :param namespace: of the classroom.
    """

    def __init__(self, url: str, token: str, namespace: str) -> None:
        self._namespace = namespace
        self._came: deque[Received] = deque()
        self._client = socketio.Client(reconnection=False)
        self._ended = threading.Event()
        self._client.on("*", self._note, namespace=namespace)
        self._client.on("disconnect", lambda *reason: self._ended.set(), namespace=namespace)
        how = {"namespaces": [namespace], "transports": ["websocket"], "wait_timeout": PATIENCE}
        self._client.connect(url, auth={"token": token}, **how)

    def _note(self, event: str, *args: Any) -> None:
        self._came.append(Received(event, args[0] if len(args) == 1 else args))

    @property
    def connected(self) -> bool:
        return bool(self._client.connected) and not self._ended.is_set()

    def ask(self, event: str, *args: Any) -> Any:
        """:raises AssertionError: there was no ack in time."""
        try:
            return self._client.call(event, args, namespace=self._namespace, timeout=PATIENCE)
        except socketio.exceptions.TimeoutError:
            raise AssertionError(f"{event} was not acked within {PATIENCE:g} s") from None

    def take(self) -> list[Received]:
        return [self._came.popleft() for _ in range(len(self._came))]

    def close(self) -> None:
        self._client.disconnect()
        self._ended.wait(PATIENCE)
