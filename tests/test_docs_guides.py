"""The Python of the guides in docs/, each page run from the top to the bottom, and what it made used."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.apps import API, bearer, new_session, sign_in, state_of
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
    with embedding["monday"].app_context():
        embedding["classwaves"].block("7")
    answer = client.post("/shop/classroom-login")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
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


@pytest.fixture
def migrated() -> Iterator[Callable[[str], Flask]]:
    """Return what runs one of the page's programs, and returns its application."""
    page = (ROOT / "docs" / "migrating-flask-socketio.md").read_text()
    programs = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", page, re.DOTALL))
    apps: list[Flask] = []

    def make(name: str) -> Flask:
        names: Names = {"__name__": name}
        exec(programs[name], names)
        apps.append(names["app"])
        return apps[-1]

    yield make
    for app in apps:
        if "classwaves" in app.extensions:
            state_of(app).close()


def names_of(client: Any, namespace: str = "/") -> list[str]:
    return [one["name"] for one in client.get_received(namespace)]


def entered(app: Flask, namespace: str) -> tuple[Any, str]:
    """Return a teacher's client in a new session, and its code."""
    pair = sign_in(app, "Grace", "teacher")
    code = new_session(app.test_client(), bearer(pair.access))
    client = state_of(app).socketio.test_client(app, namespace=namespace, auth={"token": pair.access})
    assert client.emit("joinSession", code, namespace=namespace, callback=True)["ok"]
    client.get_received(namespace)
    return client, code


def test_the_program_before(migrated: Callable[[str], Flask]) -> None:
    app = migrated("before")
    client = app.extensions["socketio"].test_client(app, auth={"name": "Ada"})
    client.emit("join", {"room": "art"})
    assert client.emit("draw", {"room": "art", "points": [1, 2]}, callback=True) == {"ok": True}
    client.emit("chat", {"room": "art", "text": "Hi"})
    assert names_of(client) == ["joined", "drawn", "chat"]
    client.disconnect()


def test_the_program_after(migrated: Callable[[str], Flask]) -> None:
    client, code = entered(migrated("after"), "/")
    assert client.emit("boardStroke", {"sessionCode": code, "points": [1, 2]}, callback=True)["seq"]
    client.emit("sendMessage", {"sessionCode": code, "message": "Hi"})
    assert names_of(client) == ["boardStroked", "messageReceived"]
    client.disconnect()


def test_both_at_once(migrated: Callable[[str], Flask]) -> None:
    app = migrated("during")
    new, code = entered(app, "/classroom")
    old = state_of(app).socketio.test_client(app)
    old.emit("join", {"room": code})
    assert old.emit("draw", {"room": code, "points": [1, 2]}, callback=True) == {"ok": True}
    stroke = {"sessionCode": code, "points": [3, 4]}
    assert new.emit("boardStroke", stroke, namespace="/classroom", callback=True)["ok"]
    assert names_of(old) == ["drawn", "drawn"]
    assert names_of(new, "/classroom") == ["boardStroked", "boardStroked"]
    new.disconnect("/classroom")
    old.disconnect()


def test_tokens_of_another_server_are_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "the-key-of-the-other-server-0123456789"
    monkeypatch.setenv("OLD_JWT_SECRET", key)
    app = run("migrating-node.md")["create_app"](TEST_KEYS)
    client, end = app.test_client(), int(time.time()) + 60

    def exchange(key: str = key, **claims: Any) -> Any:
        return client.post("/exchange", json={"token": jwt.encode(claims, key)})

    pair = exchange(sub="7", name="Ada", role="teacher", exp=end).get_json()
    assert pair["user"] == {"userId": "7", "displayName": "Ada", "role": "teacher"}
    assert new_session(client, bearer(pair["accessToken"]))
    assert exchange(sub="8", role="admin", exp=end).get_json()["user"]["role"] == "student"
    for refused in (exchange(sub="7"), exchange(sub="7", exp=1), exchange("x" * 40, sub="7", exp=end)):
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (401, "INVALID_TOKEN")
    assert client.post("/exchange", json={}).status_code == 401
    state_of(app).close()
