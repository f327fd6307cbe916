"""Rate limits: who guesses is stopped, and nobody else behind the same address is."""

import threading
import time
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


def test_who_guesses_from_many_addresses_does_not_lock_a_user_out_of_where_they_are(limited: Limited) -> None:
    client = limited(CLASSWAVES_LOGIN_NAME_RATE="5/minute")
    assert attempt(client, "ada", PASSWORD, HOME) is None
    while attempt(client, "ada", address="10.0.0.1") != "RATE_LIMIT":
        pass
    assert attempt(client, "ada", PASSWORD) == "RATE_LIMIT"
    assert attempt(client, "ada", PASSWORD, HOME) is None
    assert attempt(client, "ADA", "wrong", HOME) == "INVALID_CREDENTIALS"


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
    code, other = (new_session(client, teacher(client)) for _ in range(2))
    assert [join(client, code) for _ in range(5)] == [None] * 5, "a code that exists is no guess"
    tries = ["AAAAAA", " aaaaab ", "no code", "AAAAAA"]
    assert [join(client, one) for one in tries] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert join(client, other) == "RATE_LIMIT", "a hit is not told from a miss"
    assert join(client, other, HOME) is None


def test_a_class_gets_in_behind_the_address_of_a_guesser(limited: Limited) -> None:
    """Once somebody there has entered the session, or its teacher has led it from there."""
    client = limited(CLASSWAVES_GUESS_RATE="3/minute")
    ada = teacher(client)
    entered, led, foreign = (new_session(client, ada) for _ in range(3))
    assert join(client, entered) is None
    while join(client, "AAAAAA") != "RATE_LIMIT":
        pass
    assert [join(client, code) for code in (entered, led, foreign)] == [None, "RATE_LIMIT", "RATE_LIMIT"]
    started = client.post(f"{API}/sessions/{led}/start", headers=ada, environ_overrides={"REMOTE_ADDR": SCHOOL})
    assert refusal(started) is None
    assert [join(client, code) for code in (entered, led, foreign)] == [None, None, "RATE_LIMIT"]
    assert join(client, "AAAAAA") == "RATE_LIMIT"


def test_wrong_codes_use_up_nothing_of_a_class(limited: Limited) -> None:
    client = limited(CLASSWAVES_GUEST_RATE="3/minute")
    code = new_session(client, teacher(client))
    assert {join(client, "AAAAAA") for _ in range(9)} == {"SESSION_NOT_FOUND"}
    assert [join(client, code) for _ in range(4)] == [None] * 3 + ["RATE_LIMIT"]


@pytest.mark.parametrize("rotated", ["2001:db8:0:1::{:x}", "198.51.100.7:{}", "::ffff:198.51.100.7"])
def test_another_address_of_the_same_house_is_no_other_one(limited: Limited, rotated: str) -> None:
    client = limited(CLASSWAVES_GUESS_RATE="3/minute")
    told = [join(client, "AAAAAA", rotated.format(number + 1)) for number in range(5)]
    assert told == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"] * 2


@pytest.mark.parametrize("hops", [0, 1])
def test_an_address_that_a_client_makes_up_does_not_help(limited: Limited, hops: int) -> None:
    client = limited(CLASSWAVES_GUESS_RATE="3/minute", CLASSWAVES_TRUSTED_PROXIES=hops)

    def try_from(made_up: str) -> str | None:
        forwarded = f"{made_up}, 198.51.100.7" if hops else made_up  # the proxy adds what it sees
        path, headers = f"{API}/sessions/AAAAAA/join", {"X-Forwarded-For": forwarded}
        return refusal(client.post(path, json={"displayName": "Eve"}, headers=headers))

    told = [try_from(made_up) for made_up in ("10.0.0.1", "10.0.0.2", "x, y", ",,", "10.0.0.5")]
    assert told == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"] * 2


@pytest.mark.parametrize("shared", [False, True])
def test_a_thousand_students_get_in_and_a_thousand_guesses_do_not(
    limited: Limited, redis_url: str, shared: bool
) -> None:
    """All from one address within a minute; half of the guesses while the class comes in. In memory fewer show it."""
    half = 500 if shared else 150
    client = limited(**({"REDIS_URL": redis_url} if shared else {}))
    code = new_session(client, teacher(client))
    assert join(client, code) is None
    guesses, students = [], []
    for _ in range(half):
        guesses += [join(client, "AAAAAA")]
        students += [join(client, code), join(client, code.lower())]
    guesses += [join(client, "AAAAAA") for _ in range(half)]
    assert set(students) == {None}
    assert guesses == ["SESSION_NOT_FOUND"] * 100 + ["RATE_LIMIT"] * (2 * half - 100)


def test_sessions_are_made_at_a_rate(limited: Limited) -> None:
    client = limited(CLASSWAVES_CREATE_RATE="2/minute")
    ada = teacher(client)
    answers = [client.post(f"{API}/sessions", json={"title": "One"}, headers=ada) for _ in range(3)]
    assert [refusal(answer) for answer in answers] == [None, None, "RATE_LIMIT"]


