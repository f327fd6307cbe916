"""Somebody is removed while their own event reads the log: they are out, and hear nothing of the session any more."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.models import SessionRecord
from tests.support.hubs import GatedStore, Worker
from tests.support.hubs import workers as workers
from tests.support.stores import facts, new_session

Payload = dict[str, Any]


class Room:
    """A session whose log is longer than what the worker keeps, so that a resume reads it, and its owner."""

    def __init__(self, worker: Worker, store: GatedStore) -> None:
        self.worker = worker
        self.store = store
        self.session: SessionRecord = new_session(store, owner="olga")
        self.olga = worker.joined(self.session, "olga", "teacher")
        self.say("one", "two", "three")

    def say(self, *texts: str) -> None:
        for text in texts:
            assert self.worker.say(self.olga, self.session, text)["ok"]

    def remove(self, user: str) -> None:
        payload = {"sessionCode": self.session.code, "userId": user}
        assert self.worker.send(self.olga, "removeParticipant", payload)["ok"]

    @property
    def position(self) -> Payload:
        """Where a client is that has seen only the beginning."""
        return {"sinceSeq": 1, "epoch": self.worker.hub.view(self.session.id).replica.epoch}

    def held(self, who: Connection, event: str, *args: Any, meanwhile: Callable[[], None]) -> Payload:
        """The ack of an event that is held back while it reads the log, until something else has happened."""
        self.store.open.clear()
        with ThreadPoolExecutor(1) as pool:
            try:
                ack = pool.submit(self.worker.send, who, event, *args)
                assert self.store.asked.wait(10)
                meanwhile()
            finally:
                self.store.open.set()
            return ack.result(10)

    def stays_out(self, who: Connection) -> None:
        """The socket is not in the session, and what is said there is not for it."""
        assert who.sid not in self.worker.hub.view(self.session.id).members
        before = list(self.worker.sockets.inbox[who.sid])
        self.say("between us")
        self.worker.joined(self.session, "late")
        assert self.worker.sockets.inbox[who.sid] == before
        ack = self.worker.send(who, "joinSession", self.session.code)
        assert ack["error"]["code"] == "SESSION_ACCESS_DENIED"


@pytest.fixture
def room(workers: list[Worker]) -> Room:
    store = GatedStore()
    workers.append(Worker(store, RING_ENTRIES=1))
    return Room(workers[0], store)


def test_while_they_join(room: Room) -> None:
    sam = room.worker.connect("sam")
    ack = room.held(sam, "joinSession", room.session.code, room.position, meanwhile=lambda: room.remove("sam"))
    assert ack["error"]["code"] == "SESSION_ACCESS_DENIED"
    assert [event for event, _ in room.worker.sockets.inbox["sam"]] == ["error"], "nothing of the session"
    assert sam.seats == {}
    room.stays_out(sam)


def test_while_they_join_again(room: Room) -> None:
    sam = room.worker.joined(room.session, "sam")
    ack = room.held(sam, "joinSession", room.session.code, room.position, meanwhile=lambda: room.remove("sam"))
    assert ack["error"]["code"] == "SESSION_ACCESS_DENIED"
    assert len(room.worker.sockets.of("sam", "sessionJoined")) == 1, "the first"
    assert sam.seats == {}
    room.stays_out(sam)


def test_while_they_ask_what_they_missed(room: Room) -> None:
    sam = room.worker.joined(room.session, "sam")
    question = {"sessionCode": room.session.code, **room.position}
    ack = room.held(sam, "syncSession", question, meanwhile=lambda: room.remove("sam"))
    assert ack["error"]["code"] == "NOT_IN_SESSION"
    room.stays_out(sam)


def test_who_is_not_removed_meanwhile_gets_in(room: Room) -> None:
    """The same, so that the tests above hold back what they mean to."""
    sam = room.worker.connect("sam")
    ack = room.held(sam, "joinSession", room.session.code, room.position, meanwhile=lambda: room.say("four"))
    assert ack["ok"] and ack["recovered"]
    (joined,) = room.worker.sockets.of("sam", "sessionJoined")
    assert [item["data"]["message"] for item in joined["missed"]] == ["one", "two", "three", "four"]
    assert facts(room.store, room.session)[-1] == ("sam", "joined")
