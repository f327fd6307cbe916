"""Participants and messages over REST, page by page."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_socketio import SocketIOTestClient

from tests.support.apps import API, AppFactory, bearer, headers_for, new_session, sign_in, state_of, step


class Room(NamedTuple):
    """A session with its teacher in it."""

    app: Flask
    client: FlaskClient
    code: str
    headers: dict[str, str]
    teacher: SocketIOTestClient

    def get(self, path: str, headers: dict[str, str] | None = None, /, **query: Any) -> Any:
        address = f"{API}/sessions/{self.code}/{path}"
        return self.client.get(address, query_string=query, headers=headers or self.headers)

    def say(self, *texts: str) -> list[dict[str, Any]]:
        """Let the teacher send messages, and return them as they were received."""
        self.teacher.get_received()
        for text in texts:
            payload = {"sessionCode": self.code, "message": text}
            assert self.teacher.emit("sendMessage", payload, callback=True)["ok"]
        received = self.teacher.get_received()
        return [packet["args"][0] for packet in received if packet["name"] == "messageReceived"]


def socket_of(app: Flask, name: str, role: str = "student") -> SocketIOTestClient:
    return state_of(app).socketio.test_client(app, auth={"token": sign_in(app, name, role).access})


@pytest.fixture
def room(make_app: AppFactory) -> Iterator[Room]:
    app = make_app()
    client, headers, teacher = app.test_client(), headers_for(app, "Ada", "teacher"), socket_of(app, "Ada", "teacher")
    code = new_session(client, headers)
    assert teacher.emit("joinSession", code, callback=True)["ok"]
    yield Room(app, client, code, headers, teacher)
    teacher.disconnect()


def test_participants_are_shown_as_the_socket_shows_them(room: Room) -> None:
    student = socket_of(room.app, "Ben")
    student.emit("joinSession", room.code, callback=True)
    joined = next(packet for packet in student.get_received() if packet["name"] == "sessionJoined")
    listed = room.get("participants").get_json()
    assert listed == {"participants": joined["args"][0]["participants"], "nextCursor": None}
    assert [person["userId"] for person in listed["participants"]] == ["ada", "ben"]
    assert set(listed["participants"][0]) == {"userId", "displayName", "role", "status", "joinedAt"}
    student.disconnect()


def test_participants_come_in_pages_in_the_order_of_joining(room: Room) -> None:
    sockets = [socket_of(room.app, f"S{number}") for number in range(6)]
    for socket in sockets:
        assert socket.emit("joinSession", room.code, callback=True)["ok"]
    pages: list[list[str]] = []
    cursor: str | None = "0"
    while cursor is not None:
        body = room.get("participants", limit=3, cursor=cursor).get_json()
        pages.append([person["userId"] for person in body["participants"]])
        cursor = body["nextCursor"]
    assert pages == [["ada", "s0", "s1"], ["s2", "s3", "s4"], ["s5"]]
    for socket in sockets:
        socket.disconnect()


def test_a_status_is_the_one_of_now(room: Room) -> None:
    room.teacher.emit("updatePresence", {"sessionCode": room.code, "status": "idle"}, callback=True)
    assert [person["status"] for person in room.get("participants").get_json()["participants"]] == ["idle"]


def test_messages_are_shown_as_they_were_received(room: Room) -> None:
    received = room.say("One", "Two")
    assert room.get("messages").get_json() == {"messages": received, "hasMore": False, "nextBeforeSeq": None}


def test_messages_come_in_pages_newest_last(room: Room) -> None:
    received = room.say(*(f"Message {number}" for number in range(7)))
    step(room.client, room.headers, room.code, "start")  # an entry that is no message
    received += room.say("After the start")
    pages: list[list[dict[str, Any]]] = []
    query: dict[str, int] = {}
    while True:
        body = room.get("messages", limit=3, **query).get_json()
        pages.insert(0, body["messages"])
        if not body["hasMore"]:
            break
        assert body["nextBeforeSeq"] == body["messages"][0]["seq"]
        query = {"beforeSeq": body["nextBeforeSeq"]}
    assert body["nextBeforeSeq"] is None
    assert [len(page) for page in pages] == [2, 3, 3]
    assert sum(pages, []) == received


def test_a_page_that_is_just_full_has_no_other(room: Room) -> None:
    room.say("One", "Two", "Three")
    body = room.get("messages", limit=3).get_json()
    assert (len(body["messages"]), body["hasMore"]) == (3, False)


def test_messages_are_found_behind_many_entries_that_are_none(room: Room) -> None:
    received = room.say("The first")
    student = socket_of(room.app, "Ben")
    for _ in range(110):
        student.emit("joinSession", room.code, callback=True)
        student.emit("leaveSession", room.code, callback=True)
    assert room.get("messages", limit=1).get_json()["messages"] == received
    student.disconnect()


def test_nothing_lies_before_the_first_message(room: Room) -> None:
    first = room.say("One", "Two")[0]
    body = room.get("messages", beforeSeq=first["seq"]).get_json()
    assert body == {"messages": [], "hasMore": False, "nextBeforeSeq": None}
    assert len(room.get("messages", beforeSeq=10**9).get_json()["messages"]) == 2


def test_who_was_in_the_session_reads_on(room: Room) -> None:
    student = socket_of(room.app, "Ben")
    student.emit("joinSession", room.code, callback=True)
    student.emit("leaveSession", room.code, callback=True)
    said = room.say("After Ben left")
    step(room.client, room.headers, room.code, "end")
    answer = room.get("messages", headers_for(room.app, "Ben"))
    assert answer.get_json()["messages"] == said
    student.disconnect()


@pytest.mark.parametrize("path", ["participants", "messages"])
@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
def test_a_page_that_cannot_be_is_refused(room: Room, path: str, limit: str) -> None:
    answer = room.get(path, limit=limit)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD")
    assert list(answer.get_json()["error"]["details"]) == ["limit"]


@pytest.mark.parametrize("store", ["memory", "redis"])
@pytest.mark.parametrize(
    "path", ["?cursor=", "/{}/participants?cursor=", "/{}/messages?beforeSeq="], ids=["sessions", "who", "messages"]
)
@pytest.mark.parametrize("number", ["-1", "1e3", "x", "9" * 19, "9" * 400])
def test_a_position_that_cannot_be_is_refused_by_both_stores(
    make_app: AppFactory, redis_url: str, store: str, path: str, number: str
) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_STORE=store)
    client, headers = app.test_client(), headers_for(app, "Ada", "teacher")
    address = f"{API}/sessions" + path.format(new_session(client, headers))
    answer = client.get(address + number, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD")


def test_pages_are_the_same_with_redis(make_app: AppFactory, redis_url: str) -> None:
    app = make_app(REDIS_URL=redis_url)
    client, pair = app.test_client(), sign_in(app, "Ada", "teacher")
    code = new_session(client, bearer(pair.access))
    assert client.get(f"{API}/sessions/{code}/messages", headers=bearer(pair.access)).get_json() == {
        "messages": [],
        "hasMore": False,
        "nextBeforeSeq": None,
    }
