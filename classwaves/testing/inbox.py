"""What a person in a test has been sent, and sentences that say what it was when it was not what the test expects.

Imports nothing of the package.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: How many events a failure tells of, the newest, and how much of each.
SHOWN, LENGTH = 20, 300


class Received(NamedTuple):
    """An event that the server sent. ``data`` is its payload; a shop's own event may have several, then a tuple."""

    event: str
    data: Any

    def has(self, fields: Mapping[str, Any]) -> bool:
        """Whether the payload has these fields with these values, beside others."""
        return not self.lacks(fields)

    def lacks(self, fields: Mapping[str, Any]) -> list[str]:
        """What of these fields is missing or has another value, in words."""
        data = self.data if isinstance(self.data, Mapping) else {}
        return [
            f"{name} is {data[name]!r}, not {value!r}" if name in data else f"it has no {name}"
            for name, value in fields.items()
            if name not in data or data[name] != value
        ]


def described(event: str, fields: Mapping[str, Any]) -> str:
    """An event that a test asks for, in words."""
    wanted = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return f"{event} with {wanted}" if wanted else event


def explain(received: Sequence[Received], event: str, fields: Mapping[str, Any]) -> str:
    """What came in place of an event: the same with other fields, one of a similar name, and all the others."""
    lines = []
    same = [one for one in received if one.event == event]
    if same:
        nearest = min(same, key=lambda one: len(one.lacks(fields)))
        lines.append(f"The nearest {event}: {'; '.join(nearest.lacks(fields))}.")
    elif near := difflib.get_close_matches(event, {one.event for one in received}, n=1):
        lines.append(f"Did you mean {near[0]}, which came?")
    if not received:
        lines.append("Nothing has come.")
        return "\n".join(lines)
    lines.append("What came" + (f", the last {SHOWN} of {len(received)}:" if len(received) > SHOWN else ":"))
    lines += [f"  {one.event} {shortened(one.data)}" for one in received[-SHOWN:]]
    return "\n".join(lines)


def claim(truth: object, sentence: str) -> None:
    """Fail a test with a sentence, also under ``python -O``. :raises AssertionError: it is not true."""
    __tracebackhide__ = True
    if not truth:
        raise AssertionError(sentence)


def shortened(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= LENGTH else f"{text[:LENGTH]}…"
