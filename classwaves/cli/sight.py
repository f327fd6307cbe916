"""What of the log is shown in a terminal: without names and texts, unless they are asked for.

Imports errors, erasure, history, models and state.
"""

from __future__ import annotations

import json
from typing import Any

import click

from ..erasure import NOBODY, erased_payload
from ..history import line
from ..models import Entry, iso, normalize_code
from ..state import State

_TITLES = ("title", "groupName")


def session_id_of(state: State, code: str) -> str:
    """The session with this code, in the store or in the archive.

    :raises click.ClickException: there is none.
    """
    canonical = normalize_code(code)
    found = state.store.session_id(canonical) if canonical else None
    if canonical and not found and state.hub.archive:
        past = state.hub.archive.find(canonical)
        found = past.record.id if past else None
    if not found:
        raise click.ClickException(f"There is no session {code[:20]}.")
    return found


def payload(data: Any, texts: bool) -> dict[str, Any]:
    """A payload as it may be shown: without ``texts``, only what says nothing of a person."""
    if texts:
        return dict(data)
    shown = without_titles(erased_payload(data))
    return {key: value for key, value in shown.items() if value not in ("", NOBODY, {}, [], None)}


def without_titles(data: Any) -> Any:
    """The same JSON without titles of sessions and names of groups, which stay when one user's texts are erased."""
    if isinstance(data, dict):
        return {key: without_titles(value) for key, value in data.items() if key not in _TITLES}
    return [without_titles(value) for value in data] if isinstance(data, list) else data


def one_line(entry: Entry, texts: bool) -> str:
    """An entry for people."""
    draft = entry.draft
    shown = json.dumps(payload(draft.data, texts), ensure_ascii=False, separators=(", ", ": "))
    clock = iso(entry.time)[11:19]
    who = draft.author or "-"
    return f"{clock}  {entry.seq:>6}  {draft.event:<22} {draft.audience:<8} {who}  {shown}"


def json_line(entry: Entry, texts: bool) -> str:
    """An entry for programs, as an export has it."""
    return json.dumps({**line(entry), "data": payload(entry.draft.data, texts)}, ensure_ascii=False)
