"""Compares what a server really sent with what its features declare that they send.

Strictly: a field that is not declared is a mistake here, although clients do not mind one.
"""

import functools
from typing import Any

import jsonschema_rs

from classwaves.asyncapi import ACK, SERVER, described
from classwaves.features import FEATURES

SEEN: set[str] = set()
"""The messages of the document that were compared in this process."""


def check_event(name: str, payload: Any) -> None:
    """Fail if a server event is not what is declared. One that is not declared is a test's own."""
    _check(SERVER.format(name), payload)


def check_ack(event: str, ack: Any) -> None:
    """The same for the ack of a client event."""
    _check(ACK.format(event), ack)


def declared() -> set[str]:
    """The messages that servers send."""
    return {key for key in _document()["components"]["messages"] if not key.startswith("client-")}


def _check(key: str, payload: Any) -> None:
    if (validator := _validators().get(key)) is None:
        return
    SEEN.add(key)
    if not validator.is_valid(payload):
        wrong = [f"{'.'.join(map(str, one.instance_path))}: {one.message}" for one in validator.iter_errors(payload)]
        raise AssertionError(f"{key} is not what its feature declares: {'; '.join(wrong)}")


@functools.cache
def _document() -> dict[str, Any]:
    return described(FEATURES)


@functools.cache
def _validators() -> dict[str, Any]:
    components = _strict(_document()["components"])
    return {
        key: jsonschema_rs.Draft7Validator(
            {"allOf": [components["messages"][key]["payload"]], "components": components}
        )
        for key in declared()
    }


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _strict(value) for key, value in schema.items()}
    return {"additionalProperties": False, **inner} if "properties" in schema and "type" in schema else inner
