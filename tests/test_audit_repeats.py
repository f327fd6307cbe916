"""The audit stream has a privileged act once, however often and wherever it is asked for, and whatever got lost."""

from typing import Any

from classwaves.errors import StoreUnavailable
from classwaves.store.redis import RedisStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session


class Forgetful(RedisStore):
    """Carries an append out, and loses its answer, once it is told to."""

    loses = False

    def append(self, *args: Any, **more: Any) -> Any:
        done = super().append(*args, **more)
        if self.loses:
            self.loses = False
            raise StoreUnavailable
        return done


def acts(worker: Worker) -> list[str]:
    return [noted.act.what for noted in worker.store.acts_after("", 100)]


def worker_on(redis_url: str, workers: list[Worker], kind: type[RedisStore] = RedisStore) -> Worker:
    store = kind(redis_url, prefix="test", limits=LIMITS, timeout=2.0, connections=16)
    worker = Worker(store, LEASE=1000, RENEW=500)  # nothing is looked at meanwhile
    workers.append(worker)
    return worker


def test_what_is_repeated_at_a_worker_that_is_behind_is_one_act(redis_url: str, workers: list[Worker]) -> None:
    here, there = (worker_on(redis_url, workers) for _ in range(2))
    session = new_session(here.store)
    sockets = [(worker, worker.joined(session, "teacher", "teacher")) for worker in (here, there)]
    there.store.unsubscribe(session.id)
    body = {"sessionCode": session.code, "mode": "focus", "clientMessageId": "k"}
    acks = [worker.send(socket, "setSessionMode", dict(body)) for worker, socket in sockets]
    assert acks[0] == acks[1]
    assert acks[0]["ok"]
    assert acts(here) == ["session.mode"]


def test_what_was_done_and_not_answered_is_an_act_when_it_is_repeated(redis_url: str, workers: list[Worker]) -> None:
    worker = worker_on(redis_url, workers, Forgetful)
    session = new_session(worker.store)
    teacher = worker.joined(session, "teacher", "teacher")
    body = {"sessionCode": session.code, "mode": "focus", "clientMessageId": "k"}
    worker.store.loses = True  # type: ignore[attr-defined]
    assert worker.send(teacher, "setSessionMode", dict(body))["error"]["code"] == "SERVICE_UNAVAILABLE"
    worker.sockets.gets("teacher", "sessionModeChanged", 1)  # the worker knows that it was done
    for _ in range(2):
        assert worker.send(teacher, "setSessionMode", dict(body))["ok"]
    assert acts(worker) == ["session.mode"]
