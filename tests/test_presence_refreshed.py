"""After the feed was away the statuses are asked for; what comes along it meanwhile is newer than the answer."""

import threading

import pytest

from classwaves.live import LiveSession
from classwaves.models import Entry, SessionRecord
from classwaves.store import MemoryStore
from tests.support.hubs import GatedStore, Sockets, enter, open_live, principal
from tests.support.stores import join, new_session, seat


class SlowLoads(GatedStore):
    """Holds back what ``load`` gives, and nothing else."""

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        return MemoryStore.read(self, session_id, after, limit)


class Room:
    """A session with bob's seat in it and ann's socket, and no feed but the test."""

    def __init__(self) -> None:
        self.store = SlowLoads()
        self.session: SessionRecord = new_session(self.store)
        join(self.store, self.session, seat("bob"))
        self.sockets = Sockets()
        self.live: LiveSession = open_live(self.store, self.session, self.sockets)
        enter(self.live, "ann", principal())

    def feed(self) -> None:
        """All entries come that this worker has not heard of."""
        for entry in self.store.read(self.session.id, self.live.replica.seq, 100):
            self.live.on_entry(entry)

    def begin_to_verify(self) -> threading.Thread:
        """The feed was away; return once the answer to the question about statuses is on its way."""
        self.store.open.clear()
        self.store.asked.clear()
        verifying = threading.Thread(target=self.live.verify)
        verifying.start()
        assert self.store.asked.wait(10)
        return verifying

    def end(self, verifying: threading.Thread) -> None:
        self.store.open.set()
        verifying.join(10)
        assert not verifying.is_alive()

    def told(self) -> list[str]:
        """What ann was told of bob."""
        return [news["status"] for news in self.sockets.of("ann", "presenceUpdated") if news["userId"] == "bob"]


@pytest.fixture
def room() -> Room:
    return Room()


def test_who_returned_meanwhile_is_not_said_to_be_away(room: Room) -> None:
    room.store.vanish(room.session.id, seat("bob"))
    room.feed()
    verifying = room.begin_to_verify()
    join(room.store, room.session, seat("bob"))
    room.feed()
    room.end(verifying)
    assert room.told() == ["disconnected", "active"]
    assert room.live.status_of("bob") == "active"


def test_a_status_that_came_meanwhile_stays(room: Room) -> None:
    verifying = room.begin_to_verify()
    room.store.set_status(room.session.id, seat("bob"), "idle", {})
    seq = room.live.replica.seq
    room.live.on_ephemeral({"presence": "idle", "userId": "bob", "time": 0, "seq": seq})
    room.end(verifying)
    assert room.told() == ["idle"]
    assert room.live.status_of("bob") == "idle"


def test_a_status_that_was_missed_is_told(room: Room) -> None:
    room.store.set_status(room.session.id, seat("bob"), "idle", {})
    room.end(room.begin_to_verify())
    assert room.told() == ["idle"]
