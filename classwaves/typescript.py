"""TypeScript types for ``socket.io-client``, made of the AsyncAPI document.

Imports nothing of the package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEAD = """\
// Made by "flask classwaves types" from the application's events: make it anew instead of changing it.
//
//     const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io({ auth: { token } });
//
// An ack may be left out. Where it never is, say Socket<ServerToClientEvents, AckedEvents>: emitWithAck() then knows
// what each ack has, which TypeScript cannot tell of an argument that may be missing.

/** What Socket.IO carries as it is: ArrayBuffer, Uint8Array, Buffer. */
export type Binary = ArrayBuffer | ArrayBufferView;
"""

ACKED = """\
type WithAck<Arguments> = Arguments extends [...unknown[], (answer: never) => void] ? Arguments : never;

/** The same events, each with its ack. */
export type AckedEvents = {
  [Name in keyof ClientToServerEvents]: (...args: WithAck<Parameters<ClientToServerEvents[Name]>>) => void;
};
"""

PRIMITIVES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def typescript(document: Mapping[str, Any]) -> str:
    """The types of an AsyncAPI document that :func:`classwaves.asyncapi.document` has made."""
    schemas = document["components"]["schemas"]
    codes = schemas["ErrorCode"]["enum"]
    written = Types({tuple(codes): "ErrorCode"})
    parts = [HEAD, f"export type ErrorCode =\n{_lines(f'| {json.dumps(code)}' for code in codes)};\n"]
    parts += [written.declaration(name, schemas[name]) for name in schemas if name not in ("ErrorCode", "Refused")]
    parts.append(written.declaration("Refused", schemas["Refused"]))
    parts.append(
        "/** The answer to a client event: narrow it by ok. */\n"
        "export type Ack<Answer extends { ok: true }> = Answer | Refused;\n\n"
        "type OnAck<Answer extends { ok: true }> = (answer: Ack<Answer>) => void;\n"
        "type Sends<Payload, Answer extends { ok: true }> = (\n"
        "  ...args: [payload: Payload] | [payload: Payload, ack: OnAck<Answer>]\n"
        ") => void;\n"
    )
    parts += [_events(document, written), ACKED]
    return "\n".join(parts)


def _events(document: Mapping[str, Any], written: Types) -> str:
    messages = document["components"]["messages"]
    to_client, to_server = [], []
    for key, operation in document["operations"].items():
        message = messages[key]
        about, name = _comment(operation.get("summary", ""), "  "), _key(message["name"])
        if operation["action"] == "send":
            to_client.append(f"{about}  {name}: (payload: {written.of(message['payload'])}) => void;\n")
        else:
            reply = _last(operation["reply"]["messages"][0]["$ref"])
            answer = written.of(messages[reply]["payload"]["oneOf"][0])
            payload = message["payload"]
            if "x-arguments" in message:
                schema = document["components"]["schemas"][_last(payload["$ref"])]
                to_server.append(f"{about}  {name}: {_ways(message['x-arguments'], schema, answer, written)};\n")
            else:
                to_server.append(f"{about}  {name}: Sends<{written.of(payload)}, {answer}>;\n")
    return (
        f"export interface ServerToClientEvents {{\n{''.join(to_client)}}}\n\n"
        f"export interface ClientToServerEvents {{\n{''.join(to_server)}}}\n"
    )


def _ways(names: Sequence[str], schema: Mapping[str, Any], answer: str, written: Types) -> str:
    """The function of an event of several arguments: what may be left out is another way to send it."""
    named = [f"{name}: {written.of(one)}" for name, one in zip(names, schema["items"], strict=True)]
    given = [named[:count] for count in range(schema["minItems"], len(named) + 1)]
    ways = [way for args in given for way in (args, [*args, f"ack: OnAck<{answer}>"])]
    return "(\n    ...args:\n" + "".join(f"      | [{', '.join(way)}]\n" for way in ways) + "  ) => void"


class Types:
    """Writes JSON schemas as types.

    :param known: enumerations that have a name of their own.
    """

    def __init__(self, known: Mapping[tuple[Any, ...], str]) -> None:
        self._known = known

    def declaration(self, name: str, schema: Mapping[str, Any]) -> str:
        about = _comment(schema.get("description", ""), "")
        if schema.get("type") == "object" and "properties" in schema:
            return f"{about}export interface {name} {self._body(schema, '')}\n"
        return f"{about}export type {name} = {self.of(schema)};\n"

    def of(self, schema: Mapping[str, Any], indent: str = "") -> str:
        """The type of what a schema describes."""
        if "$ref" in schema:
            return _last(schema["$ref"])
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            named = self._known.get(tuple(schema["enum"]))
            return named or " | ".join(json.dumps(value) for value in schema["enum"])
        for way in ("oneOf", "anyOf"):
            if way in schema:
                return " | ".join(self.of(one, indent) for one in schema[way])
        kinds = schema.get("type")
        if kinds is None:
            return "unknown"
        return " | ".join(self._kind(kind, schema, indent) for kind in (kinds if isinstance(kinds, list) else [kinds]))

    def _kind(self, kind: str, schema: Mapping[str, Any], indent: str) -> str:
        if kind == "array":
            return self._array(schema.get("items", {}), indent)
        if kind == "object":
            if "properties" in schema:
                return self._body(schema, indent)
            return f"Record<string, {self.of(schema.get('additionalProperties') or {}, indent)}>"
        return "Binary" if schema.get("format") == "binary" else PRIMITIVES[kind]

    def _array(self, items: Any, indent: str) -> str:
        if isinstance(items, list):
            return f"[{', '.join(self.of(item, indent) for item in items)}]"
        item = self.of(items, indent)
        return f"{item}[]" if re.fullmatch(r"\w+", item) else f"({item})[]"

    def _body(self, schema: Mapping[str, Any], indent: str) -> str:
        inner, required = indent + "  ", schema.get("required", ())
        fields = [
            f"{inner}{_key(name)}{'' if name in required else '?'}: {self.of(one, inner)};\n"
            for name, one in schema["properties"].items()
        ]
        if isinstance(schema.get("additionalProperties"), dict):
            fields.append(f"{inner}[more: string]: unknown;\n")
        return "{\n" + "".join(fields) + indent + "}" if fields else "{}"


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)


def _comment(text: str, indent: str) -> str:
    plain = text.replace("``", "`").replace("*/", "* /")
    return f"{indent}/** {' '.join(plain.split())} */\n" if plain else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
