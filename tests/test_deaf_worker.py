"""A worker that the feed does not reach decides nothing by what it has not heard of: the store or others refuse it."""

from typing import Any, NamedTuple

import pytest

from classwaves import lifecycle
from classwaves.connections import Connection
from classwaves.models import DEFAULT_SESSION_SETTINGS, Entry, SessionRecord
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import new_session, redis_store
from tests.support.waiting import eventually

Payload = dict[str, Any]
UNHURRIED = {"RENEW": 1000.0, "LEASE": 3000.0}
"""A worker that does not look by itself for what it has missed."""


class Room(NamedTuple):
    """An active session: its owner on one worker, a co-teacher on the other, which the feed reaches no more."""

    a: Worker
    b: Worker
    session: SessionRecord
    olga: Connection
    carl: Connection

    def by(self, worker: Worker, who: Connection, event: str, **data: Any) -> Payload:
        return worker.send(who, event, {"sessionCode": self.session.code, **data})

    def olga_does(self, event: str, **data: Any) -> Payload:
        ack = self.by(self.a, self.olga, event, **data)
        assert ack["ok"], ack
        return ack

    def carl_does(self, event: str, **data: Any) -> Payload:
        return self.by(self.b, self.carl, event, **data)

    def joined(self, *users: str) -> None:
        """Let students join on the worker that hears, and wait until the other one has heard of them."""
        for user in users:
            self.a.joined(self.session, user)
        for worker in (self.a, self.b):
            worker.hub.view(self.session.id).reach(len(self.log()))

    def deafen(self) -> None:
        self.b.store.unsubscribe(self.session.id)

    def log(self) -> list[Entry]:
        return self.a.store.read(self.session.id, 0, 1000)

    def heard(self, sid: str, event: str) -> list[Payload]:
        """What a socket was sent of an event, once all that was sent so far has come along the feed."""
        mark = f"mark {len(self.a.sockets.inbox[sid])}"
        self.b.store.publish(self.session.id, {"presence": "idle", "userId": mark, "time": 0, "seq": 0})

        def marked() -> bool:
            return any(news["userId"] == mark for news in self.a.sockets.of(sid, "presenceUpdated"))

        eventually(marked, what="the mark", pause=0.001)
        return self.a.sockets.of(sid, event)


@pytest.fixture
def room(redis_url: str, workers: list[Worker]) -> Room:
    workers += [Worker(redis_store(redis_url), **UNHURRIED) for _ in range(2)]
    a, b = workers
    settings = {**DEFAULT_SESSION_SETTINGS, "coTeacherIds": ["carl"], "transcriptAudience": "ownGroup"}
    session = new_session(a.store, owner="olga", settings=settings)
    olga = a.joined(session, "olga", "teacher")
    lifecycle.step(a.hub, session.id, "start", olga.principal)
    return Room(a, b, session, olga, b.joined(session, "carl", "teacher"))


# who has come may be removed at once


@pytest.mark.parametrize(("event", "more"), [("removeParticipant", {}), ("muteParticipant", {"muted": True})])
def test_whom_this_worker_has_not_heard_of_is_looked_for(room: Room, event: str, more: Payload) -> None:
    room.deafen()
    room.a.joined(room.session, "sam")
    assert room.carl_does(event, userId="sam", **more)["ok"]
    assert room.carl_does(event, userId="nobody", **more)["error"]["code"] == "NOT_FOUND"


# who was removed is in no group


def grouped(room: Room) -> set[str]:
    """Everybody who was put into a group after sam was removed."""
    log = room.log()
    removed = next(entry.seq for entry in log if entry.draft.event == "participantRemoved")
    told = [entry for entry in log if entry.draft.event == "groupUpdate" and entry.seq > removed]
    return {user for entry in told for user in entry.draft.data["members"]}


def test_a_group_is_not_made_of_somebody_who_was_removed_unheard(room: Room) -> None:
    room.joined("sam", "sue")
    room.deafen()
    room.olga_does("removeParticipant", userId="sam")
    error = room.carl_does("createGroup", name="group", memberIds=["sam", "sue"])["error"]
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", ["memberIds"])
    assert grouped(room) == set()
    assert room.carl_does("createGroup", name="group", memberIds=["sue"])["ok"]


