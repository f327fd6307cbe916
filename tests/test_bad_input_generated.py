"""Bad input for every field of every event, generated from its schema: it gets its code, and does no harm.

What is wrong for which type of field stands in :mod:`tests.support.payloads`. An event that is added later is in it by
itself. :mod:`tests.test_bad_input` has by hand what a schema does not tell.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import fields, validate

from classwaves import ClassWaves, Context, create_app
from classwaves.events import Event, Feature
from classwaves.features import FEATURES
from classwaves.payloads import EventSchema, SessionEvent, Text
from tests.support.apps import state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.payloads import (
    DEEP,
    NO_OBJECT,
    UNKNOWN,
    arguments,
    payload,
    refused_all,
    wrong,
)
from tests.support.tabs import Classroom, Tab, open_classroom

Pair = tuple[Classroom, Tab, Tab]

EVENTS = {event.name: event for feature in FEATURES for event in feature.events}
OBJECTS = [name for name, event in EVENTS.items() if not event.arguments]
FIELDS = [f"{name}.{field}" for name, event in EVENTS.items() for field in event.schema.fields]

own = Feature("own")


class LaxSchema(SessionEvent):
    sure = fields.Boolean(required=True)


class OddSchema(SessionEvent):
    when = fields.TimeDelta()


class EvenSchema(SessionEvent):
    pin = Text(validate=lambda text: None)


class NoteSchema(EventSchema):
    text = Text(required=True, validate=validate.Length(1, 10))
    count = fields.Integer(strict=True, validate=validate.Range(1, 9))


@own.event("lax", schema=LaxSchema, allow="participant")
@own.event("odd", schema=OddSchema, allow="participant")
@own.event("even", schema=EvenSchema, allow="participant")
@own.event("note", schema=NoteSchema, allow="connected")
def do_nothing(context: Context, data: dict[str, Any]) -> None:
    pass


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[Pair]:
    """Return a classroom, a student in it, and a witness. Refusals change nothing, so that all tests share them."""
    config = {"TESTING": True, "CLASSWAVES_RATELIMIT_ENABLED": False, "CLASSWAVES_EPHEMERAL_WINDOW": 0, **TEST_KEYS}
    app = create_app(config)
    yield opened(app)
    state_of(app).close()


@pytest.fixture
def pair(shared_pair: Pair) -> Pair:
    """Return them, without what a test before that failed has left in their inboxes."""
    for tab in shared_pair[1:]:
        tab.take()
    return shared_pair


@pytest.fixture
def own_pair() -> Iterator[Pair]:
    """Return the same in an application with the events of this file's own."""
    app = Flask("shop")
    app.config.update(TEST_KEYS, CLASSWAVES_RATELIMIT_ENABLED=False)
    ClassWaves(app, features=(*FEATURES, own))
    yield opened(app)
    state_of(app).close()


def opened(app: Flask) -> Pair:
    classroom = open_classroom(app)
    tab, witness = classroom.joined("Ada"), classroom.joined("Bob")
    tab.take()
    return classroom, tab, witness


def event_of(pair: Pair, name: str) -> Event:
    return state_of(pair[0].app).pipeline.events[name]


def refuses_what_is_wrong(pair: Pair, where: str) -> None:
    """See that a field (``event.field``) takes nothing that is wrong for it, and is not left out if it is required."""
    name, _, field_name = where.partition(".")
    event, code = event_of(pair, name), {"sessionCode": pair[0].code}
    field, right = event.schema.fields[field_name], payload(event, code)
    bodies = [{**right, field_name: value} for value in wrong(field, where)]
    assert bodies, f"{where} takes everything"
    if field.required and not event.arguments:
        bodies.append({key: value for key, value in right.items() if key != field_name})
    refused_all(pair, name, [arguments(event, body) for body in bodies], field_name)


def test_every_event_is_in_it(pair: Pair) -> None:
    assert state_of(pair[0].app).pipeline.events == EVENTS


@pytest.mark.parametrize("where", FIELDS)
def test_a_field(pair: Pair, where: str) -> None:
    refuses_what_is_wrong(pair, where)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_unknown_field(pair: Pair, name: str) -> None:
    right = payload(EVENTS[name], {"sessionCode": pair[0].code})
    for unknown in UNKNOWN:
        shown = unknown[:64].replace("\ud800", "?")
        for value in (None, "x", {"isAdmin": True}, DEEP):
            refused_all(pair, name, [{**right, unknown: value}], shown)


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_no_object(pair: Pair, name: str) -> None:
    right = payload(EVENTS[name], {"sessionCode": pair[0].code})
    bad = [(), (None,), *((value,) for value in NO_OBJECT), (right, right), (right, None), ([right],)]
    bad.append((right,) * (9 if any(isinstance(value, bytes) for value in right.values()) else 1000))
    refused_all(pair, name, bad, "_schema")


@pytest.mark.parametrize("name", [name for name, event in EVENTS.items() if event.arguments])
def test_arguments_in_their_places(pair: Pair, name: str) -> None:
    event, code = EVENTS[name], pair[0].code
    first, *_ = event.arguments
    refused_all(pair, name, [(), ({first: code},), (payload(event, {first: code}),)], first)
    rest = [None] * (len(event.arguments) - 1)
    refused_all(pair, name, [(code, *rest, None), (code, *rest, {}), (code, *rest, *range(1000))], "_schema")


@pytest.mark.parametrize("name", EVENTS)
def test_everything_wrong_at_once_gets_a_short_answer(pair: Pair, name: str) -> None:
    event, (classroom, tab, witness) = EVENTS[name], pair
    made_up = {f"{number:060}" + "x" * 1000: number for number in range(50)}
    lists = {field for field, kind in event.schema.fields.items() if isinstance(kind, fields.List)}
    body: dict[str, Any] = {
        field: [made_up] * 500 if field in lists else made_up for field in (*event.schema.fields, *made_up)
    }
    error = tab.refused(name, *([made_up] * len(event.arguments) or [body]))
    assert error["code"] == "INVALID_PAYLOAD"
    assert len(json.dumps(error)) < 8000
    assert witness.take() == []
    tab.say(classroom.code, "still here")
    tab.take_only("messageReceived")
    assert witness.take_only("messageReceived")["message"] == "still here"


# that it can fail


def test_an_event_that_is_added_is_in_it(own_pair: Pair) -> None:
    assert {"note", "lax", "odd", "even"} < set(state_of(own_pair[0].app).pipeline.events)
    refuses_what_is_wrong(own_pair, "note.text")
    refuses_what_is_wrong(own_pair, "note.count")


def test_a_field_that_takes_too_much_is_found(own_pair: Pair) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"no right value.* VALUES in tests/support/payloads\.py"):
        refuses_what_is_wrong(own_pair, "lax.sure")
    event = event_of(own_pair, "lax")
    right = payload(event, {"sessionCode": own_pair[0].code, "sure": True})
    with pytest.raises(AssertionError, match="ok"):
        refused_all(own_pair, "lax", [{**right, "sure": "yes"}], "sure")


def test_a_type_that_nobody_knows_is_found(own_pair: Pair) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"TimeDelta.* WRONG in tests/support/payloads\.py"):
        refuses_what_is_wrong(own_pair, "odd.when")
    with pytest.raises(pytest.fail.Exception, match=r"BREAKS in tests/support/payloads\.py"):
        refuses_what_is_wrong(own_pair, "even.pin")
