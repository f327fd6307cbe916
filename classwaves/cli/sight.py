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
    return {key: value for key, value in erased_payload(data).items() if value not in ("", NOBODY, {}, [], None)}


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
