"""The fold: whatever the log says, a checkpoint and the tail after it make what the whole log makes."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from classwaves.live import folded
from classwaves.models import Draft, Entry, Participant, SessionRecord
from classwaves.replica import FOLD_VERSION, FOLDS, Replica, fold
from classwaves.store.base import Checkpoint, Loaded, Store
from tests.support.stores import make_store as make_store
from tests.support.stores import new_session
from tests.support.stores import store as store


@fold("test.tallied")
def tally(replica: Replica, entry: Entry) -> None:
    """A feature's own state, as a shop would keep it."""
    votes = replica.state.setdefault("tally", {})
    votes[entry.draft.author] = votes.get(entry.draft.author, 0) + entry.draft.data["votes"]


USERS = st.sampled_from(["ann", "bob", "cid \N{SEEDLING}"])
NAMES = st.text(max_size=8)
SETTINGS = st.fixed_dictionaries(
    {}, optional={"maxParticipants": st.integers(1, 9), "coTeacherIds": st.lists(USERS, max_size=2), "more": NAMES}
)
RECORDS = st.builds(
    lambda title, owner, changes: SessionRecord("id", "ABCDEF", title, owner, 1).with_changes(
        settings={**SessionRecord("", "", "", "", 0).settings, **changes}
    ),
    NAMES,
    USERS,
    SETTINGS,
)


def drafts(event: str, data: st.SearchStrategy[Any]) -> st.SearchStrategy[Draft]:
    bumps = st.lists(st.sampled_from(["session", "activity", "user:ann", "group:1"]), max_size=2, unique=True)
    return st.builds(Draft, st.just(event), data, USERS, bumps=bumps.map(tuple))


PARTICIPANTS = drafts(
    "participantChanged",
    st.fixed_dictionaries(
        {"change": st.sampled_from(["returned", "disconnected", "left", "removed", "whatever comes one day"])}
    )
    | st.fixed_dictionaries(
        {"change": st.just("joined"), "displayName": NAMES, "role": st.sampled_from(["student", "teacher"])}
    ),
)
DRAFTS = st.one_of(
    PARTICIPANTS,
    PARTICIPANTS,
    drafts("sessionCreated", RECORDS.map(lambda record: {"record": record.to_dict()})),
    drafts("sessionStatusChanged", st.sampled_from(["active", "paused", "ended"]).map(lambda to: {"status": to})),
    drafts("sessionChanged", st.fixed_dictionaries({"title": NAMES, "settings": SETTINGS})),
    drafts("messageReceived", st.fixed_dictionaries({"message": NAMES})),
    drafts("test.tallied", st.fixed_dictionaries({"votes": st.integers(-3, 3)})),
    drafts("unknownOne", st.dictionaries(NAMES, st.none() | st.integers())),
)
LOGS = st.lists(DRAFTS, max_size=40)


def log_of(drafts: list[Draft]) -> list[Entry]:
    return [Entry(seq, "epoch", 1000 * seq, draft) for seq, draft in enumerate(drafts, 1)]


def replica_of(log: list[Entry], replica: Replica | None = None) -> Replica:
    replica = replica or Replica("epoch")
    for entry in log:
        replica.apply(entry)
    return replica


def joined(name: str = "Ann", **more: Any) -> Draft:
    return Draft("participantChanged", {"change": "joined", "displayName": name, "role": "student"}, "ann", **more)


def changed(change: str) -> Draft:
    return Draft("participantChanged", {"change": change}, "ann")


def status(to: str) -> Draft:
    return Draft("sessionStatusChanged", {"status": to})


def born(title: str = "Biology") -> Draft:
    return Draft("sessionCreated", {"record": SessionRecord("id", "ABCDEF", title, "teacher", 1).to_dict()})


@settings(deadline=None)
@given(drafts=LOGS, data=st.data())
@example(drafts=[changed("left"), joined(), joined("Bob"), changed("left"), changed("disconnected")], data=None)
@example(drafts=[status("ended"), born(), status("ended"), status("active"), born("Physics")], data=None)
def test_a_checkpoint_and_the_tail_make_what_the_whole_log_makes(
    drafts: list[Draft], data: st.DataObject | None
) -> None:
    log = log_of(drafts)
    whole = replica_of(log)
    for at in range(len(log) + 1) if data is None else [data.draw(st.integers(0, len(log)), "checkpoint at")]:
        again = replica_of(log[at:], Replica.load(replica_of(log[:at]).dump()))
        assert again.dump() == whole.dump()
        assert vars(again) == vars(whole), "nothing is left out of the checkpoint"


@settings(deadline=None)
@given(LOGS)
def test_a_dump_is_loaded_as_it_was(drafts: list[Draft]) -> None:
    replica = replica_of(log_of(drafts))
    loaded = Replica.load(replica.dump())
    assert vars(loaded) == vars(replica)
    assert loaded.dump() == replica.dump()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(st.lists(DRAFTS, min_size=1, max_size=5), max_size=8), data=st.data())
