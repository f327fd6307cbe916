"""What is written: entries that come after those that are there, and what has become of the messages among them.

Imports models, erasure, tables and rows. Everything is a function of the rows themselves, so that it may be done twice,
and by two at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Table, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .. import codec
from ..erasure import erased
from ..models import Entry, SessionRecord, seq_of
from . import rows
from .base import Tip
from .tables import entries as entries_table
from .tables import erased as erased_table
from .tables import sessions as sessions_table

E, S = entries_table.c, sessions_table.c
#: A cluster has several clocks, and a server that takes over another one: what came so soon after an erase goes too.
#: Milliseconds.
SLACK = 5_000


def insert_or(connection: Connection, table: Table) -> Any:
    """An insert that can say what happens on a conflict, in the dialect of this database."""
    made: Insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    return made


def tip(connection: Connection, session_id: str) -> Tip:
    row = connection.execute(select(S.seq, S.epoch, S.time).where(S.id == session_id)).first()
    return Tip(*row) if row else Tip()


def positions(connection: Connection, session_ids: Sequence[str]) -> dict[str, int]:
    found = connection.execute(select(S.id, S.seq).where(S.id.in_(session_ids)))
    return {row.id: row.seq for row in found}


def tips_back(connection: Connection, session_id: str, before: int, limit: int) -> list[Tip]:
    query = select(E.seq, E.epoch, E.time).where(E.session_id == session_id, E.seq < before, E.lost.is_(False))
    return [Tip(*row) for row in connection.execute(query.order_by(E.seq.desc()).limit(limit))]


def write(connection: Connection, session_id: str, record: SessionRecord | None, entries: Sequence[Entry]) -> None:
    """See :meth:`~classwaves.archive.base.Archive.write`."""
    made = [rows.row_of(session_id, entry) for entry in _without_erased(connection, entries)]
    statement = insert_or(connection, entries_table)
    # a number that the store has lost and given away again is its new entry's
    statement = statement.on_conflict_do_update(
        index_elements=[E.session_id, E.seq, E.epoch],
        set_={name: statement.excluded[name] for name in made[0] if name not in ("session_id", "seq", "epoch")},
        where=or_(E.lost, E.time != statement.excluded.time),
    )
    connection.execute(statement, made)
    refresh(connection, session_id, {row["message_id"] for row in made if row["message_id"]})
    _advance(connection, session_id, record, Tip.of(entries[-1]))


def _without_erased(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, and of users who were erased meanwhile what may be kept of theirs."""
    people = {rows.plain(entry.draft.author): entry.draft.author for entry in entries}
    people = {rows.subject_of(entry.draft): rows.subject_of(entry.draft) or "" for entry in entries} | people
    query = select(erased_table.c.user_id, erased_table.c.time)
    gone = connection.execute(query.where(erased_table.c.user_id.in_(set(people) - {None, ""}))).all()
    kept = list(entries)
    for user_id, moment in gone:
        kept = [erased(entry, people[user_id]) if entry.time <= moment + SLACK else entry for entry in kept]
    return kept


def _advance(connection: Connection, session_id: str, record: SessionRecord | None, to: Tip) -> None:
    """Say where the session stands; somebody who is behind does not say it after us."""
    if record is not None:
        statement = insert_or(connection, sessions_table).values(rows.session_row(record, to))
        names = ("code", "owner_id", "status", "record")
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[S.id],
                set_={name: statement.excluded[name] for name in names},
                where=S.seq <= statement.excluded.seq,
            )
        )
    newer = update(sessions_table).where(S.id == session_id, S.seq < to.seq)
    connection.execute(newer.values(seq=to.seq, epoch=to.epoch, time=to.time))


def rewind(connection: Connection, session_id: str, to: Tip) -> None:
    """See :meth:`~classwaves.archive.base.Archive.rewind`."""
    beyond = and_(E.session_id == session_id, E.seq > to.seq, E.lost.is_(False))
    about = connection.execute(select(E.message_id).where(beyond, E.message_id.is_not(None))).scalars().all()
    connection.execute(update(entries_table).where(beyond).values(lost=True))
    refresh(connection, session_id, set(about))
    back = update(sessions_table).where(S.id == session_id)
    connection.execute(back.values(seq=to.seq, epoch=to.epoch, time=to.time or S.time))


def refresh(connection: Connection, session_id: str, message_ids: Iterable[str]) -> None:
    """Note on messages what came of them, so that a page of them needs nothing else."""
    for message_id in sorted(message_ids):
        query = select(E.event, E.author, E.data).where(
            E.session_id == session_id, E.message_id == message_id, E.lost.is_(False)
        )
        deleted, counts = outcome(connection.execute(query.order_by(E.seq)))
        epoch = message_id.rpartition("-")[0]
        message = and_(E.session_id == session_id, E.seq == seq_of(message_id), E.epoch == epoch)
        changed = {"deleted": deleted, "reactions": rows.json(counts) if counts else None}
        connection.execute(update(entries_table).where(message).values(changed))


def outcome(found: Iterable[Any]) -> tuple[bool, dict[str, int]]:
    """Whether a message was deleted, and how many users each emoji is of, from what was done to it in order."""
    deleted, users = False, dict[str, set[str]]()
    for event, author, data in found:
        if event == "messageDeleted":
            deleted = True
            continue
        reaction = codec.loads(data)
        mine = users.setdefault(reaction["emoji"], set())
        (mine.add if reaction["action"] == "added" else mine.discard)(author)
    return deleted, {emoji: len(of) for emoji, of in users.items() if of}
