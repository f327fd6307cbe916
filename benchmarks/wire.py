"""A Socket.IO client on a raw WebSocket, as small as it can be: it looks for marks and parses nothing."""

import base64
import json
import os
import socket
import struct

OPENED, CONNECTED, JOINED, DELIVERED = b'"sid"', b"40{", b'["sessionJoined"', b'["messageReceived"'
"""What stands in the OPEN packet, in the answers to CONNECT and ``joinSession``, and in each delivery."""

PING = b"\x81\x012"
"""An unmasked text frame with the Engine.IO packet 2, as it comes from a server."""


class Broken(Exception):
    """The run is not valid; the message says why."""


def frame(text: str) -> bytes:
    """Return a masked text frame (RFC 6455, section 5.2) of less than 64 KiB."""
    body = text.encode()
    length = len(body)
    head = bytes((0x81, 0x80 | length)) if length < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, length)
    mask = os.urandom(4)
    repeated = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    return head + mask + (int.from_bytes(body, "big") ^ repeated).to_bytes(length, "big")


def event(name: str, argument: object) -> bytes:
    """Return the frame of an event with one argument and no ack."""
    return frame("42" + json.dumps([name, argument], separators=(",", ":")))


class Client:
    """One connection.

    :param code: of the room that it joins
    :param token: sent with CONNECT; empty: none
    """

    def __init__(self, port: int, code: str, token: str) -> None:
        self.code, self.token = code, token
        self.received = 0
        """Deliveries so far."""
        self._tail = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.fileno = self.socket.fileno()
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        self.send(
            f"{head}Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._steps = [
            (OPENED, frame("40" + (json.dumps({"token": token}) if token else ""))),
            (CONNECTED, event("joinSession", code)),
            (JOINED, b""),
        ]

    def send(self, data: bytes) -> None:
        """Send a little, which must fit."""
        if self.socket.send(data) != len(data):
            raise Broken("a server does not read what it is sent")

    def read(self) -> bytes:
        """Return what has come, with the end of what came before if a mark may be cut there; pings are answered.

        Not a byte of a mark comes after a ``]``, which ends nearly every frame.
        """
        try:
            data = self.socket.recv(262144)
        except BlockingIOError:
            return b""
        if not data:
            raise Broken(f"the server closed a connection; it had said {self._tail!r}")
        data = self._tail + data
        if PING in data:
            data = data.replace(PING, b"")
            self.send(frame("3"))
        self._tail = b"" if data.endswith(b"]") else data[1 - len(DELIVERED) :]
        return data

    def advance(self) -> bool:
        """Read, and take the next steps of the way into the room. Return whether it is in."""
        data = self.read()
        while self._steps and self._steps[0][0] in data:
            mark, reply = self._steps.pop(0)
            data = data[data.index(mark) + len(mark) :]
            if reply:
                self.send(reply)
        return not self._steps

    def deliveries(self) -> int:
        """Read, and return how many messages have come whole or at least with their beginning."""
        found = self.read().count(DELIVERED)
        self.received += found
        return found
