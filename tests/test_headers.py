"""Every answer of ours guards itself in browsers, and nothing is run in a page that is not its own."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from classwaves.headers import page_policy
from tests.support.apps import API, AppFactory, headers_for, new_session

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app(CLASSWAVES_DEMO=True, CLASSWAVES_TRUSTED_PROXIES=1)


def get(app: Flask, path: str, **headers: str) -> Any:
    with app.test_client().get(path, headers=headers) as answer:
        answer.get_data()
        return answer


@pytest.fixture
def paths(app: Flask) -> Iterator[list[str]]:
    code = new_session(app.test_client(), headers_for(app, "Ada", "teacher"))
    session = f"{API}/sessions/{code}"
    yield [
        *(f"{API}/{path}" for path in ("auth/me", "auth/login", "sessions", "nothing", "openapi.json", "files/none")),
        *(f"{session}{path}" for path in ("", "/messages", "/transcript?format=vtt", "/export", "/attendance")),
        *("/healthz", "/readyz"),
    ]


def test_all_data_is_guarded_whatever_the_answer(app: Flask, paths: list[str]) -> None:
    for path in paths:
        for headers in ({}, headers_for(app, "Ada", "teacher")):
            answer = get(app, path, **headers)
            said = answer.headers
            assert said["X-Content-Type-Options"] == "nosniff", path
            assert "'none'" in said["Content-Security-Policy"], path
            assert said["X-Frame-Options"] == "DENY", path
            assert said["Referrer-Policy"] == "no-referrer", path
            assert said["Cache-Control"] == "no-store", path
            assert "Access-Control-Allow-Origin" not in said, path
            assert len(said.getlist("X-Content-Type-Options")) == 1, path


def test_pages_of_what_there_is_not_are_guarded_too(app: Flask) -> None:
    client = app.test_client()
    for answer in (client.get("/nothing"), client.get("/monitor/static/"), client.post("/healthz")):
        assert answer.status_code in (404, 405)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "'none'" in answer.headers["Content-Security-Policy"]


def test_a_refused_handshake_is_guarded_too(app: Flask) -> None:
    answer = get(app, HANDSHAKE, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("proto", "hsts"), [("https", "max-age=31536000"), ("http", None), (None, None)])
def test_browsers_are_told_to_stay_with_https_where_the_proxy_says_it(app: Flask, proto: str, hsts: str | None) -> None:
    for path in ("/healthz", f"{API}/auth/me", "/"):
        headers = {"X-Forwarded-Proto": proto} if proto else {}
        assert get(app, path, **headers).headers.get("Strict-Transport-Security") == hsts


def test_nobody_else_says_that_it_is_https(make_app: AppFactory) -> None:
    answer = get(make_app(), "/healthz", **{"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in answer.headers
    behind = make_app(CLASSWAVES_TRUSTED_PROXIES=1, CLASSWAVES_HSTS_SECONDS=0)
    assert "Strict-Transport-Security" not in get(behind, "/healthz", **{"X-Forwarded-Proto": "https"}).headers


def test_the_page_runs_its_own_scripts_alone(app: Flask) -> None:
    answer = get(app, "/")
    policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'self' https://cdn.socket.io 'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert "microphone=(self)" in answer.headers["Permissions-Policy"], "it calls"
    assert "unsafe" not in str(policy)


def test_the_policy_has_a_hash_of_each_inline_part() -> None:
    policy = page_policy("<style>a{}</style><script>1</script><script>2</script><script src=x></script>")
    assert policy.count("'sha256-") == 3


def test_other_routes_of_a_shop_are_its_own(make_app: AppFactory) -> None:
    app = make_app()
    app.add_url_rule("/shop", "shop", lambda: "hello")
    said = get(app, "/shop").headers
    assert not {"Content-Security-Policy", "X-Frame-Options", "Cache-Control"} & set(dict(said))
