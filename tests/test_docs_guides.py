"""The Python of the guides in docs/, each page run from the top to the bottom, and what it made used."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.support.apps import API, bearer, new_session, state_of
from tests.support.gunicorn_server import ROOT, TEST_KEYS
from tests.test_permission_matrix import DECIDED

Names = dict[str, Any]


def run(page: str, **names: Any) -> Names:
    """Run a page's blocks as one program, as a reader who follows it does."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert blocks
    names = {"__name__": "guide", **names}
    exec("\n".join(blocks), names)
    return names


@pytest.fixture
def embedding() -> Iterator[Names]:
    names = run("embedding.md")
    yield names
    for name in ("monday", "tuesday"):
        state_of(names[name]).close()


def test_the_factory_of_the_page(embedding: Names) -> None:
    client = embedding["monday"].test_client()
    assert client.get("/shop/courses/7").get_json() == {"course": "7"}
    pair = client.post("/shop/classroom-login").get_json()
    assert pair["user"] == {"userId": "7", "displayName": "Ada", "role": "teacher"}
    assert new_session(client, bearer(pair["accessToken"]))
    assert client.get(f"{API}/auth/me", headers=bearer(embedding["tokens"]["accessToken"])).status_code == 200
    other = embedding["tuesday"].test_client()
    assert other.get(f"{API}/auth/me", headers=bearer(pair["accessToken"])).status_code == 401


def test_the_page_says_what_is_added() -> None:
    bare, app = Flask("shop"), Flask("shop")
    app.config.update(TEST_KEYS)
    state = run("embedding.md")["classwaves"]
    state.init_app(app)
    page = (ROOT / "docs" / "embedding.md").read_text()
    ours = {name for name in app.blueprints if not name.startswith("classwaves_")}
    assert ours == {"classroom-api-docs"}
    for rule in {rule.rule for rule in app.url_map.iter_rules()} - {rule.rule for rule in bare.url_map.iter_rules()}:
        assert rule.startswith((f"{API}/", "/healthz", "/readyz", "/metrics", "/monitor")), rule
    added = set(app.config) - set(bare.config) - set(TEST_KEYS)
    assert {name for name in added if not name.startswith(("JWT_", "CLASSROOM_"))} == set()
    assert set(app.extensions) == {"classwaves", "socketio", "flask-jwt-extended", "flask-smorest"}
    assert "flask-smorest" in page
    state_of(app).close()


def test_the_socketio_object_of_the_page(embedding: Names) -> None:
    app = embedding["create_shop"](TEST_KEYS)
    client = state_of(app).socketio.test_client(app, namespace="/shop")
    client.emit("price", "tea", namespace="/shop")
    assert client.get_received("/shop")[0]["args"] == [{"what": "tea", "price": 3}]
    client.disconnect("/shop")
    state_of(app).close()


def test_the_permissions_that_handlers_decide_about_are_told() -> None:
    page = (ROOT / "docs" / "permissions.md").read_text().split("<!-- end of anybody -->")[1].split("## ")[0]
    assert [name for name, _ in DECIDED if f"`{name}`" not in page] == []
