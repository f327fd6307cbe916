"""Connections that workers of other machines own: their requests travel by mail, and so do their WebSockets.

Imports connection, frames, mail, turns, websocket and wheel. The *front* is the worker that a client's request has
reached, the *owner* the one that has the connection. A front asks, an owner answers; for a WebSocket the front holds
the socket, and the owner a :class:`FarWebSocket` that looks like one.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.event import AsyncResult, Event

from .connection import LiveSocket
from .frames import NORMAL
from .mail import Head, Mail, Post
from .turns import Turns
from .websocket import Receiver, WebSocket
from .wheel import Timed, Wheel

logger = logging.getLogger(__name__)

#: How often a front looks whether those who owe it something are there, in seconds.
WATCH = 5.0
#: How long a worker that has just started waits until mail can reach it, in seconds.
PATIENCE = 2.0
Answer = tuple[int, bytes]
"""A code of Engine.IO's errors, or -1 if all is well (-2: the body is too large), and the body."""

WELL, TOO_LARGE, UNKNOWN, BAD = -1, -2, 1, 3


class Owner(Protocol):
    """The engine, as far as it serves those who ask by mail."""

    sockets: dict[str, LiveSocket]
    turns: Turns
    wheel: Wheel

    def serve(self, socket: LiveSocket, method: str, stamp: str, read: Callable[[], bytes]) -> Answer:
        """Handle a polling request. May wait."""

    def probe(self, socket: LiveSocket, make: Callable[[Receiver], Any]) -> bool:
        """Try a WebSocket that ``make`` makes for its receiver; false if the connection wants none."""


class Relay:
    """This worker as a front of others' connections, and as an owner whose connections have fronts elsewhere."""

    def __init__(self, owner: Owner, post: Post, name: str) -> None:
        self._owner = owner
        self._mail = Mail(post, name, owner.turns, self)
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[str, AsyncResult[Answer]]] = {}
        self._ends: dict[int, Tunnel] = {}
        self._serving: set[tuple[str, int]] = set()
        self._far: dict[tuple[str, int], FarWebSocket] = {}
        self._watching = False
        self._opened = Event()

    def open(self) -> None:
        """Take mail. :raises StoreUnavailable: the store is away."""
        self._mail.open()
        self._opened.set()

    def is_open(self) -> bool:
        """Whether mail arrives here; waits for a moment if it does not yet."""
        return self._opened.wait(PATIENCE)

    # the front

    def ask(self, owner: str, sid: str, method: str, stamp: str, body: bytes) -> Answer:
        """Let the owner of a connection handle a polling request, and wait for its answer."""
        return self._ask(owner, {"k": method, "s": sid, "p": stamp}, body)

    def tunnel(self, owner: str, sid: str, accept: Callable[[Tunnel], WebSocket]) -> bool:
        """Lead a WebSocket to the owner of its connection.

        :param accept: takes the WebSocket, once the owner wants it.
        :return: false if the owner does not.
        """
        number = next(self._numbers)
        end = self._ends[number] = Tunnel(self._mail, owner, number, self._ends)
        code, _ = self._ask(owner, {"k": "probe", "s": sid, "t": number}, b"")
        if code != WELL or number not in self._ends:
            self._ends.pop(number, None)
            return False
        end.begin(accept(end))
        return True

    def _ask(self, owner: str, head: Head, body: bytes) -> Answer:
        if not self.is_open():  # the answer would not arrive
            return UNKNOWN, b""
        number = next(self._numbers)
        result: AsyncResult[Answer] = AsyncResult()
        self._asked[number] = owner, result
        self._watch()
        self._mail.send(owner, {**head, "n": number}, body)
        try:
            return result.get() or (UNKNOWN, b"")
        finally:
            self._asked.pop(number, None)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            gevent.spawn(self._look)

    def _look(self) -> None:
        """An owner that has died says nothing; and an answer may have got lost."""
        while self._asked or self._ends:
            gevent.sleep(WATCH)
            owed: dict[str, list[int]] = {end.owner: [] for end in self._ends.values()}
            for number, (owner, _) in self._asked.items():
                owed.setdefault(owner, []).append(number)
            for owner, numbers in owed.items():
                self._mail.send(owner, {"k": "still", "n": numbers})
        self._watching = False

    # the owner

    def _serve(self, front: str, head: Head, body: bytes) -> None:
        key = front, head["n"]
        socket = self._owner.sockets.get(head["s"])
        answer: Answer = UNKNOWN, b""
        try:
            if socket is not None and head["k"] == "probe":
                answer = (WELL if self._owner.probe(socket, self._far_end(front, head["t"])) else BAD), b""
            elif socket is not None:
                answer = self._owner.serve(socket, head["k"], head.get("p", ""), lambda: body)
        finally:
            self._serving.discard(key)
            self._mail.send(front, {"k": "answer", "n": head["n"], "c": answer[0]}, answer[1])

    def _far_end(self, front: str, number: int) -> Callable[[Receiver], FarWebSocket]:
        def make(receiver: Receiver) -> FarWebSocket:
            far = FarWebSocket(self._mail, front, number, receiver, self._owner, self._far)
            self._far[front, number] = far
            return far

        return make

    # mail

    def on_item(self, sender: str, head: Head, body: bytes) -> None:
        kind = head["k"]
        if kind in ("GET", "POST", "probe"):
            self._serving.add((sender, head["n"]))
            self._owner.turns.run(lambda: self._serve(sender, head, body))
        elif kind == "answer":
            self._resolve(head["n"], (head["c"], body))
        elif kind == "still":
            for number in head["n"]:
                if (sender, number) not in self._serving:
                    self._mail.send(sender, {"k": "answer", "n": number, "c": UNKNOWN})
        elif kind in ("out", "read", "shut"):  # from an owner
            if end := self._ends.get(head["t"]):
                end.on_item(kind, body)
        elif far := self._far.get((sender, head["t"])):  # from a front
            far.on_item(kind, body)

    def _resolve(self, number: int, answer: Answer) -> None:
        if asked := self._asked.get(number):
            asked[1].set(answer)

    def on_broken(self, name: str) -> None:
        """Nothing reaches this worker any more, or something has got lost."""
        for number, (owner, _) in list(self._asked.items()):
            if owner == name:
                self._resolve(number, (UNKNOWN, b""))
        for end in [end for end in self._ends.values() if end.owner == name]:
            end.shut()
        for far in [far for (front, _), far in self._far.items() if front == name]:
            far.end("transport error")

    def on_lost(self) -> None:
        """Mail to this worker has got lost, nobody knows whose: all begin anew."""
        names = {owner for owner, _ in self._asked.values()} | {end.owner for end in self._ends.values()}
        for name in names | {front for front, _ in self._far}:
            self.on_broken(name)


