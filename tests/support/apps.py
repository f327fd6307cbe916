"""Applications inside the test process, and what their users do over REST.

The fixtures :func:`make_app` and :func:`demo_app` are known to every test, by ``conftest.py``.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves import Account, create_app
from classwaves.auth.accounts import DEMO_PASSWORD, StoreAuthenticator
from classwaves.auth.tokens import TokenPair
from classwaves.state import State
from tests.support.gunicorn_server import TEST_KEYS

API = "/api/v1"
PASSWORD = DEMO_PASSWORD
"""The password of the demo users and of those that :func:`add_user` makes."""


class AppFactory(Protocol):
    """What the fixture :func:`make_app` is."""

    def __call__(self, **config: Any) -> Flask: ...


@pytest.fixture
def make_app() -> Iterator[AppFactory]:
    """Return a factory of applications, in memory unless told otherwise, closed after the test.

    They have no rate limits, and send each ephemeral event at once.

    Its keyword arguments are settings, e.g. ``make_app(CLASSWAVES_DEMO=True, REDIS_URL=redis_url)``.
    """
    made: list[Flask] = []

    def make(**config: Any) -> Flask:
        usual = {"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, "CLASSWAVES_EPHEMERAL_WINDOW": 0, **TEST_KEYS}
        app = create_app({**usual, **config})
        made.append(app)
        return app

    yield make
    for app in made:
        state_of(app).close()


@pytest.fixture
def demo_app(make_app: AppFactory) -> Flask:
    """Return an application in demo mode."""
    return make_app(CLASSWAVES_DEMO=True)


def state_of(app: Flask) -> State:
    """Return the parts of an application."""
    state: State = app.extensions["classwaves"]
    return state


def bearer(token: str) -> dict[str, str]:
    """Return the headers that show a token."""
    return {"Authorization": f"Bearer {token}"}


def sign_in(app: Flask, name: str, role: str = "student") -> TokenPair:
    """Begin an auth session without a password; the user id is the name, in small letters."""
    with app.app_context():
        return state_of(app).tokens.login(Account(name.lower(), name, role))


def headers_for(app: Flask, name: str, role: str = "student") -> dict[str, str]:
    """Return the headers of somebody who is signed in by :func:`sign_in`."""
    return bearer(sign_in(app, name, role).access)


def add_user(app: Flask, name: str, role: str = "student", password: str = PASSWORD) -> Account:
    """Create an account that :func:`login` takes."""
    return StoreAuthenticator(state_of(app).store).create(name, password, name, role)


def login(client: FlaskClient, name: str, password: str = PASSWORD) -> dict[str, str]:
    """Log in over REST and return the headers of the user: demo mode has ``teacher`` and ``student``."""
    answer = client.post(f"{API}/auth/login", json={"username": name, "password": password})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return bearer(answer.get_json()["accessToken"])


def new_session(client: FlaskClient, headers: dict[str, str], **settings: Any) -> str:
    """Create a session with these settings and return its code."""
    answer = client.post(f"{API}/sessions", json={"title": "A lesson", "settings": settings}, headers=headers)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    code: str = answer.get_json()["sessionCode"]
    return code


def guest(client: FlaskClient, code: str, name: str) -> tuple[str, dict[str, Any]]:
    """Join as a guest and return the access token and the ``user`` of the answer."""
    answer = client.post(f"{API}/sessions/{code}/join", json={"displayName": name})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    return body["accessToken"], body["user"]


def step(client: FlaskClient, headers: dict[str, str], code: str, name: str) -> None:
    """Take a step in a session's life: ``start``, ``pause``, ``resume``, ``end``."""
    answer = client.post(f"{API}/sessions/{code}/{name}", headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
