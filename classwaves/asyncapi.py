"""The AsyncAPI 3.0 document of an application: its events in both directions, their payloads, acks and errors.

Imports changes, declared, errors, events, features and payloads. It is made from the registry that the pipeline runs,
so it has a shop's own events too. Actions are the server's: it receives what clients send.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from .changes import EXTENSIBLE
from .declared import Sent, Stored
from .errors import ERROR_CODES
from .events import Event, Feature
from .features import core
from .payloads import KEY, Binary, JsonObject

VERSION = "3.0.0"

#: Of the API that is described, REST and events: it is in the prefix of the one.
API_VERSION = "v1"

#: What a message is keyed by, and an operation: who sends it, and its name. An event may go both ways.
CLIENT, ACK, SERVER = "client-{}", "ack-{}", "server-{}"

CHANNEL = "classroom"


def described(features: Iterable[Feature], namespace: str = "/") -> dict[str, Any]:
    """The document for the events of these features and for what the server sends of itself.

    :param namespace: of Socket.IO, in which the classroom is.
    """
    all_features = (core, *features)
    schemas = Schemas()
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    acks = {name: schema for feature in all_features for name, schema in feature.acks.items()}
    for event in [event for feature in all_features for event in feature.events]:
        _add_client_event(event, acks.get(event.name), schemas, messages, operations)
    for sent in [sent for feature in all_features for sent in feature.sent]:
        _add_server_event(sent, schemas, messages, operations)
    schemas.found["ErrorEvent"]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
    schemas.add("Refused", _refused())
    codes = {"type": "string", "enum": list(ERROR_CODES), "description": "More may be added.", EXTENSIBLE: True}
    schemas.add("ErrorCode", codes)
    found = schemas.found
    _open_answers(messages, found)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "ClassWaves",
            "version": API_VERSION,
            "description": "Socket.IO 4 (Engine.IO protocol 4). A message's name is the event's; its payload is the "
            "event's one argument, or, where x-arguments names them, an array of its arguments. Every client event "
            "may carry an acknowledgement, and gets exactly one.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "server": {
                "host": "{host}",
                "pathname": "/socket.io/",
                "protocol": "ws",
                "description": "WebSocket, or HTTP long-polling at the same address",
                "variables": {"host": {"default": "localhost:8000", "description": "where the application runs"}},
                "security": [{"$ref": "#/components/securitySchemes/bearerAuth"}],
            }
        },
        "channels": {
            CHANNEL: {
                "address": namespace,
                "description": "The Socket.IO namespace of the classroom",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            }
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": dict(sorted(found.items())),
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token: as token in Socket.IO's auth, or in the handshake's header",
                }
            },
        },
        "x-error-codes": {
            code: {"status": spec.status, "retryable": spec.retryable, "meaning": spec.meaning}
            for code, spec in ERROR_CODES.items()
        },
    }


class Schemas:
    """The JSON schemas of a document, by name: payloads are named by their events, what they nest by its class."""

    def __init__(self) -> None:
        self._names: dict[type[Schema], str] = {}
        plugin = MarshmallowPlugin(schema_name_resolver=self._name)
        self._spec = APISpec("", "", "3.1.0", plugins=[plugin])
        self._converter: Any = plugin.converter
        adapt(self._converter)
        self._own: dict[str, Any] = {}

    def payload(self, name: str, schema: Schema) -> dict[str, Any]:
        """The reference to a schema, which is added under a name."""
        described: dict[str, Any] = self._converter.schema2jsonschema(schema)
        described.setdefault("type", "object")
        described.setdefault("properties", {})
        return self.add(name, described)

    def fields(self, schema: Schema) -> dict[str, Any]:
        """The schemas of a schema's fields."""
        return {name: self._converter.field2property(field) for name, field in schema.fields.items()}

    def add(self, name: str, described: dict[str, Any]) -> dict[str, Any]:
        self._own[name] = described
        return {"$ref": f"#/components/schemas/{name}"}

    @property
    def found(self) -> dict[str, Any]:
        return {**self._spec.components.schemas, **self._own}

    def _name(self, schema: Any) -> str:
        """A name that no other class has, made of the class's."""
        kind = schema if isinstance(schema, type) else type(schema)
        if kind not in self._names:
            plain = kind.__name__.removesuffix("Schema").removesuffix("Shape")
            taken = set(self._names.values())
            numbered = (f"{plain}{number}" for number in range(2, len(taken) + 3))
            self._names[kind] = plain if plain not in taken else next(name for name in numbered if name not in taken)
        return self._names[kind]


def adapt(converter: Any) -> None:
    """Teach apispec's converter our fields, and patterns as JSON Schema writes them."""
    # its own table is one for all converters of the process, also the shop's
    converter.field_mapping = {**converter.field_mapping, JsonObject: ("object", None), Binary: ("string", "binary")}
    converter.add_attribute_function(_ecma_pattern)


