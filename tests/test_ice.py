"""ICE servers: what the settings take, who is told, and credentials that a real TURN server takes until they end."""

import logging
import re
import time
from typing import Any

import pytest

from classwaves import Settings, SettingsError
from classwaves.ice import IceServer, for_user, parse_ice_servers
from tests.support.apps import API, AppFactory, bearer, headers_for, new_session, step
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, open_classroom
from tests.support.turn_server import TurnServer

SECRET = "a secret that only the TURN servers share"
STUN, TURN = "stun:stun.example.org:3478", "turn:turn.example.org:3478?transport=tcp"
ENDS = {"CLASSWAVES_ICE_SERVERS": f"{STUN},{TURN}", "CLASSWAVES_TURN_SECRET": SECRET}


def ask(room: Classroom, name: str = "Ada", code: str = "", role: str = "student") -> Any:
    headers = bearer(room.token(name, role))
    return room.app.test_client().get(f"{API}/sessions/{code or room.code}/ice", headers=headers)


def refused(room: Classroom, *who: str) -> tuple[int, str]:
    answer = ask(room, *who)
    return answer.status_code, answer.get_json()["error"]["code"]


@pytest.mark.parametrize(
    ("value", "servers"),
    [
        ("", ()),
        (f" {STUN} , {TURN},", (IceServer((STUN,)), IceServer((TURN,)))),
        ("stuns:[::1]:5349,turns:10.0.0.1", (IceServer(("stuns:[::1]:5349",)), IceServer(("turns:10.0.0.1",)))),
        ([STUN], (IceServer((STUN,)),)),
        (f'[{{"urls": "{STUN}"}}]', (IceServer((STUN,)),)),
        (
            f'{{"urls": ["{TURN}", "{STUN}"], "username": "ann", "credential": "x"}}',
            (IceServer((STUN,)), IceServer((TURN,), "ann", "x")),
        ),
    ],
)
def test_what_a_list_of_servers_may_be(value: Any, servers: tuple[IceServer, ...]) -> None:
    assert parse_ice_servers(value) == servers
    assert parse_ice_servers(servers) == servers


@pytest.mark.parametrize(
    "value",
    [
        "stun.example.org",
        "http://stun.example.org",
        "stun:",
        "stun:host:port",
        "stun:host:65536",
        "turn:host:99999?transport=udp",
        "stun:host?transport=udp",
        "turn:host?transport=sctp",
        "turn:user@host",
        "[",
        "[7]",
        "[{}]",
        '[{"url": "stun:host"}]',
        '[{"urls": []}]',
        '[{"urls": [7]}]',
        '[{"urls": "turn:host", "username": "ann"}]',
        '[{"urls": "turn:host", "username": "ann", "credential": 7}]',
        7,
    ],
)
def test_what_is_no_list_of_servers_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="CLASSWAVES_ICE_SERVERS"):
        Settings.load({**TEST_KEYS, "CLASSWAVES_ICE_SERVERS": value, "CLASSWAVES_TURN_SECRET": SECRET}, {})


def test_a_turn_server_needs_credentials() -> None:
    with pytest.raises(SettingsError, match="CLASSWAVES_TURN_SECRET"):
        Settings.load({**TEST_KEYS, "CLASSWAVES_ICE_SERVERS": TURN}, {})


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture, make_app: AppFactory) -> None:
    fixed = f'[{{"urls": "{TURN}", "username": "ann", "credential": "hush-hush"}}]'
    settings = Settings.load({**TEST_KEYS, **ENDS, "CLASSWAVES_ICE_SERVERS": fixed}, {})
    with pytest.raises(SettingsError) as wrong:
        Settings.load({**TEST_KEYS, "CLASSWAVES_ICE_SERVERS": fixed.replace("turn:", "torn:")}, {})
    caplog.set_level(logging.DEBUG)
    room = open_classroom(make_app(**ENDS))
    room.joined("Ada")
    credential = ask(room).get_json()["iceServers"][1]["credential"]
    for text in (repr(settings), str(wrong.value), repr(settings.ice_servers), caplog.text):
        assert SECRET not in text and "hush-hush" not in text and credential not in text


