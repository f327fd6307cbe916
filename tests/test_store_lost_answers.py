"""What an answer that Redis gave and nobody got leaves: the step was done, is repeated, and counts once."""

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.store.base import Room
from classwaves.store.redis import RedisStore
from tests.support.proxy import FaultyProxy
from tests.support.stores import LONG, ROOM, created, facts, join, login, message, new_record, new_session, seat, texts
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.stores import upload as new_upload


def test_an_append_whose_answer_was_lost_is_stored_once(shaky: RedisStore, proxy: FaultyProxy) -> None:
    session = new_session(shaky)
    proxy.swallow_next_reply(b"EVALSHA")
    result = shaky.append(session.id, [message("a"), message("b")], dedupe="ann:1", fences={"session": 1})
    assert proxy.swallowed.wait(5)
    assert (result.seq, result.duplicate) == (3, True)
    log = shaky.read(session.id, 0, 10)
    assert texts(log) == ["a", "b"]
    assert (log[-1].epoch, log[-1].time) == (result.epoch, result.time)


def test_an_append_that_moved_its_own_fence_gets_its_answer(shaky: RedisStore, proxy: FaultyProxy) -> None:
    """The repeat would be stale; the key is looked up first."""
    session = new_session(shaky)
    ended = session.with_changes(status="ended")
    proxy.swallow_next_reply(b"EVALSHA")
    result = shaky.append(session.id, [created(session)], dedupe="end", fences={"session": 1}, record=ended)
    assert proxy.swallowed.wait(5)
    assert (result.seq, result.duplicate) == (2, True)
    assert shaky.record(session.id) == ended


def test_an_append_that_is_not_known_to_be_stored_may_be_repeated(shaky: RedisStore, proxy: FaultyProxy) -> None:
    session = new_session(shaky)
    proxy.swallow_next_reply(b"EVALSHA")
    proxy.refuse()
    with pytest.raises(StoreUnavailable):
        shaky.append(session.id, [message("a")], dedupe="ann:1")
    assert proxy.swallowed.wait(5)
    proxy.accept()
    again = shaky.append(session.id, [message("a")], dedupe="ann:1")
    assert (again.seq, again.duplicate) == (2, True)
    assert texts(shaky.read(session.id, 0, 10)) == ["a"]


def test_a_code_whose_reservation_was_not_answered_is_ours(shaky: RedisStore, proxy: FaultyProxy) -> None:
    record = new_record()
    shaky.ping()
    proxy.swallow_next_reply(b"test:code:")
    appended = shaky.create_session(record, created(record))
    assert proxy.swallowed.wait(5)
    assert appended and appended.seq == 1
    assert shaky.session_id(record.code) == record.id


def test_an_account_whose_answer_was_lost_is_not_taken_by_somebody_else(shaky: RedisStore, proxy: FaultyProxy) -> None:
    shaky.ping()
    proxy.swallow_next_reply(b"test:account:")
    assert shaky.save_account("ann", {"user_id": "u1"})
    assert proxy.swallowed.wait(5)


def test_a_rotation_whose_answer_was_lost_is_no_reuse(shaky: RedisStore, proxy: FaultyProxy) -> None:
    auth = login()
    shaky.save_auth(auth, "r1", LONG)
    proxy.swallow_next_reply(b"EVALSHA")
    assert shaky.rotate_refresh(auth.id, "r1", "r2", LONG)
    assert proxy.swallowed.wait(5)
    assert shaky.auth(auth.id) == auth


def test_a_departure_is_remembered_when_its_answer_was_lost(
    direct: RedisStore, shaky: RedisStore, proxy: FaultyProxy
) -> None:
    """The step is repeated and finds its work done; the absence must still be due one day."""
    session = new_session(direct)
    join(direct, session, seat("ann"))
    proxy.swallow_next_reply(b"disconnected")
    shaky.vanish(session.id, seat("ann"))
    assert proxy.swallowed.wait(5)
    assert facts(direct, session) == [("ann", "joined"), ("ann", "disconnected")]
    assert direct.due_absences(0) == [session.id]


def test_a_sweep_is_remembered_when_its_answer_was_lost(
    direct: RedisStore, shaky: RedisStore, proxy: FaultyProxy
) -> None:
    session = new_session(direct)
    direct.serve("dead", session.id)
    join(direct, session, seat("ann", worker="dead"))
    direct.renew("dead", 0)
    proxy.swallow_next_reply(b"sweep")
    assert shaky.sweep() == 1
    assert proxy.swallowed.wait(5)
    assert facts(direct, session) == [("ann", "joined"), ("ann", "disconnected")]
    assert direct.due_absences(0) == [session.id]


def test_a_join_whose_answer_was_lost_is_one_arrival(direct: RedisStore, shaky: RedisStore, proxy: FaultyProxy) -> None:
    session = new_session(direct)
    proxy.swallow_next_reply(b"join")
    result = join(shaky, session, seat("ann"), capacity=1)
    assert proxy.swallowed.wait(5)
    assert (result.status, result.seq) == ("active", 2)
    assert facts(direct, session) == [("ann", "joined")]


def test_an_upload_whose_beginning_was_not_answered_has_its_place(shaky: RedisStore, proxy: FaultyProxy) -> None:
    """Though it is the last one that there is."""
    session, mine = new_session(shaky), new_upload("ann")
    proxy.swallow_next_reply(b"begin")
    assert shaky.begin_upload(session.id, mine, Room(files=1, bytes=100, uploads=1, own_uploads=1), {}) == mine
    assert proxy.swallowed.wait(5)
    assert shaky.uploads(session.id) == [mine]
    assert shaky.due_uploads(0) == [session.id]


def test_a_chunk_whose_answer_was_lost_counts_once(shaky: RedisStore, proxy: FaultyProxy) -> None:
    session, mine = new_session(shaky), new_upload("ann")
    shaky.begin_upload(session.id, mine, ROOM, {})
    proxy.swallow_next_reply(b"advance")
    moved = shaky.advance_upload(session.id, mine.id, 0)
    assert proxy.swallowed.wait(5)
    assert moved
    assert moved.next_index == 1
