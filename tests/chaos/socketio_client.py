"""python-socketio's own client for the chaos test: it reconnects by itself, and resumes and repeats on top of that."""

import contextlib
import threading
import time
from typing import Any

import engineio
import socketio

from tests.chaos.lesson import Knowledge
from tests.support.clients import Api
from tests.support.resuming import PATIENCE

Payload = dict[str, Any]

WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}
RETRYABLE = ("SERVICE_UNAVAILABLE", "RATE_LIMIT", "INTERNAL_ERROR")


class OrderlyEngine(engineio.Client):  # type: ignore[misc] # python-engineio has no types
    """Takes messages one after the other; python-engineio starts a thread for each, and they overtake each other."""

    def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        return super()._trigger_event(event, *args, **{**options, "run_async": False})


class OrderlyClient(socketio.Client):  # type: ignore[misc] # python-socketio has no types
    """A client whose handlers are called in the order in which events came."""

    def _engineio_client_class(self) -> type[OrderlyEngine]:
        return OrderlyEngine


class SocketIOClient:
    """Does what :class:`tests.chaos.holders.ChaosClient` does, and tells the same."""

    def __init__(self, name: str, url: str, token: str, code: str, way: str) -> None:
        self.name = name
        self.way = f"python-socketio, {way}"
        self.known = Knowledge()
        self.events: list[tuple[str, Any]] = []
        self.acks: dict[str, Payload] = {}
        self.sent: dict[str, str] = {}
        self.rejected: dict[str, Payload] = {}
        self.refused: list[Payload] = []
        self.faults: list[str] = []
        self.stopped: str | None = None
        self.connections = 0
        self.seq = 0
        self._url, self._token, self._code, self._way = url, token, code, way
        self._epoch: str | None = None
        self._joined = False
        self._user_id = ""
        self._lock = threading.RLock()
        self._outbox: dict[str, tuple[str, Payload]] = {}
        self._due: dict[str, float] = {}  # what to send again if nothing is heard of it until then
        self._closing, self._away = threading.Event(), threading.Event()
        self._away.set()
        self._stranded = 0  # how often it was found so
        self._sio = OrderlyClient(
            reconnection_delay=0.1, reconnection_delay_max=1, handle_sigint=False, request_timeout=5
        )
        self._sio.on("connect", self._on_connect)
        self._sio.on("disconnect", self._on_disconnect)
        self._sio.on("*", self._on_event)
        self._thread = threading.Thread(target=self._run, name="socketio-client", daemon=True)

    # what the test does and asks

    def start(self) -> None:
        self._thread.start()

    @property
    def in_session(self) -> bool:
        return self._joined

    @property
    def user_id(self) -> str:
        return self._user_id

    def __repr__(self) -> str:
        sio = self._sio
        return f"{self.name}: {sio.connected=} {sio.eio.state=} {sio._reconnect_task=} {self._joined=} {self._due=}"

    @property
    def unacked_ids(self) -> list[str]:
        with self._lock:
            return list(self._outbox)

    def do(self, event: str, **fields: Any) -> str:
        with self._lock:
            name = f"{self.name} {len(self.sent)}"
            self.sent[name] = event
            self._outbox[name] = event, fields
            if self._joined:
                self._transmit(name)
        return name

    def leave(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            # over polling it may wait for the next ping
            threading.Thread(target=self._sio.shutdown, name="socketio-leaving", daemon=True).start()

    def close(self) -> None:
        self.leave()
        self._thread.join(timeout=PATIENCE)

    # the connection

    def _run(self) -> None:
        """Connect, and after that look after what is due; the rest happens in the client's own threads."""
        while not self._closing.is_set():
            if self._away.is_set() or self._is_stranded():
                self._connect()
            self._closing.wait(0.05)
            with self._lock:
                for what in [what for what, moment in self._due.items() if moment <= time.monotonic()]:
                    del self._due[what]
                    self._send_again(what)

    def _is_stranded(self) -> bool:
        """Whether the client takes itself for connected, and is not, or the other way round: it was closed, or got no
        answer, while it connected."""
        below, above = self._sio.eio.state == "connected", self._sio.connected
        self._stranded = self._stranded + 1 if above != below and not self._sio._reconnect_task else 0
        if self._stranded < (20 if above else 200):  # for a second, or longer than it may wait for the answer
            return False
        if below:
            with contextlib.suppress(Exception):
                self._sio.eio.disconnect(abort=True)
        self._sio.connected, self._joined, self._stranded = False, False, 0
        return True

    def _connect(self) -> None:
        """Connect for the first time, and again where the client does not do so by itself: after a packet CLOSE."""
        self._away.clear()
        try:
            self._sio.connect(self._url, auth={"token": self._token}, transports=WAYS[self._way], wait_timeout=5)
        except (socketio.exceptions.ConnectionError, OSError, ValueError):
            self._away.set()
            self._closing.wait(0.3)

    def _send_again(self, what: str) -> None:
        if what == "join":
            self._join()
        elif self._joined and what in self._outbox:
            self._transmit(what)

    def _on_connect(self) -> None:
        with self._lock:
            self.connections += 1
            self.events.append(("connect", {}))
            self._join()

    def _on_disconnect(self, reason: str) -> None:
        with self._lock:
            self._joined = False
            self._due.clear()
            self.events.append(("disconnect", {"reason": reason}))
            if reason == self._sio.reason.SERVER_DISCONNECT:
                self._away.set()

    def _ask(self, what: str, event: str, *args: Any) -> None:
        connection = self.connections
        self._due[what] = time.monotonic() + PATIENCE / 2

        def answered(ack: Payload) -> None:
            with self._lock:
                if connection == self.connections:
                    self._on_ack(what, ack)

        with contextlib.suppress(socketio.exceptions.SocketIOError, OSError):  # the disconnect is noticed elsewhere
            self._sio.emit(event, args, callback=answered)

    def _join(self) -> None:
        self.events.append(("join", {}))
        resume = [] if self._epoch is None else [{"sinceSeq": self.seq, "epoch": self._epoch}]
        self._ask("join", "joinSession", self._code, *resume)

    def _transmit(self, name: str) -> None:
        event, fields = self._outbox[name]
        self._ask(name, event, {"sessionCode": self._code, "clientMessageId": name, **fields})

    def _on_ack(self, what: str, ack: Payload) -> None:
        self._due.pop(what, None)
        if ack["ok"]:
            if what in self._outbox:
                del self._outbox[what]
                self.acks[what] = ack
            return
        error = ack["error"]
        self.refused.append(error)
        if error["code"] in RETRYABLE:
            self._due[what] = time.monotonic() + min(error.get("retryAfterMs", 200), 1000) / 1000
        elif what == "join":
            self.stopped = error["code"]
        elif what in self._outbox:
            del self._outbox[what]
            self.rejected[what] = error

    # what the session says

    def _on_event(self, name: str, data: Any) -> None:
        with self._lock:
            self.events.append((name, data))
            self.known.take(name, data)
            if name == "sessionJoined":
                self._on_joined(data)
            elif name == "sessionLeft" and not self._closing.is_set():
                self._joined = False
                self._join()
            elif "seq" in data:
                self.seq = max(self.seq, data["seq"])

    def _on_joined(self, data: Payload) -> None:
        self._user_id = data["self"]["userId"]
        self.seq = max(self.seq, data["seq"]) if data["recovered"] else data["seq"]
        self._epoch = data["epoch"]
        if not data["recovered"]:
            self._read_history()
        if not self._joined:
            self._joined = True
            for name in self._outbox:
                self._transmit(name)

    def _read_history(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(OSError, AssertionError):
                messages = Api(self._url).messages(self._token, self._code)
                self.events.append(("history", {"messages": messages}))
                return
            self._closing.wait(0.3)