def test_who_waits_as_redis_says_is_let_in(limited: Limited, redis_url: str) -> None:
    client = limited(REDIS_URL=redis_url, CLASSWAVES_LOGIN_RATE="1/second")
    answer = post(client, "/auth/login", {"username": "ada", "password": "wrong"})
    while answer.status_code != 429:
        answer = post(client, "/auth/login", {"username": "ada", "password": "wrong"})
    time.sleep(answer.get_json()["error"]["retryAfterMs"] / 1000)
    assert attempt(client, "ada") == "INVALID_CREDENTIALS"


def test_who_is_over_a_limit_costs_redis_nothing(limited: Limited, redis_server: RedisServer) -> None:
    client = limited(REDIS_URL=redis_server.url, CLASSWAVES_LOGIN_RATE="1/minute")
    while attempt(client, "ada") != "RATE_LIMIT":
        pass
    with redis_server.client() as redis:
        before = redis.info("stats")["total_commands_processed"]
        assert {attempt(client, "ada") for _ in range(50)} == {"RATE_LIMIT"}
        assert redis.info("stats")["total_commands_processed"] - before < 40


def test_a_pupil_who_guesses_codes_does_not_stop_the_lesson(limited: Limited) -> None:
    """The teacher and the other pupils sit behind the same address."""
    client = limited(CLASSWAVES_GUESS_RATE="3/minute")
    ada, ben = teacher(client), headers_for(client.application, "Ben")
    code, other = new_session(client, ada), new_session(client, ada)
    made = client.post(f"{API}/sessions", json={"title": "X"}, headers=ada, environ_overrides={"REMOTE_ADDR": HOME})
    foreign = made.get_json()["sessionCode"]
    gus = bearer(guest(client, code, "Gus")[0])

    def look(headers: dict[str, str], at: str) -> str | None:
        return refusal(client.get(f"{API}/sessions/{at}", headers=headers))

    assert [look(ben, "AAAAAA") for _ in range(4)] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert [look(gus, "AAAAAA") for _ in range(4)] == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"]
    assert look(ada, code) is None
    assert refusal(client.post(f"{API}/sessions/{code}/start", headers=ada)) is None
    assert look(gus, code) is None, "it is the session of this guest"
    assert look(gus, foreign) == "RATE_LIMIT", "a hit is not told from a miss"
    assert join(client, foreign, "127.0.0.1") == "RATE_LIMIT", "guests are counted together by address"
    assert join(client, other, "127.0.0.1") is None, "a session of this school"
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


def test_workers_on_one_redis_know_a_class_and_a_guesser_together(limited: Limited, redis_url: str) -> None:
    one, other = (limited(REDIS_URL=redis_url, CLASSWAVES_GUESS_RATE="3/minute") for _ in range(2))
    entered, foreign = (new_session(one, teacher(one)) for _ in range(2))
    assert join(one, entered) is None
    told = [join(client, "AAAAAA") for client in (one, other, one, other, one)]
    assert told == ["SESSION_NOT_FOUND"] * 3 + ["RATE_LIMIT"] * 2
    for client in (one, other):
        assert join(client, entered) is None, "where they come in is the balancer's to say"
        assert join(client, foreign) == "RATE_LIMIT"


@pytest.mark.parametrize("shared", [False, True])
def test_one_password_cannot_be_tried_on_all_names(limited: Limited, redis_url: str, shared: bool) -> None:
    client = limited(CLASSWAVES_WRONG_PASSWORD_RATE="3/minute", **({"REDIS_URL": redis_url} if shared else {}))
    assert attempt(client, "ada", PASSWORD) is None
    told = [attempt(client, f"pupil{number}") for number in range(6)]
    assert told.count("INVALID_CREDENTIALS") in (3, 4)
    assert told[-2:] == ["RATE_LIMIT"] * 2
    assert attempt(client, "ben", PASSWORD) == "RATE_LIMIT", "a hit is not told from a miss"
    assert attempt(client, "ada") == "INVALID_CREDENTIALS"
    assert attempt(client, "ada", PASSWORD) is None, "who has logged in there before goes on"
    assert attempt(client, "ben", PASSWORD, HOME) is None


class Slow(Accounts):
    """Checks the passwords of Eve for as long as a test likes."""

    held = threading.Semaphore(0)
    begun = threading.Semaphore(0)

    def authenticate(self, username: str, password: str) -> Account | None:
        if username.startswith("eve"):
            self.begun.release()
            self.held.acquire()
        return super().authenticate(username, password)


def test_who_makes_up_names_keeps_nobody_from_logging_in(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong password takes a core for a moment, whatever the name: only so many of one address wait for that."""
    monkeypatch.setitem(globals(), "Accounts", Slow)
    client = limited(CLASSWAVES_ADDRESS_LOGINS="3")
    app, taken = client.application, state_of(client.application).limits.logins
    assert attempt(client, "ada", PASSWORD) is None
    told: list[str | None] = []
    flood = [
        threading.Thread(target=lambda name=f"eve{number}": told.append(attempt(app.test_client(), name)))
        for number in range(3)
    ]
    for thread in flood:
        thread.start()
        assert Slow.begun.acquire(timeout=10)
    assert attempt(client, "eve3") == "RATE_LIMIT"
    assert attempt(client, "ada", PASSWORD) is None, "who has logged in there before goes on"
    assert attempt(client, "ben", PASSWORD, HOME) is None
    Slow.held.release(3)
    for thread in flood:
        thread.join()
    assert told == ["INVALID_CREDENTIALS"] * 3
    assert attempt(client, "ben", PASSWORD) is None
    assert len(taken) == 0
