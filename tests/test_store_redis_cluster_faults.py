"""Redis Cluster: slots move and masters die in the middle of a lesson, and nothing is lost, doubled or out of order."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from classwaves.errors import StoreUnavailable
from classwaves.models import SessionRecord, new_id
from classwaves.store.redis import RedisStore
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.redis_sets import ClusterSet, Node, has_sharded_feed, needs_sharded_feed
from tests.support.stores import PATIENT, Listener, new_session, redis_store, say, texts
from tests.support.waiting import eventually
from tests.support.writers import Writers


@pytest.fixture
def open_store(cluster_set: ClusterSet) -> Iterator[Callable[..., RedisStore]]:
    """Return what makes stores of one cluster that share their data: workers."""
    opened: list[RedisStore] = []
    prefix = f"test-{new_id(6)}"

    def make(timeout: float = 1.5) -> RedisStore:
        opened.append(redis_store(cluster_set.url, timeout=timeout, prefix=prefix))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def store(open_store: Callable[..., RedisStore]) -> RedisStore:
    return open_store()


def tag(session: SessionRecord) -> str:
    """A key in the slot of a session."""
    return f"{{{session.id}}}"


def session_on(store: RedisStore, servers: ClusterSet, wanted: Callable[[Node], bool]) -> SessionRecord:
    """Create sessions until one is on a node like this, with its code on the same node."""
    for _ in range(200):
        session = new_session(store)
        if wanted(servers.owner(tag(session))):
            return session
    raise AssertionError("no such node")


def another(servers: ClusterSet, node: Node) -> Node:
    return next(other for other in servers.masters() if other is not node)


def connections(node: Node, kind: str) -> list[dict[str, str]]:
    with node.client() as client:
        return [one for one in client.client_list() if one["cmd"].startswith(kind)]


class Reader(Listener):
    """Reads the log when it was away, as a worker does."""

    def __init__(self, store: RedisStore, session: SessionRecord) -> None:
        super().__init__()
        self.read = 0
        self._store = store
        self._session_id = session.id
        store.start(self)
        store.subscribe(session.id)

    def on_reconnect(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # something else was away and is back
            self.read = self._store.read_back(self._session_id, 2**53, 1)[0].seq
        super().on_reconnect()

    def has_all(self) -> bool:
        """Whether everything in the log has been read, or heard after that."""
        heard = {entry.seq for entry in self.heard(self._session_id)}
        return all(entry.seq in heard for entry in self._store.read(self._session_id, self.read, 100_000))


def test_a_slot_moves_in_the_middle_of_appends(cluster_set: ClusterSet, open_store: Callable[..., RedisStore]) -> None:
    store = open_store(PATIENT)
    session = new_session(store)
    listener = Reader(store, session)

    source = cluster_set.owner(tag(session))
    with Writers(store, session.id) as writers:
        for node in (another(cluster_set, source), source):
            writers.go_on()
            cluster_set.move(tag(session), node)
            writers.go_on()
    assert not writers.failed, "they waited, and did not hear of it"
    writers.check()
    if has_sharded_feed(cluster_set):  # ordinary pub/sub takes the nodes' bus, which loses when they are slow
        eventually(listener.has_all, what="all of it")
    is_heard_again(store, session, listener)


def is_heard_again(store: RedisStore, session: SessionRecord, listener: Listener) -> None:
    def heard() -> bool:
        say(store, session, f"after {new_id(6)}")
        return texts(listener.heard(session.id))[-1].startswith("after")

    eventually(heard, what="the feed of the new master")


def test_a_move_that_lasts_is_not_waited_for_without_end(cluster_set: ClusterSet, store: RedisStore) -> None:
    session = new_session(store)
    source = cluster_set.owner(tag(session))
    target = another(cluster_set, source)

    def refused() -> None:
        with pytest.raises(StoreUnavailable):
            say(store, session, "while it moves")

    cluster_set.move(tag(session), target, between=refused)
    say(store, session, "moved")
    assert texts(store.read(session.id, 0, 10)) == ["moved"], "what was refused is not there"


def test_what_is_on_the_way_when_a_slot_moves_keeps_its_order(cluster_set: ClusterSet) -> None:
    """Those who are sent away line up as they were, and who comes later does not overtake them."""
    key = f"test-{new_id(6)}"
    source = cluster_set.owner(key)
    command = (sys.executable, "-m", "tests.support.cluster_greenlets", cluster_set.url, key)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=minimal_environ(), **pipes) as program:
        assert program.stdout
        for node in (another(cluster_set, source), source, another(cluster_set, source)):
            program.stdout.readline()
            cluster_set.move(key, node)
        program.stdout.readline()
        last = program.communicate(timeout=30)[0].splitlines()[-1]
    assert program.returncode == 0
    assert json.loads(last) == list(range(len(json.loads(last))))


def test_the_feed_follows_a_slot(cluster_set: ClusterSet, open_store: Callable[..., RedisStore]) -> None:
    needs_sharded_feed(cluster_set)
    mail = list[bytes]()
    store, other = open_store(PATIENT), open_store(PATIENT)
    session, still = new_session(store), new_session(store)
    listener = Reader(store, session)
    store.subscribe(still.id)
    source = cluster_set.owner(tag(session))
    store.open_mailbox(tag(session), mail.append)
    cluster_set.move(tag(session), another(cluster_set, source))
    listener.returns()
    say(other, session, "hello")
    eventually(listener.has_all, what="hello")
    eventually(lambda: other.send_mail(tag(session), b"hello"), what="an open mailbox")
    eventually(lambda: mail == [b"hello"], what="mail")
    say(other, still, "still here")
    listener.hears(still.id, "still here")


def test_one_connection_for_subscriptions_per_worker_and_shard(
    cluster_set: ClusterSet, open_store: Callable[..., RedisStore]
) -> None:
    needs_sharded_feed(cluster_set)
    store, listener = open_store(PATIENT), Listener()
    store.start(listener)
    for session in [new_session(store) for _ in range(30)]:
        store.subscribe(session.id)
        say(store, session, "hello")
        listener.hears(session.id, "hello")
    assert [len(connections(node, "ssubscribe")) for node in cluster_set.masters()] == [1, 1, 1]
    assert sum(len(connections(node, "subscribe")) for node in cluster_set.masters()) <= 1, "the control channel"


def test_commands_of_one_turn_share_round_trips_on_each_shard(cluster_set: ClusterSet) -> None:
    names = [f"test-{number}" for number in range(60)]
    keys = {cluster_set.owner(name).port: name for name in names}.values()
    command = (sys.executable, "-m", "tests.support.cluster_greenlets", cluster_set.url, *keys)
    ran = subprocess.run(command, cwd=ROOT, env=minimal_environ(), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    reads = json.loads(ran.stdout)
    assert len(reads) == 3
    assert max(reads) <= 3, "for thirty commands each"


def test_a_lost_master_is_missed_by_its_own_sessions_only(cluster_set: ClusterSet, store: RedisStore) -> None:
    listener = Listener()
    store.start(listener)
    lost = next(node for node in cluster_set.masters() if not cluster_set.has_replica(node))
    gone = session_on(store, cluster_set, lambda node: node is lost)
    here = session_on(store, cluster_set, lambda node: node is not lost)
    for session in (gone, here):
        store.subscribe(session.id)
    cluster_set.kill(lost)
    try:
        for step in (lambda: say(store, gone, "lost"), lambda: store.load(gone.id, 1), lambda: store.record(gone.id)):
            with pytest.raises(StoreUnavailable):
                step()
        say(store, here, "on we go")
        listener.hears(here.id, "on we go")
        assert store.load(here.id, 1)
        for _ in range(3):
            store.ping()
            store.ping(writes=True)
    finally:
        lost.start()
    cluster_set.heal()
    listener.returns()
    again = session_on(store, cluster_set, lambda node: node is lost)
    store.subscribe(again.id)
    say(store, again, "back")
    listener.hears(again.id, "back")


def test_a_replica_takes_over(cluster_set: ClusterSet, store: RedisStore) -> None:
    lost = next(node for node in cluster_set.masters() if cluster_set.has_replica(node))
    session = session_on(store, cluster_set, lambda node: node is lost)
    listener = Reader(store, session)
    with Writers(store, session.id) as writers:
        writers.go_on()
        cluster_set.kill(lost)
        eventually(lambda: writers.failed, what="a refusal")
        writers.go_on()
    writers.check(lost=True)
    eventually(listener.has_all, what="all of it")
    is_heard_again(store, session, listener)


def test_it_does_not_matter_which_nodes_the_url_names(cluster_set: ClusterSet, open_store: Any) -> None:
    first, *_ = cluster_set.servers
    store = redis_store(f"redis+cluster://127.0.0.1:1,127.0.0.1:{first.port}")
    store.ping()
    session = new_session(store)
    say(store, session, "hello")
    store.close()
    nowhere = redis_store("redis+cluster://127.0.0.1:1,127.0.0.1:2", timeout=0.5)
    with pytest.raises(StoreUnavailable):
        nowhere.ping()
    with pytest.raises(StoreUnavailable):
        say(nowhere, session, "hello")
    with pytest.raises(StoreUnavailable):
        nowhere.subscribe(session.id)
    nowhere.close()
