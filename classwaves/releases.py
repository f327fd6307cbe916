"""What has changed between two versions of the API: of its AsyncAPI document, or of its OpenAPI document.

Imports changes. Additive changes let every client of the old version work as it did; anything else is breaking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .changes import Change, SchemaChanges, resolved

Document = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

#: Rules that have everybody in them of whom the rules before have some: who may is more than before.
WIDE = ("participant", "connected")

#: The same for rules of which one has only those in it whom the other has: an owner is staff, and so is an admin.
WIDER = {("owner", "staff"), ("admin", "staff")}

#: How the audience of an event begins that all in the session get. Another audience is fewer people.
EVERYONE = "everyone"


def kind_of(document: Document) -> str:
    """``asyncapi`` or ``openapi``. :raises ValueError: neither, or of another version than 3."""
    for kind, parts in (("asyncapi", ("operations", "components")), ("openapi", ("paths",))):
        if kind in document:
            right = all(isinstance(document.get(part, {}), Mapping) for part in parts)
            if right and str(document[kind]).startswith("3."):
                return kind
            break
    raise ValueError("it is neither an AsyncAPI 3 nor an OpenAPI 3 document")


def changes(old: Document, new: Document) -> list[Change]:
    """What is different in the new document, what breaks first.

    :raises ValueError: they are not of one kind, have references that lead nowhere, or are not as ours are.
    """
    kind = kind_of(old)
    if kind_of(new) != kind:
        raise ValueError(f"the old document is {kind}, and the new one is {kind_of(new)}")
    found = SchemaChanges(old, new)
    try:
        if kind == "asyncapi":
            _namespaces(old, new, found)
            _events(old, new, found)
            _codes(old.get("x-error-codes", {}), new.get("x-error-codes", {}), found)
        else:
            _routes(old, new, found)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"one of them is not as ClassWaves writes it ({type(error).__name__}: {error})") from error
    return sorted(found.found, key=lambda change: not change.breaking)


# AsyncAPI


def _namespaces(old: Document, new: Document, found: SchemaChanges) -> None:
    """Where the classroom is: clients that connect to another namespace hear nothing of it."""
    after = new.get("channels", {})
    for key, channel in old.get("channels", {}).items():
        if key in after and after[key].get("address") != channel.get("address"):
            found.note(True, "namespace", f"is {after[key].get('address')}, and was {channel.get('address')}")


def _events(old: Document, new: Document, found: SchemaChanges) -> None:
    before, after = old.get("operations", {}), new.get("operations", {})
    for key, operation in before.items():
        name = _event_name(old, operation)
        if key not in after:
            found.note(True, name, "is gone")
        elif operation["action"] == "send":
            found.compare(_payload(old, operation), _payload(new, after[key]), name, False)
            _audience(operation.get("x-audience", ""), after[key].get("x-audience", ""), name, found)
        else:
            found.compare(_payload(old, operation), _payload(new, after[key]), name, True)
            acks = _payload(old, operation["reply"]), _payload(new, after[key]["reply"])
            found.compare(acks[0], acks[1], f"{name} ack", False)
            _allowed(operation.get("x-allow", ""), after[key].get("x-allow", ""), name, found)
    for key in [key for key in after if key not in before]:
        found.note(False, _event_name(new, after[key]), "is new")


def _event_name(document: Document, operation: Mapping[str, Any]) -> str:
    who = "server event" if operation["action"] == "send" else "client event"
    return f"{who} {_message(document, operation)['name']}"


def _message(document: Document, operation: Mapping[str, Any]) -> dict[str, Any]:
    return resolved(document, operation["messages"][0])


def _payload(document: Document, operation: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = _message(document, operation)["payload"]
    return payload


def _allowed(before: str, after: str, where: str, found: SchemaChanges) -> None:
    if before != after:
        wider = after in WIDE and (before not in WIDE or WIDE.index(before) < WIDE.index(after))
        wider = wider or (before, after) in WIDER
        found.note(not wider, where, f"is for {after}, and was for {before}")


def _audience(before: str, after: str, where: str, found: SchemaChanges) -> None:
    """Who gets an event is said in words: that all get it, or not all any more, can be told, and no more than that."""
    if before != after:
        fewer = before.startswith(EVERYONE) and not after.startswith(EVERYONE)
        found.note(fewer, where, f"goes to {after}, and went to {before}")


def _codes(before: Mapping[str, Any], after: Mapping[str, Any], found: SchemaChanges) -> None:
    for code, spec in before.items():
        where = f"error code {code}"
        if code not in after:
            found.note(True, where, "is gone")
            continue
        for what in ("status", "retryable"):
            if spec.get(what) != after[code].get(what):
                found.note(True, where, f"{what} is {after[code].get(what)}, and was {spec.get(what)}")
    for code in [code for code in after if code not in before]:
        found.note(False, f"error code {code}", "is new")


# OpenAPI


def _routes(old: Document, new: Document, found: SchemaChanges) -> None:
    before, after = _operations(old), _operations(new)
    for route, operation in before.items():
        if route in after:
            _route(old, new, operation, after[route], route, found)
        else:
            found.note(True, route, "is gone")
    for route in [route for route in after if route not in before]:
        found.note(False, route, "is new")


def _operations(document: Document) -> dict[str, dict[str, Any]]:
    """``GET /path`` -> the operation, with the parameters that its path has."""
    return {
        f"{method.upper()} {path}": {
            **item[method],
            "parameters": [*item.get("parameters", ()), *item[method].get("parameters", ())],
            "security": item[method].get("security", document.get("security", [])),
        }
        for path, item in document.get("paths", {}).items()
        for method in METHODS
        if method in item
    }


def _route(
    old: Document, new: Document, before: Mapping[str, Any], after: Mapping[str, Any], where: str, found: SchemaChanges
) -> None:
    if before["security"] != after["security"]:
        found.note(bool(after["security"]), where, "asks for another token, or for none")
    _parameters(_by_name(old, before), _by_name(new, after), where, found)
    _body(resolved(old, before.get("requestBody", {})), resolved(new, after.get("requestBody", {})), where, found)
    for status, answer in before.get("responses", {}).items():
        told = f"{where} {status}"
        if status in after.get("responses", {}):
            there = resolved(new, after["responses"][status]).get("content", {})
            _contents(resolved(old, answer).get("content", {}), there, told, False, found)
        else:
            found.note(status.startswith("2"), told, "is no answer any more")
    for status in [status for status in after.get("responses", {}) if status not in before.get("responses", {})]:
        found.note(False, f"{where} {status}", "is another answer")


def _by_name(document: Document, operation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = [resolved(document, one) for one in operation["parameters"]]
    return {f"{one['in']} {one['name']}": one for one in found}


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any], where: str, found: SchemaChanges) -> None:
    for name, parameter in before.items():
        inner = f"{where} {name}"
        if name not in after:
            found.note(True, inner, "is gone")
            continue
        if bool(after[name].get("required")) != bool(parameter.get("required")):
            needed = bool(after[name].get("required"))
            found.note(needed, inner, "is required now" if needed else "may be missing now")
        found.compare(parameter.get("schema", {}), after[name].get("schema", {}), inner, True)
    for name in [name for name in after if name not in before]:
        needed = bool(after[name].get("required"))
        found.note(needed, f"{where} {name}", "is new, and required" if needed else "is new")


def _body(before: Mapping[str, Any], after: Mapping[str, Any], where: str, found: SchemaChanges) -> None:
    inner = f"{where} body"
    if before and not after:
        found.note(True, inner, "is gone")
    elif after and not before:
        found.note(bool(after.get("required")), inner, "is new")
    else:
        if bool(after.get("required")) != bool(before.get("required")):
            needed = bool(after.get("required"))
            found.note(needed, inner, "is required now" if needed else "may be missing now")
        _contents(before.get("content", {}), after.get("content", {}), inner, True, found)


def _contents(
    before: Mapping[str, Any], after: Mapping[str, Any], where: str, to_server: bool, found: SchemaChanges
) -> None:
    for media_type, content in before.items():
        if media_type in after:
            found.compare(content.get("schema", {}), after[media_type].get("schema", {}), where, to_server)
        else:
            found.note(True, where, f"{media_type} is gone")
    for media_type in [media_type for media_type in after if media_type not in before]:
        found.note(False, where, f"{media_type} is new")