def test_without_servers_there_are_none(make_app: AppFactory) -> None:
    room = open_classroom(make_app())
    room.joined("Ada")
    answer = ask(room)
    assert (answer.status_code, answer.get_json()) == (200, {"iceServers": []})
    assert answer.headers["Cache-Control"] == "no-store"


def test_fixed_credentials_are_given_as_they_are(make_app: AppFactory) -> None:
    fixed = [{"urls": [TURN], "username": "ann", "credential": "hush-hush"}]
    room = open_classroom(make_app(CLASSWAVES_ICE_SERVERS=[STUN, *fixed], CLASSWAVES_TURN_SECRET=SECRET))
    room.joined("Ada")
    assert ask(room).get_json() == {"iceServers": [{"urls": [STUN]}, *fixed]}


def test_credentials_are_a_users_own_and_end(make_app: AppFactory) -> None:
    room = open_classroom(make_app(**ENDS, CLASSWAVES_TURN_TTL=600))
    for name in ("Ada", "Bob"):
        room.joined(name)
    before = int(time.time())
    ada, again, bob = (ask(room, name).get_json() for name in ("Ada", "Ada", "Bob"))
    assert ada["ttl"] == 600
    assert ada["iceServers"][0] == {"urls": [STUN]}
    turn = ada["iceServers"][1]
    assert set(turn) == {"urls", "username", "credential"}
    ends, opaque = turn["username"].split(":")
    assert before + 600 <= int(ends) <= time.time() + 600
    assert re.fullmatch(r"[0-9a-f]{16}", opaque), "no id, no name"
    assert again["iceServers"][1]["username"].split(":")[1] == opaque
    assert bob["iceServers"][1]["username"].split(":")[1] != opaque


def test_they_are_for_who_is_in_the_session(make_app: AppFactory) -> None:
    room = open_classroom(make_app(**ENDS))
    assert refused(room) == (403, "SESSION_ACCESS_DENIED")
    assert refused(room, "Ada", "ZZZZZZ") == (404, "SESSION_NOT_FOUND")
    assert refused(room, "Grace", "", "teacher") == (409, "NOT_IN_SESSION")
    teacher, ada, bob = room.teacher(), room.joined("Ada"), room.joined("Bob")
    assert ask(room, "Grace", "", "teacher").status_code == ask(room).status_code == 200
    ada.ask("leaveSession", room.code)
    assert refused(room) == (409, "NOT_IN_SESSION")
    teacher.ask("removeParticipant", {"sessionCode": room.code, "userId": "bob"})
    assert bob.connected
    assert refused(room, "Bob") == (403, "SESSION_ACCESS_DENIED")
    answer = room.app.test_client().get(f"{API}/sessions/{room.code}/ice")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
    room.step("end")
    assert refused(room, "Grace", "", "teacher") == (409, "SESSION_ENDED")


def test_a_token_for_captions_gets_none(make_app: AppFactory) -> None:
    app = make_app(**ENDS)
    client, headers = app.test_client(), headers_for(app, "Grace", "teacher")
    code = new_session(client, headers)
    step(client, headers, code, "start")
    made = client.post(f"{API}/sessions/{code}/transcriber", json={}, headers=headers).get_json()
    answer = client.get(f"{API}/sessions/{code}/ice", headers=bearer(made["accessToken"]))
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")


def test_a_real_turn_server_takes_them_until_they_end() -> None:
    server = parse_ice_servers(TURN)
    with TurnServer(SECRET) as turn:

        def takes(secret: str, lasts: int) -> bool:
            (made,), ends = for_user(server, "ada", secret=secret, expires_at=int(time.time()) + lasts)
            assert ends
            return turn.allocates(made["username"], made["credential"])

        assert takes(SECRET, 600)
        assert not takes(SECRET, -10)
        assert not takes("another secret", 600)
