"""Fences: what a teacher forbids on one worker is in no log after that, however fast others send on another worker."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from classwaves import lifecycle
from classwaves.connections import Connection
from classwaves.models import DEFAULT_SESSION_SETTINGS, Entry, SessionRecord
from classwaves.store.redis import RedisStore
from tests.support.hubs import Worker
from tests.support.stores import LIMITS, PATIENT, at_once, new_session
from tests.support.waiting import eventually

ROUNDS = 4
STUDENTS = ["sam", "sue", "tim"]
#: Events of one connection that are under way together.
LANES = 3

Payload = dict[str, Any]


class Classroom(NamedTuple):
    """A session on two workers: its owner on ``a``, who is the first of its sockets, and others where a test says."""

    a: Worker
    b: Worker
    session: SessionRecord
    olga: Connection

    def by(self, worker: Worker, who: Connection, event: str, **data: Any) -> Payload:
        return worker.send(who, event, {"sessionCode": self.session.code, **data})

    def olga_does(self, event: str, **data: Any) -> Payload:
        ack = self.by(self.a, self.olga, event, **data)
        assert ack["ok"], ack
        return ack

    def settle(self) -> None:
        """Wait until both workers have heard of everything: what a client of theirs could know."""
        for worker in (self.a, self.b):
            worker.hub.view(self.session.id).reach(len(self.log()))

    def log(self) -> list[Entry]:
        return self.a.store.read(self.session.id, 0, LIMITS.log_entries)


@pytest.fixture
def pair(redis_url: str) -> Iterator[tuple[Worker, Worker]]:
    """Two workers on one Redis, each with a store of its own."""
    stores = [RedisStore(redis_url, prefix="test", limits=LIMITS, timeout=PATIENT, connections=32) for _ in range(2)]
    a, b = (Worker(store) for store in stores)
    yield a, b
    a.close()
    b.close()


def open_classroom(pair: tuple[Worker, Worker]) -> Classroom:
    """A session that has begun."""
    a, b = pair
    options = {**DEFAULT_SESSION_SETTINGS, "coTeacherIds": ["carl"]}
    session = new_session(a.store, owner="olga", settings=options)
    olga = a.joined(session, "olga", "teacher", sid=f"olga {session.code}")
    lifecycle.step(a.hub, session.id, "start", olga.principal)
    return Classroom(a, b, session, olga)


@pytest.fixture
def classroom(pair: tuple[Worker, Worker]) -> Classroom:
    return open_classroom(pair)


# a teacher forbids something while students send


def mute(room: Classroom) -> None:
    room.olga_does("muteParticipant", userId="sam", muted=True)


def focus(room: Classroom) -> None:
    room.olga_does("setSessionMode", mode="focus")


def remove(room: Classroom) -> None:
    room.olga_does("removeParticipant", userId="sam")


def end(room: Classroom) -> None:
    lifecycle.step(room.a.hub, room.session.id, "end", room.olga.principal)


class Ban(NamedTuple):
    """What the teacher does, what who is concerned by it is told from then on, and who that is."""

    do: Callable[[Classroom], None]
    refusal: tuple[str, str | None]
    concerned: list[str]


BANS = {
    "mute": Ban(mute, ("FORBIDDEN", "muted"), ["sam"]),
    "focus": Ban(focus, ("FORBIDDEN", "focus"), STUDENTS),
    "remove": Ban(remove, ("NOT_IN_SESSION", None), ["sam"]),
    "end": Ban(end, ("SESSION_ENDED", None), STUDENTS),
}


class Crowd:
    """Students on worker ``b`` who send as fast as they can, several events of each at a time."""

    def __init__(self, room: Classroom, message_id: str) -> None:
        self.room = room
        self.message_id = message_id
        self.sockets = {user: room.b.joined(room.session, user, sid=f"{user} {room.session.code}") for user in STUDENTS}
        self.stored = dict.fromkeys(STUDENTS, 0)
        """How many events of each were acknowledged."""
        self.seqs: list[int] = []
        self.refusals: dict[str, set[tuple[str, str | None]]] = {user: set() for user in STUDENTS}
        self.enough = threading.Event()
        room.settle()

    def send(self, user: str, turn: int) -> Payload:
        if turn % 4 == 3:  # with a key, so that it is stored even if there is nothing to change
            data = {"messageId": self.message_id, "emoji": "\N{SEEDLING}", "clientMessageId": f"{user} {turn}"}
            return self.room.by(self.room.b, self.sockets[user], "addReaction", **data)
        return self.room.by(self.room.b, self.sockets[user], "sendMessage", message=f"{turn}")

    def talk(self, user: str, lane: int) -> None:
        """Send until that is refused, or until it is enough."""
        turn = lane
        while not self.enough.is_set():
            ack = self.send(user, turn)
            if not ack["ok"]:
                error = ack["error"]
                self.refusals[user].add((error["code"], error.get("details", {}).get("reason")))
                return
            self.seqs.append(ack["seq"])
            self.stored[user] += 1
            turn += LANES


class Rules:
    """What a prefix of a log forbids, in plain words; an entry after it must not break it."""

    def __init__(self) -> None:
        self.muted: set[str] = set()
        self.removed: set[str] = set()
        self.mode, self.status = "open", "created"

    def check(self, entry: Entry) -> None:
        event, author = entry.draft.event, entry.draft.author
        if self.status == "ended":
            assert event in ("participantChanged", "sessionEnded"), entry
        if event in ("messageReceived", "reactionUpdated") and author in STUDENTS:
            assert author not in self.muted, entry
            assert author not in self.removed, entry
            assert self.mode == "open", entry

    def learn(self, entry: Entry) -> None:
        data = entry.draft.data
        match entry.draft.event:
            case "participantMuted":
                (self.muted.add if data["muted"] else self.muted.discard)(data["userId"])
            case "participantRemoved":
                self.removed.add(data["userId"])
            case "sessionModeChanged":
                self.mode = data["mode"]
            case "sessionStatusChanged":
                self.status = data["status"]


def check_log(log: list[Entry]) -> None:
    """No entry is in a log that what is before it forbids."""
    rules = Rules()
    for entry in log:
        rules.check(entry)
        rules.learn(entry)


def forbid_amid_the_talk(room: Classroom, crowd: Crowd, ban: Ban) -> None:
    """The teacher waits until everybody has been heard, and until those concerned have been refused."""
    try:
        eventually(lambda: min(crowd.stored.values()) > 20, what="everybody sends", pause=0.001)
        ban.do(room)
        for user in ban.concerned:
            eventually(lambda user=user: crowd.refusals[user], what=f"the refusal of {user}")  # type: ignore[misc]
    finally:
        crowd.enough.set()


@pytest.mark.parametrize("name", BANS)
def test_nothing_is_stored_after_what_forbids_it(name: str, pair: tuple[Worker, Worker]) -> None:
    ban = BANS[name]
    for _ in range(ROUNDS):
        room = open_classroom(pair)
        crowd = Crowd(room, room.olga_does("sendMessage", message="hello")["messageId"])
        lanes = [partial(crowd.talk, user, lane) for lane in range(LANES) for user in STUDENTS]
        tasks = [partial(forbid_amid_the_talk, room, crowd, ban), *lanes]
        at_once(len(tasks), lambda number, tasks=tasks: tasks[number]())  # type: ignore[misc]
        log = room.log()
        check_log(log)
        assert set(crowd.seqs) <= {entry.seq for entry in log}
        for user in STUDENTS:  # and nobody is told anything else
            assert crowd.refusals[user] == ({ban.refusal} if user in ban.concerned else set())


# two who change the same


def carl_on_b(room: Classroom) -> Connection:
    return room.b.joined(room.session, "carl", "teacher", sid=f"carl {room.session.code}")


def one_wins(acks: list[Payload]) -> tuple[int, Payload]:
    """Which of two was carried out, and how the other one learns of the state that there is."""
    assert sorted(ack["ok"] for ack in acks) == [False, True], acks
    winner = 0 if acks[0]["ok"] else 1
    error = acks[1 - winner]["error"]
    assert error["code"] == "CONFLICT"
    current: Payload = error["details"]["current"]
    return winner, current


def test_of_two_who_expect_the_same_version_of_an_activity_one_changes_it(classroom: Classroom) -> None:
    seats = [(classroom.a, classroom.olga), (classroom.b, carl_on_b(classroom))]
    quiz: Payload = {"activityId": "quiz", "activityType": "quiz", "status": "started"}
    classroom.olga_does("updateActivity", **quiz)
    classroom.settle()
    for version in range(1, 16):

        def change(number: int, version: int = version) -> Payload:
            data = {"by": number, "round": version}
            return classroom.by(*seats[number], "updateActivity", **quiz, data=data, expectedVersion=version)

        winner, current = one_wins(at_once(2, change))
        assert (current["version"], current["data"]) == (version + 1, {"by": winner, "round": version})
        assert current["updatedBy"] == ("olga", "carl")[winner]


def test_of_two_activities_started_at_once_one_begins(classroom: Classroom) -> None:
    seats = [(classroom.a, classroom.olga), (classroom.b, carl_on_b(classroom))]
    for turn in range(15):

        def start(number: int, turn: int = turn) -> Payload:
            quiz: Payload = {"activityId": f"{turn} of {number}", "activityType": "quiz", "status": "started"}
            return classroom.by(*seats[number], "updateActivity", **quiz)

        winner, current = one_wins(at_once(2, start))
        assert (current["activityId"], current["version"]) == (f"{turn} of {winner}", 1)
        done = {"activityId": current["activityId"], "activityType": "quiz", "status": "completed"}
        classroom.olga_does("updateActivity", **done)
        classroom.settle()


def test_of_two_who_expect_the_same_version_of_a_group_one_changes_it(classroom: Classroom) -> None:
    seats = [(classroom.a, classroom.olga), (classroom.b, carl_on_b(classroom))]
    group_id = classroom.olga_does("createGroup", name="group")["groupId"]
    classroom.settle()
    for version in range(1, 16):

        def rename(number: int, version: int = version) -> Payload:
            data = {"groupId": group_id, "name": f"{version} by {number}", "expectedVersion": version}
            return classroom.by(*seats[number], "updateGroup", **data)

        winner, current = one_wins(at_once(2, rename))
        assert (current["version"], current["groupName"]) == (version + 1, f"{version} by {winner}")


# a class that enters its groups at once


def groups_of(log: list[Entry]) -> dict[str, list[str]]:
    """Who is in which group after a log, by its last word on each."""
    found: dict[str, list[str]] = {}
    for entry in log:
        if entry.draft.event == "groupUpdate":
            found[entry.draft.data.get("groupId", entry.id)] = list(entry.draft.data["members"])
    return found


class Class(NamedTuple):
    """Thirty students on two workers, and groups of six at the most."""

    room: Classroom
    seats: list[tuple[Worker, Connection]]
    groups: list[str]

    def enter_at_once(self, choose: Callable[[int], int]) -> list[str]:
        """Everybody joins the group that is chosen for them; what becomes of each: ``ok`` or an error's code."""

        def enter(number: int) -> str:
            worker, who = self.seats[number]
            ack = self.room.by(worker, who, "joinGroup", groupId=self.groups[choose(number)])
            return "ok" if ack["ok"] else str(ack["error"]["code"])

        return at_once(len(self.seats), enter)

    def members(self) -> list[list[str]]:
        """The groups, after the log has been looked through: nobody was ever in two of them, and none was too large."""
        log = self.room.log()
        found = groups_of(log)
        assert list(found) == self.groups
        for entry in log:
            assert len(entry.draft.data.get("members", ())) <= 6, entry
        everybody = [user for members in found.values() for user in members]
        assert len(everybody) == len(set(everybody)), "one group for each"
        return list(found.values())


