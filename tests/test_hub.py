"""A worker's sessions: opened with the first who needs one, dropped after the last, mended in between."""

import random
import threading

import pytest

from classwaves.errors import ClassWavesError, StoreUnavailable
from classwaves.hub import GATHER
from classwaves.live import LiveSession
from classwaves.models import Draft, SessionRecord
from classwaves.replica import FOLD_VERSION
from classwaves.store.base import Store
from classwaves.store.redis import RedisStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.stores import (
    LONG,
    at_once,
    facts,
    join,
    new_session,
    redis_store,
    say,
    seat,
)
from tests.support.stores import direct as direct
from tests.support.stores import make_store as make_store
from tests.support.stores import proxy as proxy
from tests.support.stores import store as store
from tests.support.waiting import eventually

Workers = list[Worker]


def started(workers: Workers, store: Store, **config: float) -> Worker:
    """A worker that is closed after the test."""
    workers.append(Worker(store, **config))
    return workers[-1]


def kept_in_redis(server: RedisServer, worker: Worker, *sessions: SessionRecord) -> list[object]:
    """What Redis knows of a worker's sessions: those it says it serves, and subscriptions."""
    with server.client() as client:
        channels = [f"test:{{{session.id}}}:feed" for session in sessions]
        counts = [channel for channel, count in client.pubsub_numsub(*channels) if count]
        return [*client.smembers(f"test:worker:{worker.hub.worker}"), *counts]


def test_a_session_is_live_while_somebody_needs_it(store: Store, workers: Workers) -> None:
    hub = started(workers, store).hub
    session = new_session(store)
    live = hub.acquire(session.id)
    assert hub.acquire(session.id) is live
    hub.release(session.id)
    assert hub.live_sessions() == [live]
    with hub.serving(session.id) as again:
        assert again is live
    hub.release(session.id)
    assert hub.live_sessions() == []
    assert hub.acquire(session.id) is not live
    hub.release(session.id)


def test_many_who_come_and_go_leave_nothing(redis_server: RedisServer, workers: Workers) -> None:
    worker = started(workers, redis_store(redis_server.url))
    hub = worker.hub
    sessions = [new_session(worker.store) for _ in range(3)]

    def come_and_go(number: int) -> None:
        dice = random.Random(number)
        for _ in range(25):
            session = dice.choice(sessions)
            with hub.serving(session.id) as live:
                assert live.record.code == session.code
                assert live in hub.live_sessions()
                if dice.random() < 0.3:
                    live.reach(say(worker.store, session, "hello")[0])

    at_once(8, come_and_go)
    assert hub.live_sessions() == []
    assert hub._slots == {}
    assert hub._codes == {}
    eventually(lambda: kept_in_redis(redis_server, worker, *sessions) == [], what="nothing in Redis")


def test_what_cannot_be_opened_leaves_nothing(redis_server: RedisServer, workers: Workers) -> None:
    worker = started(workers, redis_store(redis_server.url, timeout=0.6))
    session = new_session(worker.store)
    with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
        worker.hub.acquire("nobody")
    redis_server.pause()
    assert at_once(4, lambda _: refusal(worker, session)) == ["SERVICE_UNAVAILABLE"] * 4
    redis_server.resume()
    assert worker.hub._slots == {}

    def opens() -> bool:
        try:
            worker.hub.acquire(session.id)
        except StoreUnavailable:
            return False
        return True

    eventually(opens, what="the session")
    worker.hub.release(session.id)
    nobody = session.with_changes(id="nobody")
    eventually(lambda: kept_in_redis(redis_server, worker, session, nobody) == [], what="nothing in Redis")


def refusal(worker: Worker, session: SessionRecord) -> str:
    try:
        worker.hub.acquire(session.id)
    except ClassWavesError as error:
        return error.code
    return "opened"


def test_codes_are_found_as_people_type_them(store: Store, workers: Workers) -> None:
    worker = started(workers, store)
    session = new_session(store)
    for _ in range(2):
        assert worker.hub.find(f" {session.code.lower()} ") == session.id
        worker.joined(session, "ann", sid="first")
    for wrong in ("", "ABCDE", "ABCDEFG", "ABCD\u0130F", "ABCDEO", "22222Z"):
        with pytest.raises(ClassWavesError, match="SESSION_NOT_FOUND"):
            worker.hub.find(wrong)


