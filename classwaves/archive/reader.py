"""What is read: pages of one event, who was there, all of it. Each is one query over one index.

Imports models, tables and rows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_

from .. import codec
from ..models import Entry
from . import rows
from .base import Asked, Kept, Past, Said
from .tables import entries as entries_table
from .tables import sessions as sessions_table

E, S = entries_table.c, sessions_table.c

#: Where a walk over a user's entries is: session id, seq and epoch of the last one.
Place = tuple[str, int, str]
START: Place = ("", 0, "")

#: The events that say who was there, how the session was set up, and which files there are.
FACTS = (
    "sessionCreated",
    "sessionChanged",
    "sessionStatusChanged",
    "participantChanged",
    "participantRemoved",
    "participantAdmitted",
    "groupUpdate",
    "fileShared",
    "fileRemoved",
)
_COLUMNS = (E.seq, E.epoch, E.time, E.event, E.author, E.audience, E.members, E.bumps, E.id_field, E.data)


def find(connection: Connection, code: str) -> Past | None:
    query = select(S.record, S.time).where(S.code == code).order_by(S.created_at.desc()).limit(1)
    row = connection.execute(query).first()
    return Past(rows.record_of(row.record), row.time) if row else None


def known(connection: Connection, session_id: str) -> Past | None:
    row = connection.execute(select(S.record, S.time).where(S.id == session_id)).first()
    return Past(rows.record_of(row.record), row.time) if row else None


def page_query(session_id: str, asked: Asked, dialect: str) -> Select[Any]:
    """The one query of a page."""
    query = select(*_COLUMNS, E.reactions).where(
        E.session_id == session_id,
        E.event == asked.event,
        E.seq < asked.before,
        E.seq > asked.after,
        E.lost.is_(False),
        E.deleted.is_(False),
        _addressed(asked, dialect),
    )
    if asked.group_id is not None:
        query = query.where(E.group_id == rows.plain(asked.group_id))
    return query.order_by(E.seq.desc()).limit(asked.limit)


def _addressed(asked: Asked, dialect: str) -> ColumnElement[bool]:
    """As :func:`classwaves.models.addressed` says. An id in quotes is found in a JSON list only as a whole."""
    position = func.instr if dialect == "sqlite" else func.strpos
    is_member = E.audience.in_(("user", "group")) & (position(E.members, rows.json(asked.user_id)) > 0)
    return or_(E.audience.in_(("all", "staff", "group") if asked.staff else ("all",)), is_member)


def page(connection: Connection, session_id: str, asked: Asked) -> list[Kept]:
    found = connection.execute(page_query(session_id, asked, connection.dialect.name))
    kept = [Kept(rows.entry_of(row), codec.loads(row.reactions) if row.reactions else {}) for row in found]
    return [item for item in kept if item.entry.is_for(asked.user_id, asked.staff)]


def facts_query(session_id: str) -> Select[Any]:
    """The one query of an attendance sheet."""
    return select(*_COLUMNS).where(E.session_id == session_id, E.event.in_(FACTS), E.lost.is_(False))


def facts(connection: Connection, session_id: str) -> list[Entry]:
    found = [rows.entry_of(row) for row in connection.execute(facts_query(session_id))]
    return sorted(found, key=lambda entry: entry.seq)


def entries_query(session_id: str, after: int, before: int | None, event: str | None, limit: int) -> Select[Any]:
    query = select(*_COLUMNS).where(E.session_id == session_id, E.seq > after, E.lost.is_(False))
    if before is not None:
        query = query.where(E.seq < before)
    if event is not None:
        query = query.where(E.event == event)
    return query.order_by(E.seq).limit(limit)


def entries(
    connection: Connection, session_id: str, after: int, before: int | None, event: str | None, limit: int
) -> list[Entry]:
    """Up to ``limit`` entries after a seq, in order."""
    found = connection.execute(entries_query(session_id, after, before, event, limit))
    return [rows.entry_of(row) for row in found]


def of_user(connection: Connection, user_id: str, column: str, after: Place, limit: int) -> list[tuple[Place, Said]]:
    """Some of what a user said (``author``) or is about (``subject``), in the order of its place."""
    place = (E.session_id, E.seq, E.epoch)
    query = select(*_COLUMNS, E.session_id, S.code).join(sessions_table, S.id == E.session_id)
    query = query.where(entries_table.c[column] == rows.plain(user_id), tuple_(*place) > after)
    found = connection.execute(query.order_by(*place).limit(limit))
    return [((row.session_id, row.seq, row.epoch), Said(row.session_id, row.code, rows.entry_of(row))) for row in found]
