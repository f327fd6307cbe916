"""What clients may send, field by field: marshmallow's fields, stricter, and the schemas that events begin with.

Imports names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing, validate

from .names import shown

#: The field of every event that stores something by which its client may repeat it.
KEY = "clientMessageId"

#: The highest whole number that all who read JSON can tell from the next one.
LATEST = 2**53

#: How many levels a JSON value may have that a client makes up.
MOST_NESTED = 64


class Text(fields.String):
    """A string that UTF-8 can carry: no lone surrogates, which JSON lets through, and no NUL."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if isinstance(value, bytes):  # which marshmallow would decode
            raise self.make_error("invalid")
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not _is_plain(text):
            raise ValidationError("Not a valid string.")
        return text


def _is_plain(text: str) -> bool:
    return "\0" not in text and (text.isascii() or _is_unicode(text))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Name(Text):
    """A name that others see, on one line: trimmed, normalized (NFC), and nothing in it that hides or covers."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        name = shown(super()._deserialize(value, attr, data, **kwargs))
        if name is None:
            raise self.make_error("invalid")
        return name


class AnyText(fields.String):
    """A string of whatever characters; what uses it makes something safe of it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if isinstance(value, bytes):
            raise self.make_error("invalid")
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text


class Binary(fields.Field[bytes]):
    """Bytes, which Socket.IO carries as an attachment."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bytes:
        if not isinstance(value, bytes):
            raise ValidationError("Not binary.")
        return value


class Flag(fields.Boolean):
    """``true`` or ``false``, and nothing that could be read as one of them, such as 1."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(fields.Float):
    """A finite number, and no text that could be read as one."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Json(fields.Field[Any]):
    """Any JSON value that comes out of the log as it went in: nothing binary, no NaN, no text that is no UTF-8."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not is_json(value):
            raise ValidationError("Not a valid JSON value.")
        return value


class JsonObject(Json):
    """The same, an object."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("Not a valid object.")
        return super()._deserialize(value, attr, data, **kwargs)


def is_json(value: Any, levels: int = MOST_NESTED) -> bool:
    """Whether a value comes out of the log as it went in: see :class:`Json`."""
    if isinstance(value, str):
        return _is_plain(value)
    if isinstance(value, int | float):
        try:
            return math.isfinite(value)
        except OverflowError:  # a whole number that is too large for most who read JSON
            return False
    if isinstance(value, dict):
        return levels > 0 and all(_is_key(key) and is_json(item, levels - 1) for key, item in value.items())
    if isinstance(value, list):
        return levels > 0 and all(is_json(item, levels - 1) for item in value)
    return value is None


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and _is_plain(key)  # what a program made may have others


class EventSchema(Schema):
    """The payload of an event; unknown fields are refused."""

    class Meta:
        unknown = RAISE


#: What makes a field do more than take a text.
CHANGING = ("allow_none", "attribute", "data_key", "dump_only", "pre_load", "post_load")


def plain_texts(schema: Schema) -> dict[str, tuple[bool, float, float]] | None:
    """The names, whether each is required and its bounds, of a schema that is nothing but texts; else ``None``."""
    if any(schema._hooks.values()) or schema.unknown != RAISE or type(schema).load is not Schema.load:
        return None
    texts: dict[str, tuple[bool, float, float]] = {}
    for name, one in schema.fields.items():
        changing = any(vars(one).get(way) for way in CHANGING)
        if type(one) is not Text or changing or one.load_default is not missing:
            return None
        least, most = 0.0, float("inf")
        for rule in one.validators:
            if type(rule) is not validate.Length or rule.equal is not None:
                return None
            least, most = max(least, rule.min or 0), min(most, float("inf") if rule.max is None else rule.max)
        texts[name] = one.required, least, most
    return texts


def fits(texts: dict[str, tuple[bool, float, float]], raw: dict[str, Any]) -> bool:
    """Whether these texts, and all that are required, are there. If not, the schema may still take it."""
    found = 0
    for name, (required, least, most) in texts.items():
        if name in raw:
            value = raw[name]
            if type(value) is not str or not least <= len(value) <= most or not value.isascii() or "\0" in value:
                return False
            found += 1
        elif required:
            return False
    return found == len(raw)


def session_code() -> Text:
    """The field ``sessionCode``, any string that could be meant as a code: whether it is one, the look-up tells."""
    return Text(required=True, validate=validate.Length(1, 32))


def client_message_id() -> Text:
    """The field ``clientMessageId`` of every event that stores something."""
    return identifier()


def identifier(**options: Any) -> Text:
    """A field for an id: opaque, 1 to 64 characters."""
    return Text(validate=validate.Length(1, 64), **options)


def user_identifier(**options: Any) -> Text:
    """A field for a user's id, which a shop may have made: 1 to 128 characters."""
    return Text(validate=validate.Length(1, 128), **options)


def position(**options: Any) -> fields.Integer:
    """A field for a version, a seq or a moment: a whole number that JSON carries exactly."""
    return fields.Integer(strict=True, validate=validate.Range(0, LATEST), **options)


class SessionEvent(EventSchema):
    """The payload of an event about a session that the socket has joined."""

    sessionCode = session_code()


class StoredEvent(SessionEvent):
    """The payload of an event that stores something."""

    clientMessageId = client_message_id()
