"""Mail between workers of different machines: small items, in order, by way of the store.

Imports the codec, errors and turns. Mail may get lost, as when the store is away; whoever waits for some is told.
What the store sends again, because it got no answer, comes with the number that it had, and counts once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .. import codec
from ..errors import StoreUnavailable
from .turns import Turns

#: How many bytes go together at most, and how many may wait for one worker.
TOGETHER, WAITING = 262_144, 16_777_216

_LENGTHS = struct.Struct(">II")

Head = dict[str, Any]


class Post(Protocol):
    """What carries mail: the store."""

    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        """Take what is sent to this name from now on, and tell when some may have got lost.

        :raises StoreUnavailable: it cannot be said whether it does.
        """

    def send_mail(self, name: str, data: bytes) -> bool:
        """Whether somebody takes what is sent to this name. :raises StoreUnavailable: nobody knows."""


class Reader(Protocol):
    """Who reads the mail. Nothing here may wait."""

    def on_item(self, sender: str, head: Head, body: bytes) -> None:
        """Something came from a worker."""

    def on_broken(self, name: str) -> None:
        """A worker does not hear, or something that was sent to it has got lost."""

    def on_lost(self) -> None:
        """What was sent here may have got lost."""


class Mail:
    """One worker's mail.

    :param name: of this worker.
    """

    def __init__(self, post: Post, name: str, turns: Turns, reader: Reader) -> None:
        self._post = post
        self._turns = turns
        self._reader = reader
        self._queues: dict[str, list[bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._number = 0
        self._seen: dict[str, int] = {}  # sender -> the number of its newest letter
        self.name = name

    def open(self) -> None:
        """Take what is sent here. :raises StoreUnavailable: see :class:`Post`."""
        self._post.open_mailbox(self.name, self._on_mail, self._reader.on_lost)

    def send(self, to: str, head: Head, body: bytes = b"") -> None:
        """Send an item as soon as those before it have left. Does not wait."""
        queue = self._queues.get(to)
        if queue is None:
            queue = self._queues[to] = []
            self._sizes[to] = 0
            self._turns.run(lambda: self._send_all(to))
        item = _pack(head, body)
        queue.append(item)
        self._sizes[to] += len(item)

    def _send_all(self, to: str) -> None:
        try:
            while queue := self._queues[to]:
                if self._sizes[to] > WAITING or not self._post.send_mail(to, self._take(to, queue)):
                    return self._break(to)
        except StoreUnavailable:
            return self._break(to)
        del self._queues[to], self._sizes[to]
        return None

    def _take(self, to: str, queue: list[bytes]) -> bytes:
        count = size = 0
        while count < len(queue) and (not count or size + len(queue[count]) <= TOGETHER):
            size += len(queue[count])
            count += 1
        items, self._queues[to] = queue[:count], queue[count:]
        self._sizes[to] -= size
        self._number += 1  # over all who get some, and so higher than before for each of them
        return b"".join((_pack({"f": self.name, "m": self._number}, b""), *items))

    def _break(self, to: str) -> None:
        del self._queues[to], self._sizes[to]
        self._reader.on_broken(to)

    def _on_mail(self, data: bytes) -> None:
        items = _unpack(data)
        first, _ = next(items)
        sender, number = first["f"], first["m"]
        if number <= self._seen.get(sender, 0):
            return
        self._seen[sender] = number
        for head, body in items:
            self._reader.on_item(sender, head, body)


def _pack(head: Head, body: bytes) -> bytes:
    encoded = codec.dumps(head)
    return b"".join((_LENGTHS.pack(len(encoded), len(body)), encoded, body))


def _unpack(data: bytes) -> Iterator[tuple[Head, bytes]]:
    at = 0
    while at < len(data):
        head, body = _LENGTHS.unpack_from(data, at)
        at += _LENGTHS.size
        yield codec.loads(data[at : at + head]), data[at + head : at + head + body]
        at += head + body
