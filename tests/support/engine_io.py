"""Engine.IO 4 sessions by hand over raw HTTP and WebSocket: requests that overlap, and packets as they are written."""

import base64
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

from tests.support.protocol import BINARY, CLOSE, PATH, PING, TEXT, TIMEOUT, Answer, Tcp, WebSocket, http
from tests.support.waiting import eventually
from tests.support.wires import SEPARATOR, Closed

Packet = str | bytes
"""As the protocol writes it; ``bytes`` are a binary message."""

UNKNOWN_TRANSPORT, UNKNOWN_SID, BAD_METHOD, BAD_REQUEST, BAD_VERSION = 0, 1, 2, 3, 5
"""The codes of error answers."""


class Session(Protocol):
    """An Engine.IO session over either transport."""

    opened: dict[str, Any]
    """The data of the OPEN packet."""

    @property
    def sid(self) -> str: ...

    def send(self, *packets: Packet) -> None:
        """:raises Closed: the session has ended."""
        ...

    def receive(self) -> Packet:
        """Return the next packet; pings are answered, NOOP is left out. :raises Closed: there will be none."""
        ...

    def drop(self) -> None:
        """Let go without a word."""
        ...


def to_text(packet: Packet) -> str:
    """Write a packet as polling does."""
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()


def from_text(packet: str) -> Packet:
    """Read a packet as polling writes it."""
    return base64.b64decode(packet[1:], validate=True) if packet.startswith("b") else packet


S = TypeVar("S", bound=Session)


class Polling:
    """A session over HTTP long-polling; each request has a connection of its own."""

    def __init__(self, port: int, query: str = "", headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = headers or {}
        first = http(port, "GET", f"{PATH}polling{query}", self.headers)
        assert first.status == 200, first
        self.opened: dict[str, Any] = json.loads(first.text[1:])
        self.target = f"{PATH}polling&sid={self.sid}"
        self.packets: deque[Packet] = deque()
        """Polled, and not received yet."""

    @property
    def sid(self) -> str:
        return str(self.opened["sid"])

    def get(self) -> Answer:
        """Poll once."""
        return http(self.port, "GET", self.target, self.headers)

    def post(self, body: str | bytes) -> Answer:
        """Send a body as it is."""
        return http(self.port, "POST", self.target, self.headers, body)

    def waiting_get(self) -> Tcp:
        """Send a GET and return its connection when the server has it."""
        tcp = Tcp(self.port)
        tcp.ask("GET", self.target, self.headers)
        self.settle()
        return tcp

    def settle(self) -> None:
        """Wait until the server has seen what was sent: it takes up connections in their order."""
        assert http(self.port, "GET", "/healthz").status == 200

    def send(self, *packets: Packet) -> None:
        if packets and self.post(SEPARATOR.join(map(to_text, packets))).status != 200:
            raise Closed

    def receive(self) -> Packet:
        if not self.packets:
            eventually(self._poll, TIMEOUT, "a packet that is neither ping nor NOOP")
        packet = self.packets.popleft()
        if packet == "1":
            raise Closed
        return packet

    def _poll(self) -> bool:
        answer = self.get()
        if answer.status != 200:
            raise Closed(answer)
        self.packets.extend(packet for one in answer.text.split(SEPARATOR) if self._counts(packet := from_text(one)))
        return bool(self.packets)

    def _counts(self, packet: Packet) -> bool:
        if packet == "2":
            self.send("3")
        return packet not in ("2", "6")

    def drop(self) -> None:
        pass  # nothing stays open between two requests


class Live:
    """A session over WebSocket.

    :param opened: the data of the OPEN packet, where there is none because polling had it
    """

    def __init__(
        self,
        port: int,
        query: str = "",
        headers: dict[str, str] | None = None,
        opened: dict[str, Any] | None = None,
    ) -> None:
        self.socket = WebSocket(port, query, headers)
        self.port = port
        self.opened: dict[str, Any] = opened if opened is not None else self._first()

    @property
    def sid(self) -> str:
        return str(self.opened["sid"])

    def _first(self) -> dict[str, Any]:
        packet = self.receive()
        assert isinstance(packet, str) and packet[0] == "0", packet
        opened: dict[str, Any] = json.loads(packet[1:])
        return opened

    def send(self, *packets: Packet) -> None:
        for packet in packets:
            binary = isinstance(packet, bytes)
            self.socket.send_frame(BINARY if binary else TEXT, packet if isinstance(packet, bytes) else packet.encode())

    def packet(self) -> Packet:
        """Return the next packet, whatever it is. :raises Closed: there is none."""
        while (frame := self.socket.frame()).opcode == PING:
            pass
        if frame.opcode == CLOSE:
            raise Closed(frame)
        assert (frame.fin, frame.rsv) == (True, 0), frame
        assert frame.opcode in (TEXT, BINARY), frame
        return frame.payload if frame.opcode == BINARY else frame.payload.decode()

    def receive(self) -> Packet:
        deadline = time.monotonic() + TIMEOUT
        while (packet := self.packet()) in ("2", "6"):
            assert time.monotonic() < deadline, "nothing but pings and NOOPs"
            if packet == "2":
                self.send("3")
        if packet == "1":
            raise Closed
        return packet

    def drop(self) -> None:
        self.socket.drop()


TRANSPORTS: dict[str, Callable[..., Session]] = {"polling": Polling, "websocket": Live}


class Opener:
    """Opens sessions with a server and drops them all at its end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._opened: list[Session] = []

    def polling(self, **how: Any) -> Polling:
        return self._keep(Polling(self.port, **how))

    def live(self, **how: Any) -> Live:
        return self._keep(Live(self.port, **how))

    def open(self, transport: str, **how: Any) -> Session:
        """Open a session; ``how`` is for :class:`Polling` or :class:`Live`."""
        return self._keep(TRANSPORTS[transport](self.port, **how))

    def probe(self, session: Polling) -> Live:
        """Begin an upgrade: open the WebSocket and see the answer to the probe."""
        live = self._keep(Live(session.port, f"&sid={session.sid}", opened=session.opened))
        live.send("2probe")
        assert live.receive() == "3probe"
        return live

    def upgrade(self, session: Polling) -> Live:
        """Go over to WebSocket as the protocol says, without a GET under way."""
        live = self.probe(session)
        live.send("5")
        return live

    def _keep(self, session: S) -> S:
        self._opened.append(session)
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._opened:
            session.drop()


def ends(session: Session, *packets: Packet) -> None:
    """Send packets and wait for the session's end, whatever comes before it; pings are answered."""
    with contextlib.suppress(Closed):
        session.send(*packets)
    with contextlib.suppress(Closed):
        while True:
            session.receive()
