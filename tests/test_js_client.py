"""The JavaScript client against a server of two workers on Redis, while all that breaks which can."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.pair import STEADY
from tests.support.ports import free_port
from tests.support.proxy import FaultyProxy
from tests.support.redis_copy import Copy
from tests.support.redis_server import RedisServer
from tests.support.rooms import Refused, Room, Rooms
from tests.support.school import School
from tests.test_live_tokens import lasting

pytestmark = pytest.mark.xdist_group("js-client")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer(aof=True) as server:
        yield server


@pytest.fixture(scope="module")
def school(redis: RedisServer) -> Iterator[School]:
    env = {**TEST_KEYS, **STEADY, "REDIS_URL": redis.url, "WEB_CONCURRENCY": "2", "CLASSWAVES_REQUIRE_REDIS": "1"}
    env |= {
        "CLASSWAVES_RATELIMIT_ENABLED": "0",
        "CLASSWAVES_REDIS_TIMEOUT": "1",
        "CLASSWAVES_DRAIN_SECONDS": "0.2",
        "CLASSWAVES_JWT_LEEWAY": "0",
    }
    with Gunicorn(env=env) as server:
        yield School(server, redis)


@pytest.fixture(scope="module")
def line(school: School) -> Iterator[FaultyProxy]:
    """The way of the clients to the server."""
    with FaultyProxy(school.server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def rooms(school: School, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    with Rooms(tmp_path_factory.mktemp("rooms")) as rooms:
        yield rooms


@pytest.fixture
def code(school: School) -> str:
    return school.session()


class Class:
    """A teacher and a student of one session, who are in it, and others as they are asked for."""

    def __init__(self, school: School, rooms: Rooms, line: FaultyProxy, code: str) -> None:
        self._school, self._rooms, self._line, self.code = school, rooms, line, code
        self._opened: list[Room] = []

    def room(self, name: str, **given: Any) -> Room:
        """Make a classroom; with a new guest's token unless tokens are given."""
        if not given.keys() & {"token", "tokens"}:
            given["token"] = self._school.api.guest(self.code, name)
        room = self._rooms.room(name, **{"url": f"http://127.0.0.1:{self._line.port}", "code": self.code, **given})
        self._opened.append(room)
        return room

    def teacher(self, **given: Any) -> Room:
        return self.room("teacher", token=self._school.teacher, **given)

    def close(self) -> None:
        for room in self._opened:
            room.end(room.begin("close"))


@pytest.fixture
def lesson(school: School, rooms: Rooms, line: FaultyProxy, code: str) -> Iterator[Class]:
    lesson = Class(school, rooms, line, code)
    yield lesson
    lesson.close()


def agree(*clients: Room, wanted: list[str]) -> None:
    """Each has heard these messages, once and in this order, and has nothing more to come."""
    for client in clients:
        client.until(lambda _, client=client: len(client.messages()) >= len(wanted), "all messages")  # type: ignore[misc]
    assert [client.messages() for client in clients] == [wanted] * len(clients)


def both(lesson: Class) -> tuple[Room, Room]:
    teacher, student = lesson.teacher(), lesson.room("student")
    teacher.join()
    student.join()
    knows(teacher, student)
    return teacher, student


def knows(teacher: Room, student: Room) -> None:
    """Wait until the teacher's worker has heard of the student, who may be on the other one."""
    me = student.look()["me"]["userId"]
    teacher.until(lambda _: any(data["userId"] == me for data in teacher.heard("presenceUpdated")), "the arrival")