def open_class(room: Classroom, groups: int) -> Class:
    seats = []
    for number in range(30):
        worker = (room.a, room.b)[number % 2]
        seats.append((worker, worker.joined(room.session, f"student {number}", sid=f"{number} {room.session.code}")))
    made = [room.olga_does("createGroup", name=f"{number}", maxSize=6)["groupId"] for number in range(groups)]
    room.settle()
    return Class(room, seats, made)


def test_a_class_enters_its_groups_at_once(pair: tuple[Worker, Worker]) -> None:
    for _ in range(ROUNDS):
        lesson = open_class(open_classroom(pair), groups=5)
        assert lesson.enter_at_once(lambda number: number % 5) == ["ok"] * 30
        wanted = [{f"student {number}" for number in range(first, 30, 5)} for first in range(5)]
        assert [set(members) for members in lesson.members()] == wanted


def test_who_finds_no_place_in_a_group_is_told_so(pair: tuple[Worker, Worker]) -> None:
    for _ in range(ROUNDS):
        lesson = open_class(open_classroom(pair), groups=4)
        told = lesson.enter_at_once(lambda number: number % 4)
        assert sorted(told) == ["GROUP_FULL"] * 6 + ["ok"] * 24
        assert [len(members) for members in lesson.members()] == [6] * 4
        inside = {user for members in lesson.members() for user in members}
        assert inside == {f"student {number}" for number in range(30) if told[number] == "ok"}


