"""The OpenAPI document is valid, complete and says who needs a token."""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.support.apps import API, AppFactory

PUBLIC = {("post", "/auth/login"), ("post", "/sessions/{code}/join")}


@pytest.fixture
def document(make_app: AppFactory) -> dict[str, Any]:
    answer = make_app().test_client().get(f"{API}/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    body: dict[str, Any] = answer.get_json()
    return body


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path.removeprefix(API)): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_route_is_in_it(make_app: AppFactory, document: dict[str, Any]) -> None:
    rules = [rule for rule in make_app().url_map.iter_rules() if rule.rule.startswith(API)]
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix(API)))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served - {("get", "/openapi.json"), ("get", "/asyncapi.json")} == set(operations(document))
    assert len(served) > 15


def test_every_route_but_the_public_ones_asks_for_a_bearer_token(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["bearerAuth"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    for route, operation in operations(document).items():
        assert operation.get("security") == (None if route in PUBLIC else [{"bearerAuth": []}]), route
        assert ("401" in operation["responses"]) == (route not in PUBLIC or route == ("post", "/auth/login")), route


def test_every_route_says_what_it_does_and_answers(document: dict[str, Any]) -> None:
    for route, operation in operations(document).items():
        assert operation["summary"] or operation["description"], route
        assert {"422", "429", "500", "503"} < set(operation["responses"]), route
        assert any(status.startswith("2") for status in operation["responses"]), route
        for status, response in operation["responses"].items():
            if status[0] in "45" and status != "416":  # which has no body, as of any file server
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (route, status)


def test_every_answer_with_a_body_says_of_what_type_it_is(document: dict[str, Any]) -> None:
    bodies = {
        (*route, status): set(response.get("content", {}))
        for route, operation in operations(document).items()
        for status, response in operation["responses"].items()
        if status.startswith("2") and status != "204"
    }
    assert [route for route, types in bodies.items() if not types] == []
    lines = {"application/x-ndjson"}
    assert bodies["get", "/sessions/{code}/export", "200"] == bodies["get", "/users/{user_id}/data", "200"] == lines
    assert bodies["get", "/files/{file_id}", "200"] == bodies["get", "/files/{file_id}", "206"] == {"*/*"}


def test_patterns_are_those_of_json_schema(document: dict[str, Any]) -> None:
    cursor = next(one for one in operations(document)["get", "/audit"]["parameters"] if one["name"] == "cursor")
    assert cursor["schema"]["pattern"] == "^[0-9]{1,16}-[0-9]{1,16}$"


def test_requests_refuse_unknown_fields_in_the_document_too(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("Login", "NewSession", "ChangeSession", "Guest", "SessionSettings"):
        assert schemas[name]["additionalProperties"] is False, name
    assert set(schemas["Error"]["properties"]["error"]) == {"$ref"}


def test_answers_take_unknown_fields(document: dict[str, Any]) -> None:
    """More may be added: who validates by the document must not stumble over it."""
    schemas = document["components"]["schemas"]
    for name in ("Error", "ErrorBody", "Tokens", "Session", "SessionList", "Erased", "Audit"):
        assert "additionalProperties" not in schemas[name], name


def test_two_applications_have_the_same_document(make_app: AppFactory) -> None:
    documents = [make_app().test_client().get(f"{API}/openapi.json").get_json() for _ in range(2)]
    assert documents[0] == documents[1]


def test_the_document_moves_with_the_api(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_URL_PREFIX="/class/").test_client()
    paths = client.get("/class/openapi.json").get_json()["paths"]
    assert "/class/auth/login" in paths
    assert client.get("/class/auth/me").get_json()["error"]["code"] == "AUTH_REQUIRED"
    assert client.get("/class/nothing").get_json()["error"]["code"] == "NOT_FOUND"
    assert client.get(f"{API}/auth/me").status_code == 404
