"""``/healthz`` and ``/readyz``: cheap to ask, and they know what a balancer has to know."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from classwaves import health
from tests.support.apps import AppFactory, state_of
from tests.support.redis_server import RedisServer

#: A command that is never sent on the way: how a test recognises the store's question.
ASKED = 1000


def test_alive_as_long_as_the_loop_goes_round(demo_app: Flask) -> None:
    loop, client, now = state_of(demo_app).tally.loop, demo_app.test_client(), 100.0
    loop.now = lambda: now
    assert (client.get("/healthz").status_code, client.get("/healthz").get_json()) == (200, {"status": "ok"})
    loop.beat(2.5, due=now + 0.25)
    now += 0.1
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "blocked"})
    now += health.SEEN
    loop.beat(0.0, due=now + 0.25)
    assert client.get("/healthz").status_code == 200


def test_alive_without_the_store(make_app: AppFactory, redis_server: RedisServer) -> None:
    app = make_app(REDIS_URL=redis_server.url)
    redis_server.kill()
    assert app.test_client().get("/healthz").status_code == 200
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"status": "unavailable", "store": {"kind": "redis", "reachable": False}}


def test_a_storm_of_questions_costs_the_store_next_to_nothing(
    make_app: AppFactory, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH", 1000.0)  # however slow the machine is
    app = make_app(REDIS_URL=redis_server.url)
    with redis_server.client() as client:
        before = client.info("stats")["total_commands_processed"]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: app.test_client().get("/readyz").status_code, range(ASKED)))
        after = client.info("stats")["total_commands_processed"]
    assert answers == [200] * ASKED
    assert after - before < 20


def test_the_store_is_asked_again_when_its_answer_is_old(demo_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)
    asked = threading.Semaphore(0)
    store = state_of(demo_app).store
    monkeypatch.setattr(store, "ping", lambda *, writes: asked.release())
    demo_app.test_client().get("/readyz")
    assert asked.acquire(blocking=False)


def test_a_worker_that_ends_says_so_at_once(demo_app: Flask) -> None:
    client = demo_app.test_client()
    assert client.get("/readyz").get_json()["status"] == "degraded"
    state_of(demo_app).hub.draining = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "draining")
