"""What docs/tokens.md takes for given: a shop's own users, and its identity provider."""

from types import SimpleNamespace
from typing import Any

from flask import Flask

from tests.support.apps import API
from tests.support.gunicorn_server import TEST_KEYS

ADA = SimpleNamespace(id="7", name="Ada", role="teacher", active=True, checks=lambda password: password == "tea time")


def given() -> dict[str, Any]:
    """Return the names that the page's code uses and does not make."""
    app = Flask("shop")
    app.config.update(TEST_KEYS)
    return {
        "app": app,
        "User": SimpleNamespace(find={"ada": ADA}.get),
        "my_identity_provider": SimpleNamespace(verify=lambda request: ADA),
    }


def check_both_ways_in(page: dict[str, Any]) -> None:
    client = page["app"].test_client()
    told = client.post(f"{API}/auth/login", json={"username": "ada", "password": "tea time"}).get_json()
    assert told["user"]["displayName"] == "Ada"
    assert client.post("/classroom-login").get_json()["user"]["userId"] == "7"
    assert client.post(f"{API}/auth/login", json={"username": "ada", "password": "x"}).status_code == 401
