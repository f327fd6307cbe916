"""Redis is killed, hangs or is cut off at each step of the lane: nobody waits for ever, and it goes on."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from classwaves.errors import StoreUnavailable
from classwaves.store.redis import RedisStore
from classwaves.store.redis_lane import RedisLane
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.stores import answers, at_once, message, new_session, redis_store, texts
from tests.support.waiting import eventually

SHORT = 0.5
"""Seconds of patience of the lanes that are to give up."""
PATIENT = 10.0
"""Of those that are not, however slow the machine or its disk is."""
STEPS = ("connect", "connected", "write", "written", "answer")
FAULTS = ("kill", "pause", "cut")
CALLERS = 8


@pytest.fixture(scope="module")
def kept() -> Iterator[RedisServer]:
    """Return a Redis that has every write on disk before it answers."""
    with RedisServer(aof=True) as server:
        yield server


@pytest.fixture
def way(kept: RedisServer) -> Iterator[FaultyProxy]:
    """Return a proxy before :func:`kept`, which a test may take away."""
    with FaultyProxy(kept.port) as standing:
        yield standing
    bring_back(kept)


def bring_back(server: RedisServer) -> None:
    server.resume()
    if not server.running:
        server.start()


class Trap:
    """Lets something happen the next time that a connection of a lane comes to a step."""

    def __init__(self) -> None:
        self.sprung = threading.Event()
        self._step = ""
        self._fault: Callable[[], Any] = lambda: None

    def arm(self, step: str, fault: Callable[[], None]) -> None:
        self._step, self._fault = step, fault

    def at(self, sock: socket.socket | None, step: str) -> None:
        if step == self._step:
            self._step = ""
            if step == "answer":
                # a part of it has come
                assert sock is not None
                assert select.select([sock], [], [], 5)[0]
            self._fault()
            self.sprung.set()


class TrappedSocket:
    """A real socket, before which there is a trap once Redis has greeted."""

    greeted = False

    def __init__(self, sock: socket.socket, trap: Trap) -> None:
        self._sock, self._trap = sock, trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _at(self, step: str) -> None:
        if self.greeted:
            self._trap.at(self._sock, step)

    def send(self, data: bytes) -> int:
        self._at("write")
        sent = self._sock.send(data)
        self._at("written")
        return sent

    def recv(self, size: int) -> bytes:
        self._at("answer")
        return self._sock.recv(size)


def lane_on(port: int, trap: Trap, timeout: float) -> RedisLane:
    """Return a lane whose connections, which are real ones, pass by the trap."""

    class Trapped(redis.Connection):
        def connect(self) -> None:
            trap.at(None, "connect")
            super().connect()  # type: ignore[no-untyped-call]
            sock: Any = self._sock
            sock.greeted = True
            trap.at(None, "connected")

        def _connect(self) -> TrappedSocket:
            return TrappedSocket(super()._connect(), trap)  # type: ignore[no-untyped-call]

    options: Any = {"port": port, "socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2}
    return RedisLane(lambda: Trapped(**options), timeout)  # type: ignore[no-untyped-call]


def outcome(lane: RedisLane, *command: Any) -> Any:
    """The answer, or the error that a caller gets."""
    try:
        return lane.run(*command)
    except redis.RedisError as error:
        return type(error)


def crowd(lane: RedisLane) -> dict[str, Any]:
    """Let several threads set keys, one after the other; what came of each, by its key, when all have ended."""
    outcomes: dict[str, Any] = {}

    def ask(number: int) -> None:
        for key in (f"{number}.{turn}" for turn in range(3)):
            outcomes[key] = outcome(lane, "SET", key, 1)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    eventually(lambda: not any(thread.is_alive() for thread in threads), 20, "the end of everybody's waiting")
    assert len(outcomes) == CALLERS * 3
    return outcomes


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_nobody_waits_for_ever_and_the_lane_goes_on(kept: RedisServer, way: FaultyProxy, step: str, fault: str) -> None:
    trap = Trap()
    lane = lane_on(way.port, trap, SHORT if fault == "pause" else PATIENT)
    eventually(lambda: outcome(lane, "FLUSHALL") == b"OK", what="a connection")
    trap.arm(step, {"kill": kept.kill, "pause": kept.pause, "cut": way.cut}[fault])
    if step.startswith("connect"):
        way.cut()  # so that it has to
    outcomes = crowd(lane)
    assert trap.sprung.is_set()
    assert set(outcomes.values()) <= {b"OK", redis.ConnectionError, redis.TimeoutError}
    if fault == "cut" and step != "connected":  # that would be the second loss
        assert set(outcomes.values()) == {b"OK"}, "one loss is not noticed"

    bring_back(kept)
    lane._timeout = PATIENT
    eventually(lambda: outcome(lane, "PING") == b"PONG", what="an answer")
    assert set(crowd(lane).values()) == {b"OK"}
    for key in outcomes:
        assert lane.run("EXISTS", key) == 1
    lane.close()


def test_an_answer_that_was_cut_in_the_middle_is_asked_for_again(way: FaultyProxy) -> None:
    trap, whole = Trap(), b"x" * 2_000_000

    def cut() -> None:
        way.delay = 0
        way.cut()

    lane = lane_on(way.port, trap, PATIENT)
    lane.run("SET", "big", whole)
    way.delay = 0.3  # seconds between two of its some thirty pieces
    trap.arm("answer", cut)
    assert lane.run("GET", "big") == whole
    assert trap.sprung.is_set()
    lane.close()


def test_a_lane_survives_any_number_of_lost_connections() -> None:
    """redis-py's pool makes a hundred connections and then refuses for ever, however many of them are closed."""
    with RedisServer() as server:
        store = redis_store(server.url)
        session = new_session(store)
        server.kill()
        for _ in range(120):
            with pytest.raises(StoreUnavailable):
                store.append(session.id, [message("a")], dedupe="a")
        server.start()
        again = new_session(store)
        assert store.append(again.id, [message("a")], dedupe="a").seq == 2
        store.close()


