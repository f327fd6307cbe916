"""REST at a worker that the feed has not told yet: what somebody was told of at another one is there all the same."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves.models import SessionRecord
from tests.support.apps import API, AppFactory, headers_for, state_of
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import new_session, redis_store
from tests.support.uploads import Sent


@pytest.fixture
def worker(redis_url: str, tmp_path: Path, workers: list[Worker]) -> Worker:
    workers.append(Worker(redis_store(redis_url), FILES=str(tmp_path)))
    return workers[0]


@pytest.fixture
def session(worker: Worker) -> SessionRecord:
    return new_session(worker.store, owner="grace")


@pytest.fixture
def behind(make_app: AppFactory, redis_url: str, tmp_path: Path, session: SessionRecord) -> Flask:
    """Another worker that serves the session, and that the feed does not reach."""
    ice = "stun:stun.example.org"
    store = {"REDIS_URL": redis_url, "CLASSWAVES_REDIS_PREFIX": "test"}
    app = make_app(CLASSWAVES_FILES=str(tmp_path), CLASSWAVES_ICE_SERVERS=ice, **store)
    state_of(app).hub.acquire(session.id)
    state_of(app).store.unsubscribe(session.id)
    return app


def shared(worker: Worker, session: SessionRecord) -> str:
    """Let Ada come in and share a file, and return its id."""
    ada = worker.joined(session, "ada")

    def ask(event: str, body: dict[str, Any]) -> dict[str, Any]:
        return worker.send(ada, event, body)

    sent = Sent(ask, session.code, b"hello")
    sent.share()
    return sent.file_id


def test_who_has_just_come_in_may_read(worker: Worker, session: SessionRecord, behind: Flask) -> None:
    file_id = shared(worker, session)
    client: FlaskClient = behind.test_client()
    ada = headers_for(behind, "Ada")
    assert client.get(f"{API}/sessions/{session.code}/ice", headers=ada).status_code == 200
    assert client.get(f"{API}/files/{file_id}", headers=ada).data == b"hello"
    eve = client.get(f"{API}/files/{file_id}", headers=headers_for(behind, "Eve"))
    assert (eve.status_code, eve.get_json()["error"]["code"]) == (403, "SESSION_ACCESS_DENIED")


def test_what_has_just_been_shared_is_there(worker: Worker, session: SessionRecord, behind: Flask) -> None:
    file_id = shared(worker, session)
    grace = headers_for(behind, "Grace", "teacher")
    assert behind.test_client().get(f"{API}/files/{file_id}", headers=grace).data == b"hello"
