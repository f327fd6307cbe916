"""What goes: the names and texts of one user, and sessions that were kept long enough. In small steps.

Imports erasure, models, tables, rows, reader and writer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, delete, select, tuple_, update

from ..erasure import erased
from . import rows
from .reader import Place
from .tables import entries as entries_table
from .tables import erased as erased_table
from .tables import sessions as sessions_table
from .writer import insert_or

E, S = entries_table.c, sessions_table.c

#: How many entries are looked at, or deleted, in one transaction.
STEP = 500


def note(connection: Connection, user_id: str, moment: int) -> None:
    """Write down that a user is erased, before anything else: who writes later keeps to it."""
    statement = insert_or(connection, erased_table).values(user_id=rows.plain(user_id), time=moment)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["user_id"], set_={"time": statement.excluded.time})
    )


def erase_some(connection: Connection, user_id: str, column: str, after: Place) -> tuple[int, Place | None]:
    """Look at some of what a user said or is about, in the order of its place.

    :param column: ``author`` or ``subject``; each has an index of its own.
    :returns: how many of it had names or texts, and where to go on, if there is more.
    """
    place = (E.session_id, E.seq, E.epoch)
    query = select(entries_table).where(entries_table.c[column] == rows.plain(user_id), tuple_(*place) > after)
    found = connection.execute(query.order_by(*place).limit(STEP)).all()
    changed = sum(_erase_row(connection, user_id, row) for row in found)
    last = found[-1] if len(found) == STEP else None
    return changed, (last.session_id, last.seq, last.epoch) if last else None


def _erase_row(connection: Connection, user_id: str, row: Any) -> bool:
    entry = rows.entry_of(row)
    kept = erased(entry, user_id)
    if kept is entry:
        return False
    this = and_(E.session_id == row.session_id, E.seq == row.seq, E.epoch == row.epoch)
    connection.execute(update(entries_table).where(this).values(data=rows.json(kept.draft.data)))
    return True


def older_than(connection: Connection, moment: int, limit: int) -> list[str]:
    query = select(S.id).where(S.time < moment).order_by(S.time).limit(limit)
    return list(connection.execute(query).scalars())


def drop_some(connection: Connection, session_id: str) -> bool:
    """Delete some entries of a session, and itself after the last; whether there are more."""
    last = select(E.seq).where(E.session_id == session_id).order_by(E.seq).offset(STEP - 1).limit(1)
    until = connection.execute(last).scalar()
    ours = E.session_id == session_id
    connection.execute(delete(entries_table).where(ours if until is None else ours & (E.seq <= until)))
    if until is None:
        connection.execute(delete(sessions_table).where(S.id == session_id))
    return until is not None