def test_who_is_not_let_in_leaves_nothing(store: Store, workers: Workers) -> None:
    worker = started(workers, store)
    session = new_session(store)
    ended = session.with_changes(status="ended")
    store.append(session.id, [Draft("sessionStatusChanged", {"status": "ended"})], dedupe="1", record=ended)
    connection = worker.connect("ann")
    assert worker.send(connection, "joinSession", session.code)["error"]["code"] == "SESSION_ENDED"
    assert connection.seats == {}
    eventually(lambda: worker.hub.live_sessions() == [], what="the end of the session here")
    assert facts(store, session) == []


def test_a_session_that_was_dropped_here_delivers_nothing(store: Store, workers: Workers) -> None:
    """A repair that was still to come finds the sockets' room again, which another object serves now."""
    worker = started(workers, store)
    session = new_session(store)
    dropped = worker.hub.acquire(session.id)
    worker.hub.release(session.id)
    ann = worker.joined(session, "ann")
    worker.say(ann, session, "once")
    worker.sockets.hears("ann", "once")
    dropped.catch_up()
    assert worker.sockets.said("ann") == ["once"]


def test_two_workers_tell_the_same_in_the_same_order(redis_url: str, workers: Workers) -> None:
    both = [started(workers, redis_store(redis_url)) for _ in range(2)]
    session = new_session(both[0].store)
    seated = [(both[number % 2], both[number % 2].joined(session, f"user{number}")) for number in range(6)]

    def talk(number: int) -> None:
        worker, connection = seated[number]
        for turn in range(15):
            assert worker.say(connection, session, f"{number}.{turn}")["ok"]

    at_once(6, talk)
    log = [entry.seq for entry in both[0].store.read(session.id, 7, 1000)]
    assert len(log) == 90
    for worker, connection in seated:
        received = worker.sockets.gets(connection.sid, "messageReceived", 90)
        assert [payload["seq"] for payload in received] == log


def depart(worker: Worker, user: str, live: LiveSession, grace: float) -> None:
    """End a socket as the namespace does when its transport is gone."""
    connection = next(connection for connection in worker.connections if connection.sid == user)
    live.remove(connection.sid)
    connection.seats.clear()
    worker.hub.depart(connection, live, grace)


def test_a_seat_goes_after_the_grace_and_the_session_with_it(store: Store, workers: Workers) -> None:
    worker = started(workers, store)
    session, other = new_session(store), new_session(store)
    worker.joined(other, "bob")
    (kept,) = worker.hub.live_sessions()
    worker.joined(session, "ann")
    (live,) = (one for one in worker.hub.live_sessions() if one is not kept)
    depart(worker, "bob", kept, LONG)
    depart(worker, "ann", live, 0.05)
    eventually(lambda: facts(store, session) == [("ann", "joined"), ("ann", "disconnected")], what="the departure")
    eventually(lambda: worker.hub.live_sessions() == [kept], what="the end of the session here")
    assert facts(store, other) == [("bob", "joined")], "not yet"


def test_a_seat_whose_grace_runs_out_while_the_worker_ends_is_kept(store: Store, workers: Workers) -> None:
    """Its user may be among those whom the worker that ends refuses."""
    worker = started(workers, store)
    session = new_session(store)
    worker.joined(session, "ann")
    (live,) = worker.hub.live_sessions()
    scheduler, held, done = worker.hub.scheduler, threading.Event(), threading.Event()
    scheduler.after(0, lambda: held.wait(10))  # no grace runs out before the worker ends
    depart(worker, "ann", live, 0.05)
    worker.hub.draining = True
    held.set()
    scheduler.after(0.1, lambda: scheduler.after(2 * GATHER, done.set))
    assert done.wait(10)
    assert facts(store, session) == [("ann", "joined")]
    other = started(workers, store)
    other.joined(session, "ann")
    assert facts(store, session) == [("ann", "joined")]


def test_a_departure_waits_for_a_store_that_is_away(redis_server: RedisServer, workers: Workers) -> None:
    with RedisServer(aof=True) as server:
        worker = started(workers, redis_store(server.url))
        session = new_session(worker.store)
        worker.joined(session, "ann")
        (live,) = worker.hub.live_sessions()
        server.kill()
        depart(worker, "ann", live, 0)
        server.start()
        expected = [("ann", "joined"), ("ann", "disconnected")]
        eventually(lambda: facts(worker.store, session) == expected, what="the departure")
        eventually(lambda: worker.hub.live_sessions() == [], what="the end of the session here")
        worker.close()


