"""The examples that are applications: served by the commands of their docstrings, with real clients."""

import json
import resource
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from own_store import TapeStore

from classwaves.errors import StoreUnavailable
from classwaves.store import Limits
from classwaves.testing.suites.store_log import LogContract
from classwaves.testing.suites.store_sessions import SessionsContract
from tests.support.clients import Api, Closed, RawClient
from tests.support.examples import EXAMPLES, Example
from tests.support.pair import redis as redis
from tests.support.protocol import http
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, message, new_session


@pytest.fixture(scope="module")
def shops(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Example]]:
    """Run all of them, started at once."""
    folder = tmp_path_factory.mktemp("shops")
    password = {"add ada teacher": "add ada teacher --password 'right horse'"}
    shops = [
        Example("basic"),
        Example("own_event", WEB_CONCURRENCY="2", REDIS_URL=redis.url),
        Example("own_rule"),
        Example("own_store", {"/var/tmp/tape": str(folder / "tape")}, FOLDER=str(folder / "tape")),
        Example("own_accounts", password, DATABASE_URL=f"sqlite:///{folder}/accounts.sqlite", REDIS_URL=redis.url),
    ]
    with ExitStack() as stack:
        for shop in shops:
            stack.callback(shop.close)
            shop.start(wait=False)
        for shop in shops:
            shop.wait_ready()
        yield {shop.name: shop for shop in shops}


def people(server: Example) -> tuple[str, RawClient, RawClient]:
    """A started session, and in it the demo teacher and the demo student."""
    api = Api(server.url)
    teacher = api.token("teacher")
    code = api.new_session(teacher)
    api.step(teacher, code, "start")
    clients = server.connect(teacher), server.connect(api.token("student"))
    for client in clients:
        client.join(code)
    return code, *clients


