"""A whole lesson over two workers and one Redis: at its end everybody's picture is that of the log."""

import csv
import io
import random
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from classwaves import create_app
from classwaves.archive.sql import SqlArchive
from classwaves.connections import Silence
from classwaves.files import CHUNK
from classwaves.live import LiveSession
from classwaves.models import AuthSession, Principal
from classwaves.replica import Replica
from classwaves.store.redis import RedisStore
from tests.support.apps import API, add_user, bearer, state_of
from tests.support.clients import RawClient
from tests.support.fleet import Wanderer
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.hubs import settings_of
from tests.support.pair import Pair, open_pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, gathered
from tests.support.stores import LIMITS
from tests.support.uploads import PNG, Sent, patterned
from tests.support.view import View, conversation
from tests.support.waiting import eventually

SECRET = "the answer is chlorophyll"
"""What no student may ever receive before it is said in class."""

TABBED, DROPPING, POLLING, STUDENTS = 5, 5, 2, 30


class Lesson:
    """Everybody in it. Students are guests on one worker or the other; their clients come back by themselves."""

    def __init__(self, pair: Pair, redis: RedisServer, archive: str) -> None:
        self.pair, self.redis, self.archive = pair, redis, archive
        app = create_app({"REDIS_URL": redis.url, **TEST_KEYS})
        carol = add_user(app, "Carol", "teacher")
        state_of(app).close()
        self.code = pair.a.session(coTeacherIds=[carol.user_id])
        api = pair.a.api
        self.teacher = pair.client(pair.a.teacher, self.code, pair.a)
        self.carol = pair.client(api.token("Carol"), self.code, pair.b)
        schools = [pair.a, pair.b]
        tokens = [api.guest(self.code, f"Student {number}") for number in range(STUDENTS)]
        steady = tokens[: STUDENTS - POLLING]
        self.students = [pair.client(token, self.code, schools[i % 2], seed=i) for i, token in enumerate(steady)]
        self.second_tabs = [pair.client(steady[i], self.code, schools[(i + 1) % 2], seed=i) for i in range(TABBED)]
        self.droppers = self.students[-DROPPING:]
        self.pollers = [Poller(Wanderer([pair.b.url, pair.a.url], token), self.code) for token in tokens[-POLLING:]]
        gathered(self.everyone)

    @property
    def staff(self) -> list[ResumingClient]:
        return [self.teacher, self.carol]

    @property
    def everyone(self) -> list[ResumingClient]:
        return [*self.staff, *self.students, *self.second_tabs]

    def settle(self) -> None:
        """Wait until every ack has come, and nobody is away."""
        eventually(lambda: not sum(client.unacked for client in self.everyone), 30, "everything acked")
        gathered([client for client in self.everyone if not client.stopped])

    def rejected(self) -> list[str]:
        """The codes of what was refused since the last call."""
        codes = [error["code"] for client in self.everyone for error in client.rejected.values()]
        for client in self.everyone:
            client.rejected.clear()
        return codes

    def drop(self) -> None:
        for client in self.droppers:
            client.cut()


class Poller:
    """A student whose network has nothing but long-polling, by way of both servers; it reads when the test lets it."""

    def __init__(self, client: RawClient, code: str) -> None:
        self.client, self.code = client, code
        client.join(code)

    def do(self, event: str, **fields: Any) -> dict[str, Any]:
        return self.client.ask(event, {"sessionCode": self.code, **fields})

    @property
    def events(self) -> list[tuple[str, Any]]:
        return self.client.inbox


@pytest.fixture
def lesson(redis: RedisServer, tmp_path: Path) -> Iterator[Lesson]:
    archive = f"sqlite:///{tmp_path}/archive.sqlite3"
    with open_pair(redis.url, {"CLASSWAVES_DISCONNECT_GRACE": "1", "CLASSWAVES_ARCHIVE_URL": archive}) as pair:
        yield Lesson(pair, redis, archive)


