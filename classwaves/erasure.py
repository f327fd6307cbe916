"""What is left of an entry when its user's names and texts are erased. Pure: no I/O, no clock.

Imports only models. The entry keeps its place, its time, its event and its audience, so that order and counts stay;
ids, numbers and the names of states stay too, and whatever is not known to be one of these goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .models import Entry

#: What stands where a name was; a text becomes an empty one.
NOBODY = "Erased user"

#: Keys of payloads whose values say nothing of a person: ids end with ``Id``, ``Ids`` or ``By`` and stay as well.
#: Titles of sessions and names of groups are the class's, and are in the entries of everybody who enters one.
PLAIN = frozenset(
    ("action", "activityType", "change", "emoji", "groupName", "language", "members", "mimeType", "mode")
    + ("previousStatus", "record", "role", "settings", "status", "title", "type")
)
_ID_ENDINGS = ("Id", "Ids", "By")
#: Made by their client of whatever it liked, and of no use when the texts are gone.
_OWN_KEYS = frozenset(("clientMessageId", "clientFileId", "clientId"))


def belongs_to(entry: Entry, user_id: str) -> bool:
    """Whether an entry has a user's words or name in it: a caption is its speaker's, whoever published it."""
    data = entry.draft.data
    if "speakerId" in data:
        return bool(data["speakerId"] == user_id)
    return user_id in (entry.draft.author, data.get("userId"))


def erased(entry: Entry, user_id: str) -> Entry:
    """The entry without the user's names and texts; the same object if there were none."""
    if not belongs_to(entry, user_id):
        return entry
    data = erased_payload(entry.draft.data)
    return entry if data == entry.draft.data else replace(entry, draft=replace(entry.draft, data=data))


def erased_payload(data: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without names and texts; what has another shape than ours is emptied."""
    return {key: _erased_value(key, value) for key, value in data.items() if key not in _OWN_KEYS}


def _erased_value(key: str, value: Any) -> Any:
    if key == "data":  # free JSON, where a number may be an answer
        return {} if isinstance(value, dict) else None
    if key in PLAIN or key.endswith(_ID_ENDINGS):
        return value
    if isinstance(value, str):
        return NOBODY if key == "displayName" else ""
    if isinstance(value, dict):
        return {}
    return [] if isinstance(value, list | tuple) else value
