"""A light Socket.IO client, of which a process has a thousand: it reads all, understands little, and may be rude."""

import json
import os
import socket
import struct
from collections import deque
from http.client import HTTPException
from threading import Event
from time import monotonic, sleep
from typing import Any, Protocol

from tests.support.protocol import BINARY, CLOSE, PATH, PING, PONG, TEXT, UPGRADE, header
from tests.support.wires import Closed, PollingWire

PATIENCE = 30.0
"""Seconds without a word from the server, which pings, after which something is wrong."""
KEPT = 200
"""Events that a client remembers."""


def frame(opcode: int, body: bytes) -> bytes:
    """Return a client's frame; the mask is applied in one step, because there are many."""
    mask = os.urandom(4)
    whole = (mask * (len(body) // 4 + 1))[: len(body)]
    masked = int.from_bytes(body, "big") ^ int.from_bytes(whole, "big")
    return header(opcode, len(body), mask=mask) + masked.to_bytes(len(body), "big")


class Wire(Protocol):
    """An Engine.IO connection; see :mod:`tests.support.wires`."""

    def send(self, packet: str | bytes) -> None: ...

    def receive(self) -> str: ...

    def close(self) -> None: ...

    def drop(self) -> None: ...


class LiveWire:
    """Engine.IO over WebSocket.

    :param room: of the receive buffer, in bytes; 0: the system's
    :raises Closed: the handshake was refused
    """

    def __init__(self, port: int, headers: dict[str, str], query: str = "", room: int = 0) -> None:
        self.socket = socket.socket()
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(PATIENCE)
        self._unread = b""
        try:
            self.socket.connect(("127.0.0.1", port))
            lines = {"Host": f"127.0.0.1:{port}", **UPGRADE, **headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            self.send_raw(f"GET {PATH}websocket{query} HTTP/1.1\r\n{head}\r\n".encode())
            answer = self._until(b"\r\n\r\n")
        except BaseException:
            self.socket.close()
            raise
        if not answer.startswith(b"HTTP/1.1 101"):
            self.socket.close()
            raise Closed(answer[:20])

    def send_raw(self, data: bytes) -> None:
        """Send any bytes. :raises Closed: the server does not take them any more."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, ValueError) as error:
            raise Closed from error

    def send(self, packet: str | bytes) -> None:
        """Send a packet."""
        binary = isinstance(packet, bytes)
        self.send_raw(frame(BINARY if binary else TEXT, packet if isinstance(packet, bytes) else packet.encode()))

    def receive(self) -> str:
        """Return the next packet. :raises Closed: there is none, and will be none."""
        while True:
            first, second = self._exactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
            body = self._exactly(size)
            if first & 15 == TEXT:
                if body == b"1":
                    raise Closed
                return body.decode()
            if first & 15 == PING:
                self.send_raw(frame(PONG, body))
            elif first & 15 == CLOSE:
                raise Closed(body)

    def close(self) -> None:
        """End the connection as the protocol says, without waiting for the answer."""
        self.send_raw(frame(CLOSE, struct.pack("!H", 1000)))
        self.drop()

    def drop(self) -> None:
        """End the TCP connection without a word."""
        self.socket.close()

    def reset(self) -> None:
        """End it as a machine that lost its memory does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._more()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            self._more()
        data, _, self._unread = self._unread.partition(end)
        return data

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            raise Closed from error
        if not data:
            raise Closed
        self._unread += data


class Polling(PollingWire):
    """Engine.IO by polling; what HTTP says of a connection that ended early is an end like any other."""

    breath = 0.0
    """Seconds between two polls: in a class that talks each would bring one message."""

    def receive(self) -> str:
        if not self._packets:
            sleep(self.breath)
        return super().receive()

    def _request(self, method: str, body: str | None = None) -> str:
        try:
            return super()._request(method, body)
        except (HTTPException, TimeoutError) as error:
            raise Closed from error


class Client:
    """A socket of the classroom.

    :param wire: just opened
    :param token: shown with CONNECT
    :param over: when this is set, nobody listens for longer
    """

    def __init__(self, wire: Wire, token: str, over: Event) -> None:
        self.wire = wire
        self._over = over
        self.refusal: Any = None
        """What ``connect_error`` said."""
        self.events: deque[tuple[str, Any]] = deque(maxlen=KEPT)
        self._acks: dict[int, Any] = {}
        self._number = 0
        try:
            wire.receive()
            wire.send("40" + json.dumps({"token": token}))
            while (answer := self._packet())[:2] not in ("40", "44"):
                pass
        except BaseException:
            wire.drop()
            raise
        if answer[1] == "4":
            self.refusal = json.loads(answer[2:])["data"]["code"]

    def tell(self, event: str, *args: Any) -> int:
        """Send an event that asks for an ack, do not wait for it, and return its number. Bytes follow it."""
        self._number += 1
        attachments: list[bytes] = []

        def place(value: bytes) -> dict[str, Any]:
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}

        text = json.dumps([event, *args], default=place)
        self.wire.send(f"45{len(attachments)}-{self._number}{text}" if attachments else f"42{self._number}{text}")
        for attachment in attachments:
            self.wire.send(attachment)
        return self._number

    def ask(self, event: str, *args: Any) -> dict[str, Any]:
        """Send an event and wait for its ack."""
        number = self.tell(event, *args)
        while number not in self._acks:
            self._read()
        answer: dict[str, Any] = self._acks.pop(number)
        return answer

    def listen(self, seconds: float) -> None:
        """Read for about so long: the server's next ping ends it."""
        until = monotonic() + seconds
        while monotonic() < until and not self._over.is_set():
            self._read()

    def last(self, event: str) -> Any:
        """The payload of the newest event of this name that is remembered; ``None`` if there is none."""
        return next((data for name, data in reversed(self.events) if name == event), None)

    def _read(self) -> None:
        packet = self._packet()
        if packet.startswith("41"):
            raise Closed("disconnected by the server")
        if packet.startswith("43"):
            start = packet.index("[")
            self._acks[int(packet[2:start])] = json.loads(packet[start:])[0]
        elif packet.startswith(('42["message', '42["activity', '42["group', '42["file', '42["joinReq')):
            name, data = json.loads(packet[2:])
            self.events.append((name, data))

    def _packet(self) -> str:
        packet = self.wire.receive()
        if packet == "2":
            self.wire.send("3")
        return packet
