"""One Engine.IO connection (the Engine.IO protocol, version 4), over WebSocket or by polling, without a library."""

import base64
import http.client
import json
import socket
import struct
from collections import deque
from typing import Protocol
from urllib.parse import urlsplit

import websocket

TIMEOUT = 10.0
SEPARATOR = "\x1e"
"""Between the packets of one polling body."""


class Closed(Exception):
    """The server has ended the connection."""


class Wire(Protocol):
    """One Engine.IO connection; packets are as the protocol writes them, ``bytes`` are binary messages."""

    def send(self, packet: str | bytes) -> None: ...

    def receive(self) -> str:
        """Return the next packet. :raises Closed: there is none, and will be none."""
        ...

    def close(self) -> None:
        """End the connection as the protocol says."""
        ...

    def drop(self) -> None:
        """Let go of the connection without a word. May be called at any time, and again."""
        ...


class WebSocketWire:
    """Engine.IO over WebSocket from the start."""

    def __init__(self, url: str, headers: dict[str, str], query: str = "") -> None:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket" + query
        self._socket = websocket.create_connection(address, timeout=TIMEOUT, header=headers, suppress_origin=True)

    def send(self, packet: str | bytes) -> None:
        if isinstance(packet, bytes):
            self._socket.send_binary(packet)
        else:
            self._socket.send(packet)

    def receive(self) -> str:
        try:
            packet = self._socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError) as error:
            raise Closed from error
        if packet in ("", "1"):
            raise Closed
        assert isinstance(packet, str), f"a binary message: {packet!r}"
        return packet

    def close(self) -> None:
        self._socket.close(timeout=1)

    def drop(self) -> None:
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def reset(self) -> None:
        """End the connection as a machine that lost its memory does: with a TCP reset and without a word."""
        plain = self._socket.sock
        assert plain
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plain.close()


class PollingWire:
    """Engine.IO over HTTP long-polling; a GET is under way only while :meth:`receive` waits."""

    def __init__(self, url: str, headers: dict[str, str], query: str = "") -> None:
        self._host = urlsplit(url).netloc
        self._kind = http.client.HTTPSConnection if url.startswith("https:") else http.client.HTTPConnection
        self._headers = headers
        self._path = "/socket.io/?EIO=4&transport=polling" + query
        self._packets: deque[str] = deque()
        self._packets.append(self._request("GET"))
        self._path += "&sid=" + json.loads(self._packets[0][1:])["sid"]

    def _request(self, method: str, body: str | None = None) -> str:
        connection = self._kind(self._host, timeout=TIMEOUT)
        try:
            connection.request(method, self._path, body and body.encode(), self._headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except ConnectionError as error:  # refused while the body was being sent
            raise Closed from error
        finally:
            connection.close()
        if answer.status != 200:
            raise Closed(answer.status, text)
        return text

    def send(self, packet: str | bytes) -> None:
        self.send_raw(packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode())

    def send_raw(self, body: str) -> None:
        """Send any body, for example several packets in one."""
        self._request("POST", body)

    def receive(self) -> str:
        while not self._packets:
            self._packets.extend(self._request("GET").split(SEPARATOR))
        packet = self._packets.popleft()
        if packet == "1":
            raise Closed
        return packet

    def close(self) -> None:
        self.send("1")

    def drop(self) -> None:
        pass  # no connection stays open between two requests