def test_joined_and_heard(lesson: Class) -> None:
    teacher, student = lesson.teacher(), lesson.room("student", code=f" {lesson.code.lower()} ")
    snapshot = teacher.join()
    assert (snapshot["sessionCode"], snapshot["self"]["staff"]) == (lesson.code, True)
    assert student.join()["self"]["role"] == "student"
    assert student.send("sendMessage", message="one")["ok"]
    assert student.send("raiseHand")["seq"] > 0
    student.begin("emit", "typing", {"isTyping": True})
    teacher.until(lambda seen: "typingUpdated" in dict(seen["heard"]), "typing")
    agree(teacher, student, wanted=["one"])
    (said,) = student.heard("messageReceived")
    assert len(said["clientMessageId"]) == 24
    assert student.states() == ["connecting", "joined"]
    assert len(student.heard("snapshot")) == 1
    assert student.heard("sessionJoined") == []
    assert student.look()["me"].keys() >= {"userId", "role", "displayName", "staff"}
    with pytest.raises(Refused) as refused:
        student.send("assignGroups", count=2, strategy="random")
    assert refused.value.code == "FORBIDDEN"
    with pytest.raises(Refused) as refused:
        student.send("sendMessage", message="two", replyTo="nothing", colour="red")
    assert (refused.value.code, list(refused.value.details or ())) == ("INVALID_PAYLOAD", ["colour"])


def test_a_cut_line_leaves_no_hole_and_nothing_twice(lesson: Class, line: FaultyProxy) -> None:
    teacher, student = both(lesson)
    wanted = []
    for number in range(3):
        wanted += [f"{number} a", f"{number} b"]
        line.cut()
        pairs = zip((teacher, student), wanted[-2:], strict=True)
        sent = [client.begin("send", "sendMessage", {"message": text}) for client, text in pairs]
        first, second = (student.end(one)["seq"] for one in sent)
        if first > second:  # who of the two was back first is chance
            wanted[-2:] = wanted[:-3:-1]
    agree(teacher, student, wanted=wanted)
    assert len(student.heard("snapshot")) == 1
    assert len(student.heard("resumed")) >= 1


def test_what_was_sent_in_a_row_arrives_in_that_order(lesson: Class, line: FaultyProxy) -> None:
    teacher, student = both(lesson)
    wanted = [f"message {number}" for number in range(20)]
    sent = [student.begin("send", "sendMessage", {"message": one}) for one in wanted]
    line.cut()
    seqs = [student.end(one)["seq"] for one in sent]
    assert seqs == sorted(seqs)
    agree(teacher, student, wanted=wanted)


def test_an_answer_that_was_lost_is_asked_for_again(lesson: Class, line: FaultyProxy) -> None:
    """The server has stored it, and the client cannot know."""
    teacher, student = both(lesson)
    line.swallow_next_reply()
    assert student.send("sendMessage", message="once")["ok"]
    assert line.swallowed.is_set()
    teacher.send("sendMessage", message="after")
    agree(teacher, student, wanted=["once", "after"])


def test_workers_are_killed(lesson: Class, school: School) -> None:
    teacher, student = both(lesson)
    for pid in school.server.worker_pids:
        psutil.Process(pid).kill()
    assert student.send("sendMessage", message="from the next worker")["ok"]
    assert teacher.send("sendMessage", message="from another")["ok"]
    agree(teacher, student, wanted=["from the next worker", "from another"])
    assert student.heard("resumed")


def test_a_server_ends_and_another_one_begins(lesson: Class, school: School) -> None:
    teacher, student = both(lesson)
    school.server.stop()
    sent = student.begin("send", "sendMessage", {"message": "said while there was no server"})
    student.until(lambda seen: seen["state"] == "reconnecting", "the loss")
    school.server.start()
    assert student.end(sent)["ok"]
    agree(teacher, student, wanted=["said while there was no server"])
    assert student.heard("reconnectAdvised")
    assert len(student.heard("snapshot")) == 1


def test_redis_is_restarted(lesson: Class, redis: RedisServer) -> None:
    """What was refused meanwhile is repeated, and what came after it waits its turn."""
    teacher, student = both(lesson)
    redis.kill()
    wanted = ["first", "second", "third"]
    sent = [student.begin("send", "sendMessage", {"message": one}) for one in wanted]
    student.until(lambda seen: "error" in dict(seen["heard"]), "a refusal")
    redis.start()
    assert all(student.end(one)["ok"] for one in sent)
    agree(teacher, student, wanted=wanted)


