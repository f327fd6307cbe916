"""Redis was started anew, or another one took over: a session is believed to be whole if somebody knows it to be."""

from collections.abc import Callable

import pytest

from classwaves import hub
from classwaves.models import Entry, SessionRecord
from classwaves.replica import FOLD_VERSION
from classwaves.store.base import Store
from classwaves.store.redis import RedisStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.losses import Backup
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.stores import LONG, at_once, new_session, redis_store, say, texts
from tests.support.stores import direct as direct
from tests.support.stores import make_store as make_store
from tests.support.stores import store as store

NewWorker = Callable[[], Worker]


def newest(store: Store, session: SessionRecord) -> Entry:
    return store.read_back(session.id, 2**53, 1)[0]


def is_doubtful(store: Store, session: SessionRecord) -> bool:
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    return loaded.doubtful


def epoch_of(store: Store, session: SessionRecord) -> str:
    loaded = store.load(session.id, FOLD_VERSION)
    assert loaded
    return loaded.epoch


class Meta:
    """What Redis holds of a session apart from its log."""

    def __init__(self, server: RedisServer, session: SessionRecord) -> None:
        self._server, self._key = server, f"test:{{{session.id}}}:meta"

    def of_another_run(self) -> None:
        """As if Redis had been started since."""
        with self._server.client() as client:
            client.hset(self._key, "run", "another")

    def of_no_run(self) -> None:
        """As sessions were before anybody asked."""
        with self._server.client() as client:
            client.hdel(self._key, "run")

    @property
    def run(self) -> str | None:
        with self._server.client() as client:
            run: str | None = client.hget(self._key, "run")
            return run


@pytest.fixture
def session(direct: RedisStore) -> SessionRecord:
    made = new_session(direct)
    say(direct, made, "one")
    return made


@pytest.fixture
def meta(redis_server: RedisServer, session: SessionRecord) -> Meta:
    return Meta(redis_server, session)


@pytest.fixture
def new_worker(redis_url: str, workers: list[Worker]) -> NewWorker:
    """A factory of workers that do nothing by themselves."""

    def make() -> Worker:
        workers.append(Worker(redis_store(redis_url), RENEW=1000, LEASE=3000))
        return workers[-1]

    return make


# the store


def test_who_vouches_names_the_newest_entry_and_the_numbering(store: Store) -> None:
    session = new_session(store)
    say(store, session, "one")
    entry, epoch = newest(store, session), epoch_of(store, session)
    first = store.read(session.id, 0, 1)[0]
    assert store.vouch(session.id, epoch, entry)
    assert store.vouch(session.id, epoch, first)
    assert not store.vouch(session.id, "another", entry)
    beyond = Entry(entry.seq + 1, entry.epoch, entry.time, entry.draft)
    other = Entry(entry.seq, entry.epoch, entry.time + 1, entry.draft)
    assert not store.vouch(session.id, epoch, beyond)
    assert not store.vouch(session.id, epoch, other)
    assert not is_doubtful(store, session)


def test_a_restart_makes_sessions_doubtful() -> None:
    """Everything is there, but who could know that?"""
    with RedisServer(aof=True) as server:
        store = redis_store(server.url)
        vouched, renumbered, left = new_session(store), new_session(store), new_session(store)
        server.kill()
        server.start()
        sessions = (vouched, renumbered, left)
        assert all(is_doubtful(store, session) for session in sessions)
        assert store.vouch(vouched.id, epoch_of(store, vouched), newest(store, vouched))
        store.new_epoch(renumbered.id, epoch_of(store, renumbered))
        assert [is_doubtful(store, session) for session in sessions] == [False, False, True]
        assert not is_doubtful(store, new_session(store))
        store.close()


def test_a_wrong_word_changes_nothing(direct: RedisStore, session: SessionRecord, meta: Meta) -> None:
    meta.of_another_run()
    assert not direct.vouch(session.id, "another", newest(direct, session))
    assert direct.new_epoch(session.id, "another") == epoch_of(direct, session)
    assert is_doubtful(direct, session)


def test_a_session_of_before_is_adopted(direct: RedisStore, session: SessionRecord, meta: Meta) -> None:
    run = meta.run
    meta.of_no_run()
    assert not is_doubtful(direct, session)
    assert meta.run == run


def test_a_session_of_before_is_read_where_nothing_can_be_written(
    direct: RedisStore, session: SessionRecord, meta: Meta, redis_server: RedisServer
) -> None:
    meta.of_no_run()
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", str(free_port()))
        try:
            assert not is_doubtful(direct, session)
        finally:
            client.replicaof("NO", "ONE")
    assert meta.run is None


def test_who_may_not_ask_does_without(redis_server: RedisServer, session: SessionRecord, meta: Meta) -> None:
    meta.of_another_run()
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "&*", "+@all", "-info")
        store = redis_store(f"redis://app:pw@127.0.0.1:{redis_server.port}/0")
        try:
            assert not is_doubtful(store, session)
            assert not is_doubtful(store, new_session(store))
        finally:
            store.close()
            client.execute_command("ACL", "DELUSER", "app")


def test_workers_with_a_lease_are_witnesses(direct: RedisStore, session: SessionRecord) -> None:
    direct.serve("mine", session.id)
    direct.renew("mine", LONG)
    direct.serve("dead", session.id)
    direct.renew("dead", -1)
    direct.renew("elsewhere", LONG)
    assert not direct.is_served_by_another("mine", session.id)
    direct.serve("elsewhere", session.id)
    assert direct.is_served_by_another("mine", session.id)


# the workers


def test_without_a_witness_another_numbering_starts(
    direct: RedisStore, session: SessionRecord, meta: Meta, new_worker: NewWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; whoever resumes is told to start again."""
    monkeypatch.setattr(hub, "WITNESS", LONG)
    worker, before = new_worker(), epoch_of(direct, session)
    meta.of_another_run()
    name, ann = worker.hub.worker, worker.connect("ann")
    ack = worker.send(ann, "joinSession", session.code, {"sinceSeq": 1, "epoch": before})
    assert (ack["ok"], ack["recovered"]) == (True, False)
    assert ack["epoch"] == epoch_of(direct, session) != before
    assert worker.hub.worker == name, "nobody here has lost a seat"
    again = worker.send(ann, "joinSession", session.code, {"sinceSeq": 1, "epoch": ack["epoch"]})
    assert again["recovered"] is True
    assert not is_doubtful(direct, session)


def test_a_worker_that_knows_the_session_vouches_for_it(
    direct: RedisStore, session: SessionRecord, meta: Meta, new_worker: NewWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "WITNESS", LONG)
    old, new = new_worker(), new_worker()
    old.joined(session, "ann")
    old.hub._renew()
    before = epoch_of(direct, session)
    meta.of_another_run()
    ack = new.send(new.connect("ben"), "joinSession", session.code, {"sinceSeq": 1, "epoch": before})
    assert (ack["recovered"], ack["epoch"]) == (True, before)
    assert len(old.sockets.of("ann", "sessionJoined")) == 1


def test_a_worker_that_misses_something_says_so(
    direct: RedisStore,
    session: SessionRecord,
    redis_server: RedisServer,
    meta: Meta,
    new_worker: NewWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "WITNESS", LONG)
    old, new = new_worker(), new_worker()
    old.joined(session, "ann")
    old.hub._renew()
    before = epoch_of(direct, session)
    backup = Backup(redis_server, session)
    say(direct, session, "lost")
    old.sockets.hears("ann", "lost")
    backup.restore()
    meta.of_another_run()
    ack = new.send(new.connect("ben"), "joinSession", session.code, {"sinceSeq": 1, "epoch": before})
    assert ack["recovered"] is False
    (_, told) = old.sockets.gets("ann", "sessionJoined", 2)
    assert told["epoch"] == ack["epoch"] == epoch_of(direct, session) != before


@pytest.mark.parametrize(("lease", "patience"), [(0.3, LONG), (LONG, 0.3)], ids=["dead", "silent"])
def test_a_witness_that_says_nothing_is_not_waited_for(
    direct: RedisStore,
    session: SessionRecord,
    meta: Meta,
    new_worker: NewWorker,
    monkeypatch: pytest.MonkeyPatch,
    lease: float,
    patience: float,
) -> None:
    monkeypatch.setattr(hub, "WITNESS", patience)
    before = epoch_of(direct, session)
    direct.serve("other", session.id)
    direct.renew("other", lease)
    meta.of_another_run()
    new_worker().joined(session, "ann")
    assert epoch_of(direct, session) != before


def test_who_comes_first_waits_for_nobody_who_comes_too(
    direct: RedisStore, session: SessionRecord, meta: Meta, new_worker: NewWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers are new, and a class comes back to all of them."""
    monkeypatch.setattr(hub, "WITNESS", LONG)
    fresh = [new_worker() for _ in range(3)]
    for worker in fresh:
        worker.hub._renew()
    before = epoch_of(direct, session)
    meta.of_another_run()
    at_once(3, lambda number: fresh[number].joined(session, f"user{number}"))
    say(direct, session, "hello")
    for number, worker in enumerate(fresh):
        assert worker.hub.live_sessions()[0].replica.epoch == epoch_of(direct, session) != before
        worker.sockets.hears(f"user{number}", "hello")


def test_reading_neither_waits_nor_begins_anything(
    direct: RedisStore, session: SessionRecord, meta: Meta, new_worker: NewWorker
) -> None:
    before = epoch_of(direct, session)
    meta.of_another_run()
    assert new_worker().hub.view(session.id).replica.epoch == before
    assert is_doubtful(direct, session)


def test_a_restart_while_a_worker_lives_is_not_noticed_by_others(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: it vouches because its feed was away."""
    monkeypatch.setattr(hub, "WITNESS", LONG)
    with RedisServer(aof=True) as server:
        workers += [Worker(redis_store(server.url)) for _ in range(2)]
        old, new = workers
        session = new_session(old.store)
        ann = old.joined(session, "ann")
        old.say(ann, session, "before")
        before = epoch_of(old.store, session)
        server.kill()
        server.start()
        ack = new.send(new.connect("ben"), "joinSession", session.code, {"sinceSeq": 1, "epoch": before})
        assert (ack["ok"], ack.get("recovered")) == (True, True), ack
        old.say(ann, session, "after")
        new.sockets.hears("ben", "after")
        assert texts(old.store.read(session.id, 0, 10)) == ["before", "after"]
        for worker in workers:
            worker.close()
