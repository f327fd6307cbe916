"""The waiting room over several workers: a guest waits at one of them, and staff are at another."""

import pytest

from classwaves.connections import Connection
from classwaves.models import DEFAULT_SESSION_SETTINGS, AuthSession, Principal, SessionRecord
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LONG, new_session, redis_store
from tests.support.waiting import eventually


@pytest.fixture
def two(redis_url: str, workers: list[Worker]) -> list[Worker]:
    workers.extend(Worker(redis_store(redis_url), RENEW=0.1, DISCONNECT_GRACE=0.05) for _ in range(2))
    return workers


def session_with_a_waiting_room(worker: Worker, **settings: object) -> SessionRecord:
    return new_session(worker.store, settings={**DEFAULT_SESSION_SETTINGS, "waitingRoom": True, **settings})


def waiting(worker: Worker, session: SessionRecord, user: str = "gus", sid: str = "") -> Connection:
    """Return a new socket of a guest, who waits."""
    auth = AuthSession(f"login of {user}", user, user.title(), "student", guest_of=session.id)
    connection = Connection(sid or user, sid or user, Principal(auth, float("inf")), "127.0.0.1")
    worker.connections.append(connection)
    assert worker.send(connection, "joinSession", session.code) == {"ok": True, "waiting": True}
    return connection


def admit(worker: Worker, staff: Connection, session: SessionRecord, user: str, admitted: bool = True) -> bool:
    about = {"sessionCode": session.code, "userId": user, "admitted": admitted}
    return bool(worker.send(staff, "admitParticipant", about)["ok"])


def on_list(worker: Worker, session: SessionRecord) -> list[str]:
    """Return who waits, as a worker knows it."""
    with worker.hub.serving(session.id) as live, live.lock:
        return list(live.lobby.names())


