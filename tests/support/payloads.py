"""A right payload for any event, made from its schema and a table of values; and what is wrong for any of its fields.

Nothing is guessed: what a new event needs and the tables do not have makes a test fail with a sentence that says where
it belongs.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from marshmallow import Schema, fields, validate

from classwaves.errors import ClassWavesError
from classwaves.events import Event
from classwaves.payloads import MOST_NESTED, AnyText, Binary, Flag, Json, JsonObject
from classwaves.pipeline import loaded
from tests.support.tabs import Classroom, Tab

HERE = "tests/support/payloads.py"

VALUES: dict[str, Any] = {
    "sessionCode": "ABC234",
    "message": "hello",
    "messageId": "m-1",
    "emoji": "\U0001f44d",
    "updatePresence.status": "active",
    "isTyping": True,
    "groupId": "g-2",
    "name": "Readers",
    "ready": True,
    "count": 2,
    "strategy": "roundRobin",
    "activityId": "a1",
    "activityType": "poll",
    "updateActivity.status": "started",
    "data": {"question": "Why?"},
    "clientId": "c1",
    "segmentId": "s1",
    "streamId": "stream1",
    "revision": 1,
    "text": "as I said",
    "isFinal": True,
    "startMs": 0,
    "endMs": 1000,
    "userId": "somebody",
    "muted": True,
    "admitted": True,
    "targetUserId": "somebody",
    "callId": "call-1",
    "signal.type": "offer",
    "mode": "open",
    "sinceSeq": 1,
    "epoch": "e1",
    "fileId": "f-1",
    "clientFileId": "cf-1",
    "fileName": "notes.txt",
    "mimeType": "text/plain",
    "size": 5,
    "sha256": hashlib.sha256(b"hello").hexdigest(),
    "index": 0,
    "fileChunk.data": b"hello",
    "token": "a.b.c",
}
"""A right value for each field, by its name; by ``event.name`` where the name means different things."""

NEEDED: dict[str, tuple[str, ...]] = {"assignGroups": ("count",), "updateActivity": ("data",)}
"""Optional fields without which an event says nothing."""


def payload(event: Event, given: Mapping[str, Any] | None = None, *options: str) -> dict[str, Any]:
    """Return a right payload of an event: what is required, what is :data:`NEEDED`, and these options.

    :param given: values that come before those of :data:`VALUES`
    """
    wanted = (*NEEDED.get(event.name, ()), *options)
    body = _filled(event.schema, event.name, {**VALUES, **(given or {})}, wanted)
    try:
        loaded(event, arguments(event, body))
    except ClassWavesError as error:
        pytest.fail(
            f"{event.name} does not take the payload {body} ({error.details}): "
            f"add a value as '{event.name}.FIELD' to VALUES, or an optional field to NEEDED, in {HERE}"
        )
    return body


def _filled(schema: Schema, event: str, values: Mapping[str, Any], wanted: tuple[str, ...] = ()) -> dict[str, Any]:
    body = {}
    for name, field in schema.fields.items():
        if field.required or name in wanted:
            key = next((key for key in (f"{event}.{name}", name) if key in values), None)
            if key is None:
                pytest.fail(
                    f"{event} has a field {name!r} for which there is no right value: add one to VALUES in {HERE}"
                )
            body[name] = values[key]
    return body


def arguments(event: Event, body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arguments with which a client sends this payload."""
    if not event.arguments:
        return (body,)
    given = [name in body for name in event.arguments]
    assert given == sorted(given, reverse=True), f"{event.name}: an argument before the last one is missing"
    return tuple(body[name] for name in event.arguments if name in body)


HUGE = 10**90
BEYOND = 10**400
"""A whole number that no float can hold."""

DEEP: Any = "x"
for _ in range(max(100, MOST_NESTED + 1)):
    DEEP = [DEEP]

NAN, INFINITE = float("nan"), float("inf")

NO_TEXT = [None, 7, 1.5, True, [], ["a"], {}, {"a": "b"}, b"bytes", "", "a\0b", "a\ud800b", "\udfff"]
NO_TEXT_EVER = [*NO_TEXT[1:], HUGE, NAN, DEEP]
"""What no text field takes. It takes ``null`` if it says so; none takes the empty text."""

NO_NUMBER = ["", "1", "0.5", b"1", True, False, [], [1], {}, NAN, INFINITE, -INFINITE, BEYOND, -BEYOND, DEEP]
NO_FLAG = [0, 1, 1.0, "", "true", "yes", b"true", [], [True], {}, HUGE, NAN, DEEP]
NO_JSON = [b"bytes", NAN, INFINITE, BEYOND, "a\0b", "a\ud800b", DEEP, {"\udfff": 1}, {"a": [{"b": b"c"}]}, [[NAN]]]
NO_OBJECT = [7, 1.5, True, "text", "", b"bytes", [], [1], [{}], NAN, DEEP]

UNKNOWN = ["more", "seq", "toString", "__proto__", "constructor", "prototype", "", "\ud800", "x" * 1000, "☃"]
"""Names of fields that no event has."""


