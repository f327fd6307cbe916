"""The audit stream in the archive: written down twice it is there once, and it outlives the store."""

from classwaves.archive.archiver import Archiver
from classwaves.archive.sql import SqlArchive
from classwaves.audit import Audit
from classwaves.store import MemoryStore
from classwaves.store.acts import Act, Noted
from classwaves.store.base import Store
from tests.support.archives import DatabaseOfTest
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.hubs import settings_of
from tests.support.stores import LIMITS, LONG


def noted(*numbers: int) -> list[Noted]:
    return [Noted(f"1000-{number}", Act("session.mode", who=f"u{number}")) for number in numbers]


def who(acts: list[Noted]) -> list[str]:
    return [one.act.who for one in acts]


def filled(archive: SqlArchive, *users: str) -> Store:
    """Return a store whose acts are these, which were brought into the archive."""
    store = MemoryStore(LIMITS)
    for user in users:
        store.note_act(Act("session.mode", who=user, details={"mode": "quiz"}), LONG)
    Archiver(store, archive, settings_of()).bring_all()
    return store


def test_acts_are_kept_once_and_in_order(archive: SqlArchive) -> None:
    archive.write_acts(noted(2, 10, 1))
    archive.write_acts(noted(1, 2, 11))
    archive.write_acts([])
    assert who(archive.acts("", 9)) == ["u11", "u10", "u2", "u1"], "by number, and not by letter"
    assert who(archive.acts("1000-10", 1)) == ["u2"]
    assert who(archive.acts_after("1000-2", 9)) == ["u10", "u11"]
    assert archive.acts("", 1) == noted(11)


def test_old_acts_go(archive: SqlArchive) -> None:
    archive.write_acts([Noted("999-0", Act("session.mode", who="old")), *noted(1)])
    archive.drop_acts(1000)
    assert who(archive.acts("", 9)) == ["u1"]


def test_the_archiver_brings_what_is_new(archive: SqlArchive) -> None:
    store = filled(archive, "ada", "bob")
    assert who(archive.acts_after("", 9)) == ["ada", "bob"]
    store.note_act(Act("session.mode", who="cyd"), LONG)
    Archiver(store, archive, settings_of()).bring_all()
    assert archive.acts_after("", 9) == store.acts_after("", 9)


def test_the_archiver_lets_go_of_what_is_too_old(archive: SqlArchive) -> None:
    archive.write_acts(noted(1))  # of 1970
    filled(archive, "ada")
    assert who(archive.acts("", 9)) == ["ada"]


def test_the_stream_outlives_the_store(archive: SqlArchive) -> None:
    filled(archive, "ada", "bob", "cyd")
    empty = MemoryStore(LIMITS)
    empty.note_act(Act("session.mode", who="new"), LONG)
    audit = Audit(empty, LONG, archive)
    assert who(list(audit.everything())) == ["ada", "bob", "cyd", "new"]
    assert who(audit.page("", 3)) == ["new", "cyd", "bob"]
    assert who(audit.page(audit.page("", 3)[-1].id, 3)) == ["ada"]


def test_a_stream_that_both_have_is_told_once(archive: SqlArchive) -> None:
    store = filled(archive, "ada", "bob")
    store.note_act(Act("session.mode", who="cyd"), LONG)
    audit = Audit(store, LONG, archive)
    assert who(list(audit.everything())) == ["ada", "bob", "cyd"]
    assert who(audit.page("", 9)) == ["cyd", "bob", "ada"]


def test_an_archive_from_before_gets_the_table(database: DatabaseOfTest, archive: SqlArchive) -> None:
    archive.database.write(lambda connection: connection.exec_driver_sql("DROP TABLE classwaves_acts"))
    archive.close()
    again = database.archive()
    again.write_acts(noted(1))
    assert who(again.acts("", 9)) == ["u1"]
    again.close()
