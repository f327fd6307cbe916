"""One session as its client knows it: what was seen of it, and from where to go on. No I/O.

Imports errors, event, payloads and stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .errors import CLOSED, ClassWavesError
from .event import Event
from .payloads import SessionJoinedEvent
from .stream import Flag, Stream


class Session:
    """The place of a program in one classroom session, over all its connections.

    :param make_flag: what somebody may wait for.
    """

    def __init__(self, code: str, make_flag: Callable[[], Flag]) -> None:
        self.code = code.strip().upper()
        self.settled = make_flag()
        """Set while it is known whether the program is in: when it has joined, and when it cannot."""
        self.asked = make_flag()
        """Set when the server has said anything at all: that it is in, that it waits, or that it cannot."""
        self.wanted = False
        self.leaving = False
        self.joined = False
        """Over the connection that there is now."""
        self.waiting = False
        """In the waiting room."""
        self.error: ClassWavesError | None = None
        self.ended = False
        self.seq = 0
        self.epoch: str | None = None
        self.snapshot: SessionJoinedEvent | None = None
        """The newest ``sessionJoined``, without ``missed``. It is not kept up to date by events."""
        self.streams: list[Stream] = []

    @property
    def join_arguments(self) -> tuple[Any, ...]:
        """Of ``joinSession``, with where to resume from once something was seen."""
        return (self.code,) if self.epoch is None else (self.code, {"sinceSeq": self.seq, "epoch": self.epoch})

    def add(self, stream: Stream) -> Stream:
        """Have a reader be told what happens from now on."""
        self.streams.append(stream)
        if self.ended or self.error:
            stream.end(self.error)
        return stream

    def heard(self, name: str, data: dict[str, Any]) -> None:
        """An event of the session has come over the connection."""
        if name == "sessionJoined":
            self._entered(data)
        else:
            self._happened(name, data, missed=False)

    def lost(self) -> None:
        """The connection is gone, or with it the seat."""
        self.joined = self.waiting = False

    def stop(self, error: ClassWavesError | None) -> None:
        """It is over for this client; the error says why, if it did not leave."""
        self.lost()
        self.wanted, self.error = False, error
        for stream in self.streams:
            stream.end(error)
        self.settled.set()
        self.asked.set()

    def raise_if_over(self) -> None:
        """:raises ClassWavesError: the client is not in this session, and does not try any more."""
        if not self.wanted:
            raise self.error.with_traceback(None) if self.error else ClassWavesError(CLOSED, "The room was closed")

    def caught_up(self, stream: Stream, data: dict[str, Any]) -> None:
        """A snapshot has come for a reader that was too slow; the others go on as they are."""
        stream.caught_up(_without_missed(data))
        self._end_with(data)

    def _entered(self, data: dict[str, Any]) -> None:
        first, self.joined, self.waiting = self.snapshot is None, True, False
        self.snapshot = _without_missed(data)
        if data["recovered"] and data["epoch"] == self.epoch:
            for item in data["missed"]:
                self._happened(item["event"], item["data"], missed=True)
            self.seq = max(self.seq, data["seq"])
            self._put(Event("resumed", self.snapshot))
        else:
            self.seq, self.epoch = data["seq"], data["epoch"]
            if not first:
                for stream in self.streams:
                    stream.restart(self.snapshot)
        self._end_with(data)
        self.settled.set()
        self.asked.set()

    def _happened(self, name: str, data: dict[str, Any], *, missed: bool) -> None:
        seq = data.get("seq")
        if seq is not None:
            if seq <= self.seq:
                return  # who joins again may get twice what was under way
            self.seq = seq
        self._put(Event(name, data, seq, missed))
        if name == "sessionEnded":
            self._end()

    def _put(self, event: Event[str, Any]) -> None:
        for stream in self.streams:
            stream.put(event)

    def _end_with(self, data: dict[str, Any]) -> None:
        if data["status"] == "ended":
            self._end()

    def _end(self) -> None:
        self.ended = True
        for stream in self.streams:
            if not stream.lagging:  # else it is told of the end by its snapshot
                stream.end()


def _without_missed(data: dict[str, Any]) -> SessionJoinedEvent:
    return cast("SessionJoinedEvent", {key: value for key, value in data.items() if key != "ok"} | {"missed": []})
