"""A year of lessons in an archive: ``python -m benchmarks.archive_year URL --sessions 1000 --entries 2000``.

Then a history page and an attendance sheet are read from it, with their times and the plans of their queries.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from sqlalchemy import Connection, Select, text

from classwaves.archive import reader
from classwaves.archive.base import Asked
from classwaves.archive.sql import SqlArchive
from classwaves.models import Draft, Entry, SessionRecord
from classwaves.settings import Settings

#: Who is in a lesson.
STUDENTS = 30
#: When the year begins, in milliseconds since the epoch: the 1st of September 2025.
BEGINS = 1_756_684_800_000


def session_of(number: int) -> SessionRecord:
    """The record of one lesson of the year."""
    start = BEGINS + number * 8 * 3_600_000
    return SessionRecord(f"lesson-{number:06}", f"{number:06}", f"Lesson {number}", "teacher", start, "ended")


def lesson(record: SessionRecord, entries: int) -> Iterator[Entry]:
    """The log of a lesson: thirty arrivals, messages with reactions, thirty departures."""
    drafts = [Draft("sessionCreated", {"record": record.to_dict()}, "teacher", "none")]
    drafts += [_fact(user, "joined", displayName=f"Student {user}", role="student") for user in range(STUDENTS)]
    drafts.append(Draft("sessionStatusChanged", {"status": "active", "previousStatus": "created"}, "teacher"))
    while len(drafts) < entries - STUDENTS - 1:
        author = f"student-{len(drafts) % STUDENTS}"
        said = {"userId": author, "displayName": author, "message": "What is said in a lesson, in a sentence or two."}
        drafts.append(Draft("messageReceived", said, author, id_field="messageId"))
        if len(drafts) % 5 == 0:
            data = {"messageId": f"epoch-{len(drafts)}", "userId": author, "emoji": "👍", "action": "added"}
            drafts.append(Draft("reactionUpdated", data, author))
    drafts += [_fact(user, "left") for user in range(STUDENTS)]
    drafts.append(Draft("sessionStatusChanged", {"status": "ended", "previousStatus": "active"}, "teacher"))
    for seq, draft in enumerate(drafts, start=1):
        yield Entry(seq, "epoch", record.created_at + seq * 1500, draft)


def _fact(user: int, change: str, **more: str) -> Draft:
    return Draft("participantChanged", {"change": change, **more}, f"student-{user}", "presence")


def fill(archive: SqlArchive, sessions: int, entries: int) -> None:
    """Write the year, a lesson in a transaction."""
    for number in range(sessions):
        record = session_of(number)
        archive.write(record.id, record, list(lesson(record, entries)))


def page_of(entries: int) -> Asked:
    """A page in the middle of a lesson, for a student."""
    return Asked("messageReceived", entries // 2, 0, 51, "student-1", staff=False)


def plan(archive: SqlArchive, query: Select[tuple[object, ...]]) -> str:
    """How the database finds what a query asks for, line by line."""
    explain = "EXPLAIN QUERY PLAN" if archive.database.sqlite else "EXPLAIN"

    def read(connection: Connection) -> str:
        compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
        found = connection.execute(text(f"{explain} {str(compiled).replace(':', chr(92) + ':')}")).all()
        return "\n".join(str(row[-1]) for row in found)

    return archive.database.read(read)


def analyze(archive: SqlArchive) -> None:
    """Let PostgreSQL know how much there is, as its autovacuum does in time."""
    if not archive.database.sqlite:
        archive.database.write(lambda connection: connection.execute(text("ANALYZE")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=2000)
    options = parser.parse_args()
    archive = SqlArchive(Settings.load({"CLASSWAVES_ARCHIVE_URL": options.url, "CLASSWAVES_DEMO": True}).archive_url)
    began = time.perf_counter()
    fill(archive, options.sessions, options.entries)
    count, took = options.sessions * options.entries, time.perf_counter() - began
    print(f"{count} entries written in {took:.1f} s: {took / count * 1e6:.0f} us each")
    analyze(archive)
    session = session_of(options.sessions // 2)
    dialect = "sqlite" if archive.database.sqlite else "postgresql"
    asked = page_of(options.entries)
    for name, call, query in (
        ("history page", lambda: archive.page(session.id, asked), reader.page_query(session.id, asked, dialect)),
        ("attendance", lambda: archive.facts(session.id), reader.facts_query(session.id)),
    ):
        times = []
        for _ in range(50):
            began = time.perf_counter()
            found = call()
            times.append(time.perf_counter() - began)
        print(f"{name}: {len(found)} rows, {sorted(times)[25] * 1000:.1f} ms\n{plan(archive, query)}")
    archive.close()


if __name__ == "__main__":
    main()