def test_the_least_that_there_is(shops: Mapping[str, Example]) -> None:
    server = shops["basic"]
    code, teacher, student = people(server)
    student.say(code, "Hello")
    assert teacher.wait_for("messageReceived", message="Hello")["displayName"] == "Demo Student"

    def ring(code: str, user: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {Api(server.url).token(user)}"} if user else {}
        answer = http(server.port, "POST", f"/bell/{code}", headers)
        return answer.status, json.loads(answer.body)

    assert ring(code)[0] == 401
    assert ring(code, "student") == (403, {"error": "Only a teacher rings"})
    assert ring("ZZZZZZ", "teacher") == (404, {"error": "There is no such session"})
    rung = student.wait_for("bellRings", times=2) if ring(code, "teacher")[0] == 200 else None
    assert rung and rung["sessionCode"] == code


def test_own_events_on_two_workers(shops: Mapping[str, Example]) -> None:
    server = shops["own_event"]
    code, teacher, student = people(server)
    stroke = {"sessionCode": code, "points": [[1, 2], [3, 4]], "clientMessageId": "s1"}
    ack = student.ask("drawStroke", stroke)
    drawn = teacher.wait_for("strokeDrawn", points=[[1, 2], [3, 4]], colour="black", userId="demo-student")
    assert (ack["seq"], student.ask("drawStroke", stroke)) == (drawn["seq"], ack), "a repeat has the first answer"
    for wrong in ("none", [], [[1]], [[1, 2, 3]], [[-1, 2]]):
        refused = student.ask("drawStroke", {"sessionCode": code, "points": wrong})
        assert refused["error"]["code"] == "INVALID_PAYLOAD"
    assert student.ask("movePen", {"sessionCode": code, "x": 5, "y": 6})["ok"]
    assert "seq" not in teacher.wait_for("penMoved", x=5, y=6)
    ticket = {"sessionCode": code, "mood": 4, "text": "I know frogs now", "clientMessageId": "t1"}
    assert teacher.ask("handInTicket", ticket)["error"]["code"] == "FORBIDDEN"
    assert [student.ask("handInTicket", ticket)["ok"] for _ in range(2)] == [True, True]
    assert teacher.wait_for("ticketHandedIn", mood=4)["text"] == "I know frogs now"
    student.say(code, "Bye")
    student.wait_for("messageReceived", message="Bye")
    heard = [
        (name, data.get("message")) for name, data in student.inbox if name in ("messageReceived", "ticketHandedIn")
    ]
    assert heard == [("messageReceived", "A ticket was handed in."), ("messageReceived", "Bye")]


def test_own_rules(shops: Mapping[str, Example]) -> None:
    server = shops["own_rule"]
    code, teacher, student = people(server)
    for client, who in ((teacher, "Demo Teacher"), (student, "Demo Student")):
        assert client.ask("announce", {"sessionCode": code, "text": f"From {who}"})["ok"]
        assert teacher.wait_for("announced", text=f"From {who}")["by"] == who
    refused = student.ask("sendMessage", {"sessionCode": code, "message": "Look: http://frogs.example"})
    assert (refused["error"]["code"], refused["error"]["details"]) == ("FORBIDDEN", {"reason": "links"})
    teacher.say(code, "Look: http://frogs.example")
    student.say(code, "No link")
    status, answer = Api(server.url).call("POST", f"/sessions/{code}/join", body={"displayName": "Ann"})
    assert (status, answer["error"]["code"]) == (403, "SESSION_ACCESS_DENIED")
    assert answer["error"]["message"] == "Please come back with your first and your last name."
    guest = server.connect(Api(server.url).guest(code, "Ann Lee"))
    guest.join(code)
    assert guest.ask("announce", {"sessionCode": code, "text": "Me too"})["error"]["code"] == "FORBIDDEN"


def lines_of(folder: Path, code: str = "") -> list[Mapping[str, Any]]:
    (tape,) = folder.glob(f"{code}*")
    return [json.loads(line) for line in tape.read_text().splitlines()]


def test_own_store(shops: Mapping[str, Example]) -> None:
    server = shops["own_store"]
    code, teacher, student = people(server)
    ack = student.say(code, "Hello")
    said = lines_of(Path(server.environ()["FOLDER"]), code)
    assert [line["seq"] for line in said] == list(range(1, ack["seq"] + 1))
    assert (said[-1]["event"], said[-1]["author"]) == ("messageReceived", "demo-student")
    assert (said[-1]["data"]["message"], said[-1]["time"]) == ("Hello", ack["timestamp"])


class TestOwnStore(SessionsContract, LogContract):
    """The parts of StoreContract about what it does itself; the others are about what it has inherited."""

    @pytest.fixture(autouse=True)
    def tape(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_store(self, limits: Limits) -> TapeStore:
        return TapeStore(limits, self.folder)


def test_a_full_disk_is_no_loss(tmp_path: Path) -> None:
    """It is refused, and its repeat, when there is room again, stores nothing twice and writes what is missing."""
    store = TapeStore(LIMITS, tmp_path)
    session_id = new_session(store).id
    (tape,) = tmp_path.iterdir()
    tape.rename(tmp_path / "kept")
    tape.mkdir()  # what cannot be written, whoever runs the tests
    with pytest.raises(StoreUnavailable, match="the tape cannot be written"):
        store.append(session_id, [message("Hello")], dedupe="-1")
    tape.rmdir()
    (tmp_path / "kept").rename(tape)
    assert store.append(session_id, [message("Hello")], dedupe="-1").duplicate
    assert [line["seq"] for line in lines_of(tmp_path)] == [1, 2]


def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_no_half_of_it(tmp_path: Path) -> None:
    store = TapeStore(LIMITS, tmp_path)
    session_id = new_session(store).id
    (tape,) = tmp_path.iterdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (tape.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match="the tape cannot be written"):
            store.append(session_id, [message("Hello")], dedupe="-1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.append(session_id, [message("Hello")], dedupe="-1").duplicate
    assert [line["seq"] for line in lines_of(tmp_path)] == [1, 2]


def test_own_accounts(shops: Mapping[str, Example]) -> None:
    server = shops["own_accounts"]
    api = Api(server.url)
    login = api.login("ada", "right horse")
    assert login["user"]["displayName"] == "Ada" and login["user"]["role"] == "teacher"
    for name, password in (("ada", "wrong"), ("bob", "right horse"), ("bob", "nobody")):
        status, answer = api.call("POST", "/auth/login", body={"username": name, "password": password})
        assert (status, answer["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    database = Path(server.environ()["DATABASE_URL"].removeprefix("sqlite:///"))
    assert b"right horse" not in database.read_bytes()
    client = server.connect(login["accessToken"])
    client.join(api.new_session(login["accessToken"]))

    command = ["flask", "--app", "own_accounts", "remove", "ada"]
    run = {**server.environ(), "CLASSWAVES_DEMO": "1"}
    done = subprocess.run(command, cwd=EXAMPLES, env=run, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(Closed):
        client.wait_for("nothing more")
    assert api.call("POST", "/auth/login", body={"username": "ada", "password": "right horse"})[0] == 401
