"""Redis comes back without what it had acknowledged: no silent hole, and nobody is left waiting."""

from pathlib import Path

import pytest

from tests.support.clients import RawClient
from tests.support.pair import Pair
from tests.support.pair import kept_pair as kept_pair
from tests.support.pair import kept_redis as kept_redis
from tests.support.pair import kept_servers as kept_servers
from tests.support.redis_copy import Copy
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, agreed, gathered
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("data lost")

GONE = {"SESSION_NOT_FOUND", "SESSION_EXPIRED"}


def all_say(clients: list[ResumingClient], text: str) -> None:
    for client in clients:
        client.say(text)
    eventually(lambda: not sum(client.unacked for client in clients), what="acks")


def statuses(watcher: RawClient, code: str) -> dict[str, str]:
    return {one["userId"]: one["status"] for one in watcher.join(code)["participants"]}


def seated(watcher: RawClient, code: str, clients: list[ResumingClient]) -> bool:
    there = statuses(watcher, code)
    return [there.get(client.user_id) for client in clients] == ["active"] * len(clients)


def test_acknowledged_events_that_are_gone_start_another_epoch(
    kept_pair: Pair, kept_redis: RedisServer, tmp_path: Path
) -> None:
    """Everybody is told to start again, on both processes, and is there, also who joined after the copy was made."""
    pair, code = kept_pair, kept_pair.a.session()
    early = pair.crowd(code, pair.a, 1) + pair.crowd(code, pair.b, 1)
    leaver = pair.a.joined(code, "Leaver")
    away_token, late_token = pair.a.api.guest(code, "Away"), pair.a.api.guest(code, "Late")
    all_say(early, "kept")
    copy = Copy(kept_redis, tmp_path)

    late = pair.client(late_token, code, pair.b)
    gathered([late])
    clients = [*early, late]
    all_say(clients, "lost")
    assert leaver.ask("leaveSession", code)["ok"]
    left = leaver.inbox[0][1]["self"]["userId"]
    away = pair.a.connect(away_token)
    seen = away.join(code)
    away.close()

    copy.restore()
    eventually(lambda: all(len(client.snapshots) > 1 for client in clients), 15, "everybody told")
    all_say(clients, "new")
    history = pair.history(code)
    assert [said["message"] for said in history] == ["kept"] * 2 + ["new"] * 3
    agreed(clients, history)
    for client in clients:
        assert client.connections == 1
        assert [snapshot["recovered"] for snapshot in client.snapshots[1:]] == [False]
    (epoch,) = {client.epoch for client in clients}
    assert epoch != seen["epoch"]

    for school in (pair.a, pair.b):
        watcher = school.connect(away_token)
        again = watcher.join(code, {"sinceSeq": seen["seq"], "epoch": seen["epoch"]})
        assert (again["recovered"], again["epoch"]) == (False, epoch)
        # their workers take their seats again when Redis lets them, which is not what they waited for
        eventually(lambda watcher=watcher: seated(watcher, code, clients), what="everybody there")  # type: ignore[misc]
        there = statuses(watcher, code)
        if there[left] != "disconnected":  # that it left was lost; its socket is gone all the same
            watcher.wait_for("presenceUpdated", userId=left, status="disconnected")


def test_what_nobody_is_left_to_know_is_not_believed(kept_pair: Pair, kept_redis: RedisServer, tmp_path: Path) -> None:
    """Redis and all workers end, the copy is older, and the lesson is past the old numbers when one comes back."""
    pair, code = kept_pair, kept_pair.a.session()
    token = pair.a.api.guest(code, "Back")
    ann = pair.a.joined(code, "Ann")
    ann.say(code, "kept")
    copy = Copy(kept_redis, tmp_path)
    for number in range(3):
        ann.say(code, f"lost {number}")
    seen = pair.b.connect(token).join(code)
    assert pair.b.api.messages(token, code)[-1]["message"] == "lost 2"
    for school in (pair.a, pair.b):
        school.server.kill9()
    copy.restore()
    with kept_redis.client() as client:
        client.delete("cw:workers")  # as it is when their leases have run out
    for school in (pair.a, pair.b):
        school.server.start(wait=False)
    for school in (pair.a, pair.b):
        school.server.wait_ready()
    pair.dismiss()
    ben = pair.a.joined(code, "Ben")
    for number in range(5):
        ben.say(code, f"new {number}")
    again = pair.b.connect(token).join(code, {"sinceSeq": seen["seq"], "epoch": seen["epoch"]})
    assert again["seq"] > seen["seq"], "the number that it names is another event's now"
    assert (again["recovered"], again["missed"]) == (False, [])
    assert again["epoch"] != seen["epoch"]
    said = [message["message"] for message in pair.b.api.messages(token, code)]
    assert said == ["kept", *(f"new {number}" for number in range(5))]


def test_a_session_that_is_gone_is_not_found(kept_pair: Pair, kept_redis: RedisServer, tmp_path: Path) -> None:
    """The login is older than the copy, the session is not."""
    login = kept_pair.a.api.token("teacher")
    copy = Copy(kept_redis, tmp_path)
    code = kept_pair.a.api.new_session(login)
    teacher, guest = kept_pair.client(login, code, kept_pair.a), kept_pair.guest(code, kept_pair.b)
    gathered([teacher, guest])

    copy.restore()
    eventually(lambda: teacher.stopped and guest.stopped, 15, "both told")
    assert teacher.stopped == "SESSION_NOT_FOUND"
    assert guest.stopped in GONE
    assert kept_pair.a.connect(guest.token).refusal["data"]["code"] == "SESSION_EXPIRED"
    ack = kept_pair.b.connect(login).ask("joinSession", code)
    assert ack["error"]["code"] == "SESSION_NOT_FOUND"
    assert kept_pair.a.api.new_session(login)


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "flushed"])
def test_an_empty_redis_ends_logins_and_serves_new_ones(
    kept_pair: Pair, kept_redis: RedisServer, restarted: bool
) -> None:
    pair, code = kept_pair, kept_pair.a.session()
    clients = pair.crowd(code, pair.a, 2) + pair.crowd(code, pair.b, 2)
    if restarted:
        kept_redis.kill()
        kept_redis.forget()
        kept_redis.start()
    else:
        with kept_redis.client() as client:
            client.flushall()
    eventually(lambda: all(client.stopped for client in clients), 15, "everybody told")
    assert {client.stopped for client in clients} <= GONE
    assert pair.a.api.call("GET", "/auth/me", clients[0].token)[0] == 401

    pair.start_afresh()
    code = pair.a.session()
    clients = pair.crowd(code, pair.a, 1) + pair.crowd(code, pair.b, 1)
    all_say(clients, "hello")
    agreed(clients, pair.history(code))
