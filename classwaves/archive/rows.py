"""Entries as rows, and rows as entries. Imports models, codec and the tables.

PostgreSQL's texts have no NUL and no lone surrogates. In JSON both are escaped; in the columns that are only looked
into, and in names of ours, they become U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import codec
from ..models import Draft, Entry, SessionRecord
from .base import Tip

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def plain(value: Any) -> str | None:
    """A text that a column can hold; ``None`` if it is none."""
    return _NO_TEXT.sub("\ufffd", value) if isinstance(value, str) else None


def json(value: Any) -> str:
    return codec.dumps(value).decode()


def subject_of(draft: Draft) -> str | None:
    """Whom an entry is about besides its author: who speaks in a caption, who was removed."""
    data = draft.data
    user_id = data["speakerId"] if "speakerId" in data else data.get("userId")
    return plain(user_id) if user_id != draft.author else None


def row_of(session_id: str, entry: Entry) -> dict[str, Any]:
    draft = entry.draft
    data = draft.data
    refers = draft.event in ("reactionUpdated", "messageDeleted")
    return {
        "session_id": session_id,
        "seq": entry.seq,
        "epoch": entry.epoch,
        "time": entry.time,
        "event": plain(draft.event),
        "author": plain(draft.author),
        "audience": draft.audience,
        "members": json(draft.members) if draft.members else None,
        "bumps": json(draft.bumps) if draft.bumps else None,
        "id_field": draft.id_field,
        "data": json(data),
        "subject": subject_of(draft),
        "group_id": plain(data.get("groupId")),
        "message_id": plain(data.get("messageId")) if refers else None,
        "lost": False,
        "deleted": False,
        "reactions": None,
    }


def entry_of(row: Any) -> Entry:
    draft = Draft(
        row.event,
        codec.loads(row.data),
        row.author,
        row.audience,
        tuple(codec.loads(row.members)) if row.members else (),
        tuple(codec.loads(row.bumps)) if row.bumps else (),
        row.id_field,
        trace="",
    )
    return Entry(row.seq, row.epoch, row.time, draft, len(row.data))


def session_row(record: SessionRecord, tip: Tip) -> dict[str, Any]:
    return {**_of_record(record), "id": record.id, "seq": tip.seq, "epoch": tip.epoch, "time": tip.time}


def _of_record(record: SessionRecord) -> dict[str, Any]:
    return {
        "code": record.code,
        "owner_id": plain(record.owner_id),
        "created_at": record.created_at,
        "status": record.status,
        "record": json(record.to_dict()),
    }


def record_of(text: str) -> SessionRecord:
    data: Mapping[str, Any] = codec.loads(text)
    return SessionRecord.from_dict(data)