def test_staff_at_another_worker_let_a_guest_in(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    teacher = here.joined(session, "teacher", "teacher")
    waiting(there, session)
    (request,) = here.sockets.gets("teacher", "joinRequested", 1)
    assert request == {"sessionCode": session.code, "userId": "gus", "displayName": "Gus"}
    assert admit(here, teacher, session, "gus")
    there.sockets.gets("gus", "sessionJoined", 1)
    eventually(lambda: here.sockets.of("teacher", "presenceUpdated"), what="the arrival")
    for worker in two:
        eventually(lambda worker=worker: on_list(worker, session) == [], what="an empty list")  # type: ignore[misc]


def test_staff_who_come_later_to_another_worker_hear_of_it(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    gus = waiting(there, session)
    teacher = here.joined(session, "teacher", "teacher")
    joined = here.sockets.of("teacher", "sessionJoined")[0]
    if not joined["waiting"]:  # the other worker was not asked before
        here.sockets.gets("teacher", "joinRequested", 1)
    assert admit(here, teacher, session, "gus", False)
    (error,) = there.sockets.gets("gus", "error", 1)
    assert error["code"] == "SESSION_ACCESS_DENIED"
    assert gus.seats == {}


def test_a_guest_who_goes_is_off_the_list_everywhere(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    gus = waiting(there, session)
    here.sockets.gets("teacher", "joinRequested", 1)
    assert there.send(gus, "leaveSession", session.code)["ok"]
    (gone,) = here.sockets.gets("teacher", "joinWithdrawn", 1)
    assert gone == {"sessionCode": session.code, "userId": "gus"}


def test_a_guest_whose_connection_is_lost_is_on_the_list_for_the_grace(redis_url: str, workers: list[Worker]) -> None:
    """Also when the list is repeated meanwhile, which it is for those who still wait."""
    workers.extend(Worker(redis_store(redis_url), RENEW=0.05, DISCONNECT_GRACE=LONG) for _ in range(2))
    here, there = workers
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    for user in ("gus", "hal"):
        waiting(there, session, user)
    here.sockets.gets("teacher", "joinRequested", 2)
    with there.hub.serving(session.id) as live:
        live.remove("gus")
        with here.hub.serving(session.id) as seen:
            (name,) = seen.lobby._lists
            until = seen.lobby._lists[name][0]
            eventually(lambda: seen.lobby._lists[name][0] > until + 0.2, what="the list, a few times", pause=0.005)
            assert on_list(here, session) == ["gus", "hal"]


def test_a_guest_whose_connection_is_lost_is_off_the_list_after_the_grace(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    for user in ("gus", "hal"):
        waiting(there, session, user)
    here.sockets.gets("teacher", "joinRequested", 2)
    with there.hub.serving(session.id) as live:
        live.remove("gus")
    (gone,) = here.sockets.gets("teacher", "joinWithdrawn", 1)
    assert gone["userId"] == "gus"
    assert on_list(here, session) == ["hal"]


def test_who_waits_at_two_workers_is_one(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    one = waiting(there, session)
    waiting(here, session, sid="other tab")
    here.sockets.gets("teacher", "joinRequested", 1)
    eventually(lambda: len(live_lists(here, session)) == 2, what="both lists")
    assert there.send(one, "leaveSession", session.code)["ok"]
    eventually(lambda: len(live_lists(here, session)) == 1, what="one list")
    assert on_list(here, session) == ["gus"]
    assert len(here.sockets.of("teacher", "joinRequested")) == 1
    assert not here.sockets.of("teacher", "joinWithdrawn")


def live_lists(worker: Worker, session: SessionRecord) -> list[str]:
    with worker.hub.serving(session.id) as live, live.lock:
        return list(live.lobby._lists)


def test_a_dead_worker_leaves_no_ghosts(redis_url: str, workers: list[Worker]) -> None:
    workers.extend(Worker(redis_store(redis_url), LEASE=1.0, RENEW=0.1) for _ in range(2))
    here, there = workers
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    waiting(there, session)
    here.sockets.gets("teacher", "joinRequested", 1)
    there.close()  # without a word
    eventually(lambda: on_list(here, session) == [], what="an empty list")
    here.sockets.gets("teacher", "joinWithdrawn", 1)


def test_who_waits_long_stays_on_the_list(two: list[Worker]) -> None:
    """A list that is repeated outlives its lease."""
    here, there = two
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    waiting(there, session)
    here.sockets.gets("teacher", "joinRequested", 1)
    with here.hub.serving(session.id) as live:
        (name,) = live.lobby._lists
        first = live.lobby._lists[name][0]
        eventually(lambda: live.lobby._lists[name][0] > first + 0.3, what="the list once more")
    assert not here.sockets.of("teacher", "joinWithdrawn")


def test_what_was_decided_while_the_feed_was_away_counts(two: list[Worker]) -> None:
    """The decision is in the log: a worker that has missed its wake-up finds it there."""
    here, there = two
    session = session_with_a_waiting_room(here)
    teacher = here.joined(session, "teacher", "teacher")
    waiting(there, session)
    here.sockets.gets("teacher", "joinRequested", 1)
    there.store.unsubscribe(session.id)
    assert admit(here, teacher, session, "gus")
    there.sockets.gets("gus", "sessionJoined", 1)


def test_staff_of_two_workers_decide_at_once(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here, coTeacherIds=["carol"])
    teacher, carol = here.joined(session, "teacher", "teacher"), there.joined(session, "carol", "teacher")
    waiting(there, session)
    here.sockets.gets("teacher", "joinRequested", 1)
    assert sorted([admit(here, teacher, session, "gus"), admit(there, carol, session, "gus", False)]) == [False, True]


def test_a_store_that_was_away_is_asked_again_by_the_guest(two: list[Worker]) -> None:
    here, there = two
    session = session_with_a_waiting_room(here)
    here.joined(session, "teacher", "teacher")
    gus = waiting(there, session)
    with there.hub.serving(session.id) as live:
        live.begin_anew()
    there.sockets.inbox.clear()
    assert there.send(gus, "joinSession", session.code)["waiting"]
    eventually(lambda: on_list(here, session) == ["gus"], what="the list")
