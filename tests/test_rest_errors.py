"""Every error below ``/api/v1`` has the contract's shape, whatever a client sends."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves import Account, ClassWaves
from classwaves.errors import ERROR_CODES
from classwaves.store import Store
from tests.support.apps import API, AppFactory, headers_for, new_session, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.redis_server import RedisServer

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


def refused(answer: Any, code: str) -> dict[str, Any]:
    """Check the shape of an error and its status, and return what is in it."""
    assert answer.content_type == "application/json"
    assert set(answer.get_json()) == {"error"}
    error: dict[str, Any] = answer.get_json()["error"]
    assert error["code"] == code
    assert isinstance(error["message"], str) and error["message"]
    assert set(error) <= {"code", "message", "details", "retryAfterMs"}
    assert answer.status_code == ERROR_CODES[code].status
    return error


@pytest.mark.parametrize("path", ["/nothing", "/", "/auth", "/auth/login/", "/sessions/AAAAAA/nothing", "/é/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_nothing_has(client: FlaskClient, path: str, method: str) -> None:
    refused(client.open(API + path, method=method), "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/auth/login", "POST OPTIONS"),
        ("PUT", "/sessions", "GET HEAD POST OPTIONS"),
        ("DELETE", "/sessions/AAAAAA", "GET HEAD PATCH OPTIONS"),
        ("POST", "/openapi.json", "GET HEAD OPTIONS"),
        ("BREW", "/auth/me", "GET HEAD OPTIONS"),
    ],
)
def test_a_method_that_is_not_for_this_address(client: FlaskClient, method: str, path: str, allowed: str) -> None:
    answer = client.open(API + path, method=method)
    refused(answer, "METHOD_NOT_ALLOWED")
    assert {word.strip() for word in answer.headers["Allow"].split(",")} == set(allowed.split())


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"username": "a",}',
        b"\xff\xfe",
        b'"text"',
        b"[]",
        b"7",
        b"null",
        b"",
        b"[" * 100_000,
        b'{"username": ' * 50_000,
        b'{"username": ' + b"9" * 5000 + b"}",
        b"NaN",
    ],
    ids=lambda body: ascii(body[:16]),
)
def test_a_body_that_is_no_json_object(client: FlaskClient, body: bytes) -> None:
    answer = client.post(f"{API}/auth/login", data=body, content_type="application/json")
    assert refused(answer, "INVALID_PAYLOAD")["details"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
def test_a_body_of_another_type_is_not_read(client: FlaskClient, content_type: str | None) -> None:
    body = b'{"username": "a", "password": "b"}'
    error = refused(client.post(f"{API}/auth/login", data=body, content_type=content_type), "INVALID_PAYLOAD")
    assert set(error["details"]) == {"username", "password"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, "username password"),
        ({"username": "a"}, "password"),
        ({"username": "a", "password": "b", "remember": True}, "remember"),
        ({"username": 7, "password": ["b"]}, "username password"),
        ({"username": None, "password": {}}, "username password"),
        ({"username": "", "password": ""}, "username password"),
        ({"username": "a" * 201, "password": "b" * 1001}, "username password"),
        ({"username": "a\0", "password": "\ud800"}, "username password"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_login_that_does_not_fit_its_schema(client: FlaskClient, body: Any, fields: str) -> None:
    error = refused(client.post(f"{API}/auth/login", json=body), "INVALID_PAYLOAD")
    assert set(error["details"]) == set(fields.split())
    assert all(isinstance(reasons, list) and reasons for reasons in error["details"].values())


@pytest.mark.parametrize(
    "settings",
    [
        {"access": "everyone"},
        {"rosterUserIds": "ben"},
        {"rosterUserIds": [7]},
        {"rosterUserIds": [""]},
        {"coTeacherIds": None},
        {"coTeacherIds": ["x"] * 101},
        {"maxParticipants": 0},
        {"maxParticipants": "30"},
        {"maxParticipants": 30.5},
        {"maxParticipants": True},
        {"maxParticipants": float("nan")},
        {"guestsAllowed": "yes"},
        {"guestsAllowed": 1},
        {"waitingRoom": None},
        {"transcriptAudience": ""},
        {"color": "red"},
        [],
        None,
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_everywhere(client: FlaskClient, ada: Headers, settings: Any) -> None:
    code = new_session(client, ada)
    before = client.get(f"{API}/sessions/{code}", headers=ada).get_json()
    created = client.post(f"{API}/sessions", json={"title": "x", "settings": settings}, headers=ada)
    changed = client.patch(f"{API}/sessions/{code}", json={"settings": settings}, headers=ada)
    for answer in (created, changed):
        assert set(refused(answer, "INVALID_PAYLOAD")["details"]) == {"settings"}
    assert client.get(f"{API}/sessions/{code}", headers=ada).get_json() == before


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, None, 7, ["x"], "\ud800", "\0"], ids=ascii)
def test_titles_that_cannot_be_are_refused_everywhere(client: FlaskClient, ada: Headers, title: Any) -> None:
    code = new_session(client, ada)
    refused(client.post(f"{API}/sessions", json={"title": title}, headers=ada), "INVALID_PAYLOAD")
    refused(client.patch(f"{API}/sessions/{code}", json={"title": title}, headers=ada), "INVALID_PAYLOAD")


def test_names_that_a_client_made_up_are_not_repeated_at_length(client: FlaskClient) -> None:
    made_up = {f"{number}" + "x" * 1000: 1 for number in range(200)}
    answer = client.post(f"{API}/auth/login", json={**made_up, "\ud800": 1})
    refused(answer, "INVALID_PAYLOAD")
    assert len(answer.data) < 10_000


@pytest.mark.parametrize("path", ["/auth/login", "/sessions/AAAAAA/join", "/sessions"])
def test_a_body_over_the_limit_is_too_large(make_app: AppFactory, path: str) -> None:
    app = make_app(CLASSWAVES_MAX_PACKET_BYTES=2000)
    client, headers = app.test_client(), headers_for(app, "Ada", "teacher")
    body = b'{"username": "' + b"x" * 2000 + b'"}'
    answer = client.post(API + path, data=body, content_type="application/json", headers=headers)
    refused(answer, "PAYLOAD_TOO_LARGE")
    refused(
        client.post(API + path, data=body[:900], content_type="application/json", headers=headers), "INVALID_PAYLOAD"
    )


def test_a_store_that_is_away_is_503_with_a_time_to_come_back(make_app: AppFactory, redis_server: RedisServer) -> None:
    app = make_app(REDIS_URL=redis_server.url, CLASSWAVES_RATELIMIT_ENABLED=True)
    client, headers = app.test_client(), headers_for(app, "Ada", "teacher")
    code = new_session(client, headers)
    redis_server.kill()
    answers = [
        client.get(f"{API}/auth/me", headers=headers),
        client.get(f"{API}/sessions/{code}", headers=headers),
        client.post(f"{API}/auth/login", json={"username": "a", "password": "b"}),
        client.post(f"{API}/sessions/{code}/join", json={"displayName": "Gus"}),
    ]
    for answer in answers:
        error = refused(answer, "SERVICE_UNAVAILABLE")
        assert 0 < error["retryAfterMs"] <= int(answer.headers["Retry-After"]) * 1000
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["store"]) == (503, {"kind": "redis", "reachable": False})
    assert client.get("/healthz").status_code == 200


class Broken:
    """An authenticator with a mistake in it."""

    def __init__(self, store: Store) -> None:
        pass

    def authenticate(self, username: str, password: str) -> Account | None:
        raise ZeroDivisionError("a secret detail")


def test_what_nobody_foresaw_is_an_internal_error_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("shop")
    app.config.update(TEST_KEYS)
    ClassWaves(app, authenticator=Broken)
    answer = app.test_client().post(f"{API}/auth/login", json={"username": "a", "password": "b"})
    refused(answer, "INTERNAL_ERROR")
    assert b"secret" not in answer.data
    assert "a secret detail" in caplog.text
    state_of(app).close()
