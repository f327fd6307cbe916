"""Guests: who gets in with a code and a name, what they may read, and for how long."""

import re
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, step
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.waiting import eventually

Headers = dict[str, str]


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ada(app: Flask) -> Headers:
    return headers_for(app, "Ada", "teacher")


def join(client: FlaskClient, code: str, name: Any = "Gus") -> Any:
    return client.post(f"{API}/sessions/{code}/join", json={"displayName": name})


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)


def refusal(answer: Any) -> str | None:
    return None if answer.status_code == 200 else str(answer.get_json()["error"]["code"])


def life_of(token: str) -> int:
    """For how many seconds a token is good."""
    claims = jwt.decode(token, TEST_KEYS["JWT_SECRET_KEY"], algorithms=["HS256"])
    return int(claims["exp"]) - int(claims["iat"])


def test_a_guest_joins_as_the_contract_says(client: FlaskClient, ada: Headers) -> None:
    answer = join(client, new_session(client, ada))
    body = answer.get_json()
    assert answer.status_code == 200
    assert life_of(body.pop("accessToken")) == body["expiresIn"]
    user_id = body["user"].pop("userId")
    assert body == {
        "tokenType": "Bearer",
        "expiresIn": 12 * 60 * 60,
        "user": {"displayName": "Gus", "role": "student"},
    }
    assert re.fullmatch(r"guest-[\w-]+", user_id)


def test_each_guest_is_somebody_else(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    users = [guest(client, code, "Gus")[1]["userId"] for _ in range(2)]
    assert users[0] != users[1]


def test_a_guests_token_lives_no_longer_than_the_data(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_IDLE_DAYS="0.25")
    client = app.test_client()
    token, _ = guest(client, new_session(client, headers_for(app, "Ada", "teacher")), "Gus")
    assert life_of(token) == 6 * 60 * 60


def test_the_guests_auth_session_ends_with_the_token(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_GUEST_TOKEN_HOURS="0.0003")  # about a second
    client = app.test_client()
    code = new_session(client, headers_for(app, "Ada", "teacher"))
    token, _ = guest(client, code, "Gus")
    answer = eventually(lambda: refusal(client.get(f"{API}/auth/me", headers=bearer(token))), what="its end")
    assert answer in ("TOKEN_EXPIRED", "SESSION_EXPIRED")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("  Gus  ", "Gus"),
        ("Gus   Fring", "Gus Fring"),
        ("Zoë 李 Ağa 👩🏽", "Zoë 李 Ağa 👩🏽"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("<b>Gus</b>", "<b>Gus</b>"),
        ("x" * 60, "x" * 60),
    ],
)
def test_a_display_name_is_trimmed_and_otherwise_kept(
    client: FlaskClient, ada: Headers, given: str, shown: str
) -> None:
    assert join(client, new_session(client, ada), given).get_json()["user"]["displayName"] == shown


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\n\t",
        "\u200b",
        "\u200d\u200c",
        "\u3000",
        "x" * 61,
        "Gus\0",
        "Gus\x1b[31m",
        "Gus\x07",
        "\u202eadA",
        "Gus\ud800",
        None,
        7,
        True,
        ["Gus"],
        {"name": "Gus"},
    ],
    ids=ascii,
)
def test_a_name_that_others_could_not_read_is_refused(client: FlaskClient, ada: Headers, name: Any) -> None:
    answer = join(client, new_session(client, ada), name)
    refused(answer, 422, "INVALID_PAYLOAD")
    assert list(answer.get_json()["error"]["details"]) == ["displayName"]


def test_line_breaks_in_a_name_become_spaces(client: FlaskClient, ada: Headers) -> None:
    assert join(client, new_session(client, ada), "Gus\r\nFring\t\x85").get_json()["user"]["displayName"] == "Gus Fring"


@pytest.mark.parametrize("settings", [{"guestsAllowed": False}, {"access": "roster"}], ids=str)
def test_a_session_may_be_closed_to_guests(client: FlaskClient, ada: Headers, settings: dict[str, Any]) -> None:
    refused(join(client, new_session(client, ada, **settings)), 403, "SESSION_ACCESS_DENIED")


@pytest.mark.parametrize("steps", [[], ["start"], ["start", "pause"]], ids=str)
def test_guests_join_until_the_end(client: FlaskClient, ada: Headers, steps: list[str]) -> None:
    code = new_session(client, ada)
    for name in steps:
        step(client, ada, code, name)
    guest(client, code, "Gus")
    step(client, ada, code, "end")
    refused(join(client, code), 409, "SESSION_ENDED")


def test_a_code_is_taken_trimmed_and_in_any_case(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    assert join(client, f"%20{code.lower()}%20").status_code == 200


def test_a_guest_reads_before_and_after_the_end(client: FlaskClient, ada: Headers) -> None:
    code = new_session(client, ada)
    token, _ = guest(client, code, "Gus")
    paths = ["", "/participants", "/messages"]
    for _ in ("before", "after"):
        answers = [client.get(f"{API}/sessions/{code}{path}", headers=bearer(token)) for path in paths]
        assert [answer.status_code for answer in answers] == [200] * 3
        if answers[0].get_json()["status"] != "ended":
            step(client, ada, code, "end")
    assert answers[0].get_json()["status"] == "ended"


def test_a_guest_of_one_session_is_a_stranger_in_another(client: FlaskClient, ada: Headers) -> None:
    one, other = new_session(client, ada), new_session(client, ada)
    token, _ = guest(client, one, "Gus")
    for path in ("", "/participants", "/messages"):
        refused(client.get(f"{API}/sessions/{other}{path}", headers=bearer(token)), 403, "SESSION_ACCESS_DENIED")


def test_a_guest_joins_over_a_socket_what_the_token_is_for(app: Flask, client: FlaskClient, ada: Headers) -> None:
    one, other = new_session(client, ada), new_session(client, ada)
    token, user = guest(client, one, "Gus")
    socket = app.extensions["classwaves"].socketio.test_client(app, auth={"token": token})
    assert socket.emit("joinSession", other, callback=True)["error"]["code"] == "SESSION_ACCESS_DENIED"
    assert socket.emit("joinSession", one, callback=True)["ok"]
    listed = client.get(f"{API}/sessions/{one}/participants", headers=bearer(token)).get_json()["participants"]
    assert [person["userId"] for person in listed] == [user["userId"]]
    socket.disconnect()


def test_a_guests_join_stores_no_participant(client: FlaskClient, ada: Headers) -> None:
    """Who joined over REST is nobody in the session until a socket does."""
    code = new_session(client, ada)
    guest(client, code, "Gus")
    assert client.get(f"{API}/sessions/{code}/participants", headers=ada).get_json()["participants"] == []
