"""REST requests that come at once, through two workers on one Redis: each is decided once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from tests.support.apps import API, AppFactory, bearer, headers_for, new_session, sign_in

ROUNDS = 10


@pytest.fixture
def workers(make_app: AppFactory, redis_url: str) -> list[Flask]:
    return [make_app(REDIS_URL=redis_url) for _ in range(2)]


def at_once(workers: list[Flask], *requests: dict[str, Any]) -> list[Any]:
    """Send requests at the same moment, through one worker after the other, and return the answers.

    :param requests: what a test client's ``open()`` takes
    """
    start = Barrier(len(requests))

    def send(number: int) -> Any:
        client = workers[number % len(workers)].test_client()
        start.wait(10)
        return client.open(**requests[number])

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, range(len(requests))))


def test_a_step_is_taken_once(workers: list[Flask]) -> None:
    ada = headers_for(workers[0], "Ada", "teacher")
    for _ in range(ROUNDS):
        path = f"{API}/sessions/{new_session(workers[0].test_client(), ada)}/start"
        answers = at_once(workers, *[{"path": path, "method": "POST", "headers": ada}] * 4)
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert {answer.get_json().get("error", {}).get("code") for answer in answers} == {None, "CONFLICT"}


def test_changes_of_different_settings_are_all_kept(workers: list[Flask]) -> None:
    ada = headers_for(workers[0], "Ada", "teacher")
    changes = [{"settings": {"guestsAllowed": False}}, {"settings": {"maxParticipants": 7}}, {"title": "Another"}]
    for _ in range(ROUNDS):
        path = f"{API}/sessions/{new_session(workers[0].test_client(), ada)}"
        requests = [{"path": path, "method": "PATCH", "json": change, "headers": ada} for change in changes]
        assert [answer.status_code for answer in at_once(workers, *requests)] == [200] * 3
        for worker in workers:
            shown = worker.test_client().get(path, headers=ada).get_json()
            settings = shown["settings"]
            assert (shown["title"], settings["guestsAllowed"], settings["maxParticipants"]) == ("Another", False, 7)


def test_a_change_never_follows_the_end(workers: list[Flask]) -> None:
    ada = headers_for(workers[0], "Ada", "teacher")
    for _ in range(ROUNDS):
        path = f"{API}/sessions/{new_session(workers[0].test_client(), ada)}"
        ended, changed = at_once(
            workers,
            {"path": f"{path}/end", "method": "POST", "headers": ada},
            {"path": path, "method": "PATCH", "json": {"title": "Late"}, "headers": ada},
        )
        assert ended.status_code == 200
        assert changed.status_code in (200, 409)
        shown = workers[0].test_client().get(path, headers=ada).get_json()
        assert (shown["status"], shown["title"] == "Late") == ("ended", changed.status_code == 200)


def test_a_refresh_token_that_two_use_at_once_ends_the_login(workers: list[Flask]) -> None:
    for _ in range(ROUNDS):
        pair = sign_in(workers[0], "Ada")
        request = {"path": f"{API}/auth/refresh", "method": "POST", "headers": bearer(pair.refresh or "")}
        assert sorted(answer.status_code for answer in at_once(workers, request, request)) == [200, 401]
        gone = workers[1].test_client().get(f"{API}/auth/me", headers=bearer(pair.access))
        assert gone.get_json()["error"]["code"] == "SESSION_EXPIRED"
