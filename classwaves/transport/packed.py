"""A packet encoded once, however many sockets it goes to.

Imports frames.
"""

from __future__ import annotations

import base64

from .frames import BINARY, TEXT, frame


class Packed:
    """One Engine.IO packet (protocol 4): as a WebSocket frame, and as polling writes it.

    :param data: the packet's text in UTF-8, with its type in front, or the bytes of a binary message.
    """

    __slots__ = ("binary", "data", "frame")

    def __init__(self, data: bytes, binary: bool = False) -> None:
        self.data = data
        self.binary = binary
        self.frame = frame(BINARY if binary else TEXT, data)

    @property
    def polled(self) -> bytes:
        """What stands for it in the body of a polling answer."""
        return b"b" + base64.b64encode(self.data) if self.binary else self.data


CLOSE, PING, NOOP = Packed(b"1"), Packed(b"2"), Packed(b"6")
PROBE_ANSWER = Packed(b"3probe")