def test_a_redis_that_lost_something_begins_another_epoch(lesson: Class, redis: RedisServer, tmp_path: Path) -> None:
    teacher, student = both(lesson)
    copy = Copy(redis, tmp_path)
    assert student.send("sendMessage", message="lost")["ok"]
    before = student.look()
    copy.restore()
    student.until(lambda seen: seen["epoch"] != before["epoch"], "another epoch")
    assert len(student.heard("snapshot")) == 2
    assert student.send("sendMessage", message="kept")["ok"]
    agree(teacher, student, wanted=["lost", "kept"])
    seen = student.look()
    assert seen["seq"] == teacher.look()["seq"] == student.heard("messageReceived")[-1]["seq"]


def test_a_page_that_was_reloaded_goes_on_where_it_was(lesson: Class, rooms: Rooms, school: School) -> None:
    token = school.api.guest(lesson.code, "Ann")
    teacher, page = lesson.teacher(), lesson.room("page", token=token, stored=True)
    teacher.join()
    page.join()
    teacher.send("sendMessage", message="before")
    agree(page, wanted=["before"])
    page.begin("close")
    teacher.send("sendMessage", message="meanwhile")

    page = lesson.room("page", token=token, stored=True)
    assert page.join()["recovered"]
    agree(page, wanted=["meanwhile"])
    assert page.heard("snapshot") == []
    other = lesson.room("page", stored=True)  # another user, in the same tab
    assert not other.join()["recovered"]
    page.end(page.begin("leave"))
    assert len(rooms.ask("stored", "page")) == 1


def test_a_storage_that_is_full_costs_no_event(lesson: Class, rooms: Rooms, line: FaultyProxy) -> None:
    teacher, page = lesson.teacher(), lesson.room("full", stored=True)
    teacher.join()
    page.join()
    rooms.ask("fill", "full")
    line.cut()
    wanted = ["one", "two", "three"]
    for text in wanted:
        teacher.send("sendMessage", message=text)
    agree(page, wanted=wanted)
    assert rooms.ask("stored", "full") == {}


def test_what_cannot_be_sent_is_refused_and_holds_nothing_back(lesson: Class, rooms: Rooms) -> None:
    """What is no JSON, and what is too large for a packet: with that the server ends the connection."""
    student = lesson.room("student")
    student.join()
    bad = rooms.begin("sendEndless", "student")
    huge = student.begin("send", "sendMessage", {"message": "x" * 1_200_000})
    for number, code in ((bad, "INVALID_PAYLOAD"), (huge, "NO_ANSWER")):
        with pytest.raises(Refused) as refused:
            student.end(number)
        assert refused.value.code == code
    assert student.send("sendMessage", message="on")["ok"]


def test_one_may_come_again_from_a_listener(lesson: Class, school: School) -> None:
    """In the middle of what was missed: the rest of it is missed still, and comes."""
    teacher, student = lesson.teacher(), lesson.room("student", againOn="handStatusChanged")
    teacher.join()
    student.join()
    student.end(student.begin("close"))
    wanted = ["one", "two"]
    teacher.send("sendMessage", message="one")
    teacher.send("raiseHand")
    teacher.send("sendMessage", message="two")
    student.begin("join")
    agree(student, wanted=wanted)
    assert len(student.heard("snapshot")) == 1


def test_a_file_that_has_to_wait_holds_no_message_back(lesson: Class, line: FaultyProxy) -> None:
    student = lesson.room("student")
    student.join()
    line.swallow_next_reply()
    begin = {"clientFileId": "f", "fileName": "f", "mimeType": "text/plain", "size": 1, "sha256": "0" * 64}
    student.begin("send", "fileStart", begin)
    assert line.swallowed.wait(10)
    assert student.send("sendMessage", message="meanwhile")["ok"]


# tokens


def test_a_token_is_renewed_before_it_ends(lesson: Class, school: School) -> None:
    soon, next_one = lasting(school.api.token("student"), 30), school.api.token("student")
    student = lesson.room("student", tokens=[soon, next_one])  # half a minute before its end it is warned at once
    student.join()
    student.until(lambda seen: seen["asked"] == 2, "authExpiring")  # the first was asked for to begin with
    assert student.send("sendMessage", message="on")["ok"]
    assert student.states() == ["connecting", "joined"]
    assert student.heard("error") == []


