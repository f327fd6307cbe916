"""What all stores promise of the board: the newest report of each worker, with its age, and words to all workers."""

from classwaves.store.base import Store
from classwaves.store.memory import MemoryStore
from classwaves.testing.suites.store_board import KEEP, BoardContract
from tests.support.redis_server import RedisServer
from tests.support.stores import LIMITS, EveryStore, Listener, ManualClock, StoreFactory, redis_store
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store
from tests.support.waiting import eventually


class TestBoard(EveryStore, BoardContract):
    """Every kind of store keeps them."""


def test_the_newest_report_of_each_worker_stays(store: Store, make_store: StoreFactory) -> None:
    other = store if make_store.kind == "memory" else make_store()
    store.post("b", {"n": 1}, 60)
    store.post("a", {"text": "ä b", "none": None, "list": [1.5, {}]}, 60)
    other.post("b", {"n": 2}, 60)
    found = other.postings(KEEP)
    assert [(posting.worker, posting.report) for posting in found] == [
        ("a", {"text": "ä b", "none": None, "list": [1.5, {}]}),
        ("b", {"n": 2}),
    ]
    assert all(0 <= posting.seconds < KEEP for posting in found)


def test_all_workers_hear_what_is_announced(store: Store, make_store: StoreFactory) -> None:
    other, here, there = store if make_store.kind == "memory" else make_store(), Listener(), Listener()
    store.start(here)
    other.start(there)

    def heard() -> bool:
        store.announce({"watched": True})  # who has just started may not listen yet
        return bool(there.control and (here.control or other is store))

    eventually(heard, what="an announcement")
    assert there.control[0] == {"watched": True}


def test_the_age_is_by_the_stores_clock() -> None:
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    store.post("a", {}, 60)
    clock.forward(5)
    (posting,) = store.postings(KEEP)
    assert round(posting.seconds, 3) == 5


def test_a_board_that_nobody_posts_on_goes(redis_server: RedisServer) -> None:
    store = redis_store(redis_server.url)
    store.post("a", {}, 60)
    with redis_server.client() as client:
        (key,) = client.keys("*:workers:stats")
        assert 0 < client.pttl(key) <= 60_000
    store.close()