def test_a_class_that_changes_groups_at_once_loses_nobody(pair: tuple[Worker, Worker]) -> None:
    lesson = open_class(open_classroom(pair), groups=6)
    assert lesson.enter_at_once(lambda number: number % 6) == ["ok"] * 30
    for turn in range(1, ROUNDS + 1):
        before = lesson.members()
        told = lesson.enter_at_once(lambda number, turn=turn: (number + turn * (1 + number % 2)) % 6)  # type: ignore[misc]
        after = lesson.members()
        assert set(told) <= {"ok", "GROUP_FULL"}
        assert sum(len(members) for members in after) == 30
        for number, answer in enumerate(told):
            user, wanted = f"student {number}", (number + turn * (1 + number % 2)) % 6
            assert user in (after[wanted] if answer == "ok" else next(m for m in after if user in m))
            if answer == "GROUP_FULL":
                assert [user in m for m in before] == [user in m for m in after], "who is refused stays"


# what has no seq


def deafen(worker: Worker, room: Classroom) -> None:
    """The feed does not reach this worker any more, and it has not noticed."""
    worker.store.unsubscribe(room.session.id)


def told_on_a(room: Classroom, *events: str) -> list[Payload]:
    """What the owner was sent of these events, once all that was sent so far has come along the feed."""
    sockets, mark = room.a.sockets, f"mark {len(room.a.sockets.inbox[room.olga.sid])}"
    room.b.store.publish(room.session.id, {"presence": "idle", "userId": mark, "time": 0, "seq": 0})

    def marked() -> bool:
        return any(news["userId"] == mark for news in sockets.of(room.olga.sid, "presenceUpdated"))

    eventually(marked, what="the mark", pause=0.001)
    return sockets.of(room.olga.sid, *events)


