"""Which changes of the contract break clients: a table, both documents, the command, this version against the last."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from classwaves import FEATURES
from classwaves.asyncapi import described
from classwaves.changes import Change, SchemaChanges
from classwaves.cli import cli
from classwaves.releases import changes
from classwaves.rest import openapi
from tests.support.apps import AppFactory
from tests.support.gunicorn_server import ROOT

RELEASED = ROOT / "docs" / "contract"

Schema = dict[str, Any]


def an_object(required: list[str] | None = None, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required or []}


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
NULLABLE: Schema = {"type": ["string", "null"]}
ANYTHING: Schema = {}
CLOSED = {**an_object(a=TEXT), "additionalProperties": False}
MAP: Schema = {"type": "object"}
AB: Schema = {"type": "string", "enum": ["a", "b"]}
ABC: Schema = {"type": "string", "enum": ["a", "b", "c"]}
OPEN_AB, OPEN_ABC = {**AB, "x-extensible": True}, {**ABC, "x-extensible": True}

BREAKS, ADDS = True, False

TABLE: list[tuple[str, Schema, Schema, bool | None, bool | None]] = [
    # what it is, before, after, what it is where clients send it, and where the server does; None: no change
    ("a new field", an_object(a=TEXT), an_object(a=TEXT, b=TEXT), ADDS, ADDS),
    ("a new required field", an_object(a=TEXT), an_object(["b"], a=TEXT, b=TEXT), BREAKS, ADDS),
    ("a field less", an_object(a=TEXT, b=TEXT), an_object(a=TEXT), BREAKS, BREAKS),
    ("a field required", an_object(a=TEXT), an_object(["a"], a=TEXT), BREAKS, ADDS),
    ("a field optional", an_object(["a"], a=TEXT), an_object(a=TEXT), ADDS, BREAKS),
    ("another type", TEXT, WHOLE, BREAKS, BREAKS),
    ("whole numbers alone", NUMBER, WHOLE, BREAKS, ADDS),
    ("any number", WHOLE, NUMBER, ADDS, BREAKS),
    ("null too", TEXT, NULLABLE, ADDS, BREAKS),
    ("null no more", NULLABLE, TEXT, BREAKS, ADDS),
    ("anything", TEXT, ANYTHING, ADDS, BREAKS),
    ("no longer anything", ANYTHING, TEXT, BREAKS, ADDS),
    ("one value more", AB, ABC, ADDS, BREAKS),
    ("one value less", ABC, AB, BREAKS, ADDS),
    ("one value more, as expected", OPEN_AB, OPEN_ABC, ADDS, ADDS),
    ("one value more, as nobody expected", AB, OPEN_ABC, ADDS, BREAKS),
    ("one value more, as was expected", OPEN_AB, ABC, ADDS, ADDS),
    ("one value less of those", OPEN_ABC, OPEN_AB, BREAKS, ADDS),
    ("values listed", TEXT, AB, BREAKS, ADDS),
    ("values no longer listed", AB, TEXT, ADDS, BREAKS),
    ("another constant", {"const": True}, {"const": False}, BREAKS, BREAKS),
    ("longer", {**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 4}, ADDS, BREAKS),
    ("shorter", {**TEXT, "maxLength": 4}, {**TEXT, "maxLength": 3}, BREAKS, ADDS),
    ("a longest", TEXT, {**TEXT, "maxLength": 3}, BREAKS, ADDS),
    ("no shortest", {**TEXT, "minLength": 3}, TEXT, ADDS, BREAKS),
    ("a higher least", {**WHOLE, "minimum": 1}, {**WHOLE, "minimum": 2}, BREAKS, ADDS),
    ("another pattern", {**TEXT, "pattern": "a"}, {**TEXT, "pattern": "b"}, BREAKS, BREAKS),
    ("no pattern", {**TEXT, "pattern": "a"}, TEXT, ADDS, BREAKS),
    ("unknown fields refused", an_object(a=TEXT), CLOSED, BREAKS, ADDS),
    ("unknown fields taken", CLOSED, an_object(a=TEXT), ADDS, ADDS),
    ("values of one type", MAP, {**MAP, "additionalProperties": TEXT}, BREAKS, ADDS),
    ("values of any type", {**MAP, "additionalProperties": TEXT}, MAP, ADDS, BREAKS),
    ("inside a list", {"type": "array", "items": AB}, {"type": "array", "items": ABC}, ADDS, BREAKS),
    ("inside an object", an_object(a=an_object(b=TEXT)), an_object(a=an_object(b=WHOLE)), BREAKS, BREAKS),
    ("an argument more", {"type": "array", "items": [TEXT]}, {"type": "array", "items": [TEXT, AB]}, None, None),
    ("an alternative more", {"oneOf": [TEXT, WHOLE]}, {"oneOf": [TEXT, WHOLE, AB]}, ADDS, BREAKS),
    ("an alternative less", {"oneOf": [TEXT, WHOLE, AB]}, {"oneOf": [TEXT, WHOLE]}, BREAKS, ADDS),
    ("maybe nothing", {"oneOf": [TEXT]}, {"anyOf": [TEXT, {"type": "null"}]}, ADDS, BREAKS),
    ("other words", {**TEXT, "description": "a"}, {**TEXT, "description": "b"}, None, None),
]


@pytest.mark.parametrize(("before", "after", "sent", "received"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_a_change_breaks_who_relies_on_what_was(
    before: Schema, after: Schema, sent: bool | None, received: bool | None
) -> None:
    for to_server, expected in ((True, sent), (False, received)):
        compared = SchemaChanges({}, {})
        compared.compare(before, after, "here", to_server)
        assert bool(compared.found) is (expected is not None), compared.found
        assert any(one.breaking for one in compared.found) is bool(expected), compared.found


def test_schemas_that_hold_themselves_are_compared_once() -> None:
    tree = an_object(name=TEXT, inner={"$ref": "#/tree"})
    other = an_object(name=WHOLE, inner={"$ref": "#/tree"})
    compared = SchemaChanges({"tree": tree}, {"tree": other})
    compared.compare({"$ref": "#/tree"}, {"$ref": "#/tree"}, "tree", True)
    assert [(one.where, one.breaking) for one in compared.found] == [("tree.name", True)]


Edit = Callable[[dict[str, Any]], object]


def schema(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["components"]["schemas"][name]


EVENTS: list[tuple[str, Edit, bool]] = [
    ("client event raiseHand: is gone", lambda d: d["operations"].pop("client-raiseHand"), BREAKS),
    ("server event fileShared: is gone", lambda d: d["operations"].pop("server-fileShared"), BREAKS),
    (
        "client event sendMessage.message: is gone",
        lambda d: schema("SendMessagePayload")(d)["properties"].pop("message"),
        BREAKS,
    ),
    (
        "client event sendMessage.replyTo: is required now",
        lambda d: schema("SendMessagePayload")(d)["required"].append("replyTo"),
        BREAKS,
    ),
    (
        "client event sendMessage ack.messageId: is gone",
        lambda d: schema("SendMessageAck")(d)["properties"].pop("messageId"),
        BREAKS,
    ),
    (
        "server event messageReceived.colour: is new",
        lambda d: schema("MessageReceivedEvent")(d)["properties"].update(colour=TEXT),
        ADDS,
    ),
    (
        "server event sessionJoined.participants[].joinedAt: is gone",
        lambda d: schema("Participant")(d)["properties"].pop("joinedAt"),
        BREAKS,
    ),
    ("error code CONFLICT: is gone", lambda d: d["x-error-codes"].pop("CONFLICT"), BREAKS),
    ("error code NEW: is new", lambda d: d["x-error-codes"].update(NEW={"status": 409, "retryable": False}), ADDS),
    (
        "error code CONFLICT: status is 422, and was 409",
        lambda d: d["x-error-codes"]["CONFLICT"].update(status=422),
        BREAKS,
    ),
    ("server event error.code: may be NEW now", lambda d: schema("ErrorCode")(d)["enum"].append("NEW"), ADDS),
    (
        "client event typing: is for staff, and was for speaker",
        lambda d: d["operations"]["client-typing"].update({"x-allow": "staff"}),
        BREAKS,
    ),
    (
        "client event typing: is for participant, and was for speaker",
        lambda d: d["operations"]["client-typing"].update({"x-allow": "participant"}),
        ADDS,
    ),
    (
        "client event createGroup: is for owner, and was for staff",
        lambda d: d["operations"]["client-createGroup"].update({"x-allow": "owner"}),
        BREAKS,
    ),
    (
        "server event fileShared: goes to staff, and went to everyone in the session",
        lambda d: d["operations"]["server-fileShared"].update({"x-audience": "staff"}),
        BREAKS,
    ),
    (
        "server event joinRequested: goes to everyone in the session, and went to staff",
        lambda d: d["operations"]["server-joinRequested"].update({"x-audience": "everyone in the session"}),
        ADDS,
    ),
    ("namespace: is /classroom, and was /", lambda d: d["channels"]["classroom"].update(address="/classroom"), BREAKS),
]


def told(found: list[Change]) -> list[tuple[str, bool]]:
    return [(f"{one.where}: {one.what}", one.breaking) for one in found]


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    return described(FEATURES)


@pytest.mark.parametrize(("sentence", "edit", "breaking"), EVENTS, ids=[row[0] for row in EVENTS])
def test_changes_of_events(asyncapi: dict[str, Any], sentence: str, edit: Edit, breaking: bool) -> None:
    after = copy.deepcopy(asyncapi)
    edit(after)
    assert (sentence, breaking) in told(changes(asyncapi, after))
    assert all(one.breaking for one in changes(asyncapi, after)) is breaking


def test_an_owner_is_staff(asyncapi: dict[str, Any]) -> None:
    before = copy.deepcopy(asyncapi)
    before["operations"]["client-createGroup"]["x-allow"] = "owner"
    sentence = "client event createGroup: is for staff, and was for owner"
    assert told(changes(before, asyncapi)) == [(sentence, False)]


def test_a_new_event_is_additive_and_its_end_is_not(asyncapi: dict[str, Any]) -> None:
    before = copy.deepcopy(asyncapi)
    del before["operations"]["client-typing"]
    assert told(changes(before, asyncapi)) == [("client event typing: is new", False)]


@pytest.fixture
def rest(make_app: AppFactory) -> dict[str, Any]:
    app = make_app()
    with app.app_context():
        return openapi()


SESSIONS = "/api/v1/sessions"

ROUTES: list[tuple[str, Edit, bool]] = [
    (f"GET {SESSIONS}: is gone", lambda d: d["paths"][SESSIONS].pop("get"), BREAKS),
    (
        f"POST {SESSIONS} body.title: is gone",
        lambda d: schema("NewSession")(d)["properties"].pop("title"),
        BREAKS,
    ),
    (
        f"GET {SESSIONS} 200.sessions[].createdAt: is gone",
        lambda d: schema("Session")(d)["properties"].pop("createdAt"),
        BREAKS,
    ),
    (
        f"GET {SESSIONS} query limit: is gone",
        lambda d: d["paths"][SESSIONS]["get"].update(parameters=[]),
        BREAKS,
    ),
    (
        f"GET {SESSIONS} query more: is new, and required",
        lambda d: d["paths"][SESSIONS]["get"]["parameters"].append(
            {"in": "query", "name": "more", "required": True, "schema": TEXT}
        ),
        BREAKS,
    ),
    (
        f"GET {SESSIONS} query more: is new",
        lambda d: d["paths"][SESSIONS]["get"]["parameters"].append({"in": "query", "name": "more", "schema": TEXT}),
        ADDS,
    ),
    (
        f"POST {SESSIONS} 201: is no answer any more",
        lambda d: d["paths"][SESSIONS]["post"]["responses"].pop("201"),
        BREAKS,
    ),
    (
        f"GET {SESSIONS} 401: is no answer any more",
        lambda d: d["paths"][SESSIONS]["get"]["responses"].pop("401"),
        ADDS,
    ),
    ("GET /new: is new", lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}), ADDS),
    (
        f"POST {SESSIONS}/{{code}}/join: asks for another token, or for none",
        lambda d: d["paths"][f"{SESSIONS}/{{code}}/join"]["post"].update(security=[{"bearerAuth": []}]),
        BREAKS,
    ),
]


@pytest.mark.parametrize(("sentence", "edit", "breaking"), ROUTES, ids=[row[0] for row in ROUTES])
def test_changes_of_routes(rest: dict[str, Any], sentence: str, edit: Edit, breaking: bool) -> None:
    after = copy.deepcopy(rest)
    edit(after)
    found = told(changes(rest, after))
    assert (sentence, breaking) in found
    assert any(breaks for _, breaks in found) is breaking


@pytest.mark.parametrize("name", ["asyncapi.json", "openapi.json"])
def test_nothing_breaks_clients_of_the_last_release(demo_app: Flask, name: str) -> None:
    """docs/contract is what the last release said; docs/releasing.md says when it is made anew."""
    ended = demo_app.test_cli_runner().invoke(cli, ["diff", str(RELEASED / name)])
    assert ended.exit_code == 0, ended.output


def test_the_command(make_app: AppFactory, asyncapi: dict[str, Any], tmp_path: Path) -> None:
    runner = make_app().test_cli_runner()
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(asyncapi))
    assert runner.invoke(cli, ["diff", str(old)]).output == "Nothing has changed.\n"
    after = copy.deepcopy(asyncapi)
    del after["operations"]["client-typing"]
    after["operations"]["client-more"] = asyncapi["operations"]["client-typing"]
    new.write_text(json.dumps(after))
    ended = runner.invoke(cli, ["diff", str(old), str(new)])
    lines = ["breaking  client event typing: is gone", "additive  client event typing: is new"]
    assert (ended.exit_code, ended.output.splitlines()) == (1, lines)
    listed = json.loads(runner.invoke(cli, ["diff", str(old), str(new), "--json"]).output)
    assert listed["breaking"] == [{"where": "client event typing", "what": "is gone"}]
    assert len(listed["additive"]) == 1


NO_DOCUMENTS = ["", "[]", "{}", "\\udcff", '{"openapi": "3.1.0", "paths": 7}', '{"swagger": "2.0"}']
NO_DOCUMENTS += ['{"asyncapi": "2.6.0", "channels": {}}', '{"openapi": 3}']


@pytest.mark.parametrize("text", NO_DOCUMENTS)
def test_what_is_no_document_is_no_breaking_change(make_app: AppFactory, tmp_path: Path, text: str) -> None:
    """Exit code 2: a script can tell it from 1."""
    file = tmp_path / "old.json"
    file.write_text(text)
    ended = make_app().test_cli_runner().invoke(cli, ["diff", str(file)])
    assert ended.exit_code == 2
    assert "old.json" in ended.output


@pytest.mark.parametrize(
    "text",
    [
        '{"asyncapi": "3.0.0", "operations": {"x": {"action": "receive"}}}',
        '{"asyncapi": "3.0.0", "operations": {"client-typing": {"action": "receive", "messages": []}}}',
        '{"asyncapi": "3.0.0", "operations": {"client-typing": 7}}',
        '{"openapi": "3.1.0", "paths": {"/x": {"get": 7}}}',
        '{"asyncapi": "3.0.0", "channels": []}',
    ],
)
def test_a_document_of_another_make_is_no_breaking_change(make_app: AppFactory, tmp_path: Path, text: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(text)
    ended = make_app().test_cli_runner().invoke(cli, ["diff", str(file)])
    assert (ended.exit_code, "cannot be compared" in ended.output) == (2, True), ended.output


def test_documents_of_two_kinds_are_not_compared(make_app: AppFactory, tmp_path: Path) -> None:
    ended = (
        make_app()
        .test_cli_runner()
        .invoke(cli, ["diff", str(RELEASED / "asyncapi.json"), str(RELEASED / "openapi.json")])
    )
    assert ended.exit_code == 2
    assert "the old document is asyncapi, and the new one is openapi" in ended.output
