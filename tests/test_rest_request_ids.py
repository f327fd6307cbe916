"""The id of a request: made here, or taken from a proxy that is trusted, and in the answer in any case."""

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from classwaves.logs import AddTrail
from tests.support.apps import API, AppFactory, headers_for, new_session

HEADER = "X-Request-Id"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def trusting(make_app: AppFactory) -> FlaskClient:
    return make_app(CLASSWAVES_TRUSTED_PROXIES=1).test_client()


def asked(client: FlaskClient, path: str = "/auth/me", **headers: str) -> str:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(API + path, headers=sent).headers[HEADER]


def test_each_answer_has_one(make_app: AppFactory) -> None:
    client = make_app().test_client()
    ids = [asked(client), asked(client), asked(client, "/nothing"), asked(client, "/sessions/ABCDEF")]
    assert len(set(ids)) == 4
    assert all(len(one) == 32 and int(one, 16) for one in ids)
    answer = client.get(f"{API}/auth/me", headers={"Origin": "http://localhost"})
    assert HEADER in answer.headers["Access-Control-Expose-Headers"]


def test_a_stranger_chooses_none(make_app: AppFactory) -> None:
    assert asked(make_app().test_client(), X_Request_Id="chosen-by-me") != "chosen-by-me"


@pytest.mark.parametrize(
    "given", ["9f6c1e4e-7c86-4c1c-9f0e-1d7b2a7a0b11", "Root=1-67891233-abcdef012345678912345678", TRACE]
)
def test_a_proxy_chooses_it(trusting: FlaskClient, given: str) -> None:
    assert asked(trusting, X_Request_Id=given) == given
    assert asked(trusting, "/nothing", X_Request_Id=given) == given


def test_the_proxys_id_is_in_each_line(trusting: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(AddTrail())
    with caplog.at_level(logging.DEBUG, "classwaves"):
        asked(trusting, X_Request_Id="9f6c1e4e-7c86-4c1c")
    assert {line.__dict__["request_id"] for line in caplog.records} == {"9f6c1e4e-7c86-4c1c"}


@pytest.mark.parametrize("given", ["", "short", "x" * 129, "a b c d e f", 'a"b"c"d"e"f', "été-été-été", "-leading"])
def test_what_is_none_is_replaced(trusting: FlaskClient, given: str) -> None:
    made = asked(trusting, X_Request_Id=given.encode().decode("latin-1"))
    assert made != given and len(made) == 32


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X-Request-Id": TRACE}, TRACE),
        ({"Traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"Traceparent": f"00-{TRACE}-{'0' * 16}-01"}, None),
        ({"Traceparent": f"zz-{TRACE}-00f067aa0ba902b7-01"}, None),
        ({"Traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}, None),
    ],
)
def test_a_trace_goes_on(
    make_app: AppFactory, caplog: pytest.LogCaptureFixture, headers: dict[str, str], trace: str | None
) -> None:
    app = make_app(CLASSWAVES_TRUSTED_PROXIES=1)
    caplog.handler.addFilter(AddTrail())
    with caplog.at_level(logging.DEBUG, "classwaves"):
        app.test_client().get(f"{API}/auth/me", headers=headers)
    (line,) = [one for one in caplog.records if one.getMessage() == "handled"]
    assert (line.__dict__["trace_id"] == TRACE) is (trace == TRACE)
    assert line.__dict__["route"] == "classwaves_auth.me"
    assert line.__dict__["code"] == "AUTH_REQUIRED"


def test_what_fails_says_how_to_find_it(
    make_app: AppFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Flask = make_app(TESTING=False)
    caplog.handler.addFilter(AddTrail())
    teacher = headers_for(app, "Grace", "teacher")
    code = new_session(app.test_client(), teacher)
    store = app.extensions["classwaves"].store

    def broken(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(store, "session_id", broken)
    answer = app.test_client().get(f"{API}/sessions/{code}", headers=teacher)
    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"]) == (500, "INTERNAL_ERROR")
    assert error["details"]["traceId"] == answer.headers[HEADER]
    (failed,) = [one for one in caplog.records if one.getMessage() == "a request failed"]
    assert failed.__dict__["trace_id"] == answer.headers[HEADER]
    assert failed.__dict__["user_id"] == "grace"


def test_nothing_is_left_of_it(make_app: AppFactory) -> None:
    from classwaves import trail

    asked(make_app().test_client())
    assert trail.current() is None
