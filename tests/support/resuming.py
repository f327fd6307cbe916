"""A participant who holds on: a client that resumes and repeats as the contract asks front ends to."""

import contextlib
import itertools
import json
import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

import websocket

from tests.support.clients import Api
from tests.support.waiting import eventually

PATIENCE = 20.0
"""Seconds that an ack may take before the client counts itself as hanging."""

Message = dict[str, Any]


class _Lost(Exception):
    """The connection is of no use any more; the client comes back with its backoff."""


class _Final(Exception):
    """There is no point in coming back; the code says why."""


class ResumingClient:
    """One tab of a user in one session, in a thread of its own from :meth:`start` to :meth:`close`.

    It remembers the highest ``seq`` seen in an event or in ``sessionJoined``, resumes from there after every loss of
    the connection, applies ``missed``, or starts again from snapshot and history where the server says so. Messages
    carry a ``clientMessageId`` and are repeated with it until they are acked. What the server does and the contract
    forbids is collected in :attr:`faults`.

    :param urls: of the servers; after each loss the next one is tried
    :param seed: of the jitter in its backoff
    """

    def __init__(self, urls: Sequence[str], token: str, code: str, *, seed: int = 0) -> None:
        self.token = token
        self.code = code
        self.held: dict[int, Message] = {}
        """What a user would see: the messages by ``seq``, in the order in which they came."""
        self.seq = 0
        self.epoch: str | None = None
        self.acks: dict[str, dict[str, Any]] = {}
        """Of messages that were stored, by ``clientMessageId``."""
        self.refused: list[dict[str, Any]] = []
        """Errors of acks that said "not now"; those messages were repeated."""
        self.rejected: dict[str, dict[str, Any]] = {}
        """Errors of acks that said "no", by ``clientMessageId``."""
        self.events: list[tuple[str, Any]] = []
        """Everything that came, also of connections that are gone."""
        self.snapshots: list[dict[str, Any]] = []
        """Each ``sessionJoined``."""
        self.connections = 0
        self.stopped: str | None = None
        """The error code that ended it for good."""
        self.faults: list[str] = []
        self._urls = itertools.cycle(urls)
        self._random = random.Random(seed)
        self._lock = threading.RLock()
        self._outbox: dict[str, tuple[str, Message]] = {}  # by clientMessageId
        self._waiting: dict[int, tuple[str, float]] = {}  # number of an ack -> what for, since when
        self._due: dict[str, float] = {}  # what to repeat, and when
        self._numbers = itertools.count(1)
        self._names = itertools.count(1)
        self._socket: Any = None  # a websocket.WebSocket, which is half typed
        self._url = ""
        self._joined = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resuming-client", daemon=True)

    # what a test does and asks

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Begin to end, without waiting for it."""
        self._closing.set()

    def close(self) -> None:
        """End the connection and the thread. May be called again."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def in_session(self) -> bool:
        return self._joined

    @property
    def user_id(self) -> str:
        """Who it is; known once it has been in the session."""
        found: str = self.snapshots[0]["self"]["userId"]
        return found

    @property
    def unacked(self) -> int:
        return len(self._outbox)

    @property
    def messages(self) -> list[Message]:
        with self._lock:
            return list(self.held.values())

    def say(self, text: str) -> str:
        """Send a message, now or when it can be, and return its ``clientMessageId``."""
        return self.do("sendMessage", message=text)

    def do(self, event: str, **fields: Any) -> str:
        """Send an event that stores something, now or when it can be, and return its ``clientMessageId``."""
        with self._lock:
            name = f"m{next(self._names)}"
            self._outbox[name] = event, fields
            if self._joined:
                with contextlib.suppress(OSError, websocket.WebSocketException):  # the reader will notice
                    self._transmit(name)
        return name

    def cut(self) -> None:
        """Lose the connection."""
        with self._lock:
            if self._socket:
                self._socket.shutdown()

    # its thread

    def _run(self) -> None:
        backoff = 0.05
        while not self._closing.is_set():
            try:
                self._converse()
            except _Final as error:
                self.stopped = str(error)
                return
            except (_Lost, OSError, websocket.WebSocketException):
                pass
            except Exception as error:  # a test must not wait for a thread that has died
                self.faults.append(f"the client failed: {error!r}")
                self.stopped = "failed"
                raise
            finally:
                backoff = 0.05 if self._joined else min(backoff * 2, 1.0)
                self._drop()
            self._closing.wait(backoff * self._random.uniform(0.5, 1.5))

    def _drop(self) -> None:
        with self._lock:
            wire, self._socket, self._joined = self._socket, None, False
            self._waiting.clear()
            self._due.clear()
        if wire:
            wire.shutdown()

    def _converse(self) -> None:
        self._url = next(self._urls)
        wire = self._open()
        with self._lock:
            self._socket = wire
        wire.settimeout(0.1)
        while not self._closing.is_set():
            try:
                packet = wire.recv()
            except websocket.WebSocketTimeoutException:
                packet = "6"
            if not packet:
                raise _Lost
            assert isinstance(packet, str)
            with self._lock:
                self._on_packet(packet)
                self._repeat_what_is_due()

    def _open(self) -> Any:
        """Connect; what is returned behaves as a ``websocket.WebSocket``."""
        wire: Any = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=True)
        wire.connect(
            self._url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket",
            timeout=5,
            suppress_origin=True,
        )
        return wire

    def _on_packet(self, packet: str) -> None:
        kind = packet[:2] if packet[0] == "4" else packet[0]
        match kind:
            case "0":
                self._write("40" + json.dumps({"token": self.token}))
            case "1":
                raise _Lost
            case "2":
                self._write("3")
            case "40":
                self.connections += 1
                self._join()
            case "41":
                raise _Final(self._last_error() or "disconnected")
            case "42":
                self._on_event(*json.loads(packet[2:]))
            case "43":
                start = packet.index("[")
                self._on_ack(int(packet[2:start]), json.loads(packet[start:])[0])
            case "44":
                raise _Final(json.loads(packet[2:])["data"]["code"])

    def _last_error(self) -> str | None:
        return next((data["code"] for name, data in reversed(self.events) if name == "error"), None)

    def _write(self, packet: str) -> None:
        if self._socket is None:
            raise _Lost
        self._socket.send(packet)

    def _ask(self, what: str, event: str, *args: Any) -> None:
        number = next(self._numbers)
        self._waiting[number] = what, time.monotonic()
        self._write(f"42{number}{json.dumps([event, *args])}")

    def _join(self) -> None:
        resume = [] if self.epoch is None else [{"sinceSeq": self.seq, "epoch": self.epoch}]
        self._ask("join", "joinSession", self.code, *resume)

    def _transmit(self, name: str) -> None:
        event, fields = self._outbox[name]
        self._ask(name, event, {"sessionCode": self.code, "clientMessageId": name, **fields})

    def _repeat_what_is_due(self) -> None:
        now = time.monotonic()
        for what in [what for what, moment in self._due.items() if moment <= now]:
            del self._due[what]
            if what == "join":
                self._join()
            elif what in self._outbox:
                self._transmit(what)
        for what, since in self._waiting.values():
            if now - since > PATIENCE:
                self.faults.append(f"no ack of {what} within {PATIENCE} s")
                raise _Lost

    def _on_ack(self, number: int, ack: dict[str, Any]) -> None:
        if number not in self._waiting:
            self.faults.append(f"an ack that nobody waits for: {number} {ack}")
            return
        what, _ = self._waiting.pop(number)
        if ack["ok"] and what != "join":
            del self._outbox[what]
            self.acks[what] = ack
        elif not ack["ok"]:
            self._on_refusal(what, ack["error"])

    def _on_refusal(self, what: str, error: dict[str, Any]) -> None:
        self.refused.append(error)
        if error["code"] in ("SERVICE_UNAVAILABLE", "RATE_LIMIT", "INTERNAL_ERROR"):
            self._due[what] = time.monotonic() + min(error.get("retryAfterMs", 200), 1000) / 1000
        elif what == "join":
            raise _Final(error["code"])
        else:
            del self._outbox[what]
            self.rejected[what] = error

    # what the session says

    def _on_event(self, name: str, data: Any) -> None:
        self.events.append((name, data))
        if name == "sessionLeft":  # not asked for: the session is gone, or will say why it does not let us in
            self._joined = False
            self._join()
        if name == "sessionJoined":
            self._on_joined(data)
        elif "seq" in data:
            self._on_durable(name, data)

    def _on_durable(self, name: str, data: dict[str, Any]) -> None:
        if not self.snapshots:
            self.faults.append(f"{name} before sessionJoined: {data}")
        if data["seq"] <= self.seq:
            self.faults.append(f"{name} {data['seq']} after {self.seq}")
        self.seq = data["seq"]
        if name == "messageReceived":
            if self.held.get(self.seq, data) != data:
                self.faults.append(f"{data} was {self.held[self.seq]} before")
            self.held[self.seq] = data

    def _on_joined(self, data: dict[str, Any]) -> None:
        self.snapshots.append(data)
        if data["recovered"]:
            if data["epoch"] != self.epoch:
                self.faults.append(f"recovered from {self.epoch} into {data['epoch']}")
            for item in data["missed"]:
                self._on_durable(item["event"], item["data"])
            if data["seq"] < self.seq:
                self.faults.append(f"recovered to {data['seq']}, behind {self.seq}")
        else:
            self._start_again()
        self.seq, self.epoch = data["seq"], data["epoch"]
        if not self._joined:
            self._joined = True
            for name in self._outbox:
                self._transmit(name)

    def _start_again(self) -> None:
        self.epoch = None  # nothing to resume from until the history is here
        try:
            history = Api(self._url).messages(self.token, self.code)
        except (OSError, AssertionError) as error:
            raise _Lost from error
        self.held = {message["seq"]: message for message in history}


def gathered(clients: Sequence[ResumingClient]) -> None:
    """Wait until all are in the session."""
    eventually(lambda: all(client.in_session for client in clients), 20, "everybody in the session")


def agreed(clients: Sequence[ResumingClient], history: list[Message], timeout: float = 20) -> None:
    """Wait until every client has nothing left to send and holds exactly the history, without a fault on the way."""
    eventually(lambda: not [client.unacked for client in clients if client.unacked], timeout, "everything acked")
    for client in clients:
        eventually(lambda client=client: client.messages == history, timeout, "the same list")  # type: ignore[misc]
        assert client.faults == []
    assert [message["seq"] for message in history] == sorted({message["seq"] for message in history})
