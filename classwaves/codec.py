"""JSON as fast as can be: orjson, and the standard library for what orjson does not take.

Imports nothing of ours. What differs from the standard library alone: ``NaN`` and infinities are encoded as ``null``
(RFC 8259 has neither), and whole numbers beyond 64 bits are read as floats.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

# what the standard library refuses stays refused
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def dumps(value: Any) -> bytes:
    """Encode without spaces, in UTF-8.

    :raises TypeError: something in it has no JSON form, such as ``bytes``.
    """
    try:
        return orjson.dumps(value, option=_STRICT)
    except TypeError:  # also: a key that is no string, a lone surrogate, a number beyond 64 bits
        return json.dumps(value, separators=(",", ":")).encode()


def loads(text: str | bytes) -> Any:
    """Decode. :raises ValueError: it is not JSON. :raises RecursionError: it is nested too deeply."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)


class Json:
    """The codec in the shape that python-socketio asks for: text, and options that change nothing."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return dumps(value).decode()

    @staticmethod
    def loads(text: str, **_: Any) -> Any:
        return loads(text)
