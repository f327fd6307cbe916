"""Rate limits: who guesses is stopped, and nobody else behind the same address is."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves import Account, ClassWaves
from classwaves.store import Store
from tests.support.apps import API, PASSWORD, bearer, guest, headers_for, new_session, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

SCHOOL, HOME = "198.51.100.7", "203.0.113.9"


class Accounts:
    """An authenticator of a shop: everybody exists, and checking is cheap."""

    def __init__(self, store: Store) -> None:
        pass

    def authenticate(self, username: str, password: str) -> Account | None:
        return Account(username, username, "student") if password == PASSWORD else None


class Limited(Protocol):
    """What the fixture :func:`limited` is."""

    def __call__(self, **config: Any) -> FlaskClient: ...


@pytest.fixture
def limited() -> Iterator[Limited]:
    """Return a factory of clients, each of an application of its own with its limits on."""
    made: list[Flask] = []

    def make(**config: Any) -> FlaskClient:
        app = Flask("limited")
        app.config.update(TEST_KEYS, **config)
        ClassWaves(app, authenticator=Accounts)
        made.append(app)
        return app.test_client()

    yield make
    for app in made:
        state_of(app).close()


def post(client: FlaskClient, path: str, body: dict[str, Any], address: str = SCHOOL) -> Any:
    return client.post(API + path, json=body, environ_overrides={"REMOTE_ADDR": address})


def attempt(client: FlaskClient, name: str, password: str = "wrong", address: str = SCHOOL) -> str | None:
    """The error code of a login, ``None`` if it worked."""
    return refusal(post(client, "/auth/login", {"username": name, "password": password}, address))


def join(client: FlaskClient, code: str, address: str = SCHOOL) -> str | None:
    return refusal(post(client, f"/sessions/{code}/join", {"displayName": "Gus"}, address))


def refusal(answer: Any) -> str | None:
    if answer.status_code < 300:
        return None
    error = answer.get_json()["error"]
    if answer.status_code == 429:
        assert error["code"] == "RATE_LIMIT"
        assert 0 < error["retryAfterMs"] <= 60_001
        assert error["retryAfterMs"] <= int(answer.headers["Retry-After"]) * 1000 < error["retryAfterMs"] + 1000
    return str(error["code"])


def teacher(client: FlaskClient) -> dict[str, str]:
    return headers_for(client.application, "Ada", "teacher")


def test_ten_wrong_passwords_a_minute_are_enough(limited: Limited) -> None:
    client = limited()
    answers = [attempt(client, "ada") for _ in range(12)]
    assert answers == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMIT"] * 2
    assert attempt(client, "ada", PASSWORD) == "RATE_LIMIT", "the right one is not told from the wrong ones"


def test_a_name_counts_however_it_is_written(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="3/minute")
    written = ["ada", "ADA", " ada ", "a\uff44a"]
    assert [attempt(client, name) for name in written] == ["INVALID_CREDENTIALS"] * 3 + ["RATE_LIMIT"]


def test_who_is_locked_out_locks_out_nobody_else(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="2/minute")
    while attempt(client, "ada") != "RATE_LIMIT":
        pass
    assert attempt(client, "ben", PASSWORD) is None, "another pupil behind the same address"
    assert attempt(client, "ada", PASSWORD, HOME) is None, "the same pupil from elsewhere"


def test_a_school_logs_in_at_once(limited: Limited) -> None:
    client = limited()
    names = [f"pupil{number}" for number in range(120)]
    assert {attempt(client, name) for name in names} == {"INVALID_CREDENTIALS"}


def test_guessing_one_password_from_many_addresses_is_stopped_too(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_NAME_RATE="5/minute")
    answers = [attempt(client, "ada", address=f"10.0.0.{number}") for number in range(7)]
    assert answers == ["INVALID_CREDENTIALS"] * 5 + ["RATE_LIMIT"] * 2


def test_guests_of_a_whole_school_join_at_once(limited: Limited) -> None:
    client = limited()
    code = new_session(client, teacher(client))
    assert {join(client, code) for _ in range(300)} == {None}


def test_guest_joins_have_a_limit_by_address(limited: Limited) -> None:
    client = limited(CLASSWAVES_GUEST_RATE="3/minute")
    code = new_session(client, teacher(client))
    assert [join(client, code) for _ in range(4)] == [None] * 3 + ["RATE_LIMIT"]
    assert join(client, code, HOME) is None


def test_guessing_codes_is_stopped_by_address(limited: Limited) -> None:
    client = limited(CLASSWAVES_GUESS_RATE="3/minute")
    code = new_session(client, teacher(client))
    assert [join(client, code) for _ in range(5)] == [None] * 5, "a code that exists is no guess"
    assert [join(client, "AAAAAA") for _ in range(4)] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert join(client, code) == "RATE_LIMIT", "a hit is not told from a miss"
    assert join(client, code, HOME) is None


def test_a_pupil_who_guesses_codes_does_not_stop_the_lesson(limited: Limited) -> None:
    """The teacher and the other pupils sit behind the same address."""
    client = limited(CLASSWAVES_GUESS_RATE="3/minute")
    ada, ben = teacher(client), headers_for(client.application, "Ben")
    code, other = new_session(client, ada), new_session(client, ada)
    gus = bearer(guest(client, code, "Gus")[0])

    def look(headers: dict[str, str], at: str) -> str | None:
        return refusal(client.get(f"{API}/sessions/{at}", headers=headers))

    assert [look(ben, "AAAAAA") for _ in range(4)] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert [look(gus, "AAAAAA") for _ in range(4)] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert look(ada, code) is None
    assert refusal(client.post(f"{API}/sessions/{code}/start", headers=ada)) is None
    assert look(gus, code) is None, "it is the session of this guest"
    assert look(gus, other) == "RATE_LIMIT", "a hit is not told from a miss"
    assert join(client, other, "127.0.0.1") == "RATE_LIMIT", "guests are counted together by address"
    assert look(ben, other) == "RATE_LIMIT"


def test_limits_can_be_switched_off(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="1/minute", CLASSWAVES_GUESS_RATE="1/minute")
    free = limited(CLASSWAVES_RATELIMIT_ENABLED="0", CLASSWAVES_LOGIN_RATE="1/minute", CLASSWAVES_GUESS_RATE="1/minute")
    for tested, code in ((client, "RATE_LIMIT"), (free, "INVALID_CREDENTIALS")):
        assert [attempt(tested, "ada") for _ in range(3)][1:] == [code] * 2
    assert [join(free, "AAAAAA") for _ in range(3)] == ["SESSION_NOT_FOUND"] * 3


def test_a_limit_passes(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="1/second")
    eventually(lambda: attempt(client, "ada") == "RATE_LIMIT", what="a limit", pause=0)
    eventually(lambda: attempt(client, "ada") == "INVALID_CREDENTIALS", what="its end")


def test_several_limits_hold_together(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="100/minute;2/hour")
    answers = [post(client, "/auth/login", {"username": "a", "password": "b"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[2].get_json()["error"]["retryAfterMs"] > 60_001


def test_workers_on_one_redis_count_together(limited: Limited, redis_url: str) -> None:
    clients = [limited(REDIS_URL=redis_url, CLASSWAVES_LOGIN_RATE="4/minute") for _ in range(2)]
    answers = [attempt(clients[number % 2], "ada") for number in range(6)]
    assert answers == ["INVALID_CREDENTIALS"] * 4 + ["RATE_LIMIT"] * 2


def test_names_and_addresses_are_not_in_redis(limited: Limited, redis_server: RedisServer) -> None:
    attempt(limited(REDIS_URL=redis_server.url), "ada-lovelace")
    with redis_server.client() as redis:
        keys = list(redis.scan_iter())
    assert len(keys) >= 2
    assert not any("lovelace" in key or SCHOOL in key for key in keys)


def test_applications_in_memory_count_for_themselves(limited: Limited) -> None:
    one, other = (limited(CLASSWAVES_LOGIN_RATE="1/minute") for _ in range(2))
    assert [attempt(one, "ada") for _ in range(2)] == ["INVALID_CREDENTIALS", "RATE_LIMIT"]
    assert attempt(other, "ada") == "INVALID_CREDENTIALS"


def test_a_login_that_works_counts(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_RATE="2/minute")
    assert [attempt(client, "ada", PASSWORD) for _ in range(3)] == [None, None, "RATE_LIMIT"]
