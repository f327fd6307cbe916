"""An event that takes long keeps the scheduler, which renews the lease, from nothing; its own turn comes later."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import fields

from classwaves import FEATURES, ClassWaves, Context, EventSchema, Feature
from classwaves.connections import Connection
from classwaves.models import SessionRecord
from classwaves.store.redis import RedisStore
from tests.support.apps import state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.redis_server import RedisServer
from tests.support.stores import direct as direct
from tests.support.stores import facts, new_session, redis_store
from tests.support.tabs import open_classroom
from tests.support.waiting import eventually


class Busy:
    """A worker with one socket in a session; each test handles an event of it that does not end."""

    def __init__(self, worker: Worker, server: RedisServer, session: SessionRecord) -> None:
        self.worker = worker
        self.server = server
        self.session = session
        self.ann: Connection = worker.joined(session, "ann")

    def _lease(self) -> float:
        """When the worker will be taken for dead."""
        with self.server.client() as client:
            return float(str(client.zscore("test:workers", self.worker.hub.worker) or 0))

    def goes_on(self) -> None:
        """Wait until the scheduler has renewed the lease twice, and has run a task that comes now."""
        for _ in range(2):
            before = self._lease()
            eventually(lambda before=before: self._lease() > before, what="the renewal")  # type: ignore[misc]
        ran = threading.Event()
        self.worker.hub.scheduler.after(0, ran.set)
        assert ran.wait(10)

    def facts(self) -> list[str]:
        return [change for _, change in facts(self.worker.store, self.session)]


@pytest.fixture
def busy(redis_server: RedisServer, direct: RedisStore, workers: list[Worker]) -> Busy:
    workers.append(Worker(redis_store(redis_server.url), RENEW=0.1))
    return Busy(workers[0], redis_server, new_session(direct))


def test_the_departure_of_a_busy_connection_waits_and_nothing_else_does(busy: Busy) -> None:
    (live,) = busy.worker.hub.live_sessions()
    with busy.ann.lock:
        live.remove(busy.ann.sid)
        busy.ann.seats.clear()
        busy.worker.hub.depart(busy.ann, live, 0)
        busy.goes_on()
        assert busy.facts() == ["joined"]
    eventually(lambda: busy.facts() == ["joined", "disconnected"], what="the departure")
    eventually(lambda: busy.worker.hub.live_sessions() == [], what="the end of the session here")


def test_a_seat_of_a_busy_connection_is_taken_again_later(busy: Busy, direct: RedisStore) -> None:
    """It was lost while the feed was away; an idle connection has its own back at once."""
    bob = busy.worker.joined(busy.session, "bob")
    with busy.ann.lock:
        for connection in (busy.ann, bob):
            direct.vanish(busy.session.id, busy.worker.hub.seat(connection))
        busy.worker.hub.on_reconnect()
        eventually(lambda: facts(direct, busy.session)[-1] == ("bob", "returned"), what="bob's return")
        busy.goes_on()
        assert ("ann", "returned") not in facts(direct, busy.session)
    eventually(lambda: ("ann", "returned") in facts(direct, busy.session), what="ann's return")


# through an application

slow = Feature("slow")
began, may_end = threading.Event(), threading.Event()


class SlowSchema(EventSchema):
    sessionCode = fields.String(required=True)


@slow.event("takeLong", schema=SlowSchema, allow="participant")
def take_long(context: Context, data: dict[str, Any]) -> None:
    """End when the test says so."""
    began.set()
    assert may_end.wait(20)


@pytest.fixture
def app() -> Iterator[Flask]:
    """An application with an event that takes as long as a test wants."""
    app = Flask("slow")
    app.config.update({"TESTING": True, **TEST_KEYS})
    app.config.update(CLASSWAVES_RATELIMIT_ENABLED=False, CLASSWAVES_EPHEMERAL_WINDOW=0)
    app.config.update(CLASSWAVES_DISCONNECT_GRACE=0.01)
    ClassWaves(app, features=[*FEATURES, slow])
    yield app
    may_end.set()
    state_of(app).close()


def test_a_socket_that_ends_while_its_event_is_handled_is_detached_later(app: Flask) -> None:
    room = open_classroom(app)
    teacher, ada = room.teacher(), room.joined("Ada")
    handling = threading.Thread(target=ada.tell, args=("takeLong", {"sessionCode": room.code}))
    handling.start()
    try:
        assert began.wait(10)
        ada.vanish()
        teacher.take()
        ran = threading.Event()
        state_of(app).hub.scheduler.after(0.1, ran.set)
        assert ran.wait(10), "the scheduler waits for a client"
        assert teacher.take() == []
    finally:
        may_end.set()
        handling.join(20)
    told: list[tuple[str, str]] = []

    def departed() -> bool:
        told.extend((data["userId"], data["status"]) for name, data in teacher.take() if name == "presenceUpdated")
        return told == [("ada", "disconnected")]

    eventually(departed, what="the departure")
