"""Names of rooms, ids of others, events of the server, keys and line breaks, sent where they do not belong."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves import codec, create_app
from classwaves.features import FEATURES
from classwaves.models import normalize_code
from classwaves.replica import FOLDS
from tests.support.apps import API, headers_for, new_session, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.payloads import arguments, payload
from tests.support.tabs import Classroom, Tab, open_classroom

EVENTS = {event.name: event for feature in FEATURES for event in feature.events}
NOT_STORED = ("sessionJoined", "sessionLeft", "presenceUpdated", "error", "connectionReady", "reconnectAdvised")
RESERVED = ("connect", "disconnect", "connect_error", "message", "__init__", "trigger_event", "on_connect", "")
KEPT = {
    "__proto__": {"polluted": 1},
    "constructor": {"prototype": {"polluted": 1}},
    "toString": 1,
    "": 2,
    "$where": "1",
}


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    """Return an application that the tests of this file share, each with a session of its own."""
    app = create_app({"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, **TEST_KEYS})
    yield app
    state_of(app).close()


@pytest.fixture
def room(app: Flask) -> Classroom:
    return open_classroom(app)


def sid_of(app: Any, tab: Tab) -> str:
    """Return the id of a tab's socket, by which python-socketio names a room of it alone."""
    sid: str = state_of(app).socketio.server.manager.sid_from_eio_sid(tab._client.eio_sid, "/")
    return sid


def names_of(room: Classroom, victim: Tab) -> list[str]:
    """Return what a session and its rooms are called inside the server, and the victim's socket."""
    inner = state_of(room.app).hub.find(room.code)
    rooms = [f"session:{inner}", f"session:{inner}:staff", "user:grace", "group:1"]
    return [inner, *rooms, sid_of(room.app, victim), f"{room.code}:staff", f"/{room.code}", f"{room.code}\0"]


@pytest.mark.parametrize("name", EVENTS)
def test_no_room_is_reached_by_its_name(room: Classroom, name: str) -> None:
    """By whatever name in whatever field that takes an id: an outsider changes nothing and is heard by nobody."""
    victim, outsider = room.teacher(), room.tab("Eve")
    other = new_session(room.app.test_client(), headers_for(room.app, "Carl", "teacher"))
    event = EVENTS[name]
    outsider.join(other)
    for inner in names_of(room, victim):
        right = payload(event, {"sessionCode": other})
        for field in [one for one in right if one == "sessionCode" or one.endswith("Id")]:
            args = arguments(event, {**right, field: inner})
            ack = outsider.ask(name, *args)
            if field == "sessionCode" and name != "leaveSession":  # who is not in a session has left it
                assert ack["error"]["code"] in ("INVALID_PAYLOAD", "NOT_IN_SESSION", "SESSION_NOT_FOUND"), (inner, ack)
            elif not ack["ok"]:
                assert ack["error"]["code"] != "INTERNAL_ERROR", (inner, ack)
    assert victim.take() == []


@pytest.mark.parametrize("name", sorted({*FOLDS, *NOT_STORED, *RESERVED} - set(EVENTS)))
def test_what_only_the_server_says_is_unknown_from_a_client(room: Classroom, name: str) -> None:
    teacher, ada = room.teacher(), room.joined("Ada")
    teacher.take()
    for args in [(), ({"sessionCode": room.code, "userId": "grace"},), (room.code,)]:
        error = ada.refused(name, *args)
        assert error["code"] == "UNKNOWN_EVENT"
    assert teacher.take() == []


def test_a_user_whose_id_is_the_name_of_a_room_hears_nothing_of_it(room: Classroom) -> None:
    """A shop may give its users any ids."""
    inner = state_of(room.app).hub.find(room.code)
    other = open_classroom(room.app)
    spies = [other.joined(name) for name in (f"session:{inner}", f"session:{inner}:staff")]
    for spy in spies:
        spy.take()
    teacher, ada = room.teacher(), room.joined("Ada")
    ada.say(room.code, "hello")
    teacher.say(room.code, "hello")
    assert all(spy.take() == [] for spy in spies)


@pytest.mark.parametrize("code", ["{0}\u0660", "\uff21{0}", "{0}\u200b", "{0}\u0301", "{0}\x00", "{0} x", "{0}{0}"])
def test_a_code_is_not_read_out_of_something_else(room: Classroom, code: str) -> None:
    assert normalize_code(code.format(room.code)) is None
    assert room.tab("Eve").refused("joinSession", code.format(room.code))["code"] in (
        "SESSION_NOT_FOUND",
        "INVALID_PAYLOAD",
    )


