"""A guest's token is good for its one session and for nothing else: every REST route there is, from the URL map.

Every event is in ``test_permission_matrix.py``, where one of those who try is a guest of another session.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from classwaves import create_app
from classwaves.files import new_file_id
from classwaves.models import normalize_code
from tests.support.apps import API, bearer, guest, headers_for, new_session, state_of
from tests.support.gunicorn_server import TEST_KEYS

HERE = "tests/test_guest_tokens.py"

BODIES: dict[str, Any] = {
    "sessions.create": {"title": "Mine"},
    "sessions.change": {"title": "Mine"},
    "sessions.end": {"reason": "mine"},
    "records.transcriber": {"displayName": "Mine"},
}
"""What a route must be sent to look at who asks; by the blueprint and the function."""

PUBLIC = {"auth.login", "sessions.join", "api-docs.openapi_json", "asyncapi"}
"""For who has no token at all."""

OWN = {"auth.me": 200, "auth.logout": 204, "auth.refresh": 401, "sessions.index": 200}
"""About the token itself: a guest's is no refresh token, and the list of their own sessions is empty."""


def make() -> Flask:
    return create_app({"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, **TEST_KEYS})


def routes() -> list[tuple[str, str, str]]:
    """Method, path and name of each route of the API."""
    app = make()
    found = [
        (method, rule.rule, rule.endpoint.removeprefix("classwaves_").removeprefix("classroom-"))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.rule.startswith(API)
    ]
    state_of(app).close()
    return found


ROUTES = routes()


@dataclass
class Scene:
    """A guest of one session, and another session, to which they do not belong."""

    app: Flask
    code: str
    other: str

    def token(self) -> str:
        return guest(self.app.test_client(), self.code, "Gus")[0]

    def place(self, rule: str) -> str:
        """A path of a route, about the other session or another user."""
        session_id = state_of(self.app).store.session_id(normalize_code(self.other) or "")
        values = {"<code>": self.other, "<file_id>": new_file_id(session_id or ""), "<path:user_id>": "grace"}
        for name, value in values.items():
            rule = rule.replace(name, value)
        assert "<" not in rule, f"{rule}: say in {HERE} what it is about"
        return rule


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    app = make()
    client, headers = app.test_client(), headers_for(app, "Grace", "teacher")
    yield Scene(app, new_session(client, headers), new_session(client, headers))
    state_of(app).close()


@pytest.mark.parametrize(("method", "rule", "name"), ROUTES, ids=[name for _, _, name in ROUTES])
def test_a_guest_gets_nowhere_else(scene: Scene, method: str, rule: str, name: str) -> None:
    if name in PUBLIC:
        return
    headers = bearer(scene.token())
    answer = scene.app.test_client().open(scene.place(rule), method=method, headers=headers, json=BODIES.get(name))
    body: Any = answer.get_json(silent=True)
    assert answer.status_code != 422, f"{name} looks at its body first: give it one in BODIES in {HERE}: {body}"
    if name in OWN:
        assert answer.status_code == OWN[name]
    else:
        assert answer.status_code == 403, body
        assert body["error"]["code"] in ("FORBIDDEN", "SESSION_ACCESS_DENIED")
    if name == "sessions.index":
        assert body["sessions"] == []


def test_the_table_has_no_routes_that_are_not_there() -> None:
    assert {*BODIES, *PUBLIC, *OWN} <= {name for _, _, name in ROUTES}


def test_a_guest_reads_their_own_session(scene: Scene) -> None:
    """Or the table would prove nothing."""
    client, headers = scene.app.test_client(), bearer(scene.token())
    for path in ("", "/participants", "/messages", "/groups", "/transcript"):
        assert client.get(f"{API}/sessions/{scene.code}{path}", headers=headers).status_code == 200
