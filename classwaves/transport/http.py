"""The head of an HTTP request, read strictly and in time (RFC 9110 and 9112).

Imports nothing of ours. What one server reads in another way than the proxy in front of it is refused, and so is a
client that takes for ever.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent

MAX_HEADERS = 100
MAX_LINE = 8190
#: A field name (RFC 9110, section 5.1): a token.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Fields that two servers would read in two ways, were they there twice.
ALONE = ("content-length", "transfer-encoding", "host")
#: The size of a chunk, and extensions, which say nothing to anybody.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f]*)?\r\n")
#: What a field value must not hold (section 5.5).
_BAD = re.compile(r"[\x00\r\n]")


class TooSlow(OSError):
    """The client took longer for its request than it may."""


class BadHead(ValueError):
    """The head is not one that all servers read in the same way."""


class SocketReader:
    """The reading half of a connection, with no more in its buffer than has come.

    :param seconds: how long the head of a request may take to come, and how long its body.
    :param early: what another reader has taken from the connection.
    """

    __slots__ = ("_buffer", "_head", "_left", "_seconds", "_sock", "_timeout", "closed")

    def __init__(self, sock: socket.socket, seconds: float, early: bytes = b"") -> None:
        self._sock = sock
        self._seconds = seconds
        self._left = seconds
        self._buffer = early
        self._head: list[bytes] | None = []  # the lines of the head; None once the body has been begun
        self._timeout: gevent.Timeout | None = None
        self.closed = False

    def begin(self) -> None:
        """A head is waited for: its time runs until :meth:`end`."""
        self._head = []
        self._timeout = gevent.Timeout.start_new(self._seconds, TooSlow("the request took too long"))

    def end(self) -> None:
        """The head has come, or will not. What is read now is a body; only the time in :meth:`read` counts."""
        if self._timeout is not None:
            self._timeout.close()
            self._timeout = None
        self._left = self._seconds

    @property
    def untouched(self) -> bool:
        """Whether nothing but the head of the request has been read."""
        return self._head is not None

    def all(self) -> bytes:
        """All that has come since :meth:`begin`, the head too; it stays here."""
        return b"".join(self._head or ()) + self._buffer

    def rest(self) -> bytes:
        """Take out what has come and was not read."""
        rest, self._buffer = self._buffer, b""
        return rest

    def _more(self) -> bool:
        data = self._sock.recv(65536)
        self._buffer += data
        return bool(data)

    def readline(self, limit: int = MAX_LINE) -> bytes:
        """Up to and with the next line feed, or ``limit`` bytes, or all there is."""
        while (end := self._buffer.find(b"\n", 0, limit)) < 0 and len(self._buffer) < limit:
            if not self._more():
                break
        size = end + 1 if end >= 0 else min(limit, len(self._buffer))
        line, self._buffer = self._buffer[:size], self._buffer[size:]
        if self._head is not None:
            self._head.append(line)
        return line

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end. :raises TooSlow: the time for all of them is over."""
        self._head = None
        if len(self._buffer) >= size:
            data, self._buffer = self._buffer[:size], self._buffer[size:]
            return data
        began = time.monotonic()
        timeout = gevent.Timeout.start_new(self._left, TooSlow("the request took too long"))
        try:
            parts = [self.rest()]
            have = len(parts[0])
            while have < size and (data := self._sock.recv(min(size - have, 65536))):
                parts.append(data)
                have += len(data)
            return b"".join(parts)
        except TooSlow:
            self.closed = True  # there is no telling where the next request begins
            raise
        finally:
            timeout.close()
            self._left = max(0.0, self._left - (time.monotonic() - began))

    def close(self) -> None:
        self.end()
        self.closed = True
        self._buffer = b""


