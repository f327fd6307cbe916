"""Two gunicorn processes on one Redis: one order and one presence for everybody."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.pair import STEADY, Pair, open_pair
from tests.support.pair import pair as pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, agreed
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("two processes")

STATUS_AFTER = {"start": "active", "pause": "paused", "resume": "active", "end": "ended"}


@pytest.fixture(scope="module")
def running(redis: RedisServer) -> Iterator[Pair]:
    with open_pair(redis.url, STEADY) as pair:
        yield pair


def test_everybody_holds_the_same_list(pair: Pair) -> None:
    """20 clients on each process, 10 senders at once, 500 messages."""
    code = pair.a.session()
    clients = pair.crowd(code, pair.a, 20) + pair.crowd(code, pair.b, 20)
    senders = clients[:5] + clients[20:25]

    def send(client: ResumingClient) -> None:
        for number in range(50):
            client.say(f"{client.user_id} {number}")

    threads = [threading.Thread(target=send, args=(client,)) for client in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: not sum(client.unacked for client in senders), 30, "everything acked")

    said = pair.history(code)
    assert len(said) == 500
    agreed(clients, said)
    assert {client.connections for client in clients} == {1}
    for client in senders:  # two events of one client are handled in the order sent
        mine = [message["message"] for message in said if message["userId"] == client.user_id]
        assert mine == [f"{client.user_id} {number}" for number in range(50)]


def test_presence_is_one_over_both_processes(pair: Pair) -> None:
    """A user with a tab on each process is there until both have left."""
    code = pair.a.session()
    watcher = pair.watch(code, pair.a)
    token = pair.a.api.guest(code, "Ann")
    here, there = pair.a.connect(token), pair.b.connect(token)
    user = here.join(code)["self"]["userId"]
    there.join(code)
    there.ask("updatePresence", {"sessionCode": code, "status": "idle"})
    here.ask("leaveSession", code)
    watcher.wait_for("presenceUpdated", userId=user, status="idle")
    there.ask("leaveSession", code)
    watcher.wait_for("presenceUpdated", userId=user, status="left")
    told = [data["status"] for name, data in watcher.inbox if name == "presenceUpdated"]
    assert told == ["active", "idle", "left"]


def test_nothing_of_the_classroom_travels_the_message_queue(pair: Pair, redis: RedisServer) -> None:
    """It reaches every process, has no order, and a publish waits for a Redis that hangs."""
    code = pair.a.session()
    watcher = pair.watch(code, pair.b)
    with redis.client() as client, client.pubsub() as everything:
        everything.psubscribe("*")
        ann, ben = pair.a.joined(code, "Ann"), pair.a.joined(code, "Ben")
        users = [one.inbox[0][1]["self"]["userId"] for one in (ann, ben)]
        ann.say(code, "hello")
        ann.ask("leaveSession", code)
        ben.wire.drop()
        watcher.wait_for("presenceUpdated", userId=users[0], status="left")
        watcher.wait_for("presenceUpdated", userId=users[1], status="disconnected")
        heard = []
        while message := everything.get_message(timeout=0.1):
            heard.append(message)
    channels = {message["channel"] for message in heard if message["type"] == "pmessage"}
    assert channels
    assert [channel for channel in channels if not channel.startswith("cw:")] == []


@pytest.mark.parametrize("steps", [("start", "pause", "resume", "end"), ("end",)], ids=["all steps", "the end"])
def test_nothing_is_said_after_the_end(pair: Pair, steps: tuple[str, ...]) -> None:
    """REST on one process changes the session while clients of the other write as fast as they can."""
    code = pair.a.session()
    clients = pair.crowd(code, pair.b, 6)
    over = threading.Event()

    def write(client: ResumingClient) -> None:
        while not over.is_set():
            client.say("still here")
            eventually(lambda: client.unacked < 5, what="acks", pause=0.001)

    def enough(number: int) -> bool:
        return len(clients[0].messages) >= 20 * number

    threads = [threading.Thread(target=write, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for number, step in enumerate(steps, start=1):
            eventually(lambda count=number: enough(count), what="messages")  # type: ignore[misc]
            pair.a.api.step(pair.a.teacher, code, step)
        eventually(lambda: all(client.refused for client in clients), what="everybody refused")
    finally:
        over.set()
        for thread in threads:
            thread.join()

    said = pair.history(code)
    agreed(clients, said)
    acked = [ack["seq"] for client in clients for ack in client.acks.values()]
    assert sorted(acked) == [message["seq"] for message in said]
    for client in clients:
        assert {error["code"] for error in client.refused} == {"SESSION_ENDED"}
        eventually(lambda client=client: "sessionEnded" in dict(client.events), what="the end")  # type: ignore[misc]
        durable = [(name, data) for name, data in client.events if "seq" in data and name != "sessionJoined"]
        assert [name for name, _ in durable[-2:]] == ["sessionStatusChanged", "sessionEnded"]
        changes = [data["status"] for name, data in durable if name == "sessionStatusChanged"]
        assert changes == [STATUS_AFTER[step] for step in steps]