def test_who_has_no_new_token_in_time_comes_back_with_one(lesson: Class, school: School, rooms: Rooms) -> None:
    token, next_one = school.api.token("student"), school.api.token("student")
    # Both end together, and not before both have joined, however slow that is.
    without = lesson.room("without", token=lasting(token, 4), tokens=[{}, None])
    without.join()
    late = lesson.room("late", token=lasting(token, 4), tokens=[{}])
    late.join()
    without.until(lambda seen: seen["state"] == "refused", "the end: there was no other token")
    assert len(without.heard("authExpiring")) == 1
    late.until(lambda seen: seen["state"] == "reconnecting", "the end of the token")
    rooms.ask("give", "late", [next_one])
    late.until(lambda seen: seen["state"] == "joined", "the next token")
    assert late.states()[-2:] == ["reconnecting", "joined"]
    assert late.heard("resumed")


def test_a_token_that_has_ended_is_replaced(lesson: Class, school: School) -> None:
    """Also when the first request for the next one fails."""
    ended, next_one = lasting(school.api.token("student"), -10), school.api.token("student")
    student = lesson.room("student", token=ended, tokens=[{}, next_one])
    student.join()
    assert student.look()["asked"] == 2
    assert student.states() == ["connecting", "reconnecting", "joined"]


def test_the_first_token_is_asked_for_until_there_is_one(lesson: Class, school: School) -> None:
    student = lesson.room("student", tokens=[{}, school.api.token("student")])
    student.join()
    assert student.states() == ["connecting", "reconnecting", "joined"]


def test_a_token_is_not_shown(lesson: Class, rooms: Rooms) -> None:
    lesson.room("student", token="very secret")
    assert "very secret" not in rooms.ask("shown", "student")


def test_no_server_is_told_meanwhile(lesson: Class) -> None:
    student = lesson.room("student", url=f"http://127.0.0.1:{free_port()}")
    joining = student.begin("join")
    student.until(lambda seen: seen["state"] == "reconnecting", "the trouble")
    student.end(student.begin("close"))
    with pytest.raises(Refused) as refused:
        student.end(joining)
    assert refused.value.code == "CLOSED"


@pytest.mark.parametrize("tokens", [None, [None], [{"code": "SESSION_EXPIRED"}], ["the same"]])
def test_without_another_token_it_is_refused(lesson: Class, school: School, tokens: list[Any] | None) -> None:
    ended = lasting(school.api.token("student"), -10)
    given = [ended if one == "the same" else one for one in tokens or ()]
    student = lesson.room("student", token=ended, tokens=given or None)
    with pytest.raises(Refused) as refused:
        student.join()
    assert refused.value.code == ("SESSION_EXPIRED" if tokens and isinstance(tokens[0], dict) else "TOKEN_EXPIRED")
    seen = student.look()
    assert (seen["state"], seen["asked"]) == ("refused", 1 if tokens else 0)


def test_a_login_that_ends_is_told(lesson: Class, school: School) -> None:
    token = school.api.token("student")
    student = lesson.room("student", token=token)
    student.join()
    school.api.ok("POST", "/auth/logout", token)
    student.until(lambda seen: seen["state"] == "refused", "the end")
    assert student.heard("state")[-1] == {"state": "refused", "code": "SESSION_EXPIRED"}
    with pytest.raises(Refused) as refused:
        student.send("sendMessage", message="nobody hears")
    assert refused.value.code == "CLOSED"


# who may not, and who has to wait


def test_refused(lesson: Class, school: School) -> None:
    student = lesson.room("student", code="ZZZZZZ", token=school.api.token("student"))
    guest = lesson.room("guest", code=school.session(), token=school.api.guest(lesson.code, "Ann"))
    for room, why in ((student, "SESSION_NOT_FOUND"), (guest, "SESSION_ACCESS_DENIED")):
        with pytest.raises(Refused) as refused:
            room.join()
        assert refused.value.code == why
        assert room.look()["state"] == "refused"


