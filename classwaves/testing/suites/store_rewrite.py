"""What a store promises of a log that is rewritten, and of what it knows of one user."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ...erasure import NOBODY, erased
from ...live import folded
from ...models import Entry, SessionRecord
from ...replica import FOLD_VERSION, Replica
from ...store.base import Checkpoint, Edit, Limits, Store
from ..waiting import eventually
from .parts import StoreParts
from .steps import LONG, Listener, NewStore, join, login, message, new_session, seat

FEW = Limits(log_entries=4, log_bytes=1_000_000, dedupe_keys=100)


def without(user: str) -> Edit:
    """The edit that erases a user."""

    def checkpoint(text: str) -> str:
        replica = Replica.load(text)
        replica.erase(user)
        return replica.dump()

    return Edit(lambda entry: erased(entry, user), checkpoint, FOLD_VERSION, f"{len(user)}:{user}:")


def tell(store: Store, session: SessionRecord, user: str, text: str, key: str = "") -> int:
    draft = message(text, user)
    return store.append(session.id, [draft], dedupe=f"{len(user)}:{user}:{key or text}").seq


def log(store: Store, session: SessionRecord) -> list[Entry]:
    return store.read(session.id, 0, 100_000)


def said(store: Store, session: SessionRecord) -> list[str]:
    return [entry.draft.data["message"] for entry in log(store, session) if entry.draft.event == "messageReceived"]


def checkpoint_of(store: Store, session: SessionRecord) -> Checkpoint:
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    replica = folded(loaded)
    return Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump())


class RewriteContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_entries_change_in_their_places(self, store: Store) -> None:
        session, other = new_session(store), new_session(store)
        join(store, session, seat("ann"))
        for number in range(3):
            tell(store, session, "ann", f"secret {number}")
            tell(store, session, "bob", f"open {number}")
        tell(store, other, "ann", "elsewhere")
        before = log(store, session)
        assert store.rewrite(session.id, without("ann")) == 4
        after = log(store, session)
        assert said(store, session) == ["", "open 0", "", "open 1", "", "open 2"]
        assert [(e.seq, e.epoch, e.time, e.draft.author) for e in after] == [
            (e.seq, e.epoch, e.time, e.draft.author) for e in before
        ]
        assert said(store, other) == ["elsewhere"]
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded and loaded.epoch != before[0].epoch
        assert folded(loaded).participants["ann"].display_name == NOBODY
        assert tell(store, session, "bob", "goes on") == len(before) + 1
        assert log(store, session)[-1].epoch == loaded.epoch

    def test_where_nothing_changes_the_numbering_stays(self, store: Store) -> None:
        session = new_session(store)
        tell(store, session, "bob", "open")
        epoch = log(store, session)[0].epoch
        assert store.rewrite(session.id, without("ann")) == 0
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded and loaded.epoch == epoch
        assert store.rewrite("no such session", without("ann")) == 0

    def test_the_workers_are_told(self, store: Store) -> None:
        session, listener = new_session(store), Listener()
        store.start(listener)
        store.subscribe(session.id)
        tell(store, session, "ann", "secret")
        store.rewrite(session.id, without("ann"))
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded
        eventually(lambda: (session.id, {"reset": loaded.epoch}) in listener.ephemeral, what="the word of it")

    def test_a_repeat_is_no_repeat_of_what_was_forgotten(self, store: Store) -> None:
        """The user's keys are their own words, too."""
        session = new_session(store)
        first, bobs = tell(store, session, "ann", "secret", "k"), tell(store, session, "bob", "open", "k")
        store.rewrite(session.id, without("ann"))
        assert tell(store, session, "bob", "open", "k") == bobs
        assert tell(store, session, "ann", "again", "k") > first

    def test_a_trimmed_log_and_its_checkpoint(self, new_store: NewStore) -> None:
        store = new_store(FEW)
        session = new_session(store)
        join(store, session, seat("ann"))
        for number in range(10):
            tell(store, session, "ann", f"secret {number}")
        assert store.save_checkpoint(session.id, checkpoint_of(store, session))
        tell(store, session, "ann", "the last secret")
        assert log(store, session)[0].seq > 1
        late = checkpoint_of(store, session)
        assert store.rewrite(session.id, without("ann")) == len(said(store, session))
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded and loaded.checkpoint
        assert "Ann" not in loaded.checkpoint
        assert [entry.seq for entry in loaded.tail] == [13]
        assert folded(loaded).known["ann"][0] == NOBODY
        assert not store.save_checkpoint(session.id, late), "of a replica that knows the name"
        assert store.save_checkpoint(session.id, checkpoint_of(store, session))

    def test_a_name_that_only_a_checkpoint_has_is_no_more(self, new_store: NewStore) -> None:
        """Who asks has to know that there is another epoch."""
        store = new_store(FEW)
        session = new_session(store)
        join(store, session, seat("ann"))
        for number in range(10):
            tell(store, session, "bob", f"{number}")
        assert store.save_checkpoint(session.id, checkpoint_of(store, session))
        assert log(store, session)[0].seq > 3
        assert store.rewrite(session.id, without("ann")) == 1
        loaded = store.load(session.id, FOLD_VERSION)
        assert loaded and loaded.checkpoint
        assert "Ann" not in loaded.checkpoint
        assert store.rewrite(session.id, without("ann")) == 0

    def test_the_session_goes_on_meanwhile(self, store: Store) -> None:
        """Whoever says something while the log is rewritten finds it in its place; two that erase do not disturb."""
        session = new_session(store)
        for number in range(600):
            tell(store, session, "ann" if number % 2 else "eve", f"{number}")
        with ThreadPoolExecutor() as pool:
            erasing = [pool.submit(store.rewrite, session.id, without(user)) for user in ("ann", "eve", "ann")]
            speaking = [pool.submit(tell, store, session, "bob", f"bob {number}") for number in range(200)]
            seqs = {f"bob {number}": future.result() for number, future in enumerate(speaking)}
            assert sum(future.result() for future in erasing) == 600
        entries = log(store, session)
        assert [entry.seq for entry in entries] == list(range(1, 802))
        texts = {e.draft.data["message"]: e.seq for e in entries if e.draft.author == "bob"}
        assert texts == seqs
        assert {e.draft.data["message"] for e in entries if e.draft.author in ("ann", "eve")} == {""}

    def test_auth_sessions_of_a_user(self, store: Store) -> None:
        logins, other = [login("ann"), login("ann")], login("bob")
        for auth in (*logins, other):
            store.save_auth(auth, "r", LONG)
        assert sorted(store.auths_of("ann")) == sorted(auth.id for auth in logins)
        assert store.auths_of("nobody") == []

    def test_accounts_of_a_user(self, store: Store) -> None:
        for name, user in (("a", "ann"), ("a2", "ann"), ("b", "bob")):
            assert store.save_account(name, {"userId": user, "displayName": name})
        assert not store.save_account("b", {"userId": "ann", "displayName": "b"})
        assert store.drop_accounts("ann") == 2
        assert store.drop_accounts("ann") == 0
        assert (store.account("a"), store.account("b")) == (None, {"userId": "bob", "displayName": "b"})

    def test_entries_are_dated_by_the_clock_that_the_store_tells(self, store: Store) -> None:
        session, before = new_session(store), store.now()
        tell(store, session, "ann", "now")
        assert before <= log(store, session)[-1].time <= store.now()
