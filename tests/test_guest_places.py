"""How many guests' logins a session may have: three for each of its seats, counted in the store."""

from collections.abc import Iterator

import pytest
from flask import Flask

from classwaves.models import AuthSession, new_id
from classwaves.store import MemoryStore
from classwaves.store.base import Store
from tests.support.apps import API, AppFactory, bearer, guest, headers_for, new_session, state_of
from tests.support.stores import LIMITS, LONG, ManualClock, at_once
from tests.support.stores import make_every_store as make_every_store
from tests.support.stores import store as store
from tests.support.waiting import eventually


def visitor(session_id: str = "s1") -> AuthSession:
    return AuthSession(new_id(), f"guest-{new_id(6)}", "Gus", "student", guest_of=session_id)


def test_a_session_has_so_many_guests_and_no_more(store: Store) -> None:
    guests = [visitor() for _ in range(3)]
    assert [store.save_guest(one, LONG, 2) for one in guests] == [True, True, False]
    assert store.auth(guests[0].id) == guests[0]
    assert store.auth(guests[2].id) is None, "who has no place has no login"
    assert store.save_guest(visitor("s2"), LONG, 2), "another session has places of its own"


def test_the_same_login_is_one_place(store: Store) -> None:
    """redis-py sends a command again whose answer was lost."""
    one = visitor()
    assert [store.save_guest(one, LONG, 2) for _ in range(3)] == [True] * 3
    assert store.save_guest(visitor(), LONG, 2)


def test_who_logs_out_gives_the_place_back(store: Store) -> None:
    one = visitor()
    assert store.save_guest(one, LONG, 1)
    assert not store.save_guest(visitor(), LONG, 1)
    store.end_auth(one.id)
    store.end_auth(one.id)
    assert store.save_guest(visitor(), LONG, 1)


def test_a_login_that_has_expired_has_no_place(store: Store) -> None:
    assert store.save_guest(visitor(), 0.05, 1)
    eventually(lambda: store.save_guest(visitor(), LONG, 1), what="the end of the first login")


def test_places_end_to_the_second() -> None:
    clock = ManualClock()
    memory = MemoryStore(LIMITS, clock)
    assert memory.save_guest(visitor(), 60, 1)
    clock.forward(59)
    assert not memory.save_guest(visitor(), 60, 1)
    clock.forward(1)
    assert memory.save_guest(visitor(), 60, 1)


def test_a_crowd_at_once_gets_no_more_than_there_are(store: Store) -> None:
    taken = at_once(20, lambda number: store.save_guest(visitor(), LONG, 5))
    assert sum(taken) == 5


@pytest.fixture
def app(make_app: AppFactory) -> Iterator[Flask]:
    yield make_app()


def test_three_guests_for_each_seat(app: Flask) -> None:
    client = app.test_client()
    code = new_session(client, headers_for(app, "Grace", "teacher"), maxParticipants=2)
    tokens = [guest(client, code, f"Gus {number}")[0] for number in range(6)]
    refused = client.post(f"{API}/sessions/{code}/join", json={"displayName": "Gus 7"})
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "SESSION_FULL")
    assert client.post(f"{API}/auth/logout", headers=bearer(tokens[0])).status_code == 204
    guest(client, code, "Gus 7")
    grace = headers_for(app, "Grace", "teacher")
    assert client.post(f"{API}/sessions/{code}/transcriber", headers=grace).status_code == 200, "that is no guest"


def test_how_many_is_a_setting(make_app: AppFactory) -> None:
    app = make_app(CLASSWAVES_GUESTS_PER_SEAT=1)
    client = app.test_client()
    code = new_session(client, headers_for(app, "Grace", "teacher"), maxParticipants=1)
    assert state_of(app).settings.guests_per_seat == 1
    guest(client, code, "Gus")
    assert client.post(f"{API}/sessions/{code}/join", json={"displayName": "Ada"}).status_code == 409
