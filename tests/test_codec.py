"""JSON: what orjson refuses and the standard library takes, and what both refuse."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from classwaves import codec


@dataclass
class Point:
    x: int = 1


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "", "ä\n\u2028", [], {}, {"a": [1, {"b": None}]}, 2**63, 2**80, {1: "one"}, "\ud800", (1, 2)],
    ids=repr,
)
def test_values_come_back_as_with_the_standard_library(value: Any) -> None:
    expected = json.loads(json.dumps(value))
    assert json.loads(codec.dumps(value)) == expected
    assert codec.loads(json.dumps(value)) == (expected if value != 2**80 else float(2**80))


@pytest.mark.parametrize(
    "value",
    [b"x", {"a": b"x"}, object(), {1, 2}, Point(), datetime(2026, 1, 1, tzinfo=UTC)],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        codec.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "nul", '{"a":}', "\x00", '"\ud800'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        codec.loads(text)


def test_not_a_number_becomes_null() -> None:
    assert codec.dumps([float("nan"), float("inf")]) == b"[null,null]"
