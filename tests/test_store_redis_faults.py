"""What the Redis store does when Redis is killed, hangs, is full, read-only or has forgotten its scripts."""

import socket
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.store.redis import RedisStore
from tests.support.ports import free_port
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.store_steps import STEPS
from tests.support.stores import (
    LIMITS,
    LONG,
    Listener,
    answers,
    at_once,
    facts,
    join,
    login,
    message,
    new_session,
    redis_store,
    say,
    seat,
    texts,
)
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.waiting import eventually

SHORT = 0.6
"""Seconds of patience of the stores that are to give up."""

T = TypeVar("T")


def in_time(task: Callable[[], T]) -> T:
    """What a task gives as soon as Redis answers in the little time that such a store has: machines stand still."""

    def attempt() -> list[T]:
        try:
            return [task()]
        except StoreUnavailable:
            return []

    return eventually(attempt, what="an answer in time")[0]


def test_every_step_says_that_redis_is_away_and_works_when_it_is_back() -> None:
    with RedisServer(aof=True) as server:
        store = redis_store(server.url)
        session = new_session(store)
        server.kill()
        for name, step in STEPS.items():
            with pytest.raises(StoreUnavailable) as raised:
                step(store, session)
            assert raised.value.retry_after_ms, name
        server.start()
        assert [entry.seq for entry in store.read(session.id, 0, 10)] == [1], "nothing of it was done"
        for step in STEPS.values():
            step(store, session)
        assert texts(store.read(session.id, 0, 10)) == ["a"]
        store.close()


