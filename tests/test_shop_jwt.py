"""A shop that uses flask-jwt-extended for itself, with loaders of its own, before or after ClassWaves."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, current_user, get_jwt, jwt_required

from classwaves import ClassWaves
from tests.support.apps import API, bearer, sign_in, state_of
from tests.support.gunicorn_server import TEST_KEYS

ORDERS = ["before", "after", "manager before, loaders after"]


@dataclass
class User:
    """What the shop knows of somebody."""

    id: str
    colour: str


USERS = {user.id: user for user in (User("ada", "red"), User("bob", "blue"))}


def load(manager: JWTManager) -> None:
    """Register loaders that know the shop's objects, and nothing else."""
    manager.user_identity_loader(lambda user: user.id)
    manager.additional_claims_loader(lambda user: {"colour": user.colour, "role": "shopper"})
    manager.user_lookup_loader(lambda header, claims: USERS.get(claims["sub"]))
    manager.token_in_blocklist_loader(lambda header, claims: claims["sub"] == "bob")
    manager.expired_token_loader(lambda header, claims: ("Your time is up, says the shop", 401))
    manager.unauthorized_loader(lambda reason: ("Who are you, asks the shop", 401))


@pytest.fixture(params=ORDERS)
def app(request: pytest.FixtureRequest) -> Any:
    app = Flask("shop")
    app.config.update(TEST_KEYS)
    manager = JWTManager(app) if "before" in request.param else None
    if manager and request.param == "before":
        load(manager)
    ClassWaves(app)
    if request.param != "before":
        load(manager or JWTManager(app))

    app.get("/me")(jwt_required()(lambda: {"colour": current_user.colour, "claims": get_jwt()}))
    yield app
    state_of(app).close()


def test_their_tokens_are_theirs(app: Flask) -> None:
    client = app.test_client()
    with app.app_context():
        ada, bob = (create_access_token(USERS[name]) for name in ("ada", "bob"))
    answer = client.get("/me", headers=bearer(ada)).get_json()
    assert (answer["colour"], answer["claims"]["role"]) == ("red", "shopper")
    assert client.get("/me", headers=bearer(bob)).status_code == 401
    assert client.get("/me").text == "Who are you, asks the shop"
    error = client.get(f"{API}/auth/me", headers=bearer(ada)).get_json()["error"]
    assert error["code"] == "INVALID_TOKEN"


def test_ours_are_good_for_their_routes_until_the_logout(app: Flask) -> None:
    client, pair = app.test_client(), sign_in(app, "Ada")
    answer = client.get("/me", headers=bearer(pair.access)).get_json()
    assert (answer["colour"], answer["claims"]["role"]) == ("red", "student"), "our claims come before theirs"
    fresh = client.post(f"{API}/auth/refresh", headers=bearer(pair.refresh or "")).get_json()["accessToken"]
    assert client.post(f"{API}/auth/logout", headers=bearer(fresh)).status_code == 204
    assert client.get("/me", headers=bearer(fresh)).status_code == 401
    error = client.get(f"{API}/auth/me", headers=bearer(fresh)).get_json()["error"]
    assert error["code"] == "SESSION_EXPIRED"


def test_a_socket_comes_in(app: Flask) -> None:
    client = state_of(app).socketio.test_client(app, auth={"token": sign_in(app, "Ada").access})
    assert client.is_connected()
    client.disconnect()


def test_another_claim_for_the_identity() -> None:
    app = Flask("shop")
    app.config.update(TEST_KEYS, JWT_IDENTITY_CLAIM="identity")
    ClassWaves(app)
    app.get("/me")(jwt_required()(lambda: {"claims": get_jwt()}))
    pair = sign_in(app, "Ada")
    claims = app.test_client().get("/me", headers=bearer(pair.access)).get_json()["claims"]
    assert (claims["identity"], claims["sub"]) == ("ada", "ada")
    assert app.test_client().get(f"{API}/auth/me", headers=bearer(pair.access)).get_json()["userId"] == "ada"
    state_of(app).close()
