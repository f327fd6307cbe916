"""Where the store's log ends and the archive begins, while that place moves."""

import pytest

from classwaves import history
from classwaves.archive.archiver import Archiver
from classwaves.archive.sql import SqlArchive
from classwaves.history import Log
from classwaves.live import folded
from classwaves.models import SessionRecord
from classwaves.replica import FOLD_VERSION
from classwaves.store import MemoryStore
from classwaves.store.base import Checkpoint, Limits, Store
from tests.support.archives import DatabaseOfTest
from tests.support.archives import archive as archive
from tests.support.archives import database as database
from tests.support.archives import postgres_process as postgres_process
from tests.support.stores import new_session, say

FEW = Limits(log_entries=10, log_bytes=10_000_000, dedupe_keys=1000, archived=True)


@pytest.fixture
def store() -> Store:
    return MemoryStore(FEW)


def trimmed(store: Store, session: SessionRecord) -> None:
    """Let the store keep no more than ten entries."""
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    replica = folded(loaded)
    assert store.save_checkpoint(session.id, Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump()))


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("gone", [False, True])
def test_an_export_has_all_whatever_the_store_lets_go_of_meanwhile(
    store: Store,
    archive: SqlArchive,
    database: DatabaseOfTest,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
    gone: bool,
) -> None:
    """A client that reads slowly has it read for minutes."""
    monkeypatch.setattr(history, "READ", 5)
    session, archiver = new_session(store), Archiver(store, archive, database.settings())
    for more in (before, False):
        say(store, session, *map(str, range(20)))
        archiver.bring(session.id)
        if more:
            trimmed(store, session)
    reading = Log(store, archive).everything(session.id)
    found = [next(reading).seq for _ in range(3)]
    if gone:
        store.expire(session, 0)
    else:
        trimmed(store, session)
    found += [entry.seq for entry in reading]
    assert found == list(range(1, 42))
