"""A live session finds its way back to what the store holds, whatever its feed has missed."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import redis as redis_py

from classwaves.live import LiveSession
from classwaves.models import AuthSession, Draft, Entry, Principal, SessionRecord
from classwaves.ring import Resume
from classwaves.store.redis import RedisStore
from tests.support.hubs import settings_of
from tests.support.redis_server import RedisServer
from tests.support.stores import Listener, join, message, new_session, say, seat
from tests.support.stores import direct as direct
from tests.support.stores import proxy as proxy
from tests.support.stores import shaky as shaky
from tests.support.waiting import eventually

SETTINGS = settings_of()
TEACHER = Principal(AuthSession("login", "teacher", "Grace", "teacher"), float("inf"))


@dataclass
class Sockets:
    """Writes down what a live session sends; an :class:`~classwaves.connections.Emitter`."""

    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def emit(self, event: str, payload: dict[str, Any], to: str | list[str], skip: Sequence[str] = ()) -> None:
        self.sent.append((event, payload))

    def enter(self, sid: str, room: str) -> None: ...

    def leave(self, sid: str, room: str) -> None: ...

    def let_next(self, eio_sid: str) -> None: ...

    def request(self, sid: str) -> None: ...


@pytest.fixture
def session(direct: RedisStore) -> SessionRecord:
    made = new_session(direct)
    join(direct, made, seat("ann"))
    say(direct, made, "one", "two")
    return made


@pytest.fixture
def sockets() -> Sockets:
    return Sockets()


@pytest.fixture
def live(direct: RedisStore, session: SessionRecord, sockets: Sockets) -> LiveSession:
    """The session with one socket in it and without a feed: each test says what comes along it."""
    live = LiveSession(session.id, direct, sockets, SETTINGS)
    live.load()
    with live.lock:
        live.enter("socket", TEACHER, live.snapshot(TEACHER))
    sockets.sent.clear()
    return live


class Copy:
    """What a Redis holds of a session now, to go back to."""

    def __init__(self, server: RedisServer) -> None:
        self._client = redis_py.Redis(port=server.port)
        self._keys = {key: self._client.dump(key) for key in self._client.scan_iter("test:*")}

    def restore(self) -> None:
        self._client.flushall()
        for key, value in self._keys.items():
            assert isinstance(value, bytes)
            self._client.restore(key, 0, value)
        self._client.close()


def newest(store: RedisStore, session: SessionRecord) -> Entry:
    return store.read_back(session.id, 10_000, 1)[0]


def scripts_run(client: redis_py.Redis) -> int:
    calls: int = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    return calls


def messages(sockets: Sockets) -> list[str]:
    return [payload["message"] for event, payload in sockets.sent if event == "messageReceived"]


def snapshots(sockets: Sockets) -> list[tuple[str, int, bool]]:
    return [(p["epoch"], p["seq"], p["recovered"]) for event, p in sockets.sent if event == "sessionJoined"]


def test_a_gap_is_read_from_the_log(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    say(direct, session, "three", "four", "five")
    live.on_entry(newest(direct, session))
    live.reach(newest(direct, session).seq)
    assert messages(sockets) == ["three", "four", "five"]
    assert snapshots(sockets) == []


def test_entries_known_already_are_not_delivered_again(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    say(direct, session, "three")
    live.catch_up()
    for entry in direct.read(session.id, 0, 100):
        live.on_entry(entry)
    assert messages(sockets) == ["three"]


def test_more_than_a_page_is_caught_up(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    texts = [f"message {number}" for number in range(1100)]
    direct.append(session.id, [message(text) for text in texts], dedupe="many")
    live.catch_up()
    assert messages(sockets) == texts


def test_a_new_epoch_found_in_the_log_tells_everybody_to_start_again(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    """The word of it was missed: whoever resumes from the old numbering must not be told that nothing is missing."""
    epoch = direct.new_epoch(session.id, live.replica.epoch)
    (seq,) = say(direct, session, "three")
    live.catch_up()
    assert snapshots(sockets) == [(epoch, seq, False)]
    assert live.replica.epoch == epoch


def test_a_loss_is_found_after_a_load_from_a_checkpoint_alone(
    direct: RedisStore, session: SessionRecord, sockets: Sockets, redis_server: RedisServer
) -> None:
    copy = Copy(redis_server)
    say(direct, session, "lost")
    first = LiveSession(session.id, direct, sockets, SETTINGS)
    first.load()
    first.write_checkpoint()
    live = LiveSession(session.id, direct, sockets, SETTINGS)
    live.load()
    before = live.replica.epoch
    copy.restore()
    live.verify()
    assert live.replica.epoch != before
    assert live.replica.seq == newest(direct, session).seq


def test_nothing_lost_is_no_new_epoch(live: LiveSession, session: SessionRecord, sockets: Sockets) -> None:
    before = live.replica.epoch
    live.verify()
    assert (live.replica.epoch, snapshots(sockets)) == (before, [])


def test_several_who_find_a_loss_start_one_epoch(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets, redis_server: RedisServer
) -> None:
    other = LiveSession(session.id, direct, Sockets(), SETTINGS)
    other.load()
    copy = Copy(redis_server)
    say(direct, session, "lost")
    live.catch_up()
    other.catch_up()
    sockets.sent.clear()
    copy.restore()
    live.verify()
    live.on_ephemeral({"reset": live.replica.epoch})
    (seq,) = say(direct, session, "new")
    other.verify()
    assert other.replica.epoch == live.replica.epoch
    assert snapshots(sockets) == [(live.replica.epoch, seq - 1, False)]


def test_a_resume_tells_of_nothing_that_is_yet_to_be_delivered(
    direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    """It is read from the log, which is ahead of the replica."""
    live = LiveSession(session.id, direct, sockets, replace(SETTINGS, ring_entries=1))
    live.load()
    say(direct, session, "three", "four")
    resume = Resume(1, live.replica.epoch)
    older = live.older(resume)
    with live.lock:
        missed = live.missed(TEACHER, resume, older)
    assert missed is not None
    assert [item["data"]["message"] for item in missed] == ["one", "two"]


def test_a_status_is_told_in_its_place_among_the_entries(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets
) -> None:
    """Bob joins and is idle at once, and of his joining this worker hears late."""
    listener = Listener()
    direct.start(listener)
    direct.subscribe(session.id)
    join(direct, session, seat("bob"))
    direct.set_status(session.id, seat("bob"), "idle", {})
    ((_, joined),) = eventually(lambda: listener.entries, what="the joining")
    ((_, idle),) = eventually(lambda: listener.ephemeral, what="the status")
    live.on_ephemeral(idle)
    live.on_entry(joined)
    told = [(p["displayName"], p["status"]) for event, p in sockets.sent if event == "presenceUpdated"]
    assert told == [("Bob", "active"), ("Bob", "idle")]
    assert live.status_of("bob") == "idle"


def test_a_loss_that_another_replica_found_is_heard_of_later(
    live: LiveSession, direct: RedisStore, session: SessionRecord, sockets: Sockets, redis_server: RedisServer
) -> None:
    """This one has lost nothing that it knew of, and the word of the new epoch did not come."""
    other = LiveSession(session.id, direct, Sockets(), SETTINGS)
    copy = Copy(redis_server)
    say(direct, session, "lost")
    other.load()
    copy.restore()
    other.verify()
    live.verify()
    eventually(lambda: snapshots(sockets), what="the word of it")
    assert snapshots(sockets) == [(other.replica.epoch, newest(direct, session).seq, False)]


@pytest.fixture
def slow(proxy: Any) -> Iterator[None]:
    proxy.delay = 0.3
    yield
    proxy.delay = 0.0


def test_an_entry_that_the_store_has_lost_is_not_waited_for(
    shaky: RedisStore, direct: RedisStore, session: SessionRecord, sockets: Sockets, slow: None
) -> None:
    """It came along the feed while the log was read, and neither it nor what is before it is there."""
    live = LiveSession(session.id, shaky, sockets, SETTINGS)
    live.load()
    beyond = Entry(live.replica.seq + 5, live.replica.epoch, 0, Draft("messageReceived", {"message": "lost"}))
    reading = threading.Thread(target=live.catch_up, daemon=True)
    reading.start()
    live.on_entry(beyond)
    reading.join(timeout=10)
    assert not reading.is_alive()
    (seq,) = say(direct, session, "three")
    live.reach(seq)
    assert messages(sockets) == ["three"]


def test_another_numbering_begins_with_the_snapshot(
    shaky: RedisStore,
    direct: RedisStore,
    session: SessionRecord,
    sockets: Sockets,
    redis_server: RedisServer,
    slow: None,
) -> None:
    """What comes while it is loaded is delivered after it."""
    live = LiveSession(session.id, shaky, sockets, SETTINGS)
    live.load()
    with live.lock:
        live.enter("socket", TEACHER, live.snapshot(TEACHER))
    sockets.sent.clear()
    epoch = direct.new_epoch(session.id, live.replica.epoch)
    (third,) = say(direct, session, "three")
    with redis_server.client() as client:
        before = scripts_run(client)
        live.on_entry(newest(direct, session))
        eventually(lambda: scripts_run(client) > before, what="the load")
    (fourth,) = say(direct, session, "four")
    live.on_entry(newest(direct, session))
    live.reach(fourth)
    assert [(event, payload["seq"]) for event, payload in sockets.sent] == [
        ("sessionJoined", third),
        ("messageReceived", fourth),
    ]
    assert snapshots(sockets) == [(epoch, third, False)]
