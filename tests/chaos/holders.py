"""Clients by hand for the chaos test: :class:`ResumingClient`, over WebSocket or polling, with a lesson in mind."""

import contextlib
import json
import select
from collections import deque
from typing import Any, Protocol

import websocket

from tests.chaos.lesson import Knowledge
from tests.support.protocol import PATH, Tcp, http
from tests.support.resuming import ResumingClient
from tests.support.wires import SEPARATOR, Closed

Payload = dict[str, Any]


class PythonClient(Protocol):
    """What a client in this process can do, and tell."""

    name: str
    way: str
    known: Knowledge
    events: list[tuple[str, Any]]
    acks: dict[str, Payload]
    sent: dict[str, str]
    rejected: dict[str, Payload]
    refused: list[Payload]
    faults: list[str]
    stopped: str | None
    connections: int

    @property
    def seq(self) -> int: ...
    @property
    def in_session(self) -> bool: ...
    @property
    def user_id(self) -> str: ...
    @property
    def unacked_ids(self) -> list[str]: ...
    def start(self) -> object: ...
    def do(self, event: str, **fields: Any) -> str: ...
    def leave(self) -> None: ...
    def close(self) -> None: ...


class PollingSocket:
    """Engine.IO over long-polling that behaves as far as :class:`ResumingClient` needs it like a WebSocket.

    A GET is always under way; a POST takes all that is to be sent. Each has a connection of its own.

    :raises ConnectionError: wherever the server says no, or nothing for 5 s once it has begun
    """

    def __init__(self, url: str) -> None:
        self._port = int(url.rsplit(":", 1)[1])
        self._target = f"{PATH}polling"
        self._get: Tcp | None = None
        self._out: deque[str] = deque()
        first = self._request("GET")
        self._packets = deque([first])
        self._target += "&sid=" + json.loads(first[1:])["sid"]

    def _request(self, method: str, body: str | None = None) -> str:
        try:
            answer = http(self._port, method, self._target, body=body)
        except (Closed, AssertionError) as error:
            raise ConnectionError from error
        if answer.status != 200:
            raise ConnectionError(answer.text)
        return answer.text

    def settimeout(self, seconds: float) -> None:
        """It is always about 0.1 s."""

    def send(self, packet: str) -> None:
        """Have a packet sent by the next :meth:`recv`."""
        self._out.append(packet)

    def recv(self) -> str:
        """Return the next packet. :raises WebSocketTimeoutException: there is none for 0.1 s."""
        if not self._packets:
            self._flush()
            self._poll()
        return self._packets.popleft()

    def _flush(self) -> None:
        if packets := list(self._out):
            self._request("POST", SEPARATOR.join(packets))
            for _ in packets:
                self._out.popleft()

    def _poll(self) -> None:
        if self._get is None:
            self._get = Tcp(self._port)
            self._get.ask("GET", self._target, {"Connection": "close"})
        if not select.select([self._get.socket], [], [], 0.1)[0]:
            raise websocket.WebSocketTimeoutException
        try:
            answer = self._get.answer()
        except (Closed, AssertionError) as error:
            raise ConnectionError from error
        self._get.drop()
        self._get = None
        if answer.status != 200:
            raise ConnectionError(answer.text)
        self._packets.extend(answer.text.split(SEPARATOR))

    def shutdown(self) -> None:
        """Say what is still to be said, and let go."""
        with contextlib.suppress(OSError):
            self._flush()
        if self._get:
            self._get.drop()
            self._get = None


class ChaosClient(ResumingClient):
    """A resuming client that notes also when it connected, joined and read the history, and learns what it can do."""

    def __init__(self, name: str, url: str, token: str, code: str, way: str) -> None:
        super().__init__([url], token, code)
        self.name = name
        self.way = f"Python by hand, {way}"
        self.known = Knowledge()
        self.sent: dict[str, str] = {}
        self._polling = way == "polling"
        self._noted = 0

    @property
    def unacked_ids(self) -> list[str]:
        with self._lock:
            return list(self._outbox)

    def do(self, event: str, **fields: Any) -> str:
        with self._lock:
            name = super().do(event, **fields)
            self.sent[name] = event
        return name

    def leave(self) -> None:
        """End the connection as the protocol says."""
        with contextlib.suppress(Exception), self._lock:
            self._write("1")
        self.stop()

    def _open(self) -> Any:
        return PollingSocket(self._url) if self._polling else super()._open()

    def _join(self) -> None:
        if self.connections != self._noted:
            self._noted = self.connections
            self.events.append(("connect", {}))
        self.events.append(("join", {}))
        super()._join()

    def _on_event(self, name: str, data: Any) -> None:
        self.known.take(name, data)
        super()._on_event(name, data)

    def _start_again(self) -> None:
        super()._start_again()
        self.events.append(("history", {"messages": list(self.held.values())}))
        # some of it may come again as it was sent
        self.held = {seq: {key: one[key] for key in one if key != "reactions"} for seq, one in self.held.items()}
