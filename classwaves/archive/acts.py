"""The audit stream in SQL: what the store's has, for as long as it is kept, whatever becomes of the store.

Imports the shapes of acts, tables, rows, the database and the writer. Acts are only added, and go by age alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select

from ..store.acts import Act, Noted, place
from .database import Database
from .tables import acts as acts_table
from .writer import insert_or

A = acts_table.c
#: What stands for a session where writers of one wait for each other.
LANE = "acts"


class SqlActs:
    """The part of the archive that keeps them."""

    database: Database

    def write_acts(self, found: Sequence[Noted]) -> None:
        rows = [_row(noted) for noted in found]

        def work(connection: Connection) -> None:
            self.database.writes(connection, LANE)
            connection.execute(insert_or(connection, acts_table).on_conflict_do_nothing(), rows)

        if rows:
            self.database.write(work)

    def acts(self, before: str, limit: int) -> list[Noted]:
        query = select(acts_table).order_by(A.time.desc(), A.number.desc()).limit(limit)
        return self._read(query.where(_before(place(before))) if before else query)

    def acts_after(self, after: str, limit: int) -> list[Noted]:
        query = select(acts_table).where(_after(place(after))).order_by(A.time, A.number).limit(limit)
        return self._read(query)

    def _read(self, query: Select[Any]) -> list[Noted]:
        return self.database.read(lambda connection: [_noted(row) for row in connection.execute(query)])

    def drop_acts(self, moment: int) -> None:
        def work(connection: Connection) -> None:
            self.database.writes(connection, LANE)
            connection.execute(delete(acts_table).where(A.time < moment))

        self.database.write(work)


def _before(at: tuple[int, int]) -> ColumnElement[bool]:
    return or_(A.time < at[0], and_(A.time == at[0], A.number < at[1]))


def _after(at: tuple[int, int]) -> ColumnElement[bool]:
    return or_(A.time > at[0], and_(A.time == at[0], A.number > at[1]))


def _row(noted: Noted) -> dict[str, Any]:
    time, number = place(noted.id)
    return {"time": time, "number": number, "what": noted.act.what, "who": noted.act.who, "act": noted.act.text()}


def _noted(row: Any) -> Noted:
    return Noted(f"{row.time}-{row.number}", Act(**json.loads(row.act)))
