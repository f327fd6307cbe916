"""What Redis does for several workers: who settles the sessions of one that died."""

import threading

from classwaves.store import MemoryStore
from classwaves.store.redis import RedisStore
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, LONG, at_once, facts, join, new_session, seat
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.waiting import eventually


def test_the_sessions_of_a_dead_worker_are_settled(direct: RedisStore) -> None:
    one, two, three = (new_session(direct) for _ in range(3))
    for worker in ("dead", "alive"):
        direct.renew(worker, LONG)
    for session in (one, two):
        direct.serve("dead", session.id)
    for session in (one, three):
        direct.serve("alive", session.id)
    join(direct, one, seat("ann", worker="dead"))
    join(direct, one, seat("ann", "2", worker="dead"))
    join(direct, one, seat("bob", worker="dead"))
    join(direct, one, seat("bob", worker="alive"))
    join(direct, one, seat("cid", worker="alive"))
    join(direct, two, seat("ann", worker="dead"))
    join(direct, three, seat("ann", worker="alive"))
    assert direct.sweep() == 0
    assert all(change == "joined" for session in (one, two, three) for _, change in facts(direct, session))

    direct.renew("dead", 0.01)
    eventually(lambda: direct.sweep() == 1, what="the end of the lease")
    assert facts(direct, one)[3:] == [("ann", "disconnected")]
    assert facts(direct, two)[1:] == [("ann", "disconnected")]
    assert facts(direct, three)[1:] == []
    assert sorted(direct.due_absences(0)) == sorted([one.id, two.id])
    assert direct.sweep() == 0

    direct.vanish(one.id, seat("bob", worker="alive"))
    assert facts(direct, one)[4:] == [("bob", "disconnected")], "his tab on the dead worker does not count"


def test_a_worker_learns_that_its_lease_had_run_out(direct: RedisStore) -> None:
    """Its seats were given up, and it has to take them again."""
    assert not direct.renew("w", LONG), "it is new"
    assert direct.renew("w", 0)
    assert direct.renew("w", 0), "nobody has settled it"
    assert direct.sweep() == 1
    assert not direct.renew("w", LONG)
    assert direct.sweep() == 0


def test_a_sweep_tells_of_a_status_that_changed(direct: RedisStore) -> None:
    session = new_session(direct)
    direct.serve("dead", session.id)
    join(direct, session, seat("ann", "1", "dead"))
    join(direct, session, seat("ann", "1", "alive"))
    direct.set_status(session.id, seat("ann", "1", "alive"), "away", {})
    direct.renew("dead", 0)
    direct.sweep()
    loaded = direct.load(session.id, 1)
    assert loaded and loaded.statuses == {"ann": "away"}
    assert facts(direct, session) == [("ann", "joined")]


def test_a_worker_is_not_taken_for_another_whose_name_begins_alike(direct: RedisStore) -> None:
    session = new_session(direct)
    direct.serve("w", session.id)
    join(direct, session, seat("ann", worker="w1"))
    direct.renew("w", 0)
    assert direct.sweep() == 1
    assert facts(direct, session) == [("ann", "joined")]


def test_a_session_that_is_served_no_more_is_not_swept(direct: RedisStore) -> None:
    session, expired = new_session(direct), new_session(direct)
    direct.serve("dead", session.id)
    direct.serve("dead", expired.id)
    direct.unserve("dead", session.id)
    direct.expire(expired, 0.01)
    eventually(lambda: direct.record(expired.id) is None, what="the end of the data")
    join(direct, session, seat("ann", worker="dead"))
    direct.renew("dead", 0)
    assert direct.sweep() == 1
    assert facts(direct, session) == [("ann", "joined")]


def test_several_sweepers_write_each_departure_once(direct: RedisStore) -> None:
    sessions = [new_session(direct) for _ in range(10)]
    for session in sessions:
        direct.serve("dead", session.id)
        join(direct, session, seat("ann", worker="dead"))
    direct.renew("dead", 0)
    assert sum(at_once(5, lambda _: direct.sweep())) >= 1
    for session in sessions:
        assert facts(direct, session) == [("ann", "joined"), ("ann", "disconnected")]
    assert sorted(direct.due_absences(0)) == sorted(session.id for session in sessions)


