"""The REST API against its own OpenAPI document (schemathesis): whatever is sent, the answer is one that it documents.

Every route, by everybody: without a token, as a guest, a student, a teacher who owns the session and an admin. The
examples are the same each time; ``make fuzz`` makes more of them, others each time (``FUZZ_EXAMPLES``).
"""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from classwaves import create_app
from tests.support.apps import API, bearer, guest, headers_for, new_session, state_of
from tests.support.gunicorn_server import TEST_KEYS

MORE = int(os.environ.get("FUZZ_EXAMPLES", "0"))
EXAMPLES = MORE or 2
"""For each route: so many that fit the document, and as many that do not, each sent by everybody."""

PEOPLE = {"nobody": "", "guest": "student", "student": "student", "teacher": "teacher", "admin": "admin"}
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]

TRICKS = ["session:{code}", "user:x", "..", "%00", "__proto__", "{code}\u0130", " {code} ", "\u202e{code}", "9" * 5000]
"""What else is sent where an id belongs; ``{code}`` is the session's."""


def _routes() -> list[str]:
    app = create_app(dict(TEST_KEYS))
    paths = app.test_client().get(f"{API}/openapi.json").get_json()["paths"]
    state_of(app).close()
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method != "parameters"]


ROUTES = _routes()


def _read(result: Any) -> APIOperation[Any, Any, Any, Any]:
    operation: APIOperation[Any, Any, Any, Any] = result.ok()
    return operation


class Target:
    """An application with a session in it, and everybody's headers."""

    def __init__(self) -> None:
        config = {"CLASSWAVES_RATELIMIT_ENABLED": False, "CLASSWAVES_PERSONAL_RATE": "100000/second", **TEST_KEYS}
        self.app: Flask = create_app(config)
        self.client = self.app.test_client()
        self.code = new_session(self.client, self.headers("teacher"))
        session = self.client.get(f"{API}/sessions/{self.code}", headers=self.headers("teacher"))
        self.settings = session.get_json()["settings"]
        document = schemathesis.openapi.from_wsgi(f"{API}/openapi.json", self.app)
        self.operations = {f"{one.method.upper()} {one.path}": one for one in map(_read, document.get_all_operations())}

    def headers(self, who: str) -> dict[str, str]:
        """Return fresh ones: an example before this one may have logged out."""
        if who == "nobody":
            return {}
        if who == "guest":
            return bearer(guest(self.client, self.open_code(), "Gus")[0])
        return headers_for(self.app, who, PEOPLE[who])

    def open_code(self) -> str:
        """Return the code of a session that guests may join; some examples end it, or close it to them."""
        teacher = self.headers("teacher")
        session = self.client.get(f"{API}/sessions/{self.code}", headers=teacher).get_json()
        if session["status"] == "ended" or session["settings"] != self.settings:
            self.code = new_session(self.client, teacher)
        return self.code

    def ids(self, name: str) -> list[str]:
        """Return what to put into a part of a path: what there is, and tricks."""
        right = {"code": self.open_code(), "user_id": "student"}.get(name, "a" * 30)
        return [right, right, *(trick.format(code=self.code) for trick in TRICKS)]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    target = Target()
    yield target
    state_of(target.app).close()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", ROUTES)
def test_a_route(
    target: Target, caplog: pytest.LogCaptureFixture, route: str, mode: schemathesis.GenerationMode
) -> None:
    operation = target.operations[route]

    @settings(
        max_examples=EXAMPLES,
        derandomize=not MORE,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def send(case: schemathesis.Case[Any], data: st.DataObject) -> None:
        generated = dict(case.path_parameters or {})
        for name, value in generated.items():
            case.path_parameters[name] = quote(data.draw(st.sampled_from([*target.ids(name), value])), safe="%")
        for who in PEOPLE:
            answer = case.call(headers=target.headers(who))
            case.validate_response(answer, checks=CHECKS)

    send()
    assert not [one.getMessage() for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")]


def test_every_route_is_in_it(target: Target) -> None:
    assert set(ROUTES) == set(target.operations)


def test_a_route_that_breaks_its_document_is_found() -> None:
    """That it can fail: an answer that is not in the document, and one of a server that failed."""
    app = Flask("shop")
    app.add_url_rule("/odd", "odd", view_func=lambda: ("?", 418))
    app.add_url_rule("/broken", "broken", view_func=lambda: ("", 500))
    answers = {"200": {"description": "fine"}}
    paths = {path: {"get": {"responses": answers}} for path in ("/odd", "/broken")}
    document = {"openapi": "3.1.0", "info": {"title": "shop", "version": "1"}, "paths": paths}
    app.add_url_rule("/openapi.json", "document", view_func=lambda: document)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    titles: list[str] = []
    for path in paths:
        case = schema[path]["GET"].Case()
        with pytest.raises(FailureGroup) as found:
            case.validate_response(case.call(), checks=CHECKS)
        titles += [type(failure).__name__ for failure in found.value.exceptions]
    assert {"UndefinedStatusCode", "ServerError"} <= set(titles)
