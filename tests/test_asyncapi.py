"""The AsyncAPI document is valid, complete, and says of payloads what the server does with them."""

from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from marshmallow import RAISE, Schema, fields

from classwaves import FEATURES, ClassWaves, Context, EventSchema, Feature
from classwaves.asyncapi import described
from classwaves.declared import Numbered, Stored, string
from classwaves.errors import ERROR_CODES
from classwaves.features import core
from tests.support.apps import API, AppFactory, state_of
from tests.support.contract import wrong_with
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.payloads import arguments, payload

EVENTS = {event.name: event for feature in FEATURES for event in feature.events}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return described(FEATURES)


def poll(strict: bool) -> Feature:
    """A shop's feature, which declares what it sends, or does not."""
    feature = Feature("poll")

    class Answer(EventSchema):
        sessionCode = fields.String(required=True)
        choice = fields.Integer(required=True, strict=True)

    class Answered(Numbered):
        choice = fields.Integer(required=True)
        by = string(required=False)

    @feature.event("pollAnswered", schema=Answer, allow="student")
    def answer(context: Context, data: dict[str, Any]) -> dict[str, Any]:
        """Answer the poll."""
        return context.publish("pollAnswered", {"choice": data["choice"]})

    if strict:
        feature.sends("pollAnswered", Answered)
        feature.answers(Stored, "pollAnswered")
    return feature


def test_the_official_parser_finds_nothing_wrong(document: dict[str, Any]) -> None:
    """Nor with a shop's own event of one name in both directions. It takes seconds to begin, so it does so once."""
    with_poll, broken = described([*FEATURES, poll(True)]), described(FEATURES)
    broken["operations"]["client-typing"]["action"] = "take"
    messages = with_poll["components"]["messages"]
    assert messages["client-pollAnswered"]["name"] == messages["server-pollAnswered"]["name"] == "pollAnswered"
    found = wrong_with(document, with_poll, broken)
    assert found[:2] == [[], []]
    assert any("action" in wrong for wrong in found[2]), found[2]


def test_every_event_is_in_it_with_its_ack(document: dict[str, Any]) -> None:
    operations = document["operations"]
    received = {key.removeprefix("client-") for key, one in operations.items() if one["action"] == "receive"}
    assert received == set(EVENTS)
    sent = {key.removeprefix("server-") for key, one in operations.items() if one["action"] == "send"}
    assert sent == {sent.name for feature in (core, *FEATURES) for sent in feature.sent}
    for name in EVENTS:
        assert operations[f"client-{name}"]["reply"]["messages"], name
        assert operations[f"client-{name}"]["summary"], name
    assert document["x-error-codes"].keys() == ERROR_CODES.keys()


def test_every_built_in_event_declares_its_ack() -> None:
    assert {name for feature in (core, *FEATURES) for name in feature.acks} == set(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_what_the_server_takes_fits_the_documents_schema(document: dict[str, Any], name: str) -> None:
    event = EVENTS[name]
    described = document["components"]["messages"][f"client-{name}"]["payload"]
    validator = jsonschema_rs.Draft7Validator({"allOf": [described], "components": document["components"]})
    body = {key: "…" if isinstance(value, bytes) else value for key, value in payload(event).items()}
    right = arguments(event, body)
    if event.arguments:
        assert validator.is_valid(list(right))
        assert not validator.is_valid([])
        assert not validator.is_valid([*right, None, None])
        return
    assert validator.is_valid(body), list(validator.iter_errors(body))
    assert not validator.is_valid({**body, "more": 1})
    for field in [name for name, field in event.schema.fields.items() if field.required]:
        assert not validator.is_valid({key: value for key, value in body.items() if key != field}), field


def test_what_a_shop_does_not_declare_is_open(make_app: AppFactory) -> None:
    document = described([poll(False)])
    assert "server-pollAnswered" not in document["components"]["messages"]
    ack = document["components"]["schemas"]["PollAnsweredAck"]
    assert ack["additionalProperties"] == {}
    assert ack["required"] == ["ok"]


def test_clients_take_fields_that_they_do_not_know_and_the_server_does_not() -> None:
    """Who validates by the document must not stumble over what is added later, in a shop's own events neither."""

    class Line(Schema):
        points = fields.List(fields.Integer(), required=True)

    class Both(Schema):
        class Meta:
            unknown = RAISE

        note = fields.String(required=True)

    class Draw(EventSchema):
        both = fields.Nested(Both, required=True)

    class Drawn(Schema):
        line = fields.Nested(Line, required=True)
        both = fields.Nested(Both, required=True)

    board = Feature("board")

    @board.event("draw", schema=Draw, allow="participant")
    def draw(context: Context, data: dict[str, Any]) -> None:
        """Draw."""

    board.sends("drawn", Drawn)
    document = described([*FEATURES, board])
    schemas = document["components"]["schemas"]
    for name in ("MessageReceivedEvent", "SendMessageAck", "Participant", "ErrorEvent", "DrawnEvent", "Line"):
        assert "additionalProperties" not in schemas[name], name
    for name in ("SendMessagePayload", "Resume", "DrawPayload", "Both"):
        assert schemas[name]["additionalProperties"] is False, name


def test_it_is_served_with_a_shops_own_events() -> None:
    app = Flask("shop")
    app.config.update(TESTING=True, **TEST_KEYS)
    ClassWaves(app, features=[*FEATURES, poll(True)])
    answer = app.test_client().get(f"{API}/asyncapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json() == described([*FEATURES, poll(True)])
    state_of(app).close()


def test_it_moves_with_the_api_and_is_for_the_same_pages(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_URL_PREFIX="/class/", CLASSWAVES_ORIGINS="https://shop.example").test_client()
    assert client.get(f"{API}/asyncapi.json").status_code == 404
    headers = client.get("/class/asyncapi.json", headers={"Origin": "https://shop.example"}).headers
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_it_tells_the_namespace_of_the_classroom(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_NAMESPACE="/classroom").test_client()
    assert client.get(f"{API}/asyncapi.json").get_json()["channels"]["classroom"]["address"] == "/classroom"


def test_two_documents_are_the_same(document: dict[str, Any]) -> None:
    assert described(FEATURES) == document


def test_an_event_and_an_ack_are_declared_once() -> None:
    feature = poll(True)
    with pytest.raises(RuntimeError, match="pollAnswered is declared twice"):
        feature.sends("pollAnswered", Numbered)
    with pytest.raises(RuntimeError, match="the ack of pollAnswered is declared twice"):
        feature.answers(Stored, "pollAnswered")
