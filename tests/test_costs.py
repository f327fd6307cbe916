"""What an event costs: one command of Redis, and one encoding for each audience, however many there are to hear it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from classwaves.connections import Connection
from classwaves.models import SessionRecord, new_id
from classwaves.store import MemoryStore
from classwaves.store.base import Store
from tests.support.hubs import Sockets, Worker
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, new_session, redis_store
from tests.support.waiting import eventually

SEEDLING = "\N{SEEDLING}"
RECIPIENTS = 20

Payload = dict[str, Any]


class Scene:
    """An active session with a teacher and students on one worker; some things have happened already."""

    def __init__(self, store: Store, students: int) -> None:
        # nothing of the worker's housekeeping comes between
        self.worker = Worker(store, RENEW=1000, LEASE=3000, AUTH_CHECK=1000)
        self.sockets = CountingSockets()
        self.worker.sockets = self.worker.hub.emitter = self.sockets
        self.session: SessionRecord = new_session(store, status="active")
        self.teacher = self.worker.joined(self.session, "teacher", "teacher")
        self.students = [self.worker.joined(self.session, f"student{number}") for number in range(students)]
        self.numbers = itertools.count()
        self.activity("started")

    def send(self, connection: Connection, event: str, **data: Any) -> Payload:
        """Run an event and return the ack of success."""
        ack = self.worker.send(connection, event, {"sessionCode": self.session.code, **data})
        assert ack["ok"], (event, ack)
        return ack

    def activity(self, status: str, **data: Any) -> None:
        given = {"activityId": "q1", "activityType": "quiz", "status": status, "data": data}
        self.send(self.teacher, "updateActivity", **given)

    def message(self) -> str:
        """A message that is there and heard of; return its id."""
        ack = self.send(self.teacher, "sendMessage", message="hello")
        self.teacher.seats[self.session.id].reach(ack["seq"])
        message_id: str = ack["messageId"]
        return message_id

    def caption(self, final: bool) -> None:
        number = next(self.numbers)
        given = {"segmentId": f"s{number}", "revision": 1, "text": "hello", "isFinal": final, "startMs": 0, "endMs": 9}
        self.send(self.teacher, "publishTranscription", **given)

    def prepared(self, event: str) -> Callable[[], object]:
        """Do what must be before the event, and return what sends it."""
        ann, number = self.students[0], next(self.numbers)
        teacher = self.teacher
        if event in ("addReaction", "removeReaction", "markRead", "deleteMessage"):
            message_id = self.message()
            if event == "removeReaction":
                ack = self.send(ann, "addReaction", messageId=message_id, emoji=SEEDLING)
                ann.seats[self.session.id].reach(ack["seq"])
            sender = teacher if event == "deleteMessage" else ann
            more = {"emoji": SEEDLING} if "Reaction" in event else {}
            return lambda: self.send(sender, event, messageId=message_id, **more)
        if event in ("joinGroup", "sendMessage to a group"):
            members = [] if event == "joinGroup" else [student.principal.user_id for student in self.students]
            group_id = self.send(teacher, "createGroup", name=f"Group {number}", memberIds=members)["groupId"]
            if event == "joinGroup":
                return lambda: self.send(ann, event, groupId=group_id)
            return lambda: self.send(teacher, "sendMessage", message="hello", groupId=group_id)
        if event == "submitActivityResponse":
            given = {"activityId": "q1", "data": 4, "clientId": f"r{number}"}
            return lambda: self.send(ann, event, **given)
        if event == "removeParticipant":
            return lambda: self.send(teacher, event, userId=self.students.pop().principal.user_id)
        simple: dict[str, Callable[[], object]] = {
            "sendMessage": lambda: self.send(ann, event, message="hello"),
            "raiseHand": lambda: self.send(self.students[number % len(self.students)], event, clientMessageId=new_id()),
            "createGroup": lambda: self.send(teacher, event, name="Group"),
            "assignGroups": lambda: self.send(teacher, event, strategy="random", size=2),
            "updateActivity": lambda: self.activity("started", question=number, staffOnly="key"),
            "muteParticipant": lambda: self.send(teacher, event, userId="student1", muted=bool(number % 2)),
            "setSessionMode": lambda: self.send(teacher, event, mode="open"),
            "typing": lambda: self.send(ann, event, isTyping=True),
            "an interim caption": lambda: self.caption(False),
            "a final caption": lambda: self.caption(True),
        }
        return simple[event]

    def settle(self) -> None:
        """Wait until every event has been delivered here."""
        live = self.teacher.seats[self.session.id]
        (seq,) = self.worker.store.positions([self.session.id]).values()
        eventually(lambda: live.replica.seq == seq, what="delivery", pause=0.002)


class CountingSockets(Sockets):
    """Sockets that count how often something is emitted, which is how often it is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.emitted: list[str] = []

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        self.emitted.append(event)
        super().emit(event, payload, to, skip)


# round trips


@pytest.fixture(scope="module")
def scene(redis_process: RedisServer) -> Iterator[Scene]:
    redis_process.make_clean()
    scene = Scene(redis_store(redis_process.url), students=6)
    for event in ("sendMessage", "joinGroup", "markRead", "typing"):  # which load the scripts
        scene.prepared(event)()
    yield scene
    scene.worker.close()


