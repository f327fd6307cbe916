"""No sticky sessions: each request of a client may reach another worker, on this machine or on another one."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from classwaves.files import CHUNK
from tests.support.engine_io import UNKNOWN_SID, Live, Opener, Polling
from tests.support.fleet import Machine, Wanderer, open_fleet
from tests.support.fleet import running as running
from tests.support.pair import STEADY, Pair
from tests.support.pair import pair as pair
from tests.support.pair import redis as redis
from tests.support.protocol import PATH, Refused, Tcp, http
from tests.support.redis_server import RedisServer
from tests.support.uploads import Sent, patterned
from tests.support.waiting import eventually
from tests.support.wires import Closed

WAYS = {"one machine": "aa", "from here to there": "ab", "from there to here": "ba"}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, pair: Pair) -> list[str]:
    """The servers that a client's requests go to in turn."""
    return [getattr(pair, name).url for name in WAYS[request.param]]


def port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


@pytest.fixture
def opener() -> Iterator[Opener]:
    with Opener(0) as opener:  # the sessions know their servers
        yield opener


def elsewhere(way: list[str]) -> Polling:
    """Open a session at the first server; whatever comes next goes to the second."""
    session = Polling(port(way[0]))
    session.port = port(way[1])
    return session


def connect(session: Polling | Live, token: str) -> None:
    session.send("40" + json.dumps({"token": token}))
    assert str(session.receive()).startswith("40")


def ask(session: Polling | Live, number: int, *event: Any) -> list[Any]:
    """Send an event and return what came up to its ack, which is the last."""
    session.send(f"42{number}{json.dumps(event)}")
    came: list[Any] = []
    while not came or not came[-1][0].startswith(f"43{number}["):
        packet = str(session.receive())
        start = packet.index("[")
        came.append((packet[: start + 1], json.loads(packet[start:])))
    return came


def test_a_class_that_polls_wherever_it_comes(pair: Pair, way: list[str]) -> None:
    """Twelve students, of whom each sends five messages, and who then leave."""
    code = pair.a.session()
    students = [Wanderer(way, pair.a.api.guest(code, f"Guest {number}")) for number in range(12)]
    watcher = pair.watch(code, pair.b)
    for student in students:
        student.join(code)
    for number in range(5):
        for student in students:
            student.say(code, f"message {number}", clientMessageId=str(number))
    said = pair.history(code)
    assert len(said) == 60
    for student in students:
        student.wait_for("messageReceived", seq=said[-1]["seq"])
        assert [data for name, data in student.inbox if name == "messageReceived"] == said
    for student in students:
        assert student.ask("leaveSession", code)["ok"]
        student.close()
    for student in students:
        watcher.wait_for("presenceUpdated", status="left", userId=student.inbox[0][1]["self"]["userId"])


def test_a_websocket_that_is_opened_elsewhere(pair: Pair, way: list[str], opener: Opener) -> None:
    """As the JavaScript client does: a probe while a GET waits, which then is answered with NOOP."""
    code = pair.a.session()
    polling = elsewhere(way)
    connect(polling, pair.a.api.guest(code, "Ann"))
    with Tcp(polling.port) as waiting:
        waiting.ask("GET", polling.target)
        live = opener.probe(polling)
        assert waiting.answer().text == "6"
    live.send("5")
    assert ask(live, 1, "joinSession", code)[-1][1][0]["ok"]
    long = "x" * 3900
    for number in range(20):
        came = ask(live, 2 + number, "sendMessage", {"sessionCode": code, "message": f"{number} {long}"})
        assert came[-1][1][0]["ok"]
    eventually(lambda: len(pair.history(code)) == 20, what="all messages")
    assert http(polling.port, "GET", polling.target).status == 400  # it is no polling session any more
    watcher = pair.watch(code, pair.b)
    live.drop()
    watcher.wait_for("presenceUpdated", status="disconnected")


def test_a_flood_through_another_machine_is_handled_in_order(pair: Pair, opener: Opener) -> None:
    code = pair.a.session()
    polling = elsewhere([pair.a.url, pair.b.url])
    connect(polling, pair.a.api.guest(code, "Ann"))
    live = opener.upgrade(polling)
    assert ask(live, 0, "joinSession", code)[-1][1][0]["ok"]
    messages = [{"sessionCode": code, "message": str(number)} for number in range(200)]
    live.send(*(f"42{number}{json.dumps(['sendMessage', one])}" for number, one in enumerate(messages, start=1)))
    eventually(lambda: len(pair.history(code)) == 200, what="all messages")
    assert [one["message"] for one in pair.history(code)] == [str(number) for number in range(200)]
    live.drop()


def test_a_file_that_is_sent_wherever_it_comes(pair: Pair, way: list[str]) -> None:
    code = pair.a.session()
    student = Wanderer(way, pair.a.api.guest(code, "Ann"))
    student.join(code)
    sent = Sent(student.ask, code, patterned(2 * CHUNK + 1))
    sent.share()
    student.wait_for("fileShared", fileId=sent.file_id)
    student.close()


def test_what_no_connection_is_belongs_to_nobody(pair: Pair, way: list[str]) -> None:
    for sid in ("A" * 28, "AAAAAAAA", "A", "", "../../../etc/passwd", "..%2f..%2fx", "a/../../b" * 3):
        for method in ("GET", "POST"):
            answer = http(port(way[1]), method, f"{PATH}polling&sid={sid}", body=b"3")
            assert answer.error == (400, UNKNOWN_SID), sid