class Head:
    """The header fields of a request, in the shape that gevent's handler asks for. Names are in lower case."""

    __slots__ = ("_fields", "_first")

    status = ""

    def __init__(self, reader: SocketReader) -> None:
        self._fields = list(_fields(reader))
        #: The first field of each name.
        self._first = dict(reversed(self._fields))
        self._check()

    def _check(self) -> None:
        if len(self._first) < len(self._fields):
            names = [name for name, _ in self._fields]
            if any(names.count(name) > 1 for name in ALONE):
                raise BadHead("a field that may be there only once")
        length, coding = self._first.get("content-length"), self._first.get("transfer-encoding")
        if length is not None and not (length.isascii() and length.isdigit() and len(length) < 19):
            raise BadHead("the length of the body is not a number")
        if coding is not None and (length is not None or coding.lower() != "chunked"):
            raise BadHead("two lengths of the body, or an unknown transfer coding")

    def get(self, name: str, default: str | None = None) -> str | None:
        return self._first.get(name.lower(), default)

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self.get(name, default)

    def items(self) -> list[tuple[str, str]]:
        return self._fields

    @property
    def typeheader(self) -> str | None:
        return self.get("content-type")

    @property
    def headers(self) -> Iterable[str]:
        for name, value in self._fields:
            yield f"{name}: {value}"

    def __delitem__(self, name: str) -> None:
        raise KeyError(name)


def _fields(reader: SocketReader) -> Iterator[tuple[str, str]]:
    for _ in range(MAX_HEADERS + 1):
        line = reader.readline()
        if line in (b"\r\n", b"\n"):
            return
        yield _field(line)
    raise BadHead("too many header fields")


def _field(line: bytes) -> tuple[str, str]:
    if not line.endswith(b"\n"):
        raise BadHead("a header line that is too long, or no end of the head")
    name, colon, value = line.decode("latin-1").rstrip("\r\n").partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise BadHead("a line that is no header field")  # folded lines too, and a space before the colon
    if _BAD.search(value):
        raise BadHead("a header value with a character that ends lines")
    return name.lower(), value.strip(" \t")


class ChunkedBody(io.RawIOBase):
    """A body in chunks (RFC 9112, section 7.1), to be read through a buffer. What two servers could read in two ways
    ends the connection, and so does a body that is not read to its end.
    """

    def __init__(self, reader: SocketReader, on_first: Callable[[], Any]) -> None:
        super().__init__()
        self._reader = reader
        self._on_first: Callable[[], Any] | None = on_first
        self._left = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._on_first is not None:
            self._on_first()
            self._on_first = None
        try:
            return self._fill(memoryview(buffer))
        except OSError:
            self._reader.closed = True
            raise

    def _fill(self, view: memoryview) -> int:
        if not self._left and not self._ended:
            self._begin_chunk()
        if self._ended:
            return 0
        data = self._exactly(min(self._left, len(view)))
        view[: len(data)] = data
        self._left -= len(data)
        if not self._left and self._exactly(2) != b"\r\n":
            raise OSError("a chunk without its end")
        return len(data)

    def _begin_chunk(self) -> None:
        found = _CHUNK.fullmatch(self._line())
        if not found:
            raise OSError("not the size of a chunk")
        self._left = int(found[1], 16)
        if not self._left:
            for _ in range(MAX_HEADERS):
                if self._line() == b"\r\n":
                    self._ended = True
                    return
            raise OSError("too many trailer fields")

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if len(line) >= MAX_LINE:
                raise OSError("a line that is too long")
            line += self._exactly(1)
        if not line.endswith(b"\r\n") or b"\0" in line or b"\r" in line[:-2]:
            raise OSError("not the end of a line")
        return line

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise OSError("the body has no end")
        return data

    def end(self) -> None:
        """The answer has been given."""
        if not self._ended:
            self._reader.closed = True


def check_request_line(line: str) -> None:
    """:raises BadHead: not a request line of HTTP/1.0 or 1.1 (RFC 9112, section 3)."""
    words: list[Any] = line.rstrip("\r\n").split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0") or not _NAME.fullmatch(words[0]):
        raise BadHead("not a request line of HTTP/1.1")
    if not words[1] or not words[1].isascii() or any(character <= " " for character in words[1]):
        raise BadHead("not a request target")