class Meter:
    """Counts what clients ask of a Redis; what scripts do there is not a round trip."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._monitor = client.monitor()

    def __enter__(self) -> "Meter":
        self._monitor.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._monitor.__exit__(None, None, None)

    def of(self, action: Callable[[], object]) -> list[str]:
        """The names of the commands during the action."""
        self._commands()
        action()
        return self._commands()

    def _commands(self) -> list[str]:
        mark, found = f"mark-{new_id()}", []
        self._client.echo(mark)
        while mark not in (command := self._monitor.next_command())["command"]:
            if command["client_type"] != "lua":
                found.append(command["command"].split()[0].upper())
        return found


@pytest.fixture(scope="module")
def meter(redis_process: RedisServer, scene: Scene) -> Iterator[Meter]:
    with redis_process.client() as client, Meter(client) as meter:
        # the worker has begun: what it does then, later it does seldom
        eventually(lambda: all(meter.of(scene.settle) == ["HGET"] for _ in range(3)), what="silence")
        yield meter


#: What staff have done is written down beside it.
AUDITED = ("muteParticipant", "setSessionMode", "deleteMessage", "removeParticipant")

STORED = (
    "sendMessage",
    "sendMessage to a group",
    "raiseHand",
    "addReaction",
    "removeReaction",
    "createGroup",
    "joinGroup",
    "assignGroups",
    "updateActivity",
    "submitActivityResponse",
    "muteParticipant",
    "setSessionMode",
    "deleteMessage",
    "markRead",
    "a final caption",
    "removeParticipant",
)


@pytest.mark.parametrize("event", STORED)
def test_what_is_stored_costs_one_command(scene: Scene, meter: Meter, event: str) -> None:
    assert cost(scene, meter, event) == ["EVALSHA", *(["SET", "XADD"] if event in AUDITED else [])]


@pytest.mark.parametrize("event", ["typing", "an interim caption"])
def test_what_is_not_stored_costs_one_command(scene: Scene, meter: Meter, event: str) -> None:
    assert cost(scene, meter, event) == ["PUBLISH"]


def cost(scene: Scene, meter: Meter, event: str) -> list[str]:
    """The commands of an event; the least of three times: who waits long for the feed asks the log."""
    found: list[list[str]] = []
    while len(found) < 3 and (not found or len(found[-1]) > 1):
        scene.settle()
        found.append(meter.of(scene.prepared(event)))
    return min(found, key=len)


def test_what_changes_nothing_costs_nothing(scene: Scene, meter: Meter) -> None:
    message_id = scene.message()
    ann = scene.students[0]
    scene.send(ann, "addReaction", messageId=message_id, emoji=SEEDLING)
    scene.send(ann, "markRead", messageId=message_id)
    scene.send(ann, "raiseHand")
    scene.settle()
    eventually(lambda: scene.sockets.of("teacher", "readReceiptUpdated")[-1]["messageId"] == message_id)

    def again() -> None:
        scene.send(ann, "addReaction", messageId=message_id, emoji=SEEDLING)
        scene.send(ann, "markRead", messageId=message_id)
        scene.send(ann, "raiseHand")

    assert meter.of(again) == []


def test_a_read_is_counted(scene: Scene, meter: Meter) -> None:
    assert meter.of(lambda: scene.send(scene.teacher, "fetchHistory")) == ["XREVRANGE"]


def test_a_refusal_costs_nothing(scene: Scene, meter: Meter) -> None:
    ann, about = scene.students[0], {"sessionCode": scene.session.code}

    def refused() -> None:
        for event, data in {
            "createGroup": {"name": "Mine"},
            "joinGroup": {"groupId": "nothing"},
            "addReaction": {"messageId": "nothing", "emoji": SEEDLING},
            "sendMessage": {"message": ""},
        }.items():
            assert not scene.worker.send(ann, event, {**about, **data})["ok"]

    assert meter.of(refused) == []


# fan-out


@pytest.fixture(scope="module")
def crowd() -> Iterator[Scene]:
    """A class in memory, where an event is delivered within the call."""
    scene = Scene(MemoryStore(LIMITS), RECIPIENTS)
    yield scene
    scene.worker.close()


EMITTED = {
    "sendMessage": ["messageReceived"],
    "sendMessage to a group": ["messageReceived"],
    "raiseHand": ["handStatusChanged"],
    "addReaction": ["reactionUpdated"],
    "removeReaction": ["reactionUpdated"],
    "createGroup": ["groupUpdate"],
    "updateActivity": ["activityUpdate"] * 2,  # to staff and to everybody else
    "submitActivityResponse": ["activityResponse", "activityProgress"],
    "muteParticipant": ["participantMuted"],
    "setSessionMode": ["sessionModeChanged"],
    "deleteMessage": ["messageDeleted"],
    "typing": ["typingUpdated"],
    "markRead": ["readReceiptUpdated"],
    "an interim caption": ["transcriptionUpdate"],
    "a final caption": ["transcriptionUpdate"],
}


@pytest.mark.parametrize("event", EMITTED)
def test_an_event_is_encoded_once_for_each_audience(crowd: Scene, event: str) -> None:
    act = crowd.prepared(event)
    crowd.sockets.inbox.clear()
    crowd.sockets.emitted.clear()
    act()
    assert crowd.sockets.emitted == EMITTED[event]
    first = EMITTED[event][0]
    heard = [sid for sid in crowd.sockets.inbox if len(crowd.sockets.of(sid, first)) == 1]
    assert len(heard) == (1 if first == "activityResponse" else RECIPIENTS + 1), "each hears it once"


def test_presence_is_encoded_once(crowd: Scene) -> None:
    crowd.sockets.emitted.clear()
    crowd.send(crowd.students[0], "updatePresence", status="idle")
    assert crowd.sockets.emitted == ["presenceUpdated"]