def test_removed(lesson: Class) -> None:
    teacher, student = both(lesson)
    teacher.send("removeParticipant", userId=student.look()["me"]["userId"])
    student.until(lambda seen: seen["state"] == "refused", "the end")
    assert student.heard("state")[-1]["code"] == "SESSION_ACCESS_DENIED"
    assert len(student.heard("participantRemoved")) == 1
    with pytest.raises(Refused) as refused:
        student.join()
    assert refused.value.code == "SESSION_ACCESS_DENIED"


@pytest.mark.parametrize("event", ["participantRemoved", "sessionLeft", "snapshot"])
def test_a_listener_may_close_it(lesson: Class, event: str) -> None:
    teacher, student = lesson.teacher(), lesson.room("student", closeOn=event)
    teacher.join()
    joining = student.begin("join")
    if event == "snapshot":
        with pytest.raises(Refused) as refused:
            student.end(joining)
        assert refused.value.code == "CLOSED"
    else:
        student.end(joining)
        knows(teacher, student)
        teacher.send("removeParticipant", userId=student.look()["me"]["userId"])
        student.until(lambda seen: seen["state"] == "closed", "the end")
    assert student.states() == ["connecting", "joined", "closed"]


def test_an_ended_session_is_over(lesson: Class, school: School, line: FaultyProxy) -> None:
    teacher, student = both(lesson)
    school.api.step(school.teacher, lesson.code, "end")
    student.until(lambda seen: "sessionEnded" in dict(seen["heard"]), "the end")
    assert student.look()["state"] == "joined"  # one may read
    assert student.send("fetchHistory")["messages"] == []
    line.cut()
    student.until(lambda seen: seen["state"] == "refused", "no way back")
    assert student.heard("state")[-1]["code"] == "SESSION_ENDED"


@pytest.mark.parametrize("admitted", [True, False])
def test_the_waiting_room(school: School, rooms: Rooms, line: FaultyProxy, admitted: bool) -> None:
    lesson = Class(school, rooms, line, school.session(waitingRoom=True))
    teacher, guest = lesson.teacher(url=school.url), lesson.room("guest")  # the guest's line alone is cut
    teacher.join()

    def asks() -> bool:
        """Whether the teacher's worker, which may be another one, has heard of it."""
        return len(teacher.heard("joinRequested")) > len(teacher.heard("joinWithdrawn"))

    joining = guest.begin("join")
    sent = guest.begin("send", "sendMessage", {"message": "at last"})
    teacher.until(lambda _: asks(), "the guest")
    guest.until(lambda seen: seen["state"] == "waiting", "the waiting room")
    line.cut()
    guest.until(lambda _: guest.states()[-2:] == ["reconnecting", "waiting"], "the waiting room again")
    teacher.until(lambda _: asks(), "the guest again")
    teacher.send("admitParticipant", userId=guest.look()["me"]["userId"], admitted=admitted)
    if admitted:
        assert not guest.end(joining)["recovered"]
        assert guest.end(sent)["ok"]
    else:
        for number in (joining, sent):
            with pytest.raises(Refused) as refused:
                guest.end(number)
            assert refused.value.code == "SESSION_ACCESS_DENIED"
        assert guest.states()[-1] == "refused"
    lesson.close()


def test_left_closed_and_back(lesson: Class) -> None:
    teacher, student = both(lesson)
    me = student.look()["me"]["userId"]
    student.end(student.begin("close"))
    assert student.states()[-1] == "closed"
    teacher.until(lambda _: teacher.heard("presenceUpdated")[-1]["status"] == "disconnected", "the loss")
    assert student.join()["recovered"]
    student.end(student.begin("leave"))
    teacher.until(lambda _: teacher.heard("presenceUpdated")[-1]["status"] == "left", "the departure")
    assert {data["userId"] for data in teacher.heard("presenceUpdated")} == {me}
    assert student.look()["epoch"] is None
    assert not student.join()["recovered"]
