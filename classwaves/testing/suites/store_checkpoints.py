"""What a store promises of epochs and checkpoints, and of the log that is trimmed behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...live import folded
from ...models import Entry, SessionRecord
from ...replica import FOLD_VERSION, Replica
from ...store.base import Checkpoint, Limits, Loaded, Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import Listener, NewStore, at_once, join, new_session, say, seat

FEW = Limits(log_entries=4, log_bytes=1_000_000, dedupe_keys=100)


def log(store: Store, session: SessionRecord) -> list[Entry]:
    return store.read(session.id, 0, 10_000)


def seqs(store: Store, session: SessionRecord) -> list[int]:
    return [entry.seq for entry in log(store, session)]


def load(store: Store, session: SessionRecord, version: int = FOLD_VERSION) -> Loaded:
    loaded = store.load(session.id, version)
    assert loaded
    return loaded


def at(store: Store, session: SessionRecord, seq: int, version: int = FOLD_VERSION) -> Checkpoint:
    """The session's checkpoint at ``seq``."""
    replica = Replica(load(store, session).epoch)
    for entry in store.read(session.id, 0, seq):
        replica.apply(entry)
    assert replica.seq == seq
    return Checkpoint(version, replica.epoch, replica.seq, replica.dump())


def lively(store: Store) -> SessionRecord:
    """A session in which something happened at each seq from 1 to 10."""
    session = new_session(store)
    for user in ("ann", "bob", "cid"):
        join(store, session, seat(user))
    say(store, session, "a", "b")
    store.leave(session.id, seat("ann"))
    store.vanish(session.id, seat("bob"))
    say(store, session, "c", "d")
    return session


def _folded(store: Store, session: SessionRecord) -> Checkpoint:
    replica = folded(load(store, session))
    return Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump())


class CheckpointsContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_one_epoch_follows_another_once(self, store: Store) -> None:
        """Compare-and-set: of several workers that miss entries, one starts the numbering, and all get the same."""
        session = new_session(store)
        listener = Listener()
        store.start(listener)
        store.subscribe(session.id)
        old = log(store, session)[0].epoch
        epochs = set(at_once(8, lambda _: store.new_epoch(session.id, old)))
        assert len(epochs) == 1
        (new,) = epochs
        assert new != old
        assert store.new_epoch(session.id, old) == new
        assert store.new_epoch(session.id, "never was") == new
        assert say(store, session, "goes on") == [2]
        assert [entry.epoch for entry in log(store, session)] == [old, new]
        eventually(lambda: len(listener.heard(session.id)) == 1, what="the entry in the feed")
        assert listener.ephemeral == [(session.id, {"reset": new})]

    def test_a_new_epoch_forgets_the_checkpoint(self, store: Store) -> None:
        session = new_session(store)
        say(store, session, "a")
        assert store.save_checkpoint(session.id, at(store, session, 1))
        late = at(store, session, 2)
        new = store.new_epoch(session.id, late.epoch)
        loaded = load(store, session)
        assert (loaded.epoch, loaded.checkpoint) == (new, None)
        assert [entry.seq for entry in loaded.tail] == [1, 2]
        assert not store.save_checkpoint(session.id, late), "of another epoch"
        assert store.save_checkpoint(session.id, at(store, session, 1)), "the old one is forgotten"

    def test_a_checkpoint_is_of_an_entry_that_the_log_has(self, store: Store) -> None:
        """Another replica's entry may have had that number, before the store lost it."""
        session = new_session(store)
        say(store, session, "a", "b")
        made, moment = at(store, session, 2), log(store, session)[1].time
        assert not store.save_checkpoint(session.id, replace(made, time=moment + 1))
        assert load(store, session).checkpoint is None
        assert store.save_checkpoint(session.id, replace(made, time=moment))

    def test_the_newest_entry_is_loaded_too(self, store: Store) -> None:
        session = new_session(store)
        say(store, session, "a", "b")
        for _ in range(2):
            assert load(store, session).newest == log(store, session)[-1]
            store.save_checkpoint(session.id, at(store, session, 3))
        assert load(store, session).tail == []

    def test_a_new_epoch_of_a_trimmed_log_keeps_its_beginning(self, new_store: NewStore) -> None:
        store = new_store(FEW)
        session = new_session(store)
        join(store, session, seat("ann"))
        say(store, session, *"abcdefgh")
        assert store.save_checkpoint(session.id, at(store, session, 8))
        whole = folded(load(store, session))
        epoch = store.new_epoch(session.id, whole.epoch)
        again = folded(load(store, session))
        assert (again.epoch, again.seq, again.record, again.participants) == (
            epoch,
            whole.seq,
            session,
            whole.participants,
        )

    def test_load_gives_the_checkpoint_and_what_follows(self, store: Store) -> None:
        session = lively(store)
        saved = at(store, session, 7)
        assert store.save_checkpoint(session.id, saved)
        loaded = load(store, session)
        assert loaded.checkpoint == saved.body
        assert loaded.seq == 10
        assert [entry.seq for entry in loaded.tail] == [8, 9, 10]
        assert folded(loaded).dump() == at(store, session, 10).body

    def test_an_older_checkpoint_is_refused(self, store: Store) -> None:
        """Over a trimmed log it would lose entries."""
        session = lively(store)
        older, newer, newest = at(store, session, 4), at(store, session, 6), at(store, session, 9)
        assert store.save_checkpoint(session.id, newer)
        assert not store.save_checkpoint(session.id, older)
        assert not store.save_checkpoint(session.id, newer)
        assert load(store, session).checkpoint == newer.body
        assert store.save_checkpoint(session.id, newest)
        assert load(store, session).checkpoint == newest.body

    def test_a_checkpoint_of_what_the_store_does_not_have_is_refused(self, store: Store) -> None:
        """A replica that is ahead has seen entries that the store has lost."""
        session = lively(store)
        made = at(store, session, 10)
        assert not store.save_checkpoint(session.id, Checkpoint(made.version, made.epoch, 11, made.body))
        assert load(store, session).checkpoint is None
        assert store.save_checkpoint(session.id, made)

    def test_checkpoints_of_another_fold_are_not_ours(self, store: Store) -> None:
        session = lively(store)
        assert store.save_checkpoint(session.id, at(store, session, 8, version=7))
        loaded = load(store, session)
        assert loaded.checkpoint is None
        assert len(loaded.tail) == 10
        assert store.save_checkpoint(session.id, at(store, session, 5)), "each version has its own order"
        assert load(store, session, version=7).checkpoint == at(store, session, 8).body

    def test_the_log_is_trimmed_behind_a_checkpoint(self, new_store: NewStore) -> None:
        store = new_store(FEW)
        session = lively(store)
        whole = at(store, session, 10)
        assert seqs(store, session) == list(range(1, 11)), "not without a checkpoint"
        assert store.save_checkpoint(session.id, at(store, session, 8))
        assert seqs(store, session) == [7, 8, 9, 10]
        assert folded(load(store, session)).dump() == whole.body
        assert say(store, session, "e") == [11]
        assert store.read(session.id, 2, 2) == log(store, session)[:2], "what is left comes first"

    def test_the_log_is_never_trimmed_past_a_checkpoint(self, new_store: NewStore) -> None:
        store = new_store(FEW)
        session = lively(store)
        whole = at(store, session, 10)
        assert store.save_checkpoint(session.id, at(store, session, 3))
        assert seqs(store, session) == list(range(4, 11))
        assert folded(load(store, session)).dump() == whole.body

    def test_the_log_is_never_trimmed_past_the_checkpoint_of_a_living_version(self, new_store: NewStore) -> None:
        store = new_store(FEW)
        session = lively(store)
        new, whole = at(store, session, 9, version=2), at(store, session, 10)
        assert store.save_checkpoint(session.id, at(store, session, 5, version=1))
        assert store.save_checkpoint(session.id, new)
        assert seqs(store, session) == list(range(6, 11))
        assert folded(load(store, session, version=1)).dump() == whole.body
        assert folded(load(store, session, version=2)).dump() == whole.body

    @pytest.mark.parametrize("text", ["x" * 100, "\N{SEEDLING}" * 25], ids=["ascii", "utf8"])
    def test_the_log_is_bounded_in_bytes(self, new_store: NewStore, text: str) -> None:
        """About: the mean of all entries counts. The length of a text is that of its UTF-8."""
        store = new_store(Limits(log_entries=1000, log_bytes=2000, dedupe_keys=100))
        session = new_session(store)
        say(store, session, *[text] * 100)
        total = sum(entry.size for entry in log(store, session))
        kept = int(2000 / (total / 101))
        assert 5 < kept < 12
        assert store.save_checkpoint(session.id, at(store, session, 100))
        assert seqs(store, session) == list(range(102 - kept, 102))

    def test_the_log_is_not_trimmed_past_the_archive(self, new_store: NewStore) -> None:
        """Where there is one: as long as what it has not is no more than twice what the log may have."""
        store = new_store(replace(FEW, log_entries=10, archived=True))
        session = new_session(store)
        say(store, session, *map(str, range(14)))
        assert store.save_checkpoint(session.id, at(store, session, 15))
        assert seqs(store, session)[0] == 1, "the archive has nothing"
        assert store.archived(session.id, log(store, session)[2])
        newest = log(store, session)[-1]
        say(store, session, "more")
        assert store.save_checkpoint(session.id, _folded(store, session))
        assert seqs(store, session)[0] == 4
        assert not store.archived(session.id, replace(newest, time=newest.time + 1)), "an entry that was lost"
        assert not store.archived("gone", newest)
        assert store.archived(session.id, newest)
        say(store, session, "more")
        assert store.save_checkpoint(session.id, _folded(store, session))
        assert seqs(store, session)[0] == 8, "ten entries"
        say(store, session, *map(str, range(20)))
        assert store.save_checkpoint(session.id, _folded(store, session))
        assert seqs(store, session)[0] == 18, "twice ten"