def test_bad_requests_are_refused_wherever_they_come(pair: Pair, way: list[str]) -> None:
    """And end the connection that they are for, and no other."""
    code = pair.a.session()
    other = elsewhere(way)
    connect(other, pair.a.api.guest(code, "Ben"))
    for body in (b"\xff", b"9", b"", b"x" * 1_000_001):
        session = elsewhere(way)
        connect(session, pair.a.api.guest(code, "Ann"))
        assert session.post(body).status in (400, 413)
        assert session.get().error == (400, UNKNOWN_SID)
    assert http(other.port, "PUT", other.target).status == 400
    assert ask(other, 1, "joinSession", code)[-1][1][0]["ok"]


def test_two_polls_at_once_end_it_wherever_they_are(pair: Pair, way: list[str]) -> None:
    session = elsewhere(way)
    connect(session, pair.a.api.guest(pair.a.session(), "Ann"))
    with Tcp(port(way[0])) as first:
        first.ask("GET", session.target)
        second = eventually(lambda: http(session.port, "GET", session.target), what="an answer")
        assert {first.answer().status, second.status} == {200, 400}


def opened(machine: Machine) -> list[Polling]:
    """Open sessions until both workers have some: one that the machine holds up takes none meanwhile."""
    sessions = [Polling(machine.port) for _ in range(20)]

    def shared() -> bool:
        sessions.append(Polling(machine.port))
        return len({session.sid[:8] for session in sessions}) == 2

    eventually(shared, 30, "sessions of both workers")
    return sessions


def test_requests_of_several_workers_on_one_connection(pair: Pair) -> None:
    """A proxy sends requests of many clients over each of its connections: they go where they belong, in order."""
    server = pair.a.server
    assert isinstance(server, Machine)
    sessions = opened(server)
    with Tcp(pair.a.server.port) as tcp:
        for _ in range(2):
            for session in sessions:
                tcp.ask("POST", session.target, body=b"3")
                assert tcp.answer().text == "ok"
            tcp.ask("GET", "/healthz")
            assert tcp.answer().status == 200
        for session in sessions:  # not waiting for the answers
            tcp.ask("POST", session.target, body=b"3")
        assert [tcp.answer().text for _ in sessions] == ["ok"] * len(sessions)


def test_a_body_that_comes_slowly(pair: Pair, way: list[str]) -> None:
    session = elsewhere(way)
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Content-Length": "3"})
        assert http(session.port, "GET", "/healthz").status == 200
        tcp.send(b"40")
        assert http(session.port, "GET", "/healthz").status == 200
        tcp.send(b"{")
        assert tcp.answer().status in (200, 400)


def test_a_dead_owner_is_answered_for(redis: RedisServer, opener: Opener) -> None:
    """Whoever waits through another machine, by either transport, hears of it; and so does who asks next."""
    with open_fleet(redis.url) as mortal:
        machine = mortal.b.server
        assert isinstance(machine, Machine)
        waiting, upgraded = elsewhere([mortal.b.url, mortal.a.url]), elsewhere([mortal.b.url, mortal.a.url])
        token = mortal.a.api.guest(mortal.a.session(), "Ann")
        for session in (waiting, upgraded):
            connect(session, token)
        live = opener.upgrade(upgraded)
        with Tcp(waiting.port) as tcp:
            tcp.ask("GET", waiting.target)
            machine.kill9()
            eventually(lambda: tcp.answer().status == 400, 30, "an answer to who waits")
        assert waiting.post("3").error == (400, UNKNOWN_SID)
        with pytest.raises(Closed):
            live.packet()
        with pytest.raises(Refused) as refused:
            Live(upgraded.port, f"&sid={upgraded.sid}", opened=upgraded.opened)
        assert refused.value.answer.status == 400


def test_a_dead_worker_of_the_same_machine(redis: RedisServer) -> None:
    """The master starts another one; what the other one has stays."""
    # nobody is asked meanwhile why they do not connect
    with open_fleet(redis.url, **STEADY, CLASSWAVES_PING_INTERVAL="100") as mortal:
        machine = mortal.a.server
        assert isinstance(machine, Machine)
        sessions = {session.sid[:8]: session for session in opened(machine)}
        assert set(sessions) == machine.doors
        os.kill(machine.worker_pids[0], signal.SIGKILL)
        eventually(lambda: len(machine.doors - set(sessions)) == 1 and len(machine.doors) == 2, 60, "another worker")
        for name, session in sessions.items():
            for _ in range(5):
                answer = session.post("3")
                if name in machine.doors:
                    assert answer.text == "ok"
                else:
                    assert answer.error == (400, UNKNOWN_SID)


def test_a_worker_that_stands_still_loses_none_of_its_connections(redis: RedisServer) -> None:
    """More requests wait at its door than the kernel holds there, for some seconds."""
    with open_fleet(redis.url, **STEADY, CLASSWAVES_PING_INTERVAL="100") as fleet:
        machine = fleet.a.server
        assert isinstance(machine, Machine)
        sessions = [session for session in opened(machine) for _ in range(20)]
        still = machine.worker_pids[0]
        os.kill(still, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(len(sessions)) as threads:
                answers = [threads.submit(session.post, "3") for session in sessions]
                eventually(lambda: sum(answer.done() for answer in answers) >= 20, what="the other one's")
                threading.Event().wait(2)  # which is how long it stands still
                os.kill(still, signal.SIGCONT)
                assert {answer.result().text for answer in answers} == {"ok"}
        finally:
            os.kill(still, signal.SIGCONT)