def last(client: ResumingClient, event: str, **fields: Any) -> Any:
    """Wait for an event with these fields and return the newest."""

    def found() -> list[Any]:
        return [data for name, data in [*client.events] if name == event and data.items() >= fields.items()]

    return eventually(found, 15, f"{event} {fields}")[-1]


def user_of(client: ResumingClient | Poller) -> str:
    if isinstance(client, ResumingClient):
        return client.user_id
    user_id: str = client.client.join(client.code)["self"]["userId"]
    return user_id


def groups_form_and_talk(lesson: Lesson) -> None:
    lesson.teacher.do("assignGroups", size=5, strategy="random")
    lesson.settle()
    lesson.carol.do("createGroup", name="Late comers", maxSize=3)
    lesson.settle()
    last(lesson.teacher, "groupUpdate", groupName="Late comers")  # which was made on the other worker
    view = View(lesson.code, lesson.teacher.events)
    assert sorted(len(group["members"]) for group in view.groups.values()) == [0, *[5] * 6]
    home = {user: group["groupId"] for group in view.groups.values() for user in group["members"]}
    late = next(group_id for group_id, group in view.groups.items() if group["maxSize"] == 3)
    for student in lesson.students:
        student.do("sendMessage", message=f"hello group from {student.user_id}", groupId=home[student.user_id])
    lesson.drop()
    for student in lesson.students[:4]:
        student.do("joinGroup", groupId=late)
    lesson.settle()
    assert lesson.rejected() == ["GROUP_FULL"]
    for client in lesson.everyone:
        if leads := [group for group in view.groups.values() if group["leaderId"] == client.user_id]:
            client.do("setGroupReady", groupId=leads[0]["groupId"], ready=True)
    lesson.settle()
    assert set(lesson.rejected()) <= {"FORBIDDEN"}, "who changed groups leads none any more"


def everyone_answers(lesson: Lesson) -> None:
    data = {"question": "What makes leaves green?", "staffOnly": {"answer": SECRET}}
    quiz = {"activityId": "q1", "activityType": "quiz"}
    lesson.teacher.do("updateActivity", **quiz, status="started", data=data)
    lesson.teacher.do("setSessionMode", mode="quiz")
    lesson.settle()
    for student in [*lesson.students, *lesson.second_tabs]:
        last(student, "sessionModeChanged", mode="quiz")
    for number, student in enumerate(lesson.students):
        student.do("submitActivityResponse", activityId="q1", clientId="c1", data={"choice": number % 4})
        if number == len(lesson.students) // 2:
            lesson.drop()
    for poller in lesson.pollers:
        assert poller.do("submitActivityResponse", activityId="q1", clientId="c1", data={"choice": 1})["ok"]
    lesson.students[0].do("sendMessage", message="what did you choose?")
    lesson.settle()
    assert lesson.rejected() == ["FORBIDDEN"]
    last(lesson.teacher, "activityProgress", activityId="q1", responded=STUDENTS)
    for member in lesson.staff:  # both at once, and one of them wins
        member.do("updateActivity", **quiz, status="completed", expectedVersion=1)
    lesson.settle()
    assert lesson.rejected() == ["CONFLICT"]
    lesson.carol.do("setSessionMode", mode="open")
    lesson.settle()


def the_teacher_is_captioned(lesson: Lesson) -> None:
    token = lesson.pair.a.api.ok("POST", f"/sessions/{lesson.code}/transcriber", lesson.pair.a.teacher, {})
    program = lesson.pair.b.connect(token["accessToken"])
    program.join(lesson.code)
    groups = list(View(lesson.code, lesson.teacher.events).groups)

    def caption(event: str, **fields: Any) -> dict[str, Any]:
        return program.ask(event, {"sessionCode": lesson.code, **fields})

    assert caption("startTranscription", streamId="main")["ok"]
    for number in range(6):
        group = {"groupId": groups[number]} if number % 2 else {}
        span = {"segmentId": f"s{number}", "startMs": number * 1000, "endMs": number * 1000 + 900, **group}
        for revision in range(3):
            text = " ".join(["leaves", "are", "green"][: revision + 1])
            ack = caption("publishTranscription", **span, revision=revision, text=text, isFinal=revision == 2)
            assert ack["ok"], ack
    assert caption("stopTranscription", streamId="main")["ok"]
    assert caption("sendMessage", message="hello")["error"]["code"] == "FORBIDDEN"
    assert program.ask("leaveSession", lesson.code)["ok"]


