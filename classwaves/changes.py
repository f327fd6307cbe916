"""What has changed between two JSON schemas, by who sends what they describe.

Imports nothing of the package. What clients send, the server must take as before: it may take more. What the server
sends, clients must be able to read as before: nothing that they rely on is missing, and nothing comes that could not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: A bound, and whether a higher value of it takes less.
BOUNDS = {
    "minLength": True,
    "maxLength": False,
    "minimum": True,
    "maximum": False,
    "minItems": True,
    "maxItems": False,
}

#: In a schema: clients expect values that are not in its enumeration, so one more breaks nothing.
EXTENSIBLE = "x-extensible"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    :param where: the event or route, and the field.
    """

    breaking: bool
    where: str
    what: str


class SchemaChanges:
    """Compares schemas of two documents, and keeps what it finds.

    :param old: the document in which references of old schemas are looked up.
    :param new: the same for new ones.
    """

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old, self._new = old, new
        self.found: list[Change] = []
        self._under_way: set[tuple[str, str]] = set()  # references that lead to themselves

    def note(self, breaking: bool, where: str, what: str) -> None:
        change = Change(breaking, where, what)
        if change not in self.found:
            self.found.append(change)

    def compare(self, old: Any, new: Any, where: str, to_server: bool) -> None:
        """Compare two schemas of what clients send (``to_server``) or of what the server sends."""
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        try:
            self._compare(resolved(self._old, old), resolved(self._new, new), where, to_server)
        finally:
            self._under_way.discard(pair)

    def _compare(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        if _is_choice(old) or _is_choice(new):
            self._choices(old, new, where, to_server)
            return
        if not self._types(_types(old), _types(new), where, to_server):
            return
        self._values(old, new, where, to_server)
        self._bounds(old, new, where, to_server)
        self._kept("pattern", old, new, where, to_server)
        self._kept("format", old, new, where, to_server)
        self._properties(old, new, where, to_server)
        self._rest(old, new, where, to_server)
        self._items(old, new, where, to_server)

    def _takes(self, more: bool, where: str, what: str, to_server: bool) -> None:
        """Something takes more values than before, or fewer: the one breaks readers, the other senders."""
        self.note(more != to_server, where, what)

    def _types(self, old: set[str], new: set[str], where: str, to_server: bool) -> bool:
        """Whether what both are can be compared further."""
        fewer, more = _without(old, new), _without(new, old)
        if fewer and more:
            self.note(True, where, f"is {_or(new)}, and was {_or(old)}")
            return False
        if fewer:
            self._takes(False, where, f"is no longer {_or(fewer)}", to_server)
        if more:
            self._takes(True, where, f"may be {_or(more)} now", to_server)
        return True

    def _values(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        before, after = _enumeration(old), _enumeration(new)
        if before is None or after is None:
            if after is not None:
                self._takes(False, where, f"is one of {_or(after)} now", to_server)
            if before is not None:
                self._takes(True, where, f"is no longer one of {_or(before)} alone", to_server)
            return
        if gone := [value for value in before if value not in after]:
            self._takes(False, where, f"is no longer {_or(gone)}", to_server)
        if came := [value for value in after if value not in before]:
            if old.get(EXTENSIBLE):  # what clients of the older one were told
                self.note(False, where, f"may be {_or(came)} now")
            else:
                self._takes(True, where, f"may be {_or(came)} now", to_server)

    def _bounds(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        for bound, lower in BOUNDS.items():
            before, after = old.get(bound), new.get(bound)
            if before == after:
                continue
            more = after is None
            if before is not None and after is not None:
                more = (after < before) if lower else (after > before)
            self._takes(more, where, f"{bound} is {_shown(after)}, and was {_shown(before)}", to_server)

    def _kept(self, name: str, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        """Where nobody can tell which of two takes more, another one breaks."""
        before, after = old.get(name), new.get(name)
        if before == after:
            return
        what = f"{name} is {_shown(after)}, and was {_shown(before)}"
        if before is None or after is None:
            self._takes(after is None, where, what, to_server)
        else:
            self.note(True, where, what)

    def _properties(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        before, after = old.get("properties", {}), new.get("properties", {})
        had, has = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            inner = f"{where}.{name}"
            if name not in after:
                self.note(True, inner, "is gone")
                continue
            if name in has - had:
                self.note(to_server, inner, "is required now")
            elif name in had - has:
                self.note(not to_server, inner, "may be missing now")
            self.compare(before[name], after[name], inner, to_server)
        for name in [name for name in after if name not in before]:
            needed = name in has and to_server
            self.note(needed, f"{where}.{name}", "is new, and required" if needed else "is new")

    def _rest(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        """Fields that are not named: forbidden, anything, or of a schema. Clients take those that they do not know."""
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if (before is False) != (after is False):
            what = "takes unknown fields now" if before is False else "takes no unknown fields any more"
            self.note(to_server and after is False, where, what)
        elif isinstance(before, dict) or isinstance(after, dict):
            one, other = (value if isinstance(value, dict) else {} for value in (before, after))
            self.compare(one, other, f"{where}.*", to_server)

    def _items(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        before, after = old.get("items", {}), new.get("items", {})
        if isinstance(before, dict) and isinstance(after, dict):
            if before or after:
                self.compare(before, after, f"{where}[]", to_server)
            return
        if isinstance(before, list) and isinstance(after, list):
            for number, (one, other) in enumerate(zip(before, after, strict=False)):
                self.compare(one, other, f"{where}[{number}]", to_server)
        else:
            self.note(True, where, "has other arguments")

    def _choices(self, old: dict[str, Any], new: dict[str, Any], where: str, to_server: bool) -> None:
        before, after = _choices(old), _choices(new)
        for key in [key for key in before if key in after]:
            self.compare(before[key], after[key], where, to_server)
        fewer, more = [key for key in before if key not in after], [key for key in after if key not in before]
        if len(fewer) == len(more) == 1:  # the same one, changed
            self.compare(before[fewer[0]], after[more[0]], where, to_server)
            return
        for key in fewer:
            self._takes(False, where, f"is no longer {_named(key)}", to_server)
        for key in more:
            self._takes(True, where, f"may be {_named(key)} now", to_server)


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a schema is, or what it refers to. :raises ValueError: the document has no such thing."""
    found: Any = schema
    for _ in range(100):
        if not isinstance(found, Mapping) or "$ref" not in found:
            return dict(found) if isinstance(found, Mapping) else {}
        found = _at(document, found["$ref"])
    raise ValueError(f"{schema['$ref']} leads to itself")


def _at(document: Mapping[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        try:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise ValueError(f"there is no {reference} in the document") from None
    return found


def _is_choice(schema: Mapping[str, Any]) -> bool:
    return "anyOf" in schema or "oneOf" in schema


def _choices(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The alternatives of a schema by what tells them apart: their references, or what they are."""
    alternatives = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return {one.get("$ref") or json.dumps(one, sort_keys=True): one for one in alternatives}


def _named(key: str) -> str:
    return key.rpartition("/")[2] if key.startswith("#/") else key


def _types(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _without(one: set[str], other: set[str]) -> set[str]:
    """The types of one that the other has not; no type at all is any type, and a number may be whole."""
    if not other:
        return set()
    if not one:
        return {"anything"}
    return {kind for kind in one if kind not in other and not (kind == "integer" and "number" in other)}


def _enumeration(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _or(values: Iterable[Any]) -> str:
    return " or ".join(sorted(one if isinstance(one, str) else json.dumps(one) for one in values)) or "anything"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
