"""The shop's guard: asked before a join over a socket or by a guest over REST, and before strangers to a room read."""

import logging
import threading
from collections.abc import Iterator

import gevent
import pytest
from flask import Flask, has_app_context

from classwaves import ClassWaves, Join, Refuse
from tests.support.apps import API, bearer, guest, headers_for, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, Tab, open_classroom
from tests.support.waiting import eventually

GUARDED = {"reason": "guard"}


class School:
    """A guard that knows who may come in, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Join] = []
        self.barred: set[str] = set()

    def __call__(self, join: Join) -> bool | None:
        assert has_app_context(), "a guard may use what it finds in its application"
        self.asked.append(join)
        if join.display_name in self.barred:
            raise Refuse("Your parents have not agreed yet")
        return None

    def names(self) -> list[str]:
        """Return who was asked about since the last call."""
        names = [join.display_name for join in self.asked]
        self.asked.clear()
        return names


@pytest.fixture
def school() -> School:
    return School()


@pytest.fixture
def app(school: School) -> Iterator[Flask]:
    app = Flask(__name__)
    app.config.update(TESTING=True, CLASSWAVES_RATELIMIT_ENABLED=False, CLASSWAVES_EPHEMERAL_WINDOW=0, **TEST_KEYS)
    ClassWaves(app, join_guard=school)
    yield app
    state_of(app).close()


@pytest.fixture
def room(app: Flask) -> Classroom:
    return open_classroom(app)


def test_the_guard_hears_who_wants_to_come_in(room: Classroom, school: School) -> None:
    room.teacher()
    (grace,) = school.asked
    assert (grace.user_id, grace.display_name, grace.role, grace.staff, grace.guest, grace.reads) == (
        "grace",
        "Grace",
        "teacher",
        True,
        False,
        False,
    )
    assert (grace.session.code, grace.session.owner_id, grace.session.title) == (room.code, "grace", "A lesson")
    assert grace.session.settings["maxParticipants"] == 1000
    school.names()
    room.joined("Ada")
    (ada,) = school.asked
    assert (ada.user_id, ada.role, ada.staff, ada.guest) == ("ada", "student", False, False)


def test_a_refusal_says_its_reason_and_leaves_nothing(room: Classroom, school: School) -> None:
    teacher = room.teacher()
    school.barred = {"Ada"}
    ada = room.tab("Ada")
    error = ada.refused("joinSession", room.code)
    assert error == {
        "code": "SESSION_ACCESS_DENIED",
        "message": "Your parents have not agreed yet",
        "details": GUARDED,
    }
    assert ada.refused("raiseHand", {"sessionCode": room.code})["code"] == "NOT_IN_SESSION"
    assert teacher.take() == [], "nobody has come, and nobody has gone"
    school.barred.clear()
    ada.join(room.code)


def test_who_has_joined_is_not_asked_about_again(room: Classroom, school: School) -> None:
    ada = room.joined("Ada")
    school.names()
    ada.join(room.code)
    assert school.names() == []


def test_who_comes_back_is_asked_about_again(room: Classroom, school: School) -> None:
    """Consent may have been withdrawn while they were away, also within the grace."""
    ada = room.joined("Ada")
    ada.vanish()
    school.names()
    school.barred = {"Ada"}
    room.tab("Ada").refused("joinSession", room.code)
    assert school.names() == ["Ada"]


@pytest.mark.parametrize("answer", [False, 0, "no", "yes"], ids=repr)
def test_only_none_and_true_let_pass(room: Classroom, app: Flask, answer: bool) -> None:
    state_of(app).hub.gate.guard = lambda join: answer
    error = room.tab("Ada").refused("joinSession", room.code)
    assert (error["code"], error["message"]) == ("SESSION_ACCESS_DENIED", "You may not enter this session")
    state_of(app).hub.gate.guard = lambda join: True
    room.joined("Ada")


def test_a_guard_that_fails_lets_nobody_in(room: Classroom, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    def broken(join: Join) -> bool:
        raise LookupError("the school's database is away")

    state_of(app).hub.gate.guard = broken
    error = room.tab("Ada").refused("joinSession", room.code)
    assert (error["code"], error["details"]) == ("SESSION_ACCESS_DENIED", GUARDED)
    assert "database" not in error["message"], "that is nobody's business outside"
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert isinstance(record.exc_info[1], LookupError)


def test_a_guard_that_takes_too_long_by_its_own_clock_lets_nobody_in(room: Classroom, app: Flask) -> None:
    """gevent's Timeout is no Exception, and there is an answer all the same."""

    def slow(join: Join) -> bool:
        raise gevent.Timeout(2)

    state_of(app).hub.gate.guard = slow
    assert room.tab("Ada").refused("joinSession", room.code)["details"] == GUARDED
    answer = app.test_client().post(f"{API}/sessions/{room.code}/join", json={"displayName": "Gus"})
    assert (answer.status_code, answer.get_json()["error"]["details"]) == (403, GUARDED)