def files_are_shared(lesson: Lesson) -> None:
    """Two, of which one is cut off and taken up at the other worker; and one more, which is removed."""
    student, data = lesson.students[0], patterned(3 * CHUNK + 1)
    here = lesson.pair.a.connect(student.token)
    here.join(lesson.code)
    cut = Sent(here.ask, lesson.code, data, client_id="homework")
    assert cut.start()["ok"]
    cut.chunks(stop=2)
    here.wire.drop()
    there = lesson.pair.b.connect(student.token)
    there.join(lesson.code)
    resumed = Sent(there.ask, lesson.code, data, client_id="homework")
    begun = resumed.start()
    assert (begun["fileId"], begun["nextIndex"]) == (cut.file_id, 2)
    resumed.chunks(2)
    lesson.drop()
    assert resumed.complete()["ok"]
    for number in range(2):
        Sent(there.ask, lesson.code, PNG, f"leaf {number}.png", "image/png", f"leaf {number}").share()
    removed = last(lesson.teacher, "fileShared", clientFileId="leaf 0")["fileId"]
    lesson.carol.do("removeFile", fileId=removed)
    lesson.settle()
    last(lesson.teacher, "fileRemoved", fileId=removed)
    url = f"{lesson.pair.a.url}{last(lesson.teacher, 'fileShared', clientFileId='homework')['url']}"
    request = urllib.request.Request(url, headers=bearer(lesson.students[1].token))
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read() == data
    there.wire.drop()


def two_hold_a_call(lesson: Lesson) -> None:
    """The teacher and a student who has nothing but polling, by way of both servers; nobody else hears of it."""
    teacher, poller = lesson.pair.a.connect(lesson.teacher.token), lesson.pollers[0]
    teacher.join(lesson.code)
    sent = ["offer", *["candidate"] * 10]
    for client, target in ((teacher, user_of(poller)), (poller.client, lesson.teacher.user_id)):
        about = {"sessionCode": lesson.code, "targetUserId": target, "callId": "call"}
        for number, kind in enumerate([*sent, "hangup"]):
            assert client.ask("signal", {**about, "type": kind, "payload": {"number": number}})["ok"]
    for client in (teacher, poller.client):
        client.wait_for("signalReceived", type="hangup")
        heard = [data["payload"]["number"] for name, data in client.inbox if name == "signalReceived"]
        assert heard == list(range(len(sent) + 1))
    for other in (lesson.carol, *lesson.students):
        assert not [name for name, _ in [*other.events] if name == "signalReceived"]
    teacher.wire.drop()


def hands_go_up_and_down(lesson: Lesson) -> None:
    for student in lesson.students[:10]:
        student.do("raiseHand")
    lesson.drop()
    lesson.settle()
    for student in lesson.students[:2]:
        lesson.carol.do("lowerHand", userId=student.user_id)
    lesson.students[2].do("lowerHand")
    lesson.settle()


def the_class_is_moderated(lesson: Lesson, chance: random.Random) -> None:
    rude, loud = lesson.students[3], lesson.students[4]
    rude.do("sendMessage", message="something rude")
    lesson.settle()
    said = last(lesson.teacher, "messageReceived", message="something rude")
    for student in chance.sample(lesson.students, 8):
        student.do("addReaction", messageId=said["messageId"], emoji="\N{THUMBS UP SIGN}")
    lesson.settle()
    lesson.teacher.do("deleteMessage", messageId=said["messageId"])
    lesson.carol.do("muteParticipant", userId=loud.user_id, muted=True)
    lesson.settle()
    last(loud, "participantMuted", userId=loud.user_id)
    loud.do("sendMessage", message="can you hear me?")
    lesson.settle()
    assert lesson.rejected() == ["FORBIDDEN"]
    lesson.teacher.do("removeParticipant", userId=rude.user_id)
    eventually(lambda: rude.stopped and all(tab.stopped for tab in lesson.second_tabs[3:4]), 15, "the removed gone")
    assert rude.stopped == "SESSION_ACCESS_DENIED"
    lesson.students.remove(rude)
    lesson.second_tabs.pop(3)


