"""A class that chats while somebody misbehaves: whatever is said reaches everyone, once, in order and in time."""

import json
import math
import re
import selectors
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from tests.support.protocol import CLOSE, TEXT, WebSocket, header
from tests.support.school import School
from tests.support.waiting import eventually

CLASS = 30
"""Students."""
PAUSE = 0.02
"""Seconds from one message of the class to the next: 1,500 deliveries a second."""
PATIENCE = 20.0
"""Seconds until the last of what was said has to be everywhere."""
PLAIN = bytes(4)
"""A mask that changes nothing."""
NUMBER = re.compile(rb'"message":"n(\d+)"')


def packet(text: str) -> bytes:
    """Return a text frame, made fast: its mask changes nothing."""
    data = text.encode()
    return header(TEXT, len(data), mask=PLAIN) + data


def event(name: str, *args: Any, ack: int | str = "") -> bytes:
    """Return the frame of a Socket.IO event."""
    return packet(f"42{ack}{json.dumps([name, *args])}")


class Student(WebSocket):
    """A raw client of a session, connected and joined, which can be read without waiting."""

    def __init__(self, school: School, code: str, name: str) -> None:
        super().__init__(school.server.port)
        self.token = school.api.guest(code, name)
        self._enter(code)

    def again(self, school: School, code: str, **resume: Any) -> "Student":
        """Return the same student on a new connection, joined with this position."""
        other = Student.__new__(Student)
        WebSocket.__init__(other, school.server.port)
        other.token = self.token
        other._enter(code, **resume)
        return other

    def _enter(self, code: str, **resume: Any) -> None:
        self.until(b"0{")
        self.send(packet("40" + json.dumps({"token": self.token})))
        self.until(b"40{")
        self.send(event("joinSession", code, *([resume] if resume else []), ack=0))
        self.joined: dict[str, Any] = json.loads(self.until(b'42["sessionJoined"')[2:])[1]
        self.until(b"430[")

    def until(self, start: bytes) -> bytes:
        """Return the next packet that begins so; what comes before it is dropped, and pings are answered."""
        while not (found := self.frame().payload).startswith(start):
            if found == b"2":
                self.send(packet("3"))
        return found

    def pull(self) -> list[bytes]:
        """Read once, and return the packets that are whole by now. Pings are answered. :raises Closed: the end."""
        self._more()
        found, at, data = [], 0, self._unread
        while at + 2 <= len(data):
            size, begin = data[at + 1], at + 2
            if size > 125:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : begin], "big")
            if len(data) < begin + size:
                break
            assert data[at] & 15 != CLOSE, data[at : begin + size]
            found.append(data[begin : begin + size])
            at = begin + size
        self._unread = data[at:]
        if b"2" in found:
            self.send(packet("3"))
        return found


class Bystanders:
    """A class of its own session; :meth:`meanwhile` lets it chat while something else is done.

    What the class does in a second is little, and the same whether it is alone or not, so that two measurements of it
    differ by what the server does.
    """

    def __init__(self, school: School, size: int = CLASS) -> None:
        self.school = school
        self.code = school.session()
        self.students: list[Student] = []
        self.sent: list[float] = []
        """When each message was sent, in seconds."""
        self.latencies: list[float] = []
        """From the sending of a message to a student's having it, in seconds."""
        self._heard: list[list[int]] = [[] for _ in range(size)]
        self._selector = selectors.DefaultSelector()
        for number in range(size):
            self.students.append(student := Student(school, self.code, f"Bystander {number}"))
            self._selector.register(student.socket, selectors.EVENT_READ, number)

    def meanwhile(self, misdeed: Callable[[], object], least: int = 8) -> float:
        """Chat until a misdeed is done, in a thread of its own, and for so many messages at least.

        Each student has got each message once, and all of them in the same order, when this returns.

        :return: the 99th percentile of the latencies of this time, in seconds
        """
        self.latencies = []
        first = len(self.sent)
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(misdeed)
            while len(self.sent) < first + least or not doing.done():
                self._say()
            doing.result()
        eventually(self._all_is_heard, PATIENCE, "all messages everywhere", pause=0)
        return sorted(self.latencies)[math.ceil(len(self.latencies) * 0.99) - 1]

    def alone(self, messages: int = 20) -> float:
        """Chat while nothing else is done; see :meth:`meanwhile`."""
        return self.meanwhile(lambda: None, messages)

    def _say(self) -> None:
        number = len(self.sent)
        self.sent.append(time.perf_counter())
        student = self.students[number % len(self.students)]
        student.send(event("sendMessage", {"sessionCode": self.code, "message": f"n{number}"}))
        until = self.sent[-1] + PAUSE
        while (left := until - time.perf_counter()) > 0:
            self._hear(left)

    def _hear(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            for found in self.students[key.data].pull():
                if match := NUMBER.search(found):
                    self._note(key.data, int(match[1]))

    def _note(self, student: int, number: int) -> None:
        self._heard[student].append(number)
        self.latencies.append(time.perf_counter() - self.sent[number])

    def _all_is_heard(self) -> bool:
        self._hear(0.05)
        counts = list(map(len, self._heard))
        assert min(counts) >= len(self.sent), f"{len(self.sent)} messages, heard: {counts}"
        one = self._heard[0]  # what two students say at the same time may come in either order
        assert sorted(one) == list(range(len(self.sent))), "messages that are lost, or came twice"
        assert all(heard == one for heard in self._heard), "messages in another order"
        return True

    def drop(self) -> None:
        """Let go of everybody."""
        self._selector.close()
        for student in self.students:
            student.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
