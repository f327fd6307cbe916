"""The memory store delivers within its steps: what fails there is not the failure of the step, which is stored once."""

from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.live import FOLLOWERS, HEARERS
from classwaves.models import SessionRecord
from classwaves.store import MemoryStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session, texts

Payload = dict[str, Any]


class Room:
    """A session and its owner's socket, on the memory store."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.session: SessionRecord = new_session(worker.store, owner="olga")
        self.olga: Connection = worker.joined(self.session, "olga", "teacher")

    def by(self, who: Connection, event: str, **data: Any) -> Payload:
        return self.worker.send(who, event, {"sessionCode": self.session.code, **data})

    def log(self) -> list[str]:
        return texts(self.worker.store.read(self.session.id, 0, 1000))


@pytest.fixture
def room(workers: list[Worker]) -> Room:
    workers.append(Worker(MemoryStore(LIMITS)))
    return Room(workers[0])


def fail(*_: Any) -> None:
    raise RuntimeError("this feature is broken")


def test_an_event_whose_follower_fails_is_stored_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = room.worker.joined(room.session, "ann")
    monkeypatch.setitem(FOLLOWERS, "messageReceived", [fail])
    first = room.by(ann, "sendMessage", message="hello", clientMessageId="1")
    assert first["ok"], first
    again = room.by(ann, "sendMessage", message="hello", clientMessageId="1")
    assert again == first
    assert room.log() == ["hello"]
    assert room.worker.sockets.said("olga") == ["hello"]
    monkeypatch.undo()
    assert room.by(ann, "sendMessage", message="on")["seq"] == first["seq"] + 1
    assert room.worker.sockets.said("olga") == ["hello", "on"]


def test_an_event_that_waits_for_its_own_delivery_is_acked(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FOLLOWERS, "groupUpdate", [fail])
    first = room.by(room.olga, "createGroup", name="group", clientMessageId="1")
    assert first["ok"], first
    assert room.by(room.olga, "createGroup", name="group", clientMessageId="1") == first
    groups = room.worker.hub.view(room.session.id).replica.state["groups"]
    assert list(groups) == [first["groupId"]]


def test_a_joining_whose_follower_fails_is_a_joining(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FOLLOWERS, "participantChanged", [fail])
    ann = room.worker.joined(room.session, "ann")
    assert room.by(ann, "sendMessage", message="hello")["ok"]
    assert room.log() == ["hello"]


@pytest.mark.parametrize("event", ["typing", "markRead"])
def test_a_signal_whose_hearer_fails_is_acked(room: Room, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = room.by(room.olga, "sendMessage", message="hello")["messageId"]
    ann = room.worker.joined(room.session, "ann")
    monkeypatch.setitem(HEARERS, {"typing": "typing", "markRead": "read"}[event], fail)
    data: Payload = {"isTyping": True} if event == "typing" else {"messageId": message_id}
    assert room.by(ann, event, **data)["ok"]
