"""``flask classwaves drain``: a worker lets its clients go, and lives on."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import websocket
from click.testing import Result
from flask import Flask

from classwaves.cli import cli
from tests.support.apps import AppFactory
from tests.support.clients import Closed, RawClient
from tests.support.pair import STEADY, Pair, open_pair
from tests.support.pair import pair as pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def running(redis: RedisServer) -> Iterator[Pair]:
    # a lease that ends while a process stands still would have its students shown as away
    with open_pair(redis.url, STEADY) as servers:
        yield servers


@pytest.fixture
def app(make_app: AppFactory, redis: RedisServer) -> Flask:
    return make_app(REDIS_URL=redis.url)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(cli, list(arguments))


def workers(app: Flask, count: int = 2) -> dict[int, dict[str, Any]]:
    """The workers that answer, by their pid."""

    def all_of_them() -> dict[int, dict[str, Any]]:
        listed = json.loads(run(app, "workers", "--json").stdout)
        found = {one["pid"]: one for one in listed if one["pid"] is not None}
        return found if len(found) == count else {}

    return eventually(all_of_them, what="answers of all workers")


def readiness(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            return answer.status, json.loads(answer.read())["status"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["status"]


def until_closed(client: RawClient) -> list[str]:
    """The events that a client gets until the server ends its connection."""
    with pytest.raises(Closed):
        while True:
            client.read()
    return [name for name, _ in client.inbox]


def test_a_drained_worker_sends_its_clients_elsewhere_and_takes_some_again(app: Flask, pair: Pair) -> None:
    code = pair.b.session()
    teacher = pair.watch(code, pair.b)
    students = [pair.a.joined(code, f"Student {number}") for number in range(4)]
    (pid,) = pair.a.server.worker_pids
    worker = workers(app)[pid]
    assert (worker["sockets"], worker["draining"], len(worker["sessions"])) == (4, False, 1)

    ran = run(app, "drain", "--worker", worker["worker"], "--seconds", "0.5")
    assert (ran.exit_code, "0 sockets left" in ran.output) == (0, True), ran.output
    assert all("reconnectAdvised" in until_closed(student) for student in students)
    assert readiness(pair.a.url) == (503, "draining")
    assert readiness(pair.b.url) == (200, "ok")
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        pair.a.connect(pair.a.teacher)
    assert workers(app)[pid]["draining"]

    teacher.say(code, "still here")  # the grace is longer than that, so nobody is shown as away
    teacher.wait_for("messageReceived", message="still here")
    assert not [data for name, data in teacher.inbox if data.get("status") == "disconnected"]

    assert "takes clients" in run(app, "undrain", "--here").output
    assert readiness(pair.a.url) == (200, "ok")
    pair.a.joined(code, "Late")


def test_a_drain_can_be_stopped(app: Flask, pair: Pair) -> None:
    code = pair.a.session()
    student = pair.a.joined(code)
    (pid,) = pair.a.server.worker_pids
    name = workers(app)[pid]["worker"]
    state = app.extensions["classwaves"]
    order = {"do": "drain", "seconds": 600, "reply": "nobody", "workers": [name]}
    assert state.store.send_mail("orders", json.dumps(order).encode())
    student.wait_for("reconnectAdvised")
    assert run(app, "undrain", "--worker", name).exit_code == 0
    assert not workers(app)[pid]["draining"]
    student.say(code, "I am still here")
    pair.a.joined(code, "Another")


def test_a_worker_that_stands_still_for_a_moment_is_waited_for(app: Flask, pair: Pair) -> None:
    (pid,) = pair.a.server.worker_pids
    name = workers(app)[pid]["worker"]
    pair.a.server.pause()
    going_on = threading.Timer(1.5, pair.a.server.resume)
    going_on.start()
    ran = run(app, "undrain", "--worker", name)
    going_on.join()
    assert (ran.exit_code, ran.output.count("takes clients")) == (0, 1), ran.output


def test_nobody_is_drained_by_mistake(app: Flask, pair: Pair) -> None:
    assert run(app, "drain").exit_code == 2
    assert run(app, "drain", "--all", "--here").exit_code == 2
    for seconds in ("nan", "inf", "-1"):
        assert run(app, "drain", "--all", "--seconds", seconds).exit_code == 2
    for selection in (["--worker", "nobody"], ["--host", "nowhere.example"]):
        ran = run(app, "undrain", *selection)
        assert (ran.exit_code, "No worker that is meant answers" in ran.output) == (1, True)
    assert {one["draining"] for one in workers(app).values()} == {False}
