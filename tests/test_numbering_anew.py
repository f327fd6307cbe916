"""After another numbering has begun, nothing that is about the old one reaches anybody, and nothing begins twice."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from classwaves.live import LiveSession
from classwaves.models import Draft, Entry, SessionRecord
from classwaves.store import MemoryStore
from tests.support.hubs import Sockets, enter, principal, settings_of
from tests.support.stores import LIMITS, join, new_session, say, seat
from tests.support.waiting import eventually

WINDOW = 0.01
STALL_AFTER = 1234.0
"""Seconds that nothing else here is put off by."""


class Room:
    """A session with one socket in it, on a worker that nobody tells anything but the test."""

    def __init__(self) -> None:
        self.store = MemoryStore(LIMITS)
        self.session: SessionRecord = new_session(self.store)
        join(self.store, self.session, seat("bob"))
        say(self.store, self.session, "one", "two")
        self.sockets = Sockets()
        self.put_off: list[tuple[float, Callable[[], Any]]] = []
        settings = settings_of(EPHEMERAL_WINDOW=WINDOW, STALL_AFTER=STALL_AFTER)
        self.live = LiveSession(
            self.session.id, self.store, self.sockets, settings, later=lambda *task: self.put_off.append(task)
        )
        self.live.load()
        enter(self.live, "ann", principal())

    def status(self, status: str, seq: int = 0) -> None:
        """Bob's status comes along the feed."""
        self.live.on_ephemeral({"presence": status, "userId": "bob", "time": 0, "seq": seq})

    def heard_of_epoch(self) -> None:
        """The word of another numbering comes along the feed."""
        self.live.on_ephemeral({"reset": self.store.new_epoch(self.session.id, self.live.replica.epoch)})
        self.settle()

    def read_of_epoch(self) -> None:
        """It does not come, and what comes next in the log is found to be of another numbering."""
        self.store.new_epoch(self.session.id, self.live.replica.epoch)
        say(self.store, self.session, "of the new one")
        self.live.catch_up()

    @staticmethod
    def settle() -> None:
        """Wait until no session is being repaired."""
        eventually(
            lambda: all(thread.name != "classwaves-repair" for thread in threading.enumerate()), what="the repairs"
        )

    def end_window(self) -> None:
        """Let the windows end that have begun, and do what was put off until then."""
        until = time.monotonic() + WINDOW
        eventually(lambda: time.monotonic() > until, what="the end of the window", pause=0.001)
        tasks, self.put_off = self.put_off, []
        for seconds, task in tasks:
            if seconds <= WINDOW:
                task()

    def told(self) -> list[str]:
        return [event for event, _ in self.sockets.inbox["ann"]]

    def watched(self) -> int:
        """How often it was put off to look whether a stream is still alive."""
        return sum(seconds == STALL_AFTER for seconds, _ in self.put_off)

    def stream(self, status: str) -> Entry:
        data = {"streamId": "mic", "status": status}
        draft = Draft("transcriptionStatus", data, "teacher", bumps=("transcription",))
        seq = self.store.append(self.session.id, [draft], dedupe=f"{status} {time.monotonic()}").seq
        return self.store.read(self.session.id, seq - 1, 1)[0]


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize("learn", [Room.heard_of_epoch, Room.read_of_epoch])
def test_what_waited_for_its_turn_does_not_leave(room: Room, learn: Callable[[Room], None]) -> None:
    room.status("idle")
    room.status("away")
    room.status("active")
    assert room.told() == ["sessionJoined", "presenceUpdated"]
    learn(room)
    room.end_window()
    assert room.told() == ["sessionJoined", "presenceUpdated", "sessionJoined"]
    room.status("idle")
    room.end_window()
    assert [news["status"] for news in room.sockets.of("ann", "presenceUpdated")] == ["idle", "idle"]


@pytest.mark.parametrize("learn", [Room.heard_of_epoch, Room.read_of_epoch])
def test_a_status_that_follows_an_entry_which_is_lost_is_not_told(room: Room, learn: Callable[[Room], None]) -> None:
    room.status("away", seq=room.live.replica.seq + 2)
    learn(room)
    for seq in say(room.store, room.session, "three", "four"):
        room.live.on_entry(room.store.read(room.session.id, seq - 1, 1)[0])
    room.end_window()
    assert room.sockets.said("ann") == ["three", "four"]
    assert room.sockets.of("ann", "presenceUpdated") == []
    assert room.live.status_of("bob") == "active"


def test_a_late_entry_of_the_old_numbering_begins_nothing(room: Room) -> None:
    late = room.store.read(room.session.id, 0, 100)[-1]
    room.heard_of_epoch()
    assert room.told() == ["sessionJoined"] * 2
    (seq,) = say(room.store, room.session, "three")
    room.live.on_entry(late)
    room.settle()
    room.live.on_entry(room.store.read(room.session.id, seq - 1, 1)[0])
    assert room.told() == ["sessionJoined", "sessionJoined", "messageReceived"]


def test_a_stream_is_watched_once_however_often_the_session_is_loaded(room: Room) -> None:
    room.live.on_entry(room.stream("started"))
    assert room.watched() == 1
    for _ in range(3):
        room.live.load()
    room.heard_of_epoch()
    assert room.watched() == 1


def test_a_stream_that_was_begun_before_is_watched_once(room: Room) -> None:
    room.stream("started")
    for _ in range(3):
        room.live.load()
    assert room.watched() == 1


def test_a_stream_that_begins_anew_is_watched_anew(room: Room) -> None:
    for watches, status in ((1, "started"), (1, "stopped"), (2, "started"), (2, "failed"), (3, "started")):
        room.live.on_entry(room.stream(status))
        assert room.watched() == watches
