"""Redis comes back without the last entries that it had acknowledged: another numbering starts, and everybody knows."""

import pytest

from classwaves.models import Draft, SessionRecord
from classwaves.store.base import Limits
from classwaves.store.redis import RedisStore
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.losses import Backup
from tests.support.redis_server import RedisServer
from tests.support.stores import direct as direct
from tests.support.stores import new_session, redis_store, say, texts
from tests.support.waiting import eventually

FEW = Limits(log_entries=5, log_bytes=10_000_000, dedupe_keys=100)


def reconnect(server: RedisServer) -> None:
    """Cut the feeds, as a failover does."""
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


def snapshots(worker: Worker, sid: str) -> list[tuple[str, int, bool]]:
    return [(told["epoch"], told["seq"], told["recovered"]) for told in worker.sockets.of(sid, "sessionJoined")]


@pytest.fixture
def pair(redis_url: str, workers: list[Worker]) -> list[Worker]:
    """Two workers that find a loss only when they are told, or see it."""
    workers += [Worker(redis_store(redis_url)) for _ in range(2)]
    return workers


def seated(pair: list[Worker], session: SessionRecord) -> list[tuple[Worker, str]]:
    """Two sockets on each worker, in the session."""
    places = [(pair[number % 2], f"user{number}") for number in range(4)]
    for worker, sid in places:
        worker.joined(session, sid)
    for worker in pair:
        worker.hub.live_sessions()[0].reach(5)
    return places


def test_every_member_starts_again(redis_server: RedisServer, direct: RedisStore, pair: list[Worker]) -> None:
    session = new_session(direct)
    places = seated(pair, session)
    say(direct, session, "kept")
    backup = Backup(redis_server, session)
    say(direct, session, "lost", "lost too")
    for worker, sid in places:
        worker.sockets.hears(sid, "kept", "lost", "lost too")
    ((old, _, _),) = set(snapshots(pair[0], "user0"))
    backup.restore()
    reconnect(redis_server)
    for worker, sid in places:
        worker.sockets.gets(sid, "sessionJoined", 2)
    (new,) = {snapshots(worker, sid)[-1][0] for worker, sid in places}
    assert new != old
    assert all(not recovered for worker, sid in places for _, _, recovered in snapshots(worker, sid)[1:])

    texts_after = [str(number) for number in range(5)]
    say(direct, session, *texts_after)
    assert texts(direct.read(session.id, 0, 100)) == ["kept", *texts_after]
    for worker, sid in places:
        worker.sockets.hears(sid, "kept", "lost", "lost too", *texts_after)
    late = pair[1].connect("late")
    for epoch, recovered in ((old, False), (new, True)):
        ack = pair[1].send(late, "joinSession", session.code, {"sinceSeq": 6, "epoch": epoch})
        assert ack["recovered"] is recovered


def lost_in_silence(server: RedisServer, direct: RedisStore, pair: list[Worker]) -> tuple[SessionRecord, Worker]:
    session = new_session(direct)
    worker = pair[0]
    worker.joined(session, "ann")
    backup = Backup(server, session)
    say(direct, session, "lost", "lost too")
    worker.sockets.hears("ann", "lost", "lost too")
    backup.restore()
    return session, worker


def starts_again(worker: Worker) -> None:
    worker.sockets.gets("ann", "sessionJoined", 2)
    assert snapshots(worker, "ann")[-1][0] != snapshots(worker, "ann")[0][0]
    assert snapshots(worker, "ann")[-1][2] is False


def test_a_session_that_is_gone_is_counted_and_named(
    redis_server: RedisServer, direct: RedisStore, pair: list[Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is on call is to hear of it, although no numbering begins anew, and to know which session it was."""
    session = new_session(direct)
    places = seated(pair, session)
    with redis_server.client() as client:
        client.flushall()
    reconnect(redis_server)
    for worker, sid in places:
        worker.sockets.gets(sid, "sessionLeft", 1)
    for worker in pair:
        tally = worker.hub.tally
        assert (tally.lost_sessions, tally.epochs) == (1, 0)
        assert tally.repairs["verify", "asked for"] == 1
    told = [record for record in caplog.records if record.name == "classwaves.live"]
    assert {vars(record).get("session_id") for record in told} == {session.id}


def test_a_number_that_is_given_anew_shows_the_loss(
    redis_server: RedisServer, direct: RedisStore, pair: list[Worker]
) -> None:
    """Somebody else's entry comes where this replica has one already."""
    session, worker = lost_in_silence(redis_server, direct, pair)
    say(direct, session, "new")
    starts_again(worker)
    assert texts(direct.read(session.id, 0, 100)) == ["new"]


def test_an_append_of_our_own_shows_the_loss(redis_server: RedisServer, direct: RedisStore, pair: list[Worker]) -> None:
    session, worker = lost_in_silence(redis_server, direct, pair)
    (ann,) = worker.connections
    assert worker.say(ann, session, "mine")["ok"]
    starts_again(worker)
    assert texts(direct.read(session.id, 0, 100)) == ["mine"]


def test_positions_that_went_back_show_the_loss(
    redis_server: RedisServer, direct: RedisStore, redis_url: str, workers: list[Worker]
) -> None:
    workers.append(Worker(redis_store(redis_url), RENEW=0.1))
    _, worker = lost_in_silence(redis_server, direct, workers)
    starts_again(worker)


@pytest.mark.parametrize("lost", [1, 6])
def test_a_trimmed_log_survives_a_loss(
    redis_server: RedisServer, redis_url: str, direct: RedisStore, workers: list[Worker], lost: int
) -> None:
    """Its beginning is in the checkpoint alone."""
    workers.append(Worker(redis_store(redis_url, FEW), CHECKPOINT_ENTRIES=5))
    session, worker = new_session(direct), workers[0]
    worker.joined(session, "ann")
    say(direct, session, *map(str, range(10)))
    eventually(lambda: direct.read(session.id, 0, 1)[0].seq > 1, what="the trimming")
    backup = Backup(redis_server, session)
    say(direct, session, *["lost"] * lost)
    backup.restore()
    reconnect(redis_server)
    starts_again(worker)
    (told,) = worker.sockets.of("ann", "sessionJoined")[-1:]
    assert [one["userId"] for one in told["participants"]] == ["ann"]
    worker.say(worker.connections[0], session, "goes on")
    eventually(lambda: worker.sockets.said("ann")[-1] == "goes on", what="the message")


def test_the_end_of_an_ended_sessions_data_is_no_loss(
    redis_server: RedisServer, direct: RedisStore, pair: list[Worker], caplog: pytest.LogCaptureFixture
) -> None:
    worker = pair[0]
    session = new_session(direct)
    worker.joined(session, "ann")
    ended = session.with_changes(status="ended")
    direct.append(session.id, [Draft("sessionStatusChanged", {"status": "ended"})], dedupe="end", record=ended)
    live = worker.hub.live_sessions()[0]
    eventually(lambda: live.record.status == "ended", what="the end")
    direct.expire(ended, 0.05)
    eventually(lambda: direct.record(session.id) is None, what="the end of the data")
    reconnect(redis_server)
    worker.sockets.gets("ann", "sessionLeft", 1)
    assert worker.hub.tally.lost_sessions == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
