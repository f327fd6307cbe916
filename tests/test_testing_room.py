"""The fixture ``classroom`` in memory: a shop's own event in five lines, and what its people do and say."""

from typing import Any

import pytest
from flask import Flask
from flask_socketio import SocketIO

from classwaves import Account, ClassWaves
from classwaves.testing import OpenRoom, Room
from classwaves.testing.stages import MemoryStage
from tests.support.apps import API, bearer, state_of
from tests.support.board_app import make_app
from tests.support.gunicorn_server import TEST_KEYS


@pytest.fixture
def app() -> Flask:
    return make_app()


def test_own_event(classroom: OpenRoom) -> None:
    with classroom(students=2) as room:
        room.student(0).send("boardStroke", {"points": [1, 2]})
        room.teacher.assert_received("boardStroked", points=[1, 2])
        room.student(1).send("boardStroke", {"points": "x"})
        room.student(1).assert_error("INVALID_PAYLOAD")


def test_a_room_begins_in_silence_with_everybody_in_it(classroom: OpenRoom) -> None:
    with classroom(students=2, guests=1) as room:
        assert [person.name for person in room.people] == ["Teacher", "Student 0", "Student 1", "Guest 0"]
        assert [person.received for person in room.people] == [[], [], [], []]
        assert room.student(0).joined["sessionCode"] == room.session_code
        assert room.student(2).joined["status"] == "active"
        with pytest.raises(IndexError, match="there are 3 students"):
            room.student(3)
        ann = room.join("Ann")
        room.teacher.assert_received("presenceUpdated", userId="ann", status="active")
        assert ann.received[0].event == "connectionReady"
    assert [person.connected for person in room.people] == [False] * 5


