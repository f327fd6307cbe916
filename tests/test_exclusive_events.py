"""Events that take turns: who waits behind a store that hangs is answered, and not a whole class later."""

from classwaves.store import MemoryStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session


def test_who_waits_too_long_for_a_turn_may_try_again(workers: list[Worker]) -> None:
    workers.append(worker := Worker(MemoryStore(LIMITS), REDIS_TIMEOUT=0.02))
    session = new_session(worker.store, owner="olga")
    olga = worker.joined(session, "olga", "teacher")
    group = {"sessionCode": session.code, "name": "Owls", "clientMessageId": "g"}
    (live,) = worker.hub.live_sessions()
    with live.turn:
        ack = worker.send(olga, "createGroup", group)
        assert (ack["ok"], ack["error"]["code"]) == (False, "SERVICE_UNAVAILABLE")
        assert worker.say(olga, session, "others go on")["ok"]
    assert worker.send(olga, "createGroup", group)["ok"]
    assert not live.turn.locked()
