"""Guests come, go and are lost while staff of two workers decide, and open and close the waiting room, all at once."""

import random
import threading

import pytest

from classwaves import lifecycle
from classwaves.connections import Connection
from classwaves.live import LiveSession
from classwaves.models import DEFAULT_SESSION_SETTINGS, AuthSession, Principal, SessionRecord
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import PATIENT, new_session, redis_store
from tests.support.waiting import eventually

GUESTS, VISITS, DECISIONS = 12, 6, 60
GRACE = 0.05

#: What staff may be told when somebody else was quicker.
TOO_LATE = {"NOT_FOUND", "CONFLICT", "FORBIDDEN", "SERVICE_UNAVAILABLE"}


class Storm:
    """A session on two workers, and what was seen of each guest's last socket."""

    def __init__(self, workers: list[Worker], seed: int) -> None:
        settings = {**DEFAULT_SESSION_SETTINGS, "waitingRoom": True, "coTeacherIds": ["carol"]}
        self.workers, self.seed = workers, seed
        self.session: SessionRecord = new_session(workers[0].store, settings=settings)
        self.last: dict[str, tuple[Worker, Connection]] = {}
        self.wrong: list[object] = []

    def come_and_go(self, user: str) -> None:
        chance = random.Random(f"{self.seed} {user}")
        for visit in range(VISITS):
            worker, sid = chance.choice(self.workers), f"{user} {visit}"
            auth = AuthSession(f"login of {user}", user, user.title(), "student", guest_of=self.session.id)
            socket = Connection(sid, sid, Principal(auth, float("inf")), "127.0.0.1")
            worker.send(socket, "joinSession", self.session.code)
            threading.Event().wait(chance.random() * GRACE)
            if visit == VISITS - 1:
                self.last[user] = worker, socket
            elif chance.random() < 0.5:
                worker.send(socket, "leaveSession", self.session.code)
            else:
                lose(worker, socket)

    def decide(self, worker: Worker, staff: Connection) -> None:
        chance = random.Random(f"{self.seed} {staff.sid}")
        for _ in range(DECISIONS):
            about = {"sessionCode": self.session.code, "userId": f"guest {chance.randrange(GUESTS)}"}
            luck = chance.random()
            if luck < 0.6:
                ack = worker.send(staff, "admitParticipant", {**about, "admitted": chance.random() < 0.6})
            elif luck < 0.7:
                ack = worker.send(staff, "removeParticipant", about)
            else:
                wanted = {"waitingRoom": chance.random() < 0.6}
                lifecycle.configure(worker.hub, self.session.id, staff.principal, None, wanted)
                continue
            if not ack["ok"] and ack["error"]["code"] not in TOO_LATE:
                self.wrong.append(ack)

    def lives(self) -> list[LiveSession]:
        return [live for worker in self.workers for live in worker.hub.live_sessions()]

    def is_calm(self) -> bool:
        """Everybody is where the session's log says, on both workers, and staff see who waits and nobody else."""
        lives = self.lives()
        assert len({live.replica.seq for live in lives}) == 1
        replica, inside, waiting = lives[0].replica, {"teacher", "carol"}, set[str]()
        decided, closed = replica.state.get("admissions", {}), not lives[0].record.settings["waitingRoom"]
        for user, (worker, socket) in self.last.items():
            (live,) = worker.hub.live_sessions()
            waits, is_in = socket.sid in dict(live.lobby.here()), socket.sid in live.members
            barred = user in replica.removed or decided.get(user) is False
            may = closed or decided.get(user, False)
            assert (waits, is_in) == (not barred and not may, not barred and may), user
            assert live.id in socket.seats or not (waits or is_in), user
            if not barred:
                (inside if is_in else waiting).add(user)
        assert {one.user_id for one in replica.participants.values() if one.connected} == inside
        assert all(set(live.lobby.names()) == waiting for live in lives)
        return True


def lose(worker: Worker, socket: Connection) -> None:
    """The socket ends without a word."""
    with socket.lock:
        socket.closed, seats, socket.seats = True, socket.seats, {}
        for live in seats.values():
            live.remove(socket.sid)
    for live in seats.values():
        worker.hub.depart(socket, live, GRACE)


@pytest.mark.parametrize("seed", range(3))
def test_everybody_is_where_they_belong_in_the_end(redis_url: str, workers: list[Worker], seed: int) -> None:
    quick: dict[str, float] = {"LEASE": 30.0, "RENEW": 0.1, "DISCONNECT_GRACE": GRACE}
    workers.extend(Worker(redis_store(redis_url, timeout=PATIENT), **quick) for _ in range(2))
    storm = Storm(workers, seed)
    people = zip(workers, ("teacher", "carol"), strict=True)
    staff = [(worker, worker.joined(storm.session, who, "teacher")) for worker, who in people]
    threads = [threading.Thread(target=storm.come_and_go, args=(f"guest {number}",)) for number in range(GUESTS)]
    threads += [threading.Thread(target=storm.decide, args=who) for who in staff]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storm.wrong == []
    assert len(storm.last) == GUESTS
    eventually(storm.is_calm, what="calm")