def everybody_chats(lesson: Lesson, chance: random.Random) -> None:
    for number in range(3):
        for student in lesson.students:
            student.do("sendMessage", message=f"round {number} of {student.user_id}")
        lesson.drop()
    for poller in lesson.pollers:
        assert poller.do("sendMessage", message="by polling")["ok"]
    lesson.settle()
    assert lesson.rejected() == ["FORBIDDEN"] * 3, "of who is muted"
    newest = max(ack["seq"] for student in lesson.students for ack in student.acks.values())
    for client in lesson.everyone:  # so that their workers know all that they may be about
        eventually(lambda client=client: client.seq >= newest, 15, "what everybody said")  # type: ignore[misc]
    seen = [data for name, data in lesson.carol.events if name == "messageReceived" and "groupId" not in data]
    said = [data for data in seen if data["message"] != "something rude"]  # which has been deleted
    for student in lesson.students:
        student.do("addReaction", messageId=chance.choice(said)["messageId"], emoji=chance.choice("👍🎉❓"))
    lesson.settle()
    assert lesson.rejected() == ["FORBIDDEN"]
    for student in lesson.students[:5]:
        student.do("removeReaction", messageId=chance.choice(said)["messageId"], emoji="👍")
    lesson.settle()
    assert set(lesson.rejected()) <= {"FORBIDDEN"}
    reader = lesson.pollers[0]
    for message in (said[-1], said[-2]):  # only forward
        assert reader.do("markRead", messageId=message["messageId"])["ok"]
    assert reader.do("typing", isTyping=True)["ok"]


def test_a_whole_lesson(lesson: Lesson) -> None:
    """1 teacher, 1 co-teacher, 30 students: 5 on two tabs, 5 losing their connection again and again, 2 on polling."""
    chance = random.Random(7)
    lesson.pair.a.api.step(lesson.pair.a.teacher, lesson.code, "start")
    groups_form_and_talk(lesson)
    everyone_answers(lesson)
    the_teacher_is_captioned(lesson)
    files_are_shared(lesson)
    two_hold_a_call(lesson)
    hands_go_up_and_down(lesson)
    the_class_is_moderated(lesson, chance)
    everybody_chats(lesson, chance)

    store = RedisStore(lesson.redis.url, prefix="cw", limits=LIMITS, timeout=5, connections=4)
    try:
        all_pictures_are_one(lesson, store)
        nobody_was_told_the_answer(lesson)
        the_sheet_is_right(lesson)
        lesson.pair.a.api.step(lesson.pair.a.teacher, lesson.code, "end")
        for client in lesson.everyone:
            last(client, "sessionEnded")
        assert {fault for client in lesson.everyone for fault in client.faults} == set()
        the_archive_has_it_all(lesson, store)
    finally:
        store.close()


