"""A worker that ends: its clients are let go, come back elsewhere, and nobody is shown as away."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from classwaves.tallies import FOLDER
from classwaves.transport import succession
from tests.support.clients import Closed, RawClient
from tests.support.declared import check_event
from tests.support.engine_io import Opener
from tests.support.fleet import Crowded, open_fleet
from tests.support.gunicorn_server import Gunicorn
from tests.support.pair import STEADY, Pair
from tests.support.pair import redis as redis
from tests.support.processes import minimal_environ
from tests.support.protocol import PATH, Tcp, http
from tests.support.redis_server import RedisServer
from tests.support.school import open_school
from tests.support.tools import node
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("node") / "restarts.mjs"


@pytest.fixture(scope="module")
def fleet(redis: RedisServer) -> Iterator[Pair]:
    """With a grace that is told from a lease."""
    settings = {"CLASSWAVES_DRAIN_SECONDS": "1", "CLASSWAVES_DRAIN_GRACE": "300"}
    with open_fleet(redis.url, **STEADY, **settings) as pair:
        yield pair


@pytest.fixture
def pair(fleet: Pair) -> Iterator[Pair]:
    eventually(lambda: whole(fleet.a.server), 60, "workers for those that the test before has ended")
    yield fleet
    fleet.dismiss()


def whole(server: Gunicorn) -> bool:
    """Whether two workers serve and no other one is still there, which would refuse who connects."""
    log = server.log()
    return len(server.worker_pids) == log.count("this worker is ready") - log.count("this worker ends") == 2


def statuses(watcher: RawClient, code: str) -> list[str]:
    """What a watcher was told of others' presence, up to now."""
    ack = watcher.say(code, "up to here")
    watcher.wait_for("messageReceived", seq=ack["seq"])
    return [data["status"] for name, data in watcher.inbox if name == "presenceUpdated"]


def kept(pair: Pair) -> set[bytes]:
    """The workers that have ended and whose seats are kept for the grace, by their leases."""
    with pair.redis() as client:
        return set(client.zrangebyscore("cw:workers", (time.time() + 100) * 1000, "+inf"))


class NodeClass:
    """Students on Node who speak all the time."""

    def __init__(self, pair: Pair, code: str, count: int, advised: int) -> None:
        tokens = [pair.a.api.guest(code, f"Guest {number}") for number in range(count)]
        given = {"url": pair.a.url, "way": "upgrade", "code": code, "tokens": tokens, "advised": advised}
        self._process = subprocess.Popen(
            [node(), str(SCRIPT), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=minimal_environ(),
            text=True,
        )
        assert self._process.stdout
        assert "joined" in self._process.stdout.readline()

    def end(self) -> int:
        """Let them stop, and return how many messages all of them have."""
        out, _ = self._process.communicate("done\n", timeout=30)
        assert self._process.returncode == 0, out
        return int(json.loads(out.splitlines()[0])["step"].split()[1])

    def __enter__(self) -> "NodeClass":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def test_a_class_does_not_notice_that_its_workers_are_replaced(pair: Pair) -> None:
    """gunicorn's reload, and then a worker that is told to end: by all transports, and at once."""
    server = pair.a.server
    assert isinstance(server, Crowded)
    code = pair.b.session()
    watcher = pair.watch(code, pair.b)
    before = kept(pair)
    with NodeClass(pair, code, 9, advised=1) as students:
        old = server.worker_pids
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: len(server.worker_pids) == 2 and not {*old} & {*server.worker_pids}, 30, "new workers")
        eventually(lambda: len(server.doors) == 2, what="their doors")
        statuses(watcher, code)  # reads, and thereby answers pings
        last = server.worker_pids[0]
        os.kill(last, signal.SIGTERM)
        eventually(lambda: last not in server.worker_pids and len(server.doors) == 2, 30, "another worker")
        statuses(watcher, code)
        said = students.end()
        assert said == len(pair.history(code)) > 20
    told = statuses(watcher, code)
    assert told == ["active"] * 9 + ["disconnected"] * (len(told) - 9)  # some have gone now
    assert len(kept(pair) - before) == 3


def test_what_a_client_is_told(pair: Pair) -> None:
    """Advice, then the end of the Engine.IO connection: not of the Socket.IO one, after which clients stay away."""
    code = pair.b.session()
    students = [
        pair.a.joined(code, f"Guest {number}", way) for number, way in enumerate(["polling", *["websocket"] * 5])
    ]
    for pid in pair.a.server.worker_pids:
        os.kill(pid, signal.SIGTERM)
    for student in students:
        advice = student.wait_for("reconnectAdvised")
        check_event("reconnectAdvised", advice)
        assert advice == {"delayMs": advice["delayMs"], "reason": "restart"}
        assert 0 < advice["delayMs"] <= 1000
        with pytest.raises(Closed):
            while True:
                student.read()


def test_the_end_of_a_server(redis_server: RedisServer) -> None:
    """Who comes while it ends is told so, on new connections and on old ones; all is over in ten seconds."""
    # a worker that has begun settles what others left after one lease of its own
    settings = {**STEADY, "CLASSWAVES_LEASE": "12", "CLASSWAVES_DRAIN_GRACE": "300"}
    with open_fleet(redis_server.url, **settings) as pair:
        code = pair.b.session()
        watcher = pair.watch(code, pair.b)
        students = [pair.a.connect(pair.a.api.guest(code, f"Guest {number}")) for number in range(200)]
        for student in students[:10]:
            student.join(code)
        pair.a.joined(code, "Ann", "polling")  # she does not fetch what she is told, and is waited for
        end(pair.a.server)
        for student in students:
            student.wait_for("reconnectAdvised")
        # their seats are kept for the grace, and then settled by the other server
        assert statuses(watcher, code) == ["active"] * 11
        assert len(ended := kept(pair)) == 2
        with pair.redis() as client:
            client.zadd("cw:workers", dict.fromkeys(ended, 0))
        eventually(lambda: statuses(watcher, code) == ["active"] * 11 + ["disconnected"] * 11, 30, "all away")


