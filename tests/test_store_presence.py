"""What both stores promise of presence: seats, statuses, arrivals and departures."""

from classwaves.store import MemoryStore
from classwaves.testing.suites.store_presence import ANN, PresenceContract
from tests.support.stores import (
    LIMITS,
    EveryStore,
    ManualClock,
    facts,
    join,
    new_session,
)


class TestPresence(EveryStore, PresenceContract):
    """Every kind of store keeps them."""


def test_absence_is_counted_from_the_last_departure() -> None:
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    session = new_session(store)
    join(store, session, ANN)
    store.vanish(session.id, ANN)
    clock.forward(400)
    join(store, session, ANN)
    store.vanish(session.id, ANN)
    clock.forward(599)
    store.expire_absent(session.id, 600)
    assert store.due_absences(600) == []
    clock.forward(1)
    assert store.due_absences(600) == [session.id]
    store.expire_absent(session.id, 600)
    assert facts(store, session)[-1] == ("ann", "left")