def all_pictures_are_one(lesson: Lesson, store: RedisStore) -> None:
    """The picture of each client, a new snapshot of each worker, and the fold of the log, for each participant."""
    session_id = store.session_id(lesson.code)
    assert session_id
    live = LiveSession(session_id, store, Silence(), settings_of())
    live.load()
    fresh: dict[str, list[Any]] = {}
    for client in lesson.everyone:
        staff = client in lesson.staff
        role = "teacher" if staff else "student"
        who = Principal(AuthSession("", client.user_id, "", role), 0)
        for school in (lesson.pair.a, lesson.pair.b):
            joined = school.connect(client.token).join(lesson.code)
            fresh.setdefault(client.user_id, []).append(View(lesson.code, [("sessionJoined", joined)]).facts())
        fresh[client.user_id].append(View(lesson.code, [("sessionJoined", live.snapshot(who))]).facts())
        for facts in fresh[client.user_id]:
            same(lambda client=client: View(lesson.code, [*client.events]).facts(), facts)  # type: ignore[misc]
    for poller in lesson.pollers:
        user_id = user_of(poller)
        who = Principal(AuthSession("", user_id, "", "student"), 0)
        facts = View(lesson.code, [("sessionJoined", live.snapshot(who))]).facts()
        assert View(lesson.code, poller.events).facts() == facts
    for client in lesson.everyone:
        said_is_kept(lesson, client)


def same(picture: Callable[[], dict[str, Any]], facts: dict[str, Any]) -> None:
    def differing() -> dict[str, Any]:
        now = picture()
        return {key: (now[key], facts[key]) for key in facts if now[key] != facts[key]}

    try:
        eventually(lambda: not differing(), 15, "the same picture")
    except AssertionError:
        raise AssertionError(differing()) from None


def said_is_kept(lesson: Lesson, client: ResumingClient) -> None:
    """What a client has seen said and captioned is what the history has for it."""
    api, events = lesson.pair.b.api, all_seen(client)
    messages, captions = conversation(lesson.code, events)
    assert sorted(messages.values(), key=lambda message: message["seq"]) == api.messages(client.token, lesson.code)
    path = f"/sessions/{lesson.code}/transcript?limit=100"
    assert captions == api.ok("GET", path, client.token)["segments"]


def all_seen(client: ResumingClient) -> list[tuple[str, Any]]:
    """The events of a client with those that it was told of after a loss in their place."""
    seen: list[tuple[str, Any]] = []
    for name, data in client.events:
        if name == "sessionJoined" and data["recovered"]:
            seen += [(item["event"], item["data"]) for item in data["missed"]]
        seen.append((name, data))
    return seen


def the_archive_has_it_all(lesson: Lesson, store: RedisStore) -> None:
    """Entry by entry, so that the fold of the one is the fold of the other."""
    session_id = store.session_id(lesson.code)
    assert session_id
    archive = SqlArchive(lesson.archive)
    try:
        eventually(lambda: archive.positions([session_id]) == store.positions([session_id]), 15, "it is archived")
        kept, log = list(archive.entries(session_id)), store.read(session_id, 0, 100_000)
        assert kept == log
        folds = [Replica(), Replica()]
        for replica, entries in zip(folds, (kept, log), strict=True):
            for entry in entries:
                replica.apply(entry)
        assert folds[0].dump() == folds[1].dump()
    finally:
        archive.close()


def nobody_was_told_the_answer(lesson: Lesson) -> None:
    received: Sequence[tuple[Any, bool]] = [(client.events, client in lesson.staff) for client in lesson.everyone]
    for events, staff in [*received, *((poller.events, False) for poller in lesson.pollers)]:
        assert (SECRET in str(events)) == staff
        assert any(name == "activityResponse" for name, _ in events) == staff


def the_sheet_is_right(lesson: Lesson) -> None:
    """Every student once, however many tabs; the one who was removed too; no program that captions."""
    request = urllib.request.Request(
        f"{lesson.pair.a.url}{API}/sessions/{lesson.code}/attendance?format=csv",
        headers={"Authorization": f"Bearer {lesson.pair.a.teacher}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        rows = list(csv.DictReader(io.StringIO(answer.read().decode())))
    names = [row["displayName"] for row in rows if row["role"] == "student"]
    assert sorted(names) == sorted(f"Student {number}" for number in range(STUDENTS))
    assert [row["displayName"] for row in rows if row["status"] == "removed"] == ["Student 3"]
    assert {row["status"] for row in rows} == {"present", "removed"}
    assert all(float(row["minutesPresent"]) < 5 for row in rows)
