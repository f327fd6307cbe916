"""The archive under gunicorn: its database keeps no event waiting, killed workers cost nothing, SIGTERM writes all."""

import os
import signal
import time

import pytest

from classwaves.archive.sql import SqlArchive
from classwaves.models import SessionRecord
from tests.support.archives import DATABASES, DatabaseOfTest, kept, log
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.clients import Closed, RawClient
from tests.support.school import School, open_school
from tests.support.stores import redis_store, texts
from tests.support.waiting import eventually

#: Most clients wait for less than the database may keep a lock; the machine may stand still under one of them.
PROMPT = 4.0

#: In which database: "make archive" tries both for each.
WHOLE = "ARCHIVE_AWAY" in os.environ
with_postgres = pytest.mark.parametrize("database", DATABASES if WHOLE else ("postgres",), indirect=True)
with_sqlite = pytest.mark.parametrize("database", DATABASES if WHOLE else ("sqlite",), indirect=True)


def session_of(archive: SqlArchive, code: str) -> SessionRecord:
    past = archive.find(code)
    assert past
    return past.record


@with_postgres
def test_messages_go_on_while_the_database_is_away_and_a_worker_is_killed(
    archive: SqlArchive, database: DatabaseOfTest
) -> None:
    with open_school("redis", CLASSWAVES_ARCHIVE_URL=database.url) as school:
        assert school.redis
        code = school.session()
        ann = school.joined(code, "Ann")
        said = [f"no. {number}" for number in range(40)]
        for text in said[:10]:
            ann.say(code, text)
        eventually(lambda: archive.find(code), what="the session in the archive")
        session = session_of(archive, code)
        archive.close()
        with database.away():
            until, waits = time.monotonic() + 1.5, []
            for text in said[10:20]:
                began = time.monotonic()
                ann.say(code, text)
                waits.append(time.monotonic() - began)
                time.sleep(max(0.0, until - time.monotonic()) / 10)
            assert sorted(waits)[5] < PROMPT, "the worker waited for the database"
        for pid in school.server.worker_pids:
            os.kill(pid, signal.SIGKILL)
        bob = back(school, code)
        for text in said[20:]:
            bob.say(code, text)
        school.api.step(school.teacher, code, "end")
        store = redis_store(school.redis.url, prefix="cw")

        def whole() -> bool:
            return archive.positions([session.id]) == store.positions([session.id])

        eventually(whole, 30, what="the archive has all")
        assert kept(archive, session) == log(store, session)
        assert texts(kept(archive, session)) == said
        assert session_of(archive, code).status == "ended"
        store.close()


def back(school: School, code: str) -> RawClient:
    """Join as Bob, as soon as there is a worker again."""

    def attempt() -> RawClient | None:
        try:
            return school.joined(code, "Bob")
        except (OSError, Closed):
            return None

    client = eventually(attempt, 60, "a worker that lets Bob in")
    assert client
    return client


@with_sqlite
def test_what_a_server_in_memory_had_is_written_before_it_ends(archive: SqlArchive, database: DatabaseOfTest) -> None:
    with open_school(CLASSWAVES_ARCHIVE_URL=database.url) as school:
        code = school.session()
        ann = school.joined(code, "Ann")
        for number in range(5):
            ann.say(code, f"no. {number}")
        ann.close()
        assert school.server.stop() == 0
        assert texts(kept(archive, session_of(archive, code))) == [f"no. {number}" for number in range(5)]
        if not WHOLE:
            return  # tests/test_archive_rest.py reads it after a restart
        school.server.start()
        teacher = school.api.token("teacher")
        assert [item["message"] for item in school.api.messages(teacher, code)] == [f"no. {n}" for n in range(5)]
        (row, *_) = school.api.ok("GET", f"/sessions/{code}/attendance", teacher)["attendance"]
        assert row["displayName"] == "Ann"
