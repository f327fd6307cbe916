"""What the server says, declared by the feature that says it: the payloads of its events, and what its acks have.

Imports nothing of the package. Serving does not look at it: the AsyncAPI document and the TypeScript types are made of
it, and the tests compare with it what was really sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields, validate


class Shape(Schema):
    """A payload of the server's. Clients do not mind fields that they do not know: more may be added."""


class InSession(Shape):
    """The payload of an event about a session."""

    sessionCode = fields.String(required=True)


class Numbered(InSession):
    """The payload of an event that is in the log."""

    seq = fields.Integer(required=True)
    timestamp = fields.String(required=True, metadata={"format": "date-time"})


class Stored(Shape):
    """The ack of an event that stores something; without a ``seq`` where it would have changed nothing."""

    seq = fields.Integer()
    timestamp = fields.String(metadata={"format": "date-time"})


class Nothing(Shape):
    """An ack that says that it is done, and no more."""


def string(*choices: str, required: bool = True, **options: Any) -> fields.String:
    """A text, one of these if any are given."""
    return fields.String(required=required, validate=validate.OneOf(choices) if choices else None, **options)


def moment(required: bool = True, **options: Any) -> fields.String:
    """A time: ISO 8601 in UTC."""
    return fields.String(required=required, metadata={"format": "date-time"}, **options)


def whole(required: bool = True, **options: Any) -> fields.Integer:
    """A whole number."""
    return fields.Integer(required=required, **options)


def flag(required: bool = True) -> fields.Boolean:
    return fields.Boolean(required=required)


def texts() -> fields.List[Any]:
    return fields.List(fields.String(), required=True)


def anything(required: bool = True) -> fields.Raw:
    """Any JSON value."""
    return fields.Raw(required=required)


def an_object(required: bool = True, values: fields.Field[Any] | None = None, **options: Any) -> fields.Dict:
    """An object of keys that are not known beforehand."""
    return fields.Dict(keys=fields.String(), values=values, required=required, **options)


def one(shape: type[Schema], required: bool = True, **options: Any) -> fields.Nested:
    return fields.Nested(shape, required=required, **options)


def many(shape: type[Schema], required: bool = True) -> fields.List[Any]:
    return fields.List(fields.Nested(shape), required=required)


@dataclass(frozen=True, slots=True)
class Sent:
    """A server event.

    :param name: its name on the wire.
    :param schema: its payload, with what delivery adds.
    :param to: who gets it, in words.
    """

    name: str
    schema: Schema
    to: str


class Declares:
    """Whatever can say what the server sends."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        #: client event -> what its ack has beside ``ok``
        self.acks: dict[str, Schema] = {}

    def sends(self, name: str, schema: type[Schema], to: str = "everyone in the session") -> None:
        """Declare a server event; see :class:`Sent` for the parameters.

        :param schema: a :class:`Numbered` if the event is in the log.
        :raises RuntimeError: it is declared already.
        """
        if any(sent.name == name for sent in self.sent):
            raise RuntimeError(f"the server event {name} is declared twice; declare it where it is sent")
        self.sent.append(Sent(name, schema(), to))

    def answers(self, schema: type[Schema], *events: str) -> None:
        """Declare what the acks of these client events have beside ``ok``.

        :raises RuntimeError: one of them is declared already.
        """
        for event in events:
            if event in self.acks:
                raise RuntimeError(f"the ack of {event} is declared twice")
            self.acks[event] = schema()