def test_acks_and_errors(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        student = room.student(0)
        ack = student.send("sendMessage", {"message": "Hello", "clientMessageId": "1"})
        assert student.assert_acked("sendMessage", messageId=ack["messageId"]) == student.assert_acked() == ack
        student.send("setSessionMode", {"mode": "focus"})
        assert student.assert_error("FORBIDDEN", event="setSessionMode")["code"] == "FORBIDDEN"
        with pytest.raises(AssertionError, match=r"^setSessionMode was refused: .*FORBIDDEN"):
            student.assert_acked()
        student.clear()
        assert student.received == []
        with pytest.raises(AssertionError, match=r"^Student 0 has sent nothing since clear\(\)"):
            student.assert_acked()
        student.send("noSuchEvent")
        student.assert_error("UNKNOWN_EVENT")
        student.leave()
        student.assert_acked("leaveSession")
        student.join()
        student.assert_acked("joinSession")


def test_settings_and_the_life_of_a_session(classroom: OpenRoom) -> None:
    with classroom(started=False, maxParticipants=2) as room:
        assert room.teacher.joined["status"] == "created"
        for step, status in {"start": "active", "pause": "paused", "resume": "active"}.items():
            getattr(room, step)()
            room.teacher.assert_received("sessionStatusChanged", status=status)
        room.join("Ann")
        late = room.join("Bob", asserted=False)
        late.assert_error("SESSION_FULL")
        with pytest.raises(AssertionError, match="^Cyd was not let in: .*SESSION_FULL"):
            room.join("Cyd")
        room.end()
        room.teacher.assert_received("sessionEnded")


def test_a_guest_waits_to_be_let_in(classroom: OpenRoom) -> None:
    with classroom(guests=1, waitingRoom=True) as room:
        guest = room.student(0)
        assert guest.joined == {}
        guest.refute_received("sessionJoined")
        room.teacher.send("admitParticipant", {"userId": guest.user_id, "admitted": True})
        guest.assert_received("sessionJoined")
        assert guest.joined["self"]["userId"] == guest.user_id


def test_who_comes_back_has_missed_nothing(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        student = room.student(0)
        student.disconnect()
        with pytest.raises(AssertionError, match=r"Student 0 is not connected; reconnect\(\)"):
            student.send("raiseHand")
        room.teacher.send("sendMessage", {"message": "Meanwhile"})
        assert student.reconnect()["ok"]
        student.assert_received("messageReceived", message="Meanwhile")
        student.clear()
        student.reconnect(resume=False)
        student.refute_received("messageReceived")
        assert student.joined["recovered"] is False


def test_own_accounts_and_routes(classroom: OpenRoom, app: Flask) -> None:
    ada, bob = Account("7", "Ada", "teacher"), Account("8", "Bob", "student")
    with classroom(teacher=ada, students=[bob]) as room:
        assert room.student(0).rest.get(f"{API}/auth/me").get_json()["userId"] == "8"
        assert room.student(0).rest.get("/hello?name=Ann").text == "Hello, Ann"
        answer = room.teacher.rest.patch(f"{API}/sessions/{room.session_code}", json={"title": "Physics"})
        assert answer.get_json()["title"] == "Physics"
        token = room.new_token(room.teacher)
        assert app.test_client().get(f"{API}/auth/me", headers=bearer(token)).get_json()["userId"] == "7"


# what a failure says


def test_a_failure_tells_what_came_in_place_of_it(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        room.student(0).send("boardStroke", {"points": [1, 3]})
        room.student(0).send("raiseHand")
        room.teacher._stage.patience = 0
        with pytest.raises(AssertionError) as failed:
            room.teacher.assert_received("boardStroked", points=[1, 2], by="me")
        text = str(failed.value)
        assert text.startswith("Teacher has not been sent boardStroked with points=[1, 2], by='me'.\n")
        assert "The nearest boardStroked: points is [1, 3], not [1, 2]; it has no by." in text
        assert "  handStatusChanged {" in text
        with pytest.raises(AssertionError, match="Did you mean boardStroked, which came"):
            room.teacher.assert_received("boardStroke")
        with pytest.raises(AssertionError, match="has been sent boardStroked .*, which was not expected"):
            room.teacher.refute_received("boardStroked", points=[1, 3])
        room.teacher.refute_received("boardStroked", points=[1, 2])
        room.student(0).clear()
        room.student(0).send("setSessionMode", {"mode": "focus"})
        with pytest.raises(
            AssertionError, match="The last that Student 0 sent, setSessionMode, was refused: .*FORBIDDEN"
        ):
            room.student(0).assert_received("sessionModeChanged")


# the clock


def test_typing_ends_by_itself(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        room.student(0).send("typing", {"isTyping": True})
        room.teacher.assert_received("typingUpdated", isTyping=True)
        room.teacher.refute_received("typingUpdated", isTyping=False, within=4)
        room.clock.advance(2)
        room.teacher.assert_received("typingUpdated", isTyping=False)


def test_who_is_gone_has_left_after_a_while(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        room.student(0).disconnect()
        room.teacher.refute_received("presenceUpdated", within=4)
        room.clock.advance(2)
        room.teacher.assert_received("presenceUpdated", status="disconnected")
        room.teacher.refute_received("presenceUpdated", status="left", within=590)
        room.clock.advance(30)
        room.teacher.assert_received("presenceUpdated", status="left")


def test_a_token_ends_unless_it_is_renewed(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        room.clock.advance(3550)
        for person in room.people:
            person.assert_received("authExpiring")
        token = room.new_token(room.teacher)
        room.teacher.send("refreshAuth", {"token": token})
        room.teacher.assert_acked()
        room.clock.advance(60)
        room.student(0).assert_error("TOKEN_EXPIRED")
        assert [person.connected for person in room.people] == [True, False]
        assert room.student(0).rest.get(f"{API}/auth/me").status_code == 401
        assert room.student(0).reconnect(token=room.new_token(room.student(0)))["ok"]


def test_a_clock_does_not_go_backwards(classroom: OpenRoom) -> None:
    with classroom() as room, pytest.raises(ValueError, match="forward"):
        room.clock.advance(-1)


# the application


def test_a_whole_class_meets_no_limits_of_rate(classroom: OpenRoom) -> None:
    with classroom(students=40) as room:
        for person in room.people:
            person.send("boardStroke", {"points": [1]})
        room.student(39).assert_acked("boardStroke")
        assert len(room.teacher.received) == 41


def test_tests_that_follow_each_other_on_one_application_share_no_rates(app: Flask) -> None:
    for _ in range(15):  # a single-file application is made once for all tests
        with Room(MemoryStage(app), students=1) as room:
            for _ in range(4):
                room.student(0).send("boardStroke", {"points": [1]})
                room.student(0).assert_acked()


def test_a_namespace_of_its_own() -> None:
    other = make_app(CLASSWAVES_NAMESPACE="/classroom")
    with Room(MemoryStage(other), students=1) as room:
        room.student(0).send("boardStroke", {"points": [1, 2]})
        room.teacher.assert_received("boardStroked", points=[1, 2])
    state_of(other).close()


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"maxParticipant": 2}, "no option maxParticipant,.*Did you mean maxParticipants?"),
        ({"waitingRoom": "soon"}, "waitingRoom='soon'"),
        ({"students": -1}, "cannot be fewer than 0"),
        ({"students": "ab"}, "given 'a' for a person: give students=2"),
        ({"teacher": "Ada"}, "given 'Ada' for a person"),
    ],
    ids=["misspelled", "no flag", "negative", "names", "a name"],
)
def test_a_room_that_there_cannot_be_is_refused(classroom: OpenRoom, how: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        classroom(**how)


def test_nobody_is_in_a_room_that_is_not_open(classroom: OpenRoom) -> None:
    room = classroom(students=1)
    empty = pytest.raises(RuntimeError, match=r"nobody is in this room yet: with classroom\(students=…\) as room:")
    with empty:
        room.teacher.clear()
    with empty:
        room.student(0)


def test_an_application_without_a_classroom_is_told_so(classroom: OpenRoom, app: Flask) -> None:
    state = state_of(app)
    del app.extensions["classwaves"]
    with pytest.raises(RuntimeError, match=r"call ClassWaves\(\).init_app\(app\)"), classroom():
        pass
    app.extensions["classwaves"] = state


def test_a_socketio_object_of_the_shop() -> None:
    app = Flask("shop")
    app.config.update(TEST_KEYS)
    sockets = SocketIO(app)
    sockets.on("ping", namespace="/shop")(lambda: "pong")
    ClassWaves(app)
    with Room(MemoryStage(app), students=1) as room:
        room.student(0).send("sendMessage", {"message": "Hello"})
        room.teacher.assert_received("messageReceived", message="Hello")
        assert sockets.test_client(app, namespace="/shop").emit("ping", namespace="/shop", callback=True) == "pong"
    state_of(app).close()


def test_an_application_on_redis_is_for_a_real_server() -> None:
    app = make_app(REDIS_URL="redis://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="classwaves_server"):
        MemoryStage(app)
    state_of(app).close()