# JSON


def test_keys_that_mean_something_elsewhere_are_data_in_free_json(room: Classroom) -> None:
    teacher, ada = room.teacher(), room.joined("Ada")
    teacher.take()
    room.step("start")
    ada.take()
    body = {"sessionCode": room.code, "activityId": "__proto__", "activityType": "poll", "status": "started"}
    assert teacher.ask("updateActivity", {**body, "data": KEPT})["ok"]
    assert ada.take_only("activityUpdate")["data"] == KEPT
    assert room.joined("Bob").ask("syncSession", {"sessionCode": room.code, "sinceSeq": 0, "epoch": "x"})["ok"]


def test_ten_thousand_keys_are_one_event(room: Classroom) -> None:
    """Python's hashes of texts are salted for each process, so nobody knows keys that collide."""
    teacher = room.teacher()
    room.step("start")
    teacher.take()
    data = {f"{number:x}": 0 for number in range(4_000)}
    body = {"sessionCode": room.code, "activityId": "a", "activityType": "poll", "status": "started", "data": data}
    assert teacher.ask("updateActivity", body)["ok"]
    teacher.take()
    error = teacher.refused("sendMessage", {f"{number:x}": 0 for number in range(10_000)})
    assert error["code"] == "INVALID_PAYLOAD"
    assert len(json.dumps(error)) < 8000


@pytest.mark.parametrize("rest", ["1", "NaN", "123456789012345678901234567890", '"\\ud800"'])
def test_of_a_key_that_comes_twice_the_last_one_counts_by_every_way_of_reading(rest: str) -> None:
    """``codec`` has two: if they differed, a check could see one value, and a handler the other."""
    text = f'{{"a": 1, "b": {rest}, "a": 2}}'
    assert codec.loads(text)["a"] == json.loads(text)["a"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"title":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"title":' + b"9" * 5_000 + b"}",
        b'{"title": 1e400}',
        b'{"title": "a\\u0000"}',
        b'{"title": "\\ud800"}',
        b'{"title": "a", "__proto__": {"role": "admin"}}',
        b'{"title": "a", "settings": {"__proto__": {"waitingRoom": true}}}',
        b'{"title": "\xff"}',
    ],
    ids=lambda body: ascii(body)[2:40],
)
def test_json_that_is_too_much_for_a_route(app: Flask, body: bytes) -> None:
    client: FlaskClient = app.test_client()
    headers = headers_for(app, "Grace", "teacher")
    answer = client.post(f"{API}/sessions", data=body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD")
    assert len(answer.data) < 2000


# what is written


BREAKS = "x\r\nCRITICAL forged\n\x1b[31m2026-01-01 ERROR\u2028y"


def test_nothing_that_a_client_sends_breaks_a_line_of_the_log(
    room: Classroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ada = room.joined("Ada")
    client = room.app.test_client()
    ada.refused(BREAKS, {BREAKS: BREAKS})
    ada.refused("sendMessage", {"sessionCode": BREAKS, "message": BREAKS})
    ada.say(room.code, BREAKS)
    ada.take()
    ada.refused("joinSession", BREAKS[:32])
    client.post(f"{API}/auth/login", json={"username": BREAKS, "password": BREAKS})
    client.post(f"{API}/sessions/{room.code}/join", json={"displayName": BREAKS})
    client.get(f"{API}/files/x%0d%0aCRITICAL%20forged", headers=headers_for(room.app, "Ada"))
    client.get(f"{API}/sessions/x%0aCRITICAL%20forged")
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if "forged" in line or "\x1b" in line or len(line.splitlines()) > 1]


@pytest.mark.parametrize(
    "kind", ["text/plain\r\nX-Evil: 1", "text/plain;\r\nX-Evil: 1", "text/plain;\rX-Evil: 1", "a/b\0"]
)
def test_the_type_of_a_file_is_no_header_of_its_own(room: Classroom, kind: str) -> None:
    ada = room.joined("Ada")
    ack = ada.ask("fileStart", {**payload(EVENTS["fileStart"], {"sessionCode": room.code}), "mimeType": kind})
    if ack["ok"]:  # the parameters are not kept
        upload = state_of(room.app).store.upload(state_of(room.app).hub.find(room.code), ack["fileId"])
        assert upload is not None
        assert upload.mime_type == "text/plain"