@pytest.mark.parametrize("name", BANS)
def test_typing_of_who_may_not_speak_is_dropped(name: str, classroom: Classroom) -> None:
    room, ban = classroom, BANS[name]
    sam = room.b.joined(room.session, "sam")
    assert room.by(room.b, sam, "typing", isTyping=True)["ok"]
    assert [news["userId"] for news in told_on_a(room, "typingUpdated")] == ["sam"]
    deafen(room.b, room)
    ban.do(room)
    assert room.by(room.b, sam, "typing", isTyping=True)["ok"], "b has not heard of it"
    over = [False] if name in ("mute", "remove") else []
    assert [news["isTyping"] for news in told_on_a(room, "typingUpdated")] == [True, *over], "but a has"
    room.b.hub.view(room.session.id).catch_up()
    error = room.by(room.b, sam, "typing", isTyping=True)["error"]
    assert (error["code"], error.get("details", {}).get("reason")) == ban.refusal


def test_typing_in_a_group_that_one_is_in_no_longer_is_dropped(classroom: Classroom) -> None:
    room = classroom
    sam = room.b.joined(room.session, "sam")
    room.settle()
    group_id = room.olga_does("createGroup", name="group", memberIds=["sam"])["groupId"]
    room.settle()
    assert room.by(room.b, sam, "typing", isTyping=True, groupId=group_id)["ok"]
    assert len(told_on_a(room, "typingUpdated")) == 1
    deafen(room.b, room)
    room.olga_does("updateGroup", groupId=group_id, memberIds=[])
    assert room.by(room.b, sam, "typing", isTyping=True, groupId=group_id)["ok"], "b has not heard of it"
    assert len(told_on_a(room, "typingUpdated")) == 1
    assert room.by(room.b, sam, "typing", isTyping=True)["ok"], "to everybody they may"
    assert len(told_on_a(room, "typingUpdated")) == 2


def test_an_interim_caption_after_a_pause_is_dropped(classroom: Classroom) -> None:
    room = classroom
    carl = carl_on_b(room)
    text: Payload = {"segmentId": "1", "text": "hello", "isFinal": False, "startMs": 0, "endMs": 1}
    assert room.by(room.b, carl, "publishTranscription", revision=1, **text)["ok"]
    assert [news["revision"] for news in told_on_a(room, "transcriptionUpdate")] == [1]
    deafen(room.b, room)
    lifecycle.step(room.a.hub, room.session.id, "pause", room.olga.principal)
    assert room.by(room.b, carl, "publishTranscription", revision=2, **text)["ok"], "b has not heard of it"
    assert [news["revision"] for news in told_on_a(room, "transcriptionUpdate")] == [1]


def test_what_relied_on_older_fences_is_dropped_by_whoever_knows_newer_ones(classroom: Classroom) -> None:
    """The same by hand: one message, before and after the receiver has folded the mute."""
    room = classroom
    room.b.joined(room.session, "sam")
    live = room.a.hub.view(room.session.id)
    live.reach(len(room.log()))
    fences = {name: live.replica.fence(name) for name in ("session", "user:sam")}
    message = {"kind": "typing", "user": "sam", "fences": fences, "data": {"isTyping": True}}
    live.on_ephemeral(message)
    mute(room)
    live.reach(len(room.log()))
    live.on_ephemeral(message)
    told = [news["isTyping"] for news in room.a.sockets.of(room.olga.sid, "typingUpdated")]
    assert told == [True, False], "by the mute"
    newer = {**message, "fences": {**fences, "user:sam": len(room.log())}}
    live.on_ephemeral(newer)
    assert len(room.a.sockets.of(room.olga.sid, "typingUpdated")) == 3, "fences at least as new are fine"
