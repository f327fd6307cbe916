"""A Socket.IO client of few lines for ``bench``, over WebSocket without a library; many of them in one thread.

Imports nothing of ours. Only what a guest of one session needs: it joins, says something, and hears (RFC 6455,
Engine.IO protocol 4, Socket.IO protocol 5).
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from urllib.parse import SplitResult

TIMEOUT = 20.0


class Broken(Exception):
    """The server has ended the connection, or says what this client does not expect."""


class Wire:
    """One client. It waits until :meth:`join` is through, and then never again.

    :param address: the server's URL, taken apart.
    """

    def __init__(self, address: SplitResult) -> None:
        secure = address.scheme == "https"
        self.socket = socket.create_connection((address.hostname, address.port or (443 if secure else 80)), TIMEOUT)
        if secure:
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=address.hostname)
        self._read = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {address.path.rstrip('/')}/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, rest = bytes(self._read).partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Broken(f"it answers the handshake with {head.split(b' ', 2)[1].decode(errors='replace')}")
        self._read = bytearray(rest)

    def join(self, token: str, code: str) -> None:
        """Connect to the namespace and join a session."""
        self.send("40" + json.dumps({"token": token}))
        self._until(b"40")
        self.send("420" + json.dumps(["joinSession", code]))
        if b'"ok":true' not in (answer := self._until(b"430")):
            raise Broken(f"joinSession was refused: {answer[3:200].decode(errors='replace')}")
        self.socket.setblocking(False)

    def _until(self, start: bytes) -> bytes:
        while True:
            for packet in self.packets():
                if packet.startswith(b"44"):
                    raise Broken(f"the token was refused: {packet[2:200].decode(errors='replace')}")
                if packet.startswith(start):
                    return packet
            self._receive()

    def say(self, code: str, text: str) -> None:
        self.send("42" + json.dumps(["sendMessage", {"sessionCode": code, "message": text}]))

    def send(self, packet: str) -> None:
        """Send a packet; masked with zeros, which a server cannot tell from others (RFC 6455, section 5.3)."""
        data = packet.encode()
        size = struct.pack("!BBH", 0x81, 0xFE, len(data)) if len(data) > 125 else bytes((0x81, 0x80 | len(data)))
        self.socket.sendall(size + b"\0\0\0\0" + data)

    def hear(self) -> Iterator[bytes]:
        """All packets that have come. :raises Broken: there will be no more."""
        try:
            while True:
                self._receive()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        yield from self.packets()

    def _receive(self) -> None:
        data = self.socket.recv(262_144)
        if not data:
            raise Broken("it closed a connection")
        self._read += data

    def packets(self) -> Iterator[bytes]:
        """What is there of whole packets; heartbeats are answered."""
        while (frame := self._frame()) is not None:
            kind, packet = frame
            if kind == 8:
                raise Broken("it closed a connection")
            if packet == b"2":
                self.send("3")
            else:
                yield packet

    def _frame(self) -> tuple[int, bytes] | None:
        read = self._read
        if len(read) < 2:
            return None
        at, size = 2, read[1]
        if size > 125:
            at = 4 if size == 126 else 10
            if len(read) < at:
                return None
            size = int.from_bytes(read[2:at], "big")
        if len(read) < at + size:
            return None
        kind, packet = read[0] & 15, bytes(read[at : at + size])
        del read[: at + size]
        return kind, packet

    def close(self) -> None:
        self.socket.close()