class Writer(threading.Thread):
    """Appends numbered messages one after the other, each until it is acked."""

    def __init__(self, store: RedisStore, session_id: str, name: str, over: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.acked: list[str] = []
        self.refused = 0
        self._store, self._session_id, self._over = store, session_id, over

    def run(self) -> None:
        while not self._over.is_set():
            text = f"{self.name}.{len(self.acked)}"
            try:
                self._store.append(self._session_id, [message(text)], dedupe=text)
            except StoreUnavailable:
                self.refused += 1
                self._over.wait(0.01)
            else:
                self.acked.append(text)


def test_writers_go_on_after_each_of_several_outages(kept: RedisServer, way: FaultyProxy) -> None:
    """What was acked is in the log once, in each writer's order."""
    store, patient = (redis_store(kept.url, timeout=timeout) for timeout in (SHORT, PATIENT))
    session, over = new_session(patient), threading.Event()
    writers = [Writer(store, session.id, str(number), over) for number in range(CALLERS)]

    def all_have_more(what: str, count: Callable[[Writer], int]) -> None:
        before = {writer: count(writer) for writer in writers}
        eventually(lambda: all(count(writer) > before[writer] + 2 for writer in writers), 20, what)

    for writer in writers:
        writer.start()
    for outage in (kept.kill, kept.pause) * 3:
        all_have_more("acks", lambda writer: len(writer.acked))
        outage()
        all_have_more("refusals", lambda writer: writer.refused)
        bring_back(kept)
    all_have_more("acks at the end", lambda writer: len(writer.acked))
    over.set()
    for writer in writers:
        writer.join(10)
        assert not writer.is_alive()
    log = texts(patient.read(session.id, 0, 1_000_000))
    for writer in writers:
        mine = [text for text in log if text.split(".")[0] == writer.name]
        assert mine[: len(writer.acked)] == writer.acked
        assert len(mine) <= len(writer.acked) + 1, "the last one may have been refused and stored"
    eventually(lambda: all(at_once(2, lambda _: answers(store))), what="answers for two at once")
    for each in (store, patient):
        each.close()