def test_what_was_said_while_the_feed_was_away_is_told(
    proxy: FaultyProxy, direct: RedisStore, workers: Workers
) -> None:
    worker = started(workers, redis_store(proxy.url))
    session = new_session(direct)
    worker.joined(session, "ann")
    join(direct, session, seat("bob"))
    for turn in range(3):
        said = worker.sockets.said("ann")
        proxy.refuse()
        proxy.cut()
        say(direct, session, f"missed {turn}")
        direct.set_status(session.id, seat("bob"), ("idle", "away", "active")[turn], {})
        proxy.accept()
        worker.sockets.hears("ann", *said, f"missed {turn}")
        worker.sockets.gets("ann", "presenceUpdated", turn + 2)
    assert statuses(worker, "ann") == ["active", "idle", "away", "active"]
    assert len(worker.sockets.of("ann", "sessionJoined")) == 1, "nobody has to start again"


def statuses(worker: Worker, sid: str) -> list[str]:
    return [payload["status"] for payload in worker.sockets.of(sid, "presenceUpdated")]


def test_a_wake_up_that_never_came_is_found_by_comparing(direct: RedisStore, redis_url: str, workers: Workers) -> None:
    worker = started(workers, redis_store(redis_url), RENEW=0.1)
    session = new_session(direct)
    worker.joined(session, "ann")
    worker.store.unsubscribe(session.id)  # the feed does not bring it, and nobody notices
    say(direct, session, "a", "b")
    worker.sockets.hears("ann", "a", "b")


def test_a_login_that_ended_is_told(store: Store, workers: Workers) -> None:
    worker = started(workers, store)
    worker.connect("ann")
    worker.hub.start()

    def told() -> bool:
        store.end_auth("login of ann")
        return "login of ann" in worker.ended

    eventually(told, what="the word of it")


def test_a_login_that_ended_unheard_is_found(direct: RedisStore, redis_url: str, workers: Workers) -> None:
    worker = started(workers, redis_store(redis_url), AUTH_CHECK=0.1)
    auths = [worker.connect(user).principal.auth for user in ("ann", "bob")]
    direct.save_auth(auths[0], "", LONG)
    worker.hub.start()
    eventually(lambda: set(worker.ended) == {auths[1].id}, what="the one that is gone")


def test_the_hub_writes_checkpoints(store: Store, workers: Workers) -> None:
    worker = started(workers, store, CHECKPOINT_ENTRIES=5)
    session = new_session(store)
    ann = worker.joined(session, "ann")
    for number in range(20):
        worker.say(ann, session, str(number))

    def tail() -> int:
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded and loaded.checkpoint
        return len(loaded.tail)

    eventually(lambda: tail() < 10, what="a checkpoint")


def test_the_sessions_of_a_worker_that_died_are_settled_by_another(
    direct: RedisStore, redis_url: str, workers: Workers
) -> None:
    session, unserved = new_session(direct), new_session(direct)
    survivor = started(workers, redis_store(redis_url), LEASE=0.6, RENEW=0.2)
    survivor.joined(session, "bob")
    for each in (session, unserved):
        direct.serve("dead", each.id)
        join(direct, each, seat("ann", worker="dead"))
    direct.renew("dead", 0.1)
    eventually(lambda: facts(direct, unserved) == [("ann", "joined"), ("ann", "disconnected")], what="the settling")
    eventually(lambda: statuses(survivor, "bob") == ["active", "disconnected"], what="the word of it")
    assert [fact for fact in facts(direct, session) if fact[0] == "ann"] == facts(direct, unserved)


def test_who_was_away_too_long_is_settled_by_any_worker(store: Store, workers: Workers) -> None:
    session = new_session(store)
    join(store, session, seat("ann"))
    store.vanish(session.id, seat("ann"))
    worker = started(workers, store, LEFT_AFTER=0.2, RENEW=0.1)
    worker.hub.start()
    eventually(lambda: facts(store, session)[-1] == ("ann", "left"), what="the leaving")