def test_the_settings_of_a_session_come_first(app: Flask, school: School) -> None:
    room = open_classroom(app, access="roster", rosterUserIds=["bob"])
    assert "details" not in room.tab("Ada").refused("joinSession", room.code)
    assert school.names() == []


def test_a_guest_is_asked_about_before_there_is_a_token(app: Flask, room: Classroom, school: School) -> None:
    client = app.test_client()
    school.barred = {"Mallory"}
    answer = client.post(f"{API}/sessions/{room.code}/join", json={"displayName": "Mallory"})
    assert answer.status_code == 403
    assert answer.get_json()["error"]["message"] == "Your parents have not agreed yet"
    (mallory,) = school.asked
    assert mallory.guest
    assert mallory.address == "127.0.0.1"
    school.names()
    token, user = guest(client, room.code, "Gus")
    Tab(app, token).join(room.code)
    first, second = school.asked
    assert first.user_id == second.user_id == user["userId"]
    assert second.guest


def test_who_is_not_in_the_room_reads_only_if_the_guard_says_so(app: Flask, room: Classroom, school: School) -> None:
    client = app.test_client()
    token, _ = guest(client, room.code, "Gus")
    path = f"{API}/sessions/{room.code}/messages"
    school.names()
    assert client.get(path, headers=bearer(token)).status_code == 200
    assert [join.reads for join in school.asked] == [True]
    school.barred = {"Gus", "Grace", "Ada"}
    assert client.get(path, headers=bearer(token)).status_code == 403
    assert client.get(path, headers=headers_for(app, "Grace", "teacher")).status_code == 200, "her own session"
    school.barred = set()
    room.joined("Ada")
    school.names()
    assert client.get(path, headers=headers_for(app, "Ada")).status_code == 200
    assert school.names() == [], "she is in it"


def test_a_guard_that_takes_its_time_holds_up_nobody_else(app: Flask, room: Classroom) -> None:
    teacher, asked, answered = room.teacher(), threading.Event(), threading.Event()

    def slow(join: Join) -> None:
        if join.display_name == "Ada":
            asked.set()
            assert answered.wait(10)

    state_of(app).hub.gate.guard = slow
    ada = room.tab("Ada")
    acks: list[bool] = []
    thread = threading.Thread(target=lambda: acks.append(ada.ask("joinSession", room.code)["ok"]))
    thread.start()
    assert asked.wait(10)
    room.joined("Bob")
    teacher.say(room.code, "hello")
    assert not acks
    answered.set()
    thread.join(10)
    assert acks == [True]
    joined = [body["userId"] for name, body in teacher.take() if name == "presenceUpdated"]
    assert eventually(lambda: joined, what="presence") == ["bob", "ada"]


def test_a_guard_is_set_once(app: Flask) -> None:
    classwaves = ClassWaves()

    @classwaves.join_guard
    def first(join: Join) -> None:
        """Let everybody pass."""

    with pytest.raises(RuntimeError, match="already"):
        classwaves.join_guard(first)
