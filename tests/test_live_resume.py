"""Resuming, at the session itself: whatever is in the ring and whatever in the log, all that was missed or nothing."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classwaves.models import new_id
from classwaves.ring import Resume
from classwaves.store import MemoryStore
from classwaves.store.base import Limits, Store
from tests.support.hubs import Sockets, enter, open_live, principal
from tests.support.stores import LIMITS, StoreFactory, join, message, new_session, say, seat
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store

ANN, TEACHER = principal("ann"), principal("teacher", "teacher")


def missed(snapshot: dict[str, Any]) -> list[int] | None:
    """The seqs of what is in an answer, ``None`` if it says to start again."""
    if not snapshot["recovered"]:
        assert snapshot["missed"] == []
        return None
    return [item["data"]["seq"] for item in snapshot["missed"]]


def test_all_after_the_position_is_there(store: Store) -> None:
    """From the ring alone, and from the log and the ring, whatever the ring has room for."""
    session = new_session(store)
    say(store, session, *"abcdefgh")
    for room in (1, 3, 500):
        live = open_live(store, session, Sockets(), RING_ENTRIES=room)
        for since in range(10):
            answer = enter(live, f"{since}", ANN, Resume(since, live.replica.epoch))
            assert missed(answer) == [seq for seq in range(2, 10) if seq > since]
            assert answer["seq"] == 9


def test_what_was_missed_is_as_it_was_sent(store: Store) -> None:
    session, sockets = new_session(store), Sockets()
    live = open_live(store, session, sockets, RING_ENTRIES=2)
    enter(live, "there", ANN)
    say(store, session, *"abcd")
    live.catch_up()
    answer = enter(live, "back", ANN, Resume(1, live.replica.epoch))
    assert [(item["event"], item["data"]) for item in answer["missed"]] == sockets.inbox["there"][1:]


def test_a_foreign_epoch_or_a_seq_to_come_is_not_recovered(store: Store) -> None:
    session = new_session(store)
    say(store, session, "a")
    live = open_live(store, session, Sockets())
    epoch = live.replica.epoch
    assert missed(enter(live, "1", ANN, Resume(1, "other"))) is None
    assert missed(enter(live, "2", ANN, Resume(3, epoch))) is None
    assert missed(enter(live, "3", ANN, Resume(2**53, epoch))) is None
    assert missed(enter(live, "4", ANN)) is None
    assert missed(enter(live, "5", ANN, Resume(2, epoch))) == []


def test_a_new_epoch_is_foreign_to_those_of_the_old_one(store: Store) -> None:
    session = new_session(store)
    say(store, session, "a")
    live = open_live(store, session, Sockets())
    old = live.replica.epoch
    new = store.new_epoch(session.id, old)
    live.catch_up()
    live = open_live(store, session, Sockets())
    assert missed(enter(live, "1", ANN, Resume(1, old))) is None
    assert missed(enter(live, "2", ANN, Resume(1, new))) == [2]


def test_what_was_trimmed_is_not_recovered(make_store: StoreFactory) -> None:
    store = make_store(Limits(log_entries=4, log_bytes=10_000_000, dedupe_keys=10))
    session = new_session(store)
    say(store, session, *"abcdefgh")
    live = open_live(store, session, Sockets(), RING_ENTRIES=2)
    live.write_checkpoint()
    assert [entry.seq for entry in store.read(session.id, 0, 10)] == [6, 7, 8, 9]
    answers = [missed(enter(live, f"{since}", ANN, Resume(since, live.replica.epoch))) for since in range(3, 8)]
    assert answers == [None, None, [6, 7, 8, 9], [7, 8, 9], [8, 9]]


@pytest.mark.parametrize("ring", [1, 500])
def test_more_than_the_limit_is_not_recovered(store: Store, ring: int) -> None:
    session = new_session(store)
    say(store, session, *"abcdefgh")
    live = open_live(store, session, Sockets(), RESUME_ENTRIES=3, RING_ENTRIES=ring)
    answers = [missed(enter(live, f"{since}", ANN, Resume(since, live.replica.epoch))) for since in (5, 6)]
    assert answers == [None, [7, 8, 9]]


def test_entries_for_others_do_not_count(store: Store) -> None:
    session = new_session(store)
    for number in range(10):
        store.append(session.id, [message(f"{number}", audience="staff")], dedupe=new_id())
    say(store, session, "for all")
    live = open_live(store, session, Sockets(), RESUME_ENTRIES=3)
    assert missed(enter(live, "1", ANN, Resume(1, live.replica.epoch))) == [12]
    assert missed(enter(live, "2", TEACHER, Resume(1, live.replica.epoch))) is None


@pytest.mark.parametrize("text", ["x" * 300, "\N{SEEDLING}" * 75], ids=["ascii", "utf8"])
def test_more_bytes_than_the_limit_are_not_recovered(store: Store, text: str) -> None:
    """The bytes are those of UTF-8."""
    session = new_session(store)
    say(store, session, *[text] * 8)
    live = open_live(store, session, Sockets(), RESUME_BYTES=2000)
    epoch = live.replica.epoch
    answers = [missed(enter(live, f"{since}", ANN, Resume(since, epoch))) for since in range(1, 10)]
    assert answers[-1] == []
    recovered = [answer for answer in answers if answer is not None]
    assert 3 <= len(recovered) <= 5, "about 550 bytes each"
    assert answers[: -len(recovered)] == [None] * (9 - len(recovered))


def test_what_is_in_the_log_and_not_yet_in_the_replica_is_not_told_twice(store: Store) -> None:
    """A resume that reads the log may see further than the feed has come."""
    session, sockets = new_session(store), Sockets()
    say(store, session, *"abcd")
    live = open_live(store, session, sockets, RING_ENTRIES=1)
    (seq,) = say(store, session, "on its way")
    answer = enter(live, "s", ANN, Resume(1, live.replica.epoch))
    told = missed(answer)
    live.on_entry(store.read(session.id, seq - 1, 1)[0])
    assert told == [2, 3, 4, 5]
    assert answer["seq"] == 5
    assert sockets.said("s") == ["on its way"]


def test_arrivals_and_departures_are_in_the_snapshot_alone(store: Store) -> None:
    session = new_session(store)
    join(store, session, seat("bob"))
    join(store, session, seat("cid"))
    store.leave(session.id, seat("cid"))
    live = open_live(store, session, Sockets())
    answer = enter(live, "s", ANN, Resume(1, live.replica.epoch))
    assert missed(answer) == []
    assert [one["userId"] for one in answer["participants"]] == ["bob"]


@settings(max_examples=8, deadline=None)
@given(rings=st.integers(1, 30), sinces=st.lists(st.integers(0, 60), min_size=5, max_size=5))
def test_a_resume_among_messages_has_no_hole_and_nothing_twice(rings: int, sinces: list[int]) -> None:
    """While others write: what is in the answer and what follows it make the log."""
    store, sockets = MemoryStore(LIMITS), Sockets()
    session = new_session(store)
    live = open_live(store, session, sockets, RING_ENTRIES=rings)

    class Feed:
        def on_entry(self, session_id: str, entry: Any) -> None:
            live.on_entry(entry)

        def on_ephemeral(self, session_id: str, message: dict[str, Any]) -> None: ...

        def on_control(self, message: dict[str, Any]) -> None: ...

        def on_new_connection(self) -> None: ...

        def on_reconnect(self) -> None: ...

    store.start(Feed())
    store.subscribe(session.id)
    say(store, session, *map(str, range(60)))
    writing = threading.Thread(target=say, args=(store, session, *map(str, range(60, 200))))
    writing.start()
    for number, since in enumerate(sinces):
        enter(live, f"s{number}", ANN, Resume(since, live.replica.epoch))
    writing.join()
    for number, since in enumerate(sinces):
        snapshot, *later = [payload for _, payload in sockets.inbox[f"s{number}"]]
        seqs = [item["data"]["seq"] for item in snapshot["missed"]] + [payload["seq"] for payload in later]
        assert snapshot["recovered"]
        assert seqs == list(range(max(since, 1) + 1, 202))