def test_a_store_gives_back_what_was_folded(store: Store, log: list[list[Draft]], data: st.DataObject) -> None:
    session = new_session(store)
    for number, drafts in enumerate(log):
        store.append(session.id, drafts, dedupe=str(number))
    entries = store.read(session.id, 0, 1000)
    whole = replica_of(entries, Replica(entries[0].epoch))
    assert vars(loaded(store, session.id)) == vars(whole)
    at = data.draw(st.integers(1, len(entries)), "checkpoint at")
    prefix = replica_of(entries[:at], Replica(entries[0].epoch))
    assert store.save_checkpoint(session.id, Checkpoint(FOLD_VERSION, prefix.epoch, at, prefix.dump()))
    assert vars(loaded(store, session.id)) == vars(whole)


def loaded(store: Store, session_id: str) -> Replica:
    found = store.load(session_id, FOLD_VERSION)
    assert found
    return folded(found)


def test_participants_come_and_go() -> None:
    replica = replica_of(log_of([born(), joined()]))
    ann = Participant("ann", "Ann", "student", joined_at=2000)
    assert replica.participants == {"ann": ann}
    for seq, (change, left) in enumerate(
        [("disconnected", False), ("returned", True), ("joined twice", True), ("left", None), ("returned", None)], 3
    ):
        draft = joined("Other") if change == "joined twice" else changed(change)
        replica.apply(Entry(seq, "epoch", 1000 * seq, draft))
        present = replica.participants.get("ann")
        assert (present.connected if present else None) is left
        assert present is None or present.joined_at == 2000
    assert replica.known == {"ann": ["Ann", "student"]}, "the names of those who left are still needed"


def test_what_the_prefix_makes_meaningless_changes_nothing() -> None:
    nothing = [changed("left"), changed("returned"), changed("disconnected"), status("active")]
    replica = replica_of(log_of(nothing))
    assert (replica.record, replica.participants, replica.known, replica.seq) == (None, {}, {}, 4)


def test_ended_is_final() -> None:
    replica = replica_of(log_of([born(), status("active"), status("ended"), status("active"), born("Physics")]))
    assert replica.record
    assert (replica.record.status, replica.record.title) == ("ended", "Biology")


def test_settings_are_merged() -> None:
    change = Draft("sessionChanged", {"title": "Physics", "settings": {"maxParticipants": 3}})
    replica = replica_of(log_of([born(), change]))
    assert replica.record
    assert replica.record.title == "Physics"
    assert (replica.record.settings["maxParticipants"], replica.record.settings["guestsAllowed"]) == (3, True)


def test_an_unknown_event_moves_its_fences() -> None:
    replica = replica_of(log_of([born(), Draft("comesOneDay", {}, bumps=("activity", "user:ann")), born()]))
    assert {name: replica.fence(name) for name in ("activity", "user:ann", "user:bob")} == {
        "activity": 2,
        "user:ann": 2,
        "user:bob": 0,
    }


@pytest.mark.parametrize("seq", [0, 1, 2, 4])
def test_only_the_next_entry_is_folded(seq: int) -> None:
    replica = replica_of(log_of([born(), joined()]))
    before = replica.dump()
    with pytest.raises(ValueError, match=f"{seq} does not follow 2"):
        replica.apply(Entry(seq, "epoch", 1, changed("left")))
    assert replica.dump() == before


def test_a_fold_that_raises_is_passed_over_if_it_is_a_shops(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entries = log_of([born(), joined(), Draft("test.tallied", {}, "ann"), Draft("test.tallied", {"votes": 2}, "ann")])
    replica = replica_of(entries)
    assert (replica.seq, replica.state["tally"]) == (4, {"ann": 2})
    assert "test_replica.tally failed at test.tallied, seq 3" in caplog.text and "KeyError" in caplog.text
    monkeypatch.setattr(tally, "__module__", "classwaves.features.tally")
    with pytest.raises(KeyError):  # ours never fail, and a test that finds one is to say so
        replica_of(entries)


def test_an_event_is_folded_in_one_place() -> None:
    before = [*FOLDS["test.tallied"]]
    with pytest.raises(RuntimeError, match=r"test\.tallied has a fold tally already"):
        fold("test.tallied")(tally)
    assert FOLDS["test.tallied"] == before


def test_a_log_whose_beginning_is_gone_is_folded_from_what_there_is() -> None:
    """Trimmed behind a checkpoint of another fold: participants who are still there cannot be known."""
    tail = log_of([born(), joined(), changed("left"), joined("Bob")])[2:]
    replica = folded(Loaded("epoch", 4, None, tail))
    assert (replica.seq, replica.epoch, list(replica.participants)) == (4, "epoch", ["ann"])