def test_who_is_refused_does_not_try_again_and_again() -> None:
    """redis-py's default is ten times; a worker would hang for seconds at each step."""
    port, tries = free_port(), []
    with socket.create_server(("127.0.0.1", port)) as listener:

        def slam() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
                tries.append(1)

        slamming = threading.Thread(target=slam)
        slamming.start()
        store = redis_store(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(StoreUnavailable):
            store.ping()
        store.close()
        listener.shutdown(socket.SHUT_RDWR)
    slamming.join()
    assert 1 <= len(tries) <= 4


def test_a_pooled_connection_that_died_is_not_noticed(shaky: RedisStore, proxy: FaultyProxy) -> None:
    session = new_session(shaky)
    at_once(6, lambda _: say(shaky, session, "fills the pool"))
    proxy.cut()
    at_once(6, lambda _: say(shaky, session, "goes on"))
    assert sorted(texts(shaky.read(session.id, 0, 100))) == ["fills the pool"] * 6 + ["goes on"] * 6


def test_a_hung_redis_is_given_up_and_comes_back(redis_server: RedisServer) -> None:
    """What was sent before it hung is carried out afterwards; its answer is nobody else's."""
    store = redis_store(redis_server.url, timeout=SHORT)
    session = in_time(lambda: new_session(store))
    redis_server.pause()
    with pytest.raises(StoreUnavailable):
        store.append(session.id, [message("late")], dedupe="late")
    with pytest.raises(StoreUnavailable):
        store.record(session.id)
    redis_server.resume()
    assert eventually(lambda: answers(store), what="an answer")
    assert in_time(lambda: store.record(session.id)) == session
    assert in_time(lambda: store.append(session.id, [message("late")], dedupe="late")).seq == 2
    assert texts(in_time(lambda: store.read(session.id, 0, 10))) == ["late"]
    store.close()


def test_a_crowd_on_a_hung_redis_gets_an_answer_each(redis_server: RedisServer) -> None:
    """More than the pool has connections for."""
    store = RedisStore(redis_server.url, prefix="test", limits=LIMITS, timeout=SHORT, connections=2)
    session = in_time(lambda: new_session(store))
    redis_server.pause()

    def append(number: int) -> int:
        return store.append(session.id, [message(str(number))], dedupe=str(number)).seq

    def attempt(number: int) -> str:
        try:
            return str(append(number))
        except StoreUnavailable:
            return "unavailable"

    assert at_once(8, attempt) == ["unavailable"] * 8
    redis_server.resume()
    eventually(lambda: answers(store), what="an answer")
    seqs = in_time(lambda: at_once(2, append))
    assert len(set(seqs)) == 2
    log = texts(in_time(lambda: store.read(session.id, 0, 100)))
    assert len(log) == len(set(log))
    store.close()


def test_a_feed_on_a_hung_redis_connects_again(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    store = redis_store(redis_server.url, timeout=SHORT)
    listener = Listener()
    store.start(listener)
    session = in_time(lambda: new_session(store))
    in_time(lambda: store.subscribe(session.id))
    redis_server.pause()
    eventually(lambda: "the feed lost Redis" in caplog.text, what="no pong for too long")
    redis_server.resume()
    listener.returns()
    eventually(lambda: answers(store), what="an answer")
    in_time(lambda: store.append(session.id, [message("hello")], dedupe="hello"))
    listener.hears(session.id, "hello")
    store.close()


def test_a_feed_without_news_stays(redis_server: RedisServer) -> None:
    """Silence is asked about, and as long as there is an answer the connection is good."""
    store = redis_store(redis_server.url, timeout=0.2)
    listener = Listener()
    store.start(listener)
    session = in_time(lambda: new_session(store))
    in_time(lambda: store.subscribe(session.id))
    with redis_server.client() as client:

        def pings() -> int:
            return int(client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))

        def stays() -> bool:
            before, reconnects = pings(), listener.reconnects
            eventually(lambda: pings() >= before + 4, what="several pings")
            return listener.reconnects == reconnects

        eventually(stays, 20, "a connection that stays as long as nobody stands still")
    in_time(lambda: store.append(session.id, [message("hello")], dedupe="hello"))
    listener.hears(session.id, "hello")
    store.close()


def test_scripts_that_redis_forgot_are_sent_again(direct: RedisStore, redis_server: RedisServer) -> None:
    session = new_session(direct)
    for turn in range(2):
        with redis_server.client() as client:
            client.script_flush()
        say(direct, session, f"{turn}")
        join(direct, session, seat("ann"))
    assert texts(direct.read(session.id, 0, 10)) == ["0", "1"]
    assert facts(direct, session) == [("ann", "joined")]


def test_a_full_redis_stores_nothing_in_part_and_recovers() -> None:
    with RedisServer(arguments=("--maxmemory-policy", "noeviction")) as server, server.client() as client:
        store = redis_store(server.url)
        session, listener = new_session(store), Listener()
        store.start(listener)
        store.subscribe(session.id)
        join(store, session, seat("ann"))
        client.config_set("maxmemory", "1")
        for refused in (
            lambda: store.append(session.id, [message("a"), message("b")], dedupe="1"),
            lambda: join(store, session, seat("bob")),
            lambda: store.set_status(session.id, seat("ann"), "away", {}),
            lambda: store.set_cursor(session.id, "ann", "x-1"),
            lambda: store.ping(writes=True),
            lambda: store.save_auth(login(), "r1", LONG),
        ):
            with pytest.raises(StoreUnavailable):
                refused()
        assert len(store.read(session.id, 0, 10)) == 2, "reads still work"
        client.config_set("maxmemory", "0")
        assert store.append(session.id, [message("a"), message("b")], dedupe="1").seq == 4
        assert join(store, session, seat("bob")).seq == 5
        assert [entry.seq for entry in store.read(session.id, 0, 10)] == [1, 2, 3, 4, 5]
        eventually(lambda: listener.heard(session.id)[-1:] == store.read(session.id, 4, 1), what="the feed")
        assert listener.ephemeral == [], "what is not stored is not told either"
        store.close()


def test_a_read_only_redis_stores_nothing_and_recovers() -> None:
    """As during a failover: the old primary is a replica now."""
    with RedisServer() as server, server.client() as client:
        store = redis_store(server.url)
        session = new_session(store)
        client.replicaof("127.0.0.1", str(free_port()))
        for name in ("create_session", "append", "join", "save_auth", "save_account", "renew", "expire"):
            with pytest.raises(StoreUnavailable):
                STEPS[name](store, session)
        with pytest.raises(StoreUnavailable):
            store.ping(writes=True)
        store.ping()
        assert store.record(session.id) == session
        client.replicaof("NO", "ONE")
        assert say(store, session, "on") == [2]
        store.close()
