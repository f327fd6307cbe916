"""Logging in and out over REST, and which tokens are taken."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.apps import (
    API,
    PASSWORD,
    AppFactory,
    add_user,
    bearer,
    guest,
    headers_for,
    login,
    new_session,
    sign_in,
    state_of,
)
from tests.support.gunicorn_server import TEST_KEYS

KEY = TEST_KEYS["JWT_SECRET_KEY"]


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def code_of(client: FlaskClient, headers: dict[str, str], path: str = "/auth/me", method: str = "GET") -> str | None:
    """The error code with which a request is refused, ``None`` if it is not."""
    answer = client.open(f"{API}{path}", method=method, headers=headers)
    if answer.status_code < 300:
        return None
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    return str(answer.get_json()["error"]["code"])


def refresh(client: FlaskClient, token: str) -> Any:
    return client.post(f"{API}/auth/refresh", headers=bearer(token))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, KEY, algorithms=["HS256"])
    return claims


def test_a_login_answers_as_the_contract_says(demo_app: Flask) -> None:
    answer = demo_app.test_client().post(f"{API}/auth/login", json={"username": "teacher", "password": PASSWORD})
    body = answer.get_json()
    assert answer.status_code == 200
    assert body.pop("accessToken") != body.pop("refreshToken")
    assert body == {
        "tokenType": "Bearer",
        "expiresIn": 3600,
        "user": {"userId": "demo-teacher", "displayName": "Demo Teacher", "role": "teacher"},
    }


def test_a_token_carries_the_claims_of_the_contract(app: Flask) -> None:
    pair = sign_in(app, "Ada", "teacher")
    access, renewal = claims_of(pair.access), claims_of(pair.refresh or "")
    assert {name: access[name] for name in ("sub", "role", "name", "scope", "sid")} == {
        "sub": "ada",
        "role": "teacher",
        "name": "Ada",
        "scope": "",
        "sid": pair.auth.id,
    }
    assert access["exp"] - access["iat"] == 60 * 60
    assert renewal["exp"] - renewal["iat"] == 30 * 24 * 60 * 60
    assert renewal["sid"] == pair.auth.id


def test_a_user_name_is_taken_in_any_case_and_with_spaces_around(app: Flask, client: FlaskClient) -> None:
    add_user(app, "Zoë")
    me = client.get(f"{API}/auth/me", headers=login(client, " ZOE\u0308 "))
    assert me.get_json()["displayName"] == "Zoë"


def test_an_unknown_user_and_a_wrong_password_look_the_same(app: Flask, client: FlaskClient) -> None:
    add_user(app, "ada")
    attempts = [{"username": "ada", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}]
    answers = [client.post(f"{API}/auth/login", json=attempt) for attempt in attempts]
    assert answers[0].status_code == 401
    assert answers[0].get_json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert answers[0].data == answers[1].data
    assert answers[0].status == answers[1].status
    headers = [{**answer.headers, "X-Request-Id": "each its own"} for answer in answers]
    assert headers[0] == headers[1]


def test_a_password_is_taken_as_it_is(app: Flask, client: FlaskClient) -> None:
    add_user(app, "ada", password=" spaces  count ")
    login(client, "ada", " spaces  count ")
    answer = client.post(f"{API}/auth/login", json={"username": "ada", "password": "spaces  count"})
    assert answer.status_code == 401


def test_me_is_the_user_of_the_token(app: Flask, client: FlaskClient) -> None:
    answer = client.get(f"{API}/auth/me", headers=headers_for(app, "Ada", "admin"))
    assert answer.get_json() == {"userId": "ada", "displayName": "Ada", "role": "admin"}


def test_a_refresh_rotates_and_the_login_goes_on(app: Flask, client: FlaskClient) -> None:
    first = sign_in(app, "Ada")
    answer = refresh(client, first.refresh or "")
    assert answer.status_code == 200
    body = answer.get_json()
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert body["refreshToken"] != first.refresh
    assert claims_of(body["accessToken"])["sid"] == first.auth.id
    assert code_of(client, bearer(body["accessToken"])) is None
    assert code_of(client, bearer(first.access)) is None, "an access token lives until it expires"
    assert refresh(client, body["refreshToken"]).status_code == 200


def test_a_reused_refresh_token_ends_the_auth_session(app: Flask, client: FlaskClient) -> None:
    first = sign_in(app, "Ada")
    second = refresh(client, first.refresh or "").get_json()
    assert code_of(client, bearer(first.refresh or ""), "/auth/refresh", "POST") == "TOKEN_REVOKED"
    for token in (first.access, second["accessToken"]):
        assert code_of(client, bearer(token)) == "SESSION_EXPIRED"
    for token in (first.refresh or "", second["refreshToken"]):
        assert code_of(client, bearer(token), "/auth/refresh", "POST") == "SESSION_EXPIRED"


def test_a_reuse_ends_no_other_login_of_the_user(app: Flask, client: FlaskClient) -> None:
    phone, laptop = sign_in(app, "Ada"), sign_in(app, "Ada")
    refresh(client, phone.refresh or "")
    refresh(client, phone.refresh or "")
    assert code_of(client, bearer(phone.access)) == "SESSION_EXPIRED"
    assert code_of(client, bearer(laptop.access)) is None


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_a_logout_ends_the_auth_session_at_once(make_app: AppFactory, redis_url: str, store: str) -> None:
    app = make_app(REDIS_URL=redis_url, CLASSWAVES_STORE=store)
    client, pair, other = app.test_client(), sign_in(app, "Ada"), sign_in(app, "Ada")
    answer = client.post(f"{API}/auth/logout", headers=bearer(pair.access))
    assert (answer.status_code, answer.data) == (204, b"")
    assert code_of(client, bearer(pair.access)) == "SESSION_EXPIRED"
    assert code_of(client, bearer(pair.access), "/auth/logout", "POST") == "SESSION_EXPIRED"
    assert code_of(client, bearer(pair.refresh or ""), "/auth/refresh", "POST") == "SESSION_EXPIRED"
    assert code_of(client, bearer(other.access)) is None


def test_a_guest_logs_out_like_everybody(app: Flask, client: FlaskClient) -> None:
    code = new_session(client, headers_for(app, "Ada", "teacher"))
    token, _ = guest(client, code, "Gus")
    assert client.post(f"{API}/auth/logout", headers=bearer(token)).status_code == 204
    assert code_of(client, bearer(token), f"/sessions/{code}") == "SESSION_EXPIRED"


def test_each_kind_of_token_is_good_for_its_purpose_only(app: Flask, client: FlaskClient) -> None:
    pair = sign_in(app, "Ada")
    assert code_of(client, bearer(pair.refresh or "")) == "INVALID_TOKEN"
    assert code_of(client, bearer(pair.access), "/auth/refresh", "POST") == "INVALID_TOKEN"
    assert code_of(client, bearer(pair.access)) is None, "neither attempt ended anything"
    assert refresh(client, pair.refresh or "").status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic dGVhY2hlcjpjbGFzc3dhdmVz", "Token abc", "bearer\tabc"]
)
def test_without_a_bearer_token_authentication_is_required(client: FlaskClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert code_of(client, headers) == "AUTH_REQUIRED"
    assert code_of(client, headers, "/auth/refresh", "POST") == "AUTH_REQUIRED"


def test_the_word_bearer_has_any_case(app: Flask, client: FlaskClient) -> None:
    assert code_of(client, {"Authorization": f"bEARER  {sign_in(app, 'Ada').access} "}) is None


def forged(app: Flask, **changes: Any) -> dict[str, Any]:
    """The claims of a good access token, some of them changed; ``None`` takes one away."""
    claims = {**claims_of(sign_in(app, "Ada").access), **changes}
    return {name: value for name, value in claims.items() if value is not None}


def test_an_expired_token_says_so(app: Flask, client: FlaskClient) -> None:
    token = jwt.encode(forged(app, exp=int(time.time()) - 30), KEY, "HS256")
    assert code_of(client, bearer(token)) == "TOKEN_EXPIRED"
    token = jwt.encode(forged(app, exp=int(time.time()) - 30, type="refresh"), KEY, "HS256")
    assert code_of(client, bearer(token), "/auth/refresh", "POST") == "TOKEN_EXPIRED"


def test_tokens_that_we_did_not_sign_are_invalid(app: Flask, client: FlaskClient) -> None:
    good = sign_in(app, "Ada").access
    head, body, signature = good.split(".")
    admin = base64.urlsafe_b64encode(json.dumps({**claims_of(good), "role": "admin"}).encode()).decode().rstrip("=")
    bad = [
        jwt.encode(claims_of(good), "another key of at least thirty-two bytes", "HS256"),
        jwt.encode(claims_of(good), "", "none"),
        jwt.encode(claims_of(good), KEY + KEY, "HS512"),
        f"{head}.{admin}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "x",
        "..",
        "é",
        "a" * 100_000,
    ]
    assert [code_of(client, bearer(token)) for token in bad] == ["INVALID_TOKEN"] * len(bad)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "somebody-else"},
        {"sub": None},
        {"sid": None},
        {"sid": 7},
        {"exp": None},
        {"type": "other"},
        {"jti": None},
    ],
    ids=str,
)
def test_claims_that_we_rely_on_must_be_there(app: Flask, client: FlaskClient, changes: dict[str, Any]) -> None:
    assert code_of(client, bearer(jwt.encode(forged(app, **changes), KEY, "HS256"))) == "INVALID_TOKEN"


def test_a_role_is_the_stores_word_not_the_tokens(app: Flask, client: FlaskClient) -> None:
    """The role may change while a token lives; what counts is the auth session."""
    me = client.get(f"{API}/auth/me", headers=bearer(jwt.encode(forged(app, role="admin"), KEY, "HS256")))
    assert me.get_json()["role"] == "student"


def test_passwords_are_kept_as_scrypt_hashes(app: Flask) -> None:
    add_user(app, "ada")
    kept = state_of(app).store.account("ada")
    assert kept and kept["password"].startswith("scrypt:")
    assert PASSWORD not in json.dumps(kept)


def test_demo_users_exist_in_demo_mode_only(client: FlaskClient, demo_app: Flask) -> None:
    for name in ("teacher", "student"):
        answer = client.post(f"{API}/auth/login", json={"username": name, "password": PASSWORD})
        assert answer.get_json()["error"]["code"] == "INVALID_CREDENTIALS"
        login(demo_app.test_client(), name)
