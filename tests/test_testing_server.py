"""The fixture ``classroom`` on a real server: the same scenarios, over gunicorn and WebSockets."""

import pytest

from classwaves.testing import OpenRoom, Room
from classwaves.testing.server import Server, ServerStage
from tests.support.apps import API
from tests.support.gunicorn_server import ROOT

pytestmark = [pytest.mark.classwaves_server("tests.support.board_app:make_app()"), pytest.mark.xdist_group("testing")]


def test_own_event(classroom: OpenRoom) -> None:
    with classroom(students=2) as room:
        room.student(0).send("boardStroke", {"points": [1, 2]})
        room.teacher.assert_received("boardStroked", points=[1, 2])
        room.student(1).send("boardStroke", {"points": "x"})
        room.student(1).assert_error("INVALID_PAYLOAD")
        room.student(1).refute_received("boardStroked", points=[3])
        with pytest.raises(AssertionError, match="has been sent boardStroked"):
            room.student(1).refute_received("boardStroked")


def test_who_comes_back_has_missed_nothing(classroom: OpenRoom) -> None:
    with classroom(students=1, guests=1) as room:
        student = room.student(0)
        assert [person.received for person in room.people] == [[], [], []]
        student.disconnect()
        room.teacher.send("sendMessage", {"message": "Meanwhile"})
        assert student.reconnect()["ok"]
        student.assert_received("messageReceived", message="Meanwhile")
        room.student(1).leave()
        student.refute_received("presenceUpdated", within=0.05, status="disconnected")
        room.student(1).refute_received("error")
        room.end()
        student.assert_received("sessionEnded")


def test_its_routes(classroom: OpenRoom) -> None:
    with classroom(students=1) as room:
        assert room.student(0).rest.get(f"{API}/auth/me").get_json()["userId"] == "student-0"
        path = f"{API}/sessions/{room.session_code}"
        answer = room.teacher.rest.patch(path, json={"title": "Physics"})
        assert (answer.status_code, answer.get_json()["title"]) == (200, "Physics")
        assert room.student(0).rest.patch(path, json={"title": "Physics"}).status_code == 403
        assert room.student(0).rest.get("/hello?name=Ann").text == "Hello, Ann"


def test_it_has_no_clock_of_its_own(classroom: OpenRoom) -> None:
    with classroom() as room, pytest.raises(RuntimeError, match="without classwaves_server"):
        room.clock.advance(1)


def test_it_may_have_a_redis(redis_url: str) -> None:
    server = Server("tests.support.board_app:make_app()", {"REDIS_URL": redis_url}, ROOT)
    try:
        with Room(ServerStage(server), students=2) as room:
            for number in range(5):
                room.student(0).send("boardStroke", {"points": [number]})
            with pytest.raises(AssertionError, match="has been sent boardStroked"):
                room.student(1).refute_received("boardStroked", points=[4])
            room.student(1).refute_received("boardStroked", points=[5])
    finally:
        server.close()
