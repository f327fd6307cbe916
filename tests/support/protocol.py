"""Raw HTTP and WebSocket (RFC 6455) over TCP: a test sends any bytes, and sees each answer and each frame as it is."""

import base64
import contextlib
import hashlib
import itertools
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.wires import Closed

TIMEOUT = 5.0
"""Seconds that connecting and sending may take."""
PATIENCE = 20.0
"""Seconds until an answer has to be there, on a machine that has other work."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""Opcodes (section 5.2)."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
"""What the server makes of :data:`KEY` (section 4.2.2)."""
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
PATH = "/socket.io/?EIO=4&transport="
MASK = b"\x12\x34\x56\x78"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; the names of its headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> tuple[int, Any]:
        """The status and the ``code`` of an Engine.IO error, whose message and media type are looked at here."""
        assert self.headers["content-type"].startswith("application/json"), self
        content = json.loads(self.body)
        assert set(content) == {"code", "message"}, content
        assert isinstance(content["message"], str) and content["message"]
        return self.status, content["code"]


@dataclass(frozen=True)
class Frame:
    """A frame of the server's, unmasked."""

    fin: bool
    rsv: int
    opcode: int
    payload: bytes
    header: bytes = field(repr=False, compare=False, default=b"")


def masked(payload: bytes, mask: bytes) -> bytes:
    """Apply a mask (section 5.3)."""
    return bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask), strict=False))


def header(opcode: int, size: int, *, fin: bool = True, rsv: int = 0, mask: bytes = MASK, form: int = 0) -> bytes:
    """Return a client frame's header; ``form`` 126 or 127 writes the size in a longer form than it needs."""
    form = form or (size if size < 126 else 126 if size < 1 << 16 else 127)
    extended = struct.pack("!H", size) if form == 126 else struct.pack("!Q", size) if form == 127 else b""
    first = fin << 7 | rsv << 4 | opcode
    return bytes([first, bool(mask) << 7 | form]) + extended + mask


def frame(opcode: int, payload: bytes = b"", **how: Any) -> bytes:
    """Return a client's frame; ``how`` is for :func:`header`."""
    mask = how.get("mask", MASK)
    return header(opcode, len(payload), **how) + (masked(payload, mask) if mask else payload)


def close_body(code: int, reason: bytes = b"") -> bytes:
    """Return what a close frame holds (section 5.5.1)."""
    return struct.pack("!H", code) + reason


class Tcp:
    """A connection to a server on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"127.0.0.1:{port}"
        self._unread = b""

    def send(self, data: bytes) -> None:
        """:raises Closed: the server does not take it any more."""
        try:
            self.socket.sendall(data)
        except ConnectionError as error:
            raise Closed from error

    def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> None:
        """Send a request and do not wait."""
        lines = {"Host": self._host, **({} if body is None else {"Content-Length": str(len(body))}), **(headers or {})}
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send(f"{head}\r\n".encode() + (body or b""))

    def answer(self) -> Answer:
        """Wait for an answer. :raises Closed: there is none."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        status = int(head[0].split(" ", 2)[1])
        body = b"" if status in (101, 204, 304) else self._body(headers)
        return Answer(status, headers, body)

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self.exactly(int(headers["content-length"]))
        assert headers.get("connection", "").lower() == "close", f"a body without an end: {headers}"
        return self.rest()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        self._until(b"\r\n")
        return body

    def exactly(self, size: int) -> bytes:
        """Read so many bytes. :raises Closed: there are fewer."""
        while len(self._unread) < size:
            self._more()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def rest(self) -> bytes:
        """Read until the server ends the connection, and return what came."""
        with contextlib.suppress(Closed):
            while True:
                self._more()
        data, self._unread = self._unread, b""
        return data

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            self._more()
        data, _, self._unread = self._unread.partition(end)
        return data

    def _more(self) -> None:
        self.socket.settimeout(PATIENCE)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise AssertionError(f"silence for {PATIENCE:g} s, after {self._unread[-100:]!r}") from None
        except ConnectionError as error:
            raise Closed from error
        finally:
            self.socket.settimeout(TIMEOUT)
        if not data:
            raise Closed
        self._unread += data

    def drop(self) -> None:
        """End the connection without a word."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()


def http(port: int, method: str, target: str, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
    """Send one request on a connection of its own and return the answer."""
    data = body.encode() if isinstance(body, str) else body
    with Tcp(port) as tcp:
        tcp.ask(method, target, {"Connection": "close", **(headers or {})}, data)
        return tcp.answer()


class WebSocket(Tcp):
    """A WebSocket whose handshake was accepted.

    :param query: of the handshake, with ``&`` in front
    :raises Refused: by an HTTP answer
    """

    def __init__(self, port: int, query: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(port)
        self.ask("GET", f"{PATH}websocket{query}", {**UPGRADE, **(headers or {})})
        self.handshake = self.answer()
        if self.handshake.status != 101:
            self.drop()
            raise Refused(self.handshake)

    def send_frame(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        """Send a frame; ``how`` is for :func:`header`."""
        self.send(frame(opcode, payload, **how))

    def frame(self) -> Frame:
        """Wait for a frame. :raises Closed: there is none."""
        first, second = start = self.exactly(2)
        assert not second & 128, "a server must not mask (section 5.1)"
        size, extended = second, b""
        if size > 125:
            extended = self.exactly(2 if size == 126 else 8)
            size = int.from_bytes(extended, "big")
        return Frame(bool(first & 128), first >> 4 & 7, first & 15, self.exactly(size), start + extended)

    def close_code(self) -> int | None:
        """Wait for the server's close frame, then for the end of TCP; return the code, ``None`` if it has none."""
        while (last := self.frame()).opcode != CLOSE:
            pass
        with contextlib.suppress(Closed):
            self.send_frame(CLOSE, last.payload[:2])
        assert self.rest() == b"", "something after the close frame (section 5.5.1)"
        return int.from_bytes(last.payload[:2], "big") if last.payload else None


class Refused(Exception):
    """A WebSocket handshake was answered, but not with 101."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer
