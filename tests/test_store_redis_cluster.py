"""Redis Cluster: all that a step touches is in one slot and named before, which a server in cluster mode checks."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer
from tests.support.store_steps import STEPS
from tests.support.stores import facts, join, new_session, redis_store, say, seat
from tests.support.waiting import eventually


@pytest.fixture
def node() -> Iterator[RedisServer]:
    """A cluster of one, which has all the slots."""
    with RedisServer(arguments=("--cluster-enabled", "yes")) as server, server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(lambda: client.cluster("INFO")["cluster_state"] == "ok", what="the cluster")
        yield server


def test_every_step_works_in_a_cluster(node: RedisServer) -> None:
    store = redis_store(node.url)
    session = new_session(store)
    for step in STEPS.values():
        step(store, session)
    assert facts(store, session) == [("ann", "joined"), ("ann", "left")]
    store.close()


def test_the_scripts_reach_no_other_slot(node: RedisServer) -> None:
    """With others in the session, and with a worker to be settled, they touch all keys that they ever do."""
    store = redis_store(node.url)
    session = new_session(store)
    for worker in ("dead", "w"):
        join(store, session, seat("ann", worker=worker))
    join(store, session, seat("bob", worker="dead"))
    store.serve("dead", session.id)
    store.renew("dead", 0)
    assert store.sweep() == 1
    store.expire_absent(session.id, 0)
    assert facts(store, session)[2:] == [("bob", "disconnected"), ("bob", "left")]
    say(store, session, "hello")
    with node.client() as client:
        slots = {client.execute_command("CLUSTER", "KEYSLOT", key) for key in client.keys(f"*{{{session.id}}}*")}
    assert len(slots) == 1
    store.close()