class Tunnel:
    """The front's end of a WebSocket: the receiver of what the client sends."""

    def __init__(self, mail: Mail, owner: str, number: int, ends: dict[int, Tunnel]) -> None:
        self.owner = owner
        self._mail = mail
        self._number = number
        self._ends = ends
        self._read = Event()
        self._early: list[bytes] = []
        self._websocket: WebSocket | None = None

    def begin(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        for frame in self._early:
            websocket.outbox.write(frame)
        self._early.clear()

    def on_item(self, kind: str, body: bytes) -> None:
        """Something came from the owner: a frame, that it has handled a message, or the end."""
        if kind == "read":
            self._read.set()
        elif kind == "shut":
            self.shut()
        elif self._websocket is None:
            self._early.append(body)
        else:
            self._websocket.outbox.write(body)

    def shut(self) -> None:
        """Close the WebSocket."""
        if self._ends.pop(self._number, None) is not None:
            self._read.set()
            self._mail.send(self.owner, {"k": "end", "t": self._number})
            if self._websocket is not None:
                self._websocket.close()

    # what the WebSocket calls

    def on_message(self, message: str | bytes) -> None:
        """Send it on, and wait until it has been handled, so that no more is read than can be done."""
        if self._number not in self._ends:
            return
        self._read.clear()
        text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else message
        self._mail.send(self.owner, {"k": "text" if text else "binary", "t": self._number}, data)
        self._read.wait()

    def on_end(self, reason: str) -> None:
        self.shut()

    def on_full(self) -> None:
        self.shut()


class FarWebSocket(Timed):
    """The owner's end of a WebSocket whose socket a front holds; has what connections use of one."""

    #: What waits for its client waits on the other machine.
    size = 0

    __slots__ = ("_busy", "_fars", "_front", "_mail", "_messages", "_number", "_owner", "_receiver", "ended", "outbox")

    def __init__(
        self,
        mail: Mail,
        front: str,
        number: int,
        receiver: Receiver,
        owner: Owner,
        fars: dict[tuple[str, int], FarWebSocket],
    ) -> None:
        super().__init__()
        self._mail = mail
        self._front = front
        self._number = number
        self._receiver: Receiver | None = receiver
        self._owner = owner
        self._fars = fars
        self._messages: list[str | bytes] = []
        self._busy = False
        self.ended = False
        self.outbox = self

    def write(self, frame: bytes) -> None:
        """Send a frame to the client."""
        if not self.ended:
            self._mail.send(self._front, {"k": "out", "t": self._number}, frame)

    def belong_to(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._owner.wheel.cancel(self)

    def expire(self, seconds: float) -> None:
        self._owner.wheel.set(self, seconds)

    def on_time(self) -> None:
        self.close()

    @property
    def working(self) -> bool:
        return self._busy

    def let_next(self) -> None:
        """The next message comes when this one has been handled."""

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        if not self.ended:
            self._mail.send(self._front, {"k": "shut", "t": self._number})
            self._forget()

    def _forget(self) -> None:
        self.ended = True
        self._receiver = None
        self._owner.wheel.cancel(self)
        self._fars.pop((self._front, self._number), None)

    def on_item(self, kind: str, body: bytes) -> None:
        """Something came from the front: a message, or the end."""
        if kind == "end":
            self.end("transport close")
        else:
            self._messages.append(body.decode() if kind == "text" else body)
            if not self._busy:
                self._busy = True
                self._owner.turns.run(self._handle)

    def _handle(self) -> None:
        try:
            while self._messages and self._receiver is not None:
                self._receiver.on_message(self._messages.pop(0))
                self._mail.send(self._front, {"k": "read", "t": self._number})
        finally:
            self._busy = False

    def end(self, reason: str) -> None:
        """The client, or its front, has gone."""
        receiver = self._receiver
        if not self.ended:
            self._mail.send(self._front, {"k": "shut", "t": self._number})
            self._forget()
            if receiver is not None:
                self._owner.turns.run(lambda: receiver.on_end(reason))
