"""``classwaves.client`` for the chaos test, with threads and with asyncio: all that is hard is left to it.

What these testify is what it told them: what it held back for having come before is not in it.
"""

import threading
from typing import Any

from classwaves.client import ClassWavesError
from tests.chaos.lesson import Knowledge
from tests.support.python_clients import AnyClient, AnyRoom

Payload = dict[str, Any]

WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}


class PackageClient:
    """Does what :class:`tests.chaos.holders.ChaosClient` does, and tells the same.

    :param kind: ``threads`` or ``asyncio``
    """

    def __init__(self, name: str, url: str, token: str, code: str, way: str, kind: str) -> None:
        self.name = name
        self.way = f"classwaves.client with {kind}, {way}"
        self.known = Knowledge()
        self.events: list[tuple[str, Any]] = []
        self.acks: dict[str, Payload] = {}
        self.sent: dict[str, str] = {}
        self.rejected: dict[str, Payload] = {}
        self.refused: list[Payload] = []
        self.faults: list[str] = []
        self.stopped: str | None = None
        self.user_id = ""
        self.connections = 0
        self._code = code
        self._unacked: dict[str, None] = {}
        self._missed: list[Payload] = []
        self._loading = True
        self._over = threading.Event()
        self._client = AnyClient(kind, lambda made: made(url, token, transports=WAYS[way]))
        self._client.on("*")(self._on_connection)
        self._room: AnyRoom | None = None
        self._reader = threading.Thread(target=self._read, name="package-client", daemon=True)

    # what the test does and asks

    def start(self) -> None:
        self._reader.start()

    @property
    def in_session(self) -> bool:
        return self._room is not None and self._room.room._session.joined and not self._loading

    @property
    def seq(self) -> int:
        return int(self._room.room._session.seq) if self._room else 0

    @property
    def unacked_ids(self) -> list[str]:
        return list(self._unacked)

    def __repr__(self) -> str:
        return f"{self.name}: {self.way}, {self._client.client._core.state}, {self._loading=}"

    def do(self, event: str, **fields: Any) -> str:
        name = f"{self.name} {len(self.sent)}"
        self.sent[name] = event
        self._unacked[name] = None
        threading.Thread(target=self._send, args=(name, event, fields), name="package-send", daemon=True).start()
        return name

    def leave(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._client.close()

    def close(self) -> None:
        self.leave()
        self._reader.join(10)

    # what it does

    def _send(self, name: str, event: str, fields: Payload) -> None:
        assert self._room
        while not self._over.is_set():
            try:
                self.acks[name] = self._room.call(event, fields, timeout=30, client_message_id=name)
            except ClassWavesError as error:
                if error.retryable:
                    continue  # the same under the same id, as its docs say
                self.rejected[name] = {"code": error.code, "message": error.message, "details": error.details}
            del self._unacked[name]
            return

    def _on_connection(self, event: Any) -> None:
        if event.name == "connectionReady":
            self.connections += 1
        elif event.name == "error":
            self.refused.append(event.data)

    def _read(self) -> None:
        """Join, and note what happens, until it is over."""
        try:
            self._room = room = self._client.connect().join(self._code)
            self._start(room.snapshot)
            while not self._over.is_set():
                for event in room.events(0.5):
                    self._take(event.name, event.data, event.missed)
        except ClassWavesError as error:
            if not self._over.is_set():
                self.stopped = str(error)

    def _start(self, data: Payload) -> None:
        self._loading = True
        self.user_id = data["self"]["userId"]
        self.known.take("sessionJoined", data)
        self.events.append(("sessionJoined", {**data, "recovered": False, "missed": []}))
        assert self._room
        self.events.append(("history", {"messages": self._room.messages()}))
        self._loading = False

    def _take(self, name: str, data: Payload, missed: bool) -> None:
        if name == "snapshot":
            self._start(data)
            return
        if name == "resumed":
            self.known.take("sessionJoined", data)
            self.events.append(("sessionJoined", {**data, "recovered": True, "missed": self._missed}))
            self._missed = []
            return
        self.known.take(name, data)
        if missed:
            self._missed.append({"event": name, "data": data})
        else:
            self.events.append((name, data))
