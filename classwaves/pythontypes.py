"""Python types for ``classwaves.client``, made of the AsyncAPI document: ``scripts/docs.py`` writes them.

Imports nothing of the package. Laid out as ruff lays code out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

NOTE = "Made by scripts/docs.py from the declarations; change them there."

PRIMITIVES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

#: Fields that a room adds by itself to what is sent.
ADDED = ("sessionCode", "clientMessageId")

OWN_EVENTS = """An event of a session: compare its name, and a type checker knows its data. (A shop's own are none of
#: them, or it could not: compare str(event.name) with their names, or use handlers.)"""

#: What a room does by methods of its own.
OWN = ("refreshAuth", "joinSession", "leaveSession")

PAYLOADS = f'''\
"""The payloads of the contract, typed. {NOTE}"""

from typing import Any, Literal, NotRequired, TypedDict

'''

TYPED = f'''\
"""What handlers get, and what calls take. {NOTE}"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, overload

from . import payloads as p
from .event import Event

'''


def payloads(document: Mapping[str, Any]) -> str:
    """The module of TypedDicts, with tables of the events that are not as most are."""
    schemas = document["components"]["schemas"]
    sent = _sent(document)
    parts = [_literal("ErrorCode", schemas["ErrorCode"]["enum"])]
    for name, schema in schemas.items():
        if name in ("ErrorCode", "Refused") or schema.get("type") != "object":
            continue
        is_sent = name.endswith("Payload") and name in {_last(payload["$ref"]) for payload in sent.values()}
        fields = [
            (field, one, field in schema.get("required", ()))
            for field, one in schema.get("properties", {}).items()
            if not (is_sent and field in ADDED)
        ]
        parts.append(_declaration(name, fields))
    known = {name: schemas[_last(payload["$ref"])].get("properties", {}) for name, payload in sent.items()}
    parts.append(
        "#: Events that take no clientMessageId.\n"
        + _set("UNKEYED", (name for name, fields in known.items() if "clientMessageId" not in fields))
        + "\n#: Events that are about no session, or say by another id which one it is.\n"
        + _set("SESSIONLESS", (name for name, fields in known.items() if "sessionCode" not in fields))
    )
    return PAYLOADS + "\n\n".join(parts)


def typed(document: Mapping[str, Any]) -> str:
    """The module of overloads: events by name, for handlers and iterators, and calls by name."""
    schemas = document["components"]["schemas"]
    heard: dict[str, str] = {}
    for operation in _operations(document, "send"):
        heard[operation["name"]] = _last(operation["payload"]["$ref"])
    here = {name: of for name, of in heard.items() if "sessionCode" in schemas[of]["properties"]}
    for gone in ("sessionJoined", "sessionLeft"):  # a room makes others of them
        here.pop(gone)
    here |= {"snapshot": "SessionJoinedEvent", "resumed": "SessionJoinedEvent"}
    around = {
        name: of for name, of in heard.items() if name not in here and name not in ("sessionJoined", "sessionLeft")
    }
    parts = [
        _union("RoomEvent", here, OWN_EVENTS),
        _union("ClientEvent", around, "An event of a connection."),
        _on("OnRoom", here),
        _on("OnClient", around),
        _calls("Calls", document, ""),
        _calls("AsyncCalls", document, "async "),
    ]
    return TYPED + "\n\n".join(parts)


def _operations(document: Mapping[str, Any], action: str) -> list[dict[str, Any]]:
    messages = document["components"]["messages"]
    return [messages[key] | {"key": key} for key, one in document["operations"].items() if one["action"] == action]


def _sent(document: Mapping[str, Any]) -> dict[str, Any]:
    """Client events whose payload is one object, and the reference to it."""
    return {one["name"]: one["payload"] for one in _operations(document, "receive") if "x-arguments" not in one}


def _union(name: str, events: Mapping[str, str], about: str) -> str:
    first, *others = (_event(event, of) for event, of in events.items())
    lines = f"    {first}\n" + "".join(f"    | {one}\n" for one in others)
    return f"#: {about}\n{name} = (\n{lines})\n"


def _event(name: str, of: str) -> str:
    return f"Event[Literal[{json.dumps(name)}], p.{of}]"


def _on(name: str, events: Mapping[str, str]) -> str:
    def handler(event: str) -> str:
        return f"Callable[[{event}], object]"

    def decorated(literal: str, event: str) -> str:
        return (
            "    @overload\n"
            f"    def __call__(\n        self, name: {literal}, /\n    ) -> Callable[\n"
            f"        [{handler(event)}],\n        {handler(event)},\n    ]: ...\n"
        )

    ways = [decorated(f"Literal[{json.dumps(event)}]", _event(event, of)) for event, of in events.items()]
    ways.append(decorated("str", "Any"))
    return f"class {name}(Protocol):\n" + "\n".join(ways)


def _calls(name: str, document: Mapping[str, Any], way: str) -> str:
    schemas = document["components"]["schemas"]
    messages = document["components"]["messages"]
    ways = []
    for operation in _operations(document, "receive"):
        if operation["name"] in OWN:
            continue
        of = _last(operation["payload"]["$ref"])
        ack = _last(messages["ack-" + operation["name"]]["payload"]["oneOf"][0]["$ref"])
        needed = [field for field in schemas[of].get("required", ()) if field not in ADDED]
        data = f"p.{of}" if needed else f"p.{of} | None"
        ways.append(_call(f"Literal[{json.dumps(operation['name'])}]", data, not needed, f"p.{ack}", way))
    ways.append(_call("str", "Mapping[str, Any] | None", True, "Any", way))
    return f"class {name}(Protocol):\n" + "\n".join(ways)


def _call(event: str, data: str, optional: bool, ack: str, way: str) -> str:
    default = " = None" if optional else ""
    return (
        f"    @overload\n    {way}def __call__(\n"
        f"        self,\n        event: {event},\n        data: {data}{default},\n"
        "        /,\n        *,\n        timeout: float | None = ...,\n        client_message_id: str | None = ...,\n"
        f"    ) -> {ack}: ...\n"
    )


def _declaration(name: str, fields: list[tuple[str, Any, bool]]) -> str:
    lines = [
        f"    {field}: {_of(one) if required else f'NotRequired[{_of(one)}]'}\n" for field, one, required in fields
    ]
    return f"class {name}(TypedDict):\n" + ("".join(lines) or "    pass\n")


def _of(schema: Mapping[str, Any]) -> str:
    """The type of what a schema describes."""
    if "$ref" in schema:
        return f'"{_last(schema["$ref"])}"' if _last(schema["$ref"]) != "ErrorCode" else "ErrorCode"
    if "const" in schema:
        return f"Literal[{_value(schema['const'])}]"
    if "enum" in schema:
        return f"Literal[{', '.join(_value(value) for value in schema['enum'])}]"
    for way in ("oneOf", "anyOf"):
        if way in schema:
            return _either(_of(one) for one in schema[way])
    kinds = schema.get("type", "any")
    return _either(_kind(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _either(types: Iterable[str]) -> str:
    """A union; in quotes as a whole where a part of it is."""
    joined = " | ".join(types)
    return f'"{joined.replace(chr(34), "")}"' if '"' in joined and "|" in joined and "Literal" not in joined else joined


def _kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        return f"list[{_of(schema.get('items') or {})}]"
    if kind == "object":
        return f"dict[str, {_of(schema.get('additionalProperties') or {})}]"
    if kind == "any":
        return "Any"
    return "bytes" if schema.get("format") == "binary" else PRIMITIVES[kind]


def _literal(name: str, values: Iterable[str]) -> str:
    return f"{name} = Literal[\n" + "".join(f"    {json.dumps(value)},\n" for value in values) + "]\n"


def _set(name: str, values: Iterable[str]) -> str:
    lines = "".join(f"        {json.dumps(value)},\n" for value in values)
    return f"{name} = frozenset(\n    {{\n{lines}    }}\n)\n"


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