def test_nothing_is_kept_of_a_worker_that_was_settled(direct: RedisStore, redis_server: RedisServer) -> None:
    session = new_session(direct)
    direct.serve("dead", session.id)
    direct.renew("dead", 0)
    direct.sweep()
    with redis_server.client() as client:
        assert client.keys("test:worker*") == []


def test_an_absence_that_begins_while_others_are_settled_is_remembered(
    direct: RedisStore, shaky: RedisStore, proxy: FaultyProxy
) -> None:
    session = new_session(direct)
    for user in ("ann", "bob"):
        join(direct, session, seat(user))
    direct.vanish(session.id, seat("bob"))
    proxy.delay = 0.3  # between the step of the settling worker and what it does next, ann vanishes
    settling = threading.Thread(target=shaky.expire_absent, args=(session.id, 0))
    settling.start()
    eventually(lambda: ("bob", "left") in facts(direct, session), what="the step")
    direct.vanish(session.id, seat("ann"))
    settling.join()
    assert facts(direct, session)[-1] == ("ann", "disconnected")
    assert direct.due_absences(0) == [session.id]


def test_the_memory_store_has_one_worker_and_nothing_to_sweep() -> None:
    store = MemoryStore(LIMITS)
    session = new_session(store)
    store.serve("w", session.id)
    store.renew("w", 0)
    join(store, session, seat("ann"))
    assert store.sweep() == 0
    store.unserve("w", session.id)
    assert facts(store, session) == [("ann", "joined")]


def test_retired_seats_count_until_their_users_are_back_or_somebody_settles_them(direct: RedisStore) -> None:
    session = new_session(direct)
    direct.serve("old", session.id)
    direct.renew("old", LONG)
    for user, socket in (("ann", "1"), ("ann", "2"), ("bob", "1")):
        join(direct, session, seat(user, socket, "old"))
    direct.set_status(session.id, seat("bob", "1", "old"), "idle", {})
    seats = [seat(user, socket, "old") for user, socket in (("ann", "1"), ("ann", "2"), ("bob", "1"), ("cid", "1"))]
    for _ in range(2):  # the answer may get lost
        direct.retire(session.id, seats)
    assert facts(direct, session) == [("ann", "joined"), ("bob", "joined")]
    loaded = direct.load(session.id, 1)
    assert loaded
    assert loaded.statuses == {"ann": "active", "bob": "idle"}

    join(direct, session, seat("ann", "1", "new"))
    assert facts(direct, session)[2:] == [], "she was never away"
    direct.leave(session.id, seat("ann", "1", "new"))
    assert facts(direct, session)[2:] == [("ann", "left")], "the seats on the old worker are not in the way"

    direct.renew("old", 0.01)
    eventually(lambda: direct.sweep() == 1, what="the end of the lease")
    assert facts(direct, session)[3:] == [("bob", "disconnected")]


def test_a_retired_seat_goes_at_once_where_its_user_has_another(direct: RedisStore) -> None:
    session = new_session(direct)
    join(direct, session, seat("ann", "1", "old"))
    join(direct, session, seat("ann", "1", "new"))
    direct.retire(session.id, [seat("ann", "1", "old")])
    direct.vanish(session.id, seat("ann", "1", "new"))
    assert facts(direct, session) == [("ann", "joined"), ("ann", "disconnected")]


def test_an_operator_sees_who_is_connected_where(direct: RedisStore) -> None:
    for store in (direct, MemoryStore(LIMITS)):
        session, empty = new_session(store), new_session(store)
        for user, number in (("ann", "1"), ("ann", "2"), ("bob", "1"), ("cid", "1")):
            join(store, session, seat(user, number, worker="w"))
        store.vanish(session.id, seat("cid", "1", worker="w"))
        assert store.connected([session.id, empty.id, "gone"]) == {session.id: 2, empty.id: 0, "gone": 0}
    assert MemoryStore(LIMITS).leases() == []
    direct.serve("w", session.id)
    direct.renew("w", LONG)
    direct.renew("dead", -1)
    dead, alive = direct.leases()
    assert (dead.worker, dead.seconds < 0, dead.sessions) == ("dead", True, ())
    assert (alive.worker, 0 < alive.seconds <= LONG, alive.sessions) == ("w", True, (session.id,))