def _ecma_pattern(converter: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Python's end of a text (``\\Z``) is ``$`` in ECMA-262, and ``match`` looks from the beginning on."""
    if "pattern" not in ret:
        return {}
    pattern = ret["pattern"]
    return {"pattern": ("" if pattern.startswith("^") else "^") + pattern.replace(r"\Z", "$")}


def _add_client_event(
    event: Event, ack: Schema | None, schemas: Schemas, messages: dict[str, Any], operations: dict[str, Any]
) -> None:
    sent, answered = CLIENT.format(event.name), ACK.format(event.name)
    summary = " ".join((event.handler.__doc__ or "").split("\n\n")[0].split())
    about = _told(name=event.name, summary=summary)
    messages[sent] = {**about, "payload": _arguments(event, schemas), "tags": [{"name": "client event"}]}
    if event.arguments:
        messages[sent]["x-arguments"] = list(event.arguments)
    messages[answered] = {
        "name": f"{event.name} acknowledgement",
        "payload": _ack(event, ack, schemas),
        "tags": [{"name": "acknowledgement"}],
    }
    operations[sent] = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{sent}"}],
        "reply": {
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{answered}"}],
        },
        "x-allow": event.allow,
        **_told(summary=summary),
    }


def _told(**about: str) -> dict[str, str]:
    return {key: value for key, value in about.items() if value}


def _arguments(event: Event, schemas: Schemas) -> dict[str, Any]:
    name = f"{_upper(event.name)}Payload"
    if not event.arguments:
        return schemas.payload(name, event.schema)
    found = schemas.fields(event.schema)
    needed = sum(event.schema.fields[argument].required for argument in event.arguments)
    arguments = [found[argument] for argument in event.arguments]
    return schemas.add(name, {"type": "array", "items": arguments, "minItems": needed, "maxItems": len(arguments)})


def _ack(event: Event, ack: Schema | None, schemas: Schemas) -> dict[str, Any]:
    """``{ok: true, ...}`` or ``{ok: false, error}``. What a shop has not declared may have anything in it."""
    described: dict[str, Any] = schemas.payload(
        f"{_upper(event.name)}Ack", ack or (Stored() if KEY in event.schema.fields else Schema())
    )
    body = schemas._own[described["$ref"].rpartition("/")[2]]
    body["properties"] = {"ok": {"type": "boolean", "const": True}, **body["properties"]}
    body["required"] = ["ok", *body.get("required", ())]
    if ack is None:
        body["additionalProperties"] = {}
    return {"oneOf": [described, {"$ref": "#/components/schemas/Refused"}]}


def _refused() -> dict[str, Any]:
    """What the ack of a failure is."""
    error = {
        "type": "object",
        "properties": {
            "code": {"$ref": "#/components/schemas/ErrorCode"},
            "message": {"type": "string"},
            "details": {"type": "object", "additionalProperties": {}},
            "retryAfterMs": {"type": "integer"},
        },
        "required": ["code", "message"],
    }
    properties = {"ok": {"type": "boolean", "const": False}, "error": error}
    return {"type": "object", "properties": properties, "required": ["ok", "error"]}


def _add_server_event(sent: Sent, schemas: Schemas, messages: dict[str, Any], operations: dict[str, Any]) -> None:
    key = SERVER.format(sent.name)
    messages[key] = {
        "name": sent.name,
        "summary": f"To {sent.to}.",
        "payload": schemas.payload(f"{_upper(sent.name)}Event", sent.schema),
        "tags": [{"name": "server event"}],
    }
    operations[key] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{key}"}],
        "summary": f"To {sent.to}.",
        "x-audience": sent.to,
    }


def _open_answers(messages: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Clients take fields that they do not know, so nothing that the server sends is closed.

    What clients send, too, stays as it is: the server refuses fields that it does not know.
    """
    client = CLIENT.format("")
    taken = _reached([one for key, one in messages.items() if key.startswith(client)], schemas)
    for name in _reached([one for key, one in messages.items() if not key.startswith(client)], schemas) - taken:
        for part in _parts(schemas[name]):
            if part.get("additionalProperties") is False:
                del part["additionalProperties"]


def _reached(parts: list[dict[str, Any]], schemas: dict[str, Any]) -> set[str]:
    """The names of the schemas to which references lead from here, and on from those."""
    found: set[str] = set()
    waiting = list(parts)
    while waiting:
        for part in _parts(waiting.pop()):
            reference = part.get("$ref")
            name = reference.rpartition("/")[2] if isinstance(reference, str) else ""
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Each object in a JSON value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _parts(one)


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