def wrong(field: fields.Field[Any], where: str) -> list[Any]:
    """Return what a field must refuse, by its type and its validators.

    :param where: ``event.field``, by which :data:`WRONG_HERE` may know more
    """
    kinds = [make for kind, make in WRONG if isinstance(field, kind)]
    if not kinds:
        pytest.fail(
            f"{where} is a {type(field).__name__}, of which nobody knows what is wrong for it: "
            f"add it to WRONG in {HERE}"
        )
    values = [] if field.allow_none else [None]
    values += kinds[0](field, where)
    for validator in field.validators:
        breaks = [make for kind, make in BREAKS if isinstance(validator, kind)]
        if not breaks:
            pytest.fail(
                f"{where} has a {type(validator).__name__}, of which nobody knows what breaks it: "
                f"add it to BREAKS in {HERE}"
            )
        values += breaks[0](validator, field)
    return values + WRONG_HERE.get(where.rpartition(".")[2], [])


def _wrong_items(field: Any, where: str) -> list[Any]:
    no_list = ["", "text", 7, True, {}, {"a": 1}, b"", b"bytes"]
    return no_list + [[value] for value in wrong(field.inner, where)]


def _wrong_nested(field: Any, where: str) -> list[Any]:
    right = _filled(field.schema, where.partition(".")[0], VALUES)
    values: list[Any] = [*NO_OBJECT, *({**right, name: 1} for name in UNKNOWN)]
    for name, inner in field.schema.fields.items():
        if inner.required:
            values.append({key: value for key, value in right.items() if key != name})
        values += [{**right, name: value} for value in wrong(inner, f"{where}.{name}")]
    return values


WRONG: list[tuple[type[fields.Field[Any]], Callable[[Any, str], list[Any]]]] = [
    (AnyText, lambda field, where: [value for value in NO_TEXT_EVER if not isinstance(value, str)]),
    (Binary, lambda field, where: [7, 1.5, True, "", "text", [], [b"bytes"], {}, {"a": b"b"}, NAN, DEEP]),
    (fields.String, lambda field, where: NO_TEXT_EVER),
    (fields.Integer, lambda field, where: [*NO_NUMBER, 1.0, 1.5, HUGE, -HUGE]),
    (fields.Float, lambda field, where: NO_NUMBER),
    (Flag, lambda field, where: NO_FLAG),
    (JsonObject, lambda field, where: [*NO_OBJECT, {"\ud800": 1}, *({"a": value} for value in NO_JSON)]),
    (Json, lambda field, where: NO_JSON),
    (fields.List, _wrong_items),
    (fields.Nested, _wrong_nested),
]
"""What is wrong for a type of field, whatever its validators say; the first that fits counts."""


def _wrong_length(length: Any, field: fields.Field[Any]) -> list[Any]:
    one: Any = ["a"] if isinstance(field, fields.List) else b"x" if isinstance(field, Binary) else "x"
    below = [one * (length.min - 1)] if length.min else []
    return below + ([one * (length.max + 1)] if length.max is not None else [])


def _out_of_range(bounds: Any, field: fields.Field[Any]) -> list[Any]:
    step = 1 if isinstance(field, fields.Integer) else 0.001
    below = [bounds.min - step, -HUGE] if bounds.min is not None else []
    return below + ([bounds.max + step, HUGE] if bounds.max is not None else [])


def _no_choice(choice: Any, field: fields.Field[Any]) -> list[Any]:
    values = ["nonsense", "x" * 1000, *(f"{one} " for one in choice.choices), *(one.upper() for one in choice.choices)]
    return [value for value in values if value not in choice.choices]


def _no_match(pattern: Any, field: fields.Field[Any]) -> list[Any]:
    values = [value for value in ("!", " ", "a b", "en\n", "x" * 1000) if not pattern.regex.match(value)]
    assert values, f"add to this a text that {pattern.regex} does not match"
    return values


BREAKS: list[tuple[type[validate.Validator], Callable[[Any, fields.Field[Any]], list[Any]]]] = [
    (validate.Length, _wrong_length),
    (validate.Range, _out_of_range),
    (validate.OneOf, _no_choice),
    (validate.Regexp, _no_match),
]
"""What breaks a validator."""

WRONG_HERE: dict[str, list[Any]] = {
    "emoji": ["x", "1", "\U0001f44d\U0001f44d", "\U0001f44d ", ":+1:"],
    "message": [" \n\t ", "x" * 4001],
}
"""What else is wrong for a field of this name."""


def refused_all(pair: tuple[Classroom, Tab, Tab], event: str, payloads: list[Any], field: str) -> None:
    """See that each payload (a tuple: the arguments) is refused in the field's name, and that no harm is done.

    :param pair: a classroom, who sends, and a witness; both have joined
    """
    classroom, tab, witness = pair
    for one in payloads:
        args = one if isinstance(one, tuple) else (one,)
        error = tab.refused(event, *args)
        assert error["code"] == "INVALID_PAYLOAD", (args, error)
        assert list(error["details"]) == [field], (args, error)
    assert witness.take() == []
    tab.say(classroom.code, "still here")
    tab.take_only("messageReceived")
    assert witness.take_only("messageReceived")["message"] == "still here"