def end(server: Gunicorn) -> None:
    """End a server in an orderly way, and see what it says meanwhile."""
    processes = psutil.Process(server.pid).children()
    with Tcp(server.port) as kept:
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        answer = eventually(lambda: ready(kept), what="503")
        assert (json.loads(answer.body)["status"], answer.headers["connection"]) == ("draining", "close")
    assert http(server.port, "GET", "/readyz").status == 503
    refused = http(server.port, "GET", f"{PATH}polling")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert http(server.port, "GET", "/healthz").status == 200
    _, alive = psutil.wait_procs(processes, timeout=10 - (time.monotonic() - began))
    assert not alive
    assert server.process.wait(5) == 0
    assert "graceful timeout" not in server.log_path.read_text().lower()


def ready(tcp: Tcp) -> Any:
    """Ask over a connection that stays, and return the answer when it says no."""
    tcp.ask("GET", "/readyz")
    answer = tcp.answer()
    return answer if answer.status == 503 and "connection" in answer.headers else None


def test_who_is_back_and_leaves_has_left(pair: Pair) -> None:
    """The seat on the worker that has ended is not in the way."""
    code = pair.b.session()
    watcher = pair.watch(code, pair.b)
    token = pair.a.api.guest(code, "Ann")
    for tab in [pair.a.connect(token) for _ in range(3)]:
        ann = tab.join(code)["self"]["userId"]
    for pid in pair.a.server.worker_pids:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: retired(pair, code, ann), what="seats that are kept")
    tab = pair.b.connect(token)
    tab.join(code)
    tab.ask("leaveSession", code)
    watcher.wait_for("presenceUpdated", status="left")
    assert statuses(watcher, code) == ["active", "left"]


def test_a_client_that_goes_over_to_websocket_may_do_so_first(pair: Pair) -> None:
    """It polls no more once its probe was answered, and hears of no end but that of the WebSocket: see closing."""
    with Opener(pair.a.server.port) as opener:
        code = pair.b.session()
        others = [pair.a.joined(code, f"Guest {number}") for number in range(6)]
        session = opener.polling()
        live = opener.probe(session)
        for pid in pair.a.server.worker_pids:
            os.kill(pid, signal.SIGTERM)
        for other in others:
            with pytest.raises(Closed):
                while True:
                    other.read()
        live.send("5")
        assert live.packet() == "1"


def retired(pair: Pair, code: str, name: str) -> bool:
    """Whether the seats that a user has are all kept for when they come back."""
    with pair.redis() as client:
        session_id = str(client.get(f"cw:code:{code}"), "ascii")
        user = json.loads(client.hget(f"cw:{{{session_id}}}:roster", name))
    return all(connection.startswith("~") for connection in user["c"])


def test_an_event_under_way_has_its_answer(pair: Pair, redis: RedisServer) -> None:
    code = pair.b.session()
    student = pair.a.joined(code)
    redis.pause()
    try:
        number = student.send("sendMessage", {"sessionCode": code, "message": "last words"})
        for pid in pair.a.server.worker_pids:
            os.kill(pid, signal.SIGTERM)
        student.wait_for("reconnectAdvised")
    finally:
        redis.resume()
    assert student.ack(number)["ok"]


def test_a_worker_is_replaced_after_so_many_requests(redis: RedisServer) -> None:
    """gunicorn's max_requests, which its own gevent worker with a WSGI server does not know."""
    with open_school("redis", server=Replaced, WEB_CONCURRENCY="2") as school:
        code = school.session()
        before = set(school.server.worker_pids)
        student = school.joined(code)

        def replaced() -> bool:
            school.api.guest(code, "Ann")  # it is not said which worker takes it
            return not before & set(school.server.worker_pids)

        eventually(replaced, 90, "other workers")
        student.wait_for("reconnectAdvised")
        # one by one: who ends does so after the one that replaces the last who did serves
        told = re.findall("max_requests: this worker (ends)|this worker is (ready)", school.server.log())
        steps = [ends or ready for ends, ready in told]
        assert steps[:5] == ["ready", "ready", "ends", "ready", "ends"]


def test_a_worker_waits_for_no_others_that_never_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn has been told to have fewer workers than it began with."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(succession, "PATIENCE", 0.1)
    succession.serve(1)
    succession.await_turn(2, time.sleep)


class Replaced(Crowded):
    """Workers that end after 15 requests."""

    def command(self) -> list[str]:
        *start, application = super().command()
        return [*start, "--max-requests", "15", application]


def test_nothing_is_left_of_a_server(redis: RedisServer) -> None:
    """Its doors are gone, and so are its threads: nothing holds its process."""
    with open_school("memory", server=Crowded) as school:
        server = school.server
        assert isinstance(server, Crowded)
        student = school.joined(school.session())
        listener = threading.Thread(target=lambda: student.wait_for("reconnectAdvised"))
        listener.start()
        assert len(server.doors) == 1  # the store is in memory
        os.kill(server.pid, signal.SIGTERM)
        server.process.wait(10)
        listener.join()
        assert server.doors == set()
