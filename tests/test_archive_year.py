"""A year of lessons: a history page and an attendance sheet are one indexed query each.

A small year here; ``make archive`` makes the whole one, of 1,000 sessions with 2,000 entries each.
"""

import os

from sqlalchemy import event

from benchmarks.archive_year import analyze, fill, lesson, page_of, plan, session_of
from classwaves.archive import reader
from classwaves.archive.sql import SqlArchive
from classwaves.features.attendance import sheet
from classwaves.past import PastSession
from classwaves.store import MemoryStore
from tests.support.archives import DatabaseOfTest
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.stores import LIMITS, texts

SESSIONS = int(os.environ.get("ARCHIVE_SESSIONS", "20"))
ENTRIES = int(os.environ.get("ARCHIVE_ENTRIES", "300"))
INDEX = "classwaves_entries_event"


def test_a_page_and_a_sheet_are_one_indexed_query_each(archive: SqlArchive, database: DatabaseOfTest) -> None:
    fill(archive, SESSIONS, ENTRIES)
    analyze(archive)
    session, asked = session_of(SESSIONS // 2), page_of(ENTRIES)
    dialect = "sqlite" if database.kind == "sqlite" else "postgresql"
    page = plan(archive, reader.page_query(session.id, asked, dialect))
    facts = plan(archive, reader.facts_query(session.id))
    for found in (page, facts):
        assert INDEX in found, found
        assert "Seq Scan" not in found, found
        assert "SCAN" not in found, found
    assert "SEARCH" in page or "Index Scan Backward" in page, page
    assert "TEMP B-TREE" not in page, page
    assert "Sort" not in page, page

    queries: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            queries.append(statement)

    event.listen(archive.database._reading._engine, "before_cursor_execute", note)
    kept = archive.page(session.id, asked)
    wanted = [entry for entry in lesson(session, ENTRIES) if entry.seq < asked.before]
    assert texts([item.entry for item in kept]) == texts(wanted)[::-1][: asked.limit]
    assert sum(item.reactions.get("👍", 0) for item in kept) > 0
    assert len(queries) == 1
    past = archive.find(session.code)
    assert past
    queries.clear()
    lived = PastSession(past, archive, MemoryStore(LIMITS), database.settings())
    rows = sheet(lived.fold(), lived.until, 300)
    assert len(rows) == 30
    assert {row["status"] for row in rows} == {"left"}
    assert len(queries) == 1
