"""Payloads of nothing but texts are told apart without marshmallow, and never otherwise than marshmallow would."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import EXCLUDE, ValidationError, post_load, validate

from classwaves.events import Event
from classwaves.features.chat import MessageSchema, chat
from classwaves.payloads import EventSchema, Text, plain_texts


class TwoRules(EventSchema):
    text = Text(required=True, validate=[validate.Length(1, 9), validate.Length(2)])


class Renamed(EventSchema):
    text = Text(data_key="t")


class Filled(EventSchema):
    text = Text(load_default="x")


class Nullable(EventSchema):
    text = Text(allow_none=True)


class Chosen(EventSchema):
    text = Text(validate=validate.OneOf(["x"]))


class Hooked(EventSchema):
    text = Text()

    @post_load
    def shout(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Change what was loaded."""
        return {name: text.upper() for name, text in data.items()}


class Lenient(EventSchema):
    text = Text()

    class Meta:
        unknown = EXCLUDE


def outcome(load: Any, raw: dict[str, Any]) -> Any:
    try:
        return load(raw)
    except ValidationError as error:
        return error.messages


values = st.one_of(st.none(), st.integers(), st.lists(st.text()), st.text(max_size=70), st.sampled_from(["", "x" * 65]))
names = st.sampled_from([*MessageSchema().fields, "other"])


@given(st.dictionaries(names, values), st.booleans())
@example({"sessionCode": "DEM234", "message": "a\0"}, False)
@example({"sessionCode": "DEM234", "message": "\ud800"}, False)
@example({"sessionCode": "x" * 33, "message": "a"}, False)
def test_what_is_loaded_is_what_the_schema_loads(payload: dict[str, Any], complete: bool) -> None:
    (event,) = chat.events
    raw = {"sessionCode": "DEM234", "message": "a", **payload} if complete else payload
    assert outcome(event.load, raw) == outcome(event.schema.load, raw)


def test_the_payload_itself_is_not_handed_out() -> None:
    (event,) = chat.events
    raw = {"sessionCode": "DEM234", "message": "a"}
    assert event.load(raw) is not raw


def test_all_bounds_count() -> None:
    event = Event("e", TwoRules(), "connected", lambda context, data: None)
    assert plain_texts(event.schema) == {"text": (True, 2, 9)}
    assert "text" in outcome(event.load, {"text": "a"})


@pytest.mark.parametrize("schema", [Renamed, Filled, Nullable, Chosen, Hooked, Lenient])
def test_schemas_that_do_more_are_left_to_marshmallow(schema: type[EventSchema]) -> None:
    assert plain_texts(schema()) is None
    event = Event("e", schema(), "connected", lambda context, data: None)
    for raw in ({}, {"text": "a"}, {"t": "a"}, {"text": None}, {"text": "x", "other": 1}):
        assert outcome(event.load, raw) == outcome(schema().load, raw)