def test_a_group_is_not_given_somebody_who_was_removed_unheard(room: Room) -> None:
    room.joined("sam", "sue")
    group_id = room.olga_does("createGroup", name="group", memberIds=["sue"])["groupId"]
    room.b.hub.view(room.session.id).reach(len(room.log()))
    room.deafen()
    room.olga_does("removeParticipant", userId="sam")
    error = room.carl_does("updateGroup", groupId=group_id, memberIds=["sam", "sue"])["error"]
    assert (error["code"], list(error["details"])) == ("INVALID_PAYLOAD", ["memberIds"])
    assert grouped(room) == set()


@pytest.mark.parametrize("strategy", ["random", "roundRobin"])
def test_nobody_is_dealt_out_who_was_removed_unheard(room: Room, strategy: str) -> None:
    room.joined("sam", "sue", "tim")
    room.deafen()
    room.olga_does("removeParticipant", userId="sam")
    assert room.carl_does("assignGroups", count=2, strategy=strategy)["ok"]
    assert grouped(room) == {"sue", "tim"}


# what a group says is the group's


def caption(revision: int, final: bool) -> Payload:
    return {
        "segmentId": "s1",
        "revision": revision,
        "text": "A secret",
        "isFinal": final,
        "startMs": 0,
        "endMs": 1,
        "speakerId": "sam",
    }


@pytest.fixture
def group_id(room: Room) -> str:
    """A group that sam has entered, and the captioning worker has not heard of it; eve is in none."""
    room.joined("sam", "eve")
    room.deafen()
    group_id: str = room.olga_does("createGroup", name="group", memberIds=["sam"])["groupId"]
    return group_id


def test_the_final_text_of_who_entered_a_group_unheard_is_the_groups(room: Room, group_id: str) -> None:
    assert room.carl_does("publishTranscription", **caption(1, True))["ok"]
    (entry,) = [entry for entry in room.log() if entry.draft.event == "transcriptionUpdate"]
    assert (entry.draft.audience, entry.draft.members, entry.draft.data["groupId"]) == ("group", ("sam",), group_id)
    assert [told["groupId"] for told in room.heard("sam", "transcriptionUpdate")] == [group_id]
    assert room.heard("eve", "transcriptionUpdate") == []


def test_the_interim_text_of_who_entered_a_group_unheard_is_not_everybodys(room: Room, group_id: str) -> None:
    assert room.carl_does("publishTranscription", **caption(1, False))["ok"]
    assert [room.heard(sid, "transcriptionUpdate") for sid in ("eve", "sam", "olga")] == [[], [], []]
    room.b.hub.view(room.session.id).catch_up()
    assert room.carl_does("publishTranscription", **caption(2, False))["ok"]
    assert [told["groupId"] for told in room.heard("olga", "transcriptionUpdate")] == [group_id]
    assert len(room.heard("sam", "transcriptionUpdate")) == 1
    assert room.heard("eve", "transcriptionUpdate") == []


# what was acked can be read


def test_a_message_is_in_the_history_of_every_worker_once_it_was_acked(room: Room) -> None:
    room.joined()
    room.deafen()
    for text in ("one", "two"):
        room.olga_does("sendMessage", message=text)
        page = room.carl_does("fetchHistory")
        assert [message["message"] for message in page["messages"]][-1] == text
    assert [message["message"] for message in page["messages"]] == ["one", "two"]
    before = room.carl_does("fetchHistory", beforeSeq=page["messages"][-1]["seq"])
    assert [message["message"] for message in before["messages"]] == ["one"]


def test_a_caption_is_in_the_transcript_of_every_worker_once_it_was_acked(room: Room) -> None:
    room.joined()
    room.deafen()
    room.olga_does("publishTranscription", **{**caption(1, True), "speakerId": "olga"})
    assert [one["segmentId"] for one in room.carl_does("fetchTranscript")["segments"]] == ["s1"]


# an answer is one of the run that takes it


def test_an_answer_to_a_run_that_began_unheard_is_stored_once(room: Room) -> None:
    sam = room.b.joined(room.session, "sam")

    def step(status: str, activity_id: str = "q1") -> None:
        room.olga_does("updateActivity", activityId=activity_id, activityType="quiz", status=status)

    def answer() -> Payload:
        return room.by(room.b, sam, "submitActivityResponse", activityId="q1", data=1, clientId="r1")

    step("started")
    room.joined()
    room.deafen()
    step("completed")
    for status in ("started", "completed"):
        step(status, "q2")
    step("started")
    first = answer()
    assert first["ok"], first
    assert answer() == first
    assert [entry.seq for entry in room.log() if entry.draft.event == "activityResponse"] == [first["seq"]]
