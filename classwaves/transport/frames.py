"""WebSocket frames (RFC 6455, section 5): written whole, read with bounds. Pure; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

#: Close codes (section 7.4.1).
NORMAL, GOING_AWAY, PROTOCOL_ERROR, INVALID_DATA, POLICY, TOO_BIG, INTERNAL = 1000, 1001, 1002, 1007, 1008, 1009, 1011

#: A message may come in so many fragments; more is a client that wants to keep the server busy.
MAX_FRAGMENTS = 1024


class FrameError(ValueError):
    """What a client sent breaks the protocol. ``code`` is the close code that says so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked, final frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame (section 5.5.1); the reason is cut to what a control frame holds."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def unmask(payload: bytes | bytearray, key: bytes | bytearray) -> bytes:
    """Undo the masking (section 5.3), which is an exclusive or with the repeated key: one of two long numbers."""
    size = len(payload)
    mask = bytes(key) * ((size + 3) // 4)
    number = int.from_bytes(payload, "little") ^ int.from_bytes(mask[:size], "little")
    return number.to_bytes(size, "little")


class FrameReader:
    """Takes bytes as they come and gives messages as they are whole.

    :param limit: the size of a message in bytes, over all its fragments.
    """

    __slots__ = ("_buffer", "_limit", "_need", "_parts", "_parts_opcode", "_parts_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer: bytes | bytearray = b""  # bytes while small, a bytearray while a frame is coming in
        self._need = 2  # before this many bytes are here, there is nothing to be found
        self._parts: list[bytes] | None = None
        self._parts_opcode = 0
        self._parts_size = 0

    def feed(self, data: bytes) -> bool:
        """Take bytes. Whether it may be worth calling :meth:`next`."""
        if not self._buffer:
            self._buffer = data
        else:
            if not isinstance(self._buffer, bytearray):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
        return len(self._buffer) >= self._need

    @property
    def waiting(self) -> int:
        """How many bytes have come that are not yet given out."""
        return len(self._buffer)

    @property
    def ready(self) -> bool:
        """Whether it may be worth calling :meth:`next`."""
        return len(self._buffer) >= self._need

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """The whole messages and control frames that are here, as (opcode, payload); text is checked to be UTF-8.

        :raises FrameError: the client broke the protocol; the connection is to be closed.
        """
        while (found := self.next()) is not None:
            yield found

    def next(self) -> tuple[int, bytes] | None:
        """The next whole message or control frame, if there is one. :raises FrameError: see :meth:`messages`."""
        while (found := self._frame()) is not None:
            final, opcode, payload = found
            if opcode >= CLOSE:
                return opcode, payload
            if final and self._parts is None:
                return opcode, payload
            if whole := self._fragment(final, opcode, payload):
                return whole
        return None

    def _frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        have = len(buffer)
        if have < self._need:
            return None
        first, second = buffer[0], buffer[1]
        size, at = second & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if have < at:
                self._need = at
                return None
            size = int.from_bytes(buffer[2:at], "big")
        self._check(first, second, size)
        end = at + 4 + size
        if have < end:
            self._need = end
            return None
        payload = unmask(buffer[at + 4 : end], buffer[at : at + 4]) if size else b""
        self._need = 2
        if have == end:
            self._buffer = b""
        else:
            if not isinstance(buffer, bytearray):
                buffer = self._buffer = bytearray(buffer)  # many frames are cut from it one by one
            del buffer[:end]  # moves nothing
        return bool(first & 0x80), first & 0x0F, payload

    def _check(self, first: int, second: int, size: int) -> None:
        """Look at a header before anything of its payload is waited for."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError(PROTOCOL_ERROR, "an extension that was not negotiated")
        if not second & 0x80:
            raise FrameError(PROTOCOL_ERROR, "a frame without a mask")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise FrameError(PROTOCOL_ERROR, "an unknown opcode")
            if not first & 0x80 or second & 0x7F > 125:
                raise FrameError(PROTOCOL_ERROR, "a control frame that is too long or in pieces")
            return
        if opcode > BINARY:
            raise FrameError(PROTOCOL_ERROR, "an unknown opcode")
        if (opcode == CONTINUATION) != (self._parts is not None):
            raise FrameError(PROTOCOL_ERROR, "a fragment out of place")
        if (short := second & 0x7F) >= 126 and size < (126 if short == 126 else 65536):
            raise FrameError(PROTOCOL_ERROR, "a length that is not the shortest")
        if size >> 63:
            raise FrameError(PROTOCOL_ERROR, "a length with its highest bit set")
        if size + (self._parts_size if self._parts is not None else 0) > self._limit:
            raise FrameError(TOO_BIG, "the message is too large")

    def _fragment(self, final: bool, opcode: int, payload: bytes) -> tuple[int, bytes] | None:
        if self._parts is None:
            self._parts, self._parts_opcode, self._parts_size = [], opcode, 0
        self._parts.append(payload)
        self._parts_size += len(payload)
        if len(self._parts) > MAX_FRAGMENTS:
            raise FrameError(POLICY, "too many fragments")
        if not final:
            return None
        whole = b"".join(self._parts)
        self._parts, self._parts_size = None, 0
        return self._parts_opcode, whole


def close_answer(payload: bytes) -> bytes:
    """The answer to a client's close frame: the same code, or what is wrong with it (sections 5.5.1 and 7.4)."""
    if not payload:
        return frame(CLOSE, b"")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or 3000 <= code <= 4999):
        return close_frame(PROTOCOL_ERROR)
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return close_frame(INVALID_DATA)
    return close_frame(code)
