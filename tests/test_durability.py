"""What was acked is there after the server was killed, and what was repeated is there once."""

from collections.abc import Iterator

import pytest

from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.pair import redis as redis
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.resuming import ResumingClient, agreed, gathered
from tests.support.school import School
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("durability")


@pytest.fixture(scope="module")
def proxy(redis: RedisServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(redis: RedisServer, proxy: FaultyProxy) -> Iterator[School]:
    env = {**TEST_KEYS, "REDIS_URL": proxy.url, "CLASSWAVES_RATELIMIT_ENABLED": "0"}
    with Gunicorn(env=env) as server:
        yield School(server, redis)


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def restart(school: School) -> None:
    school.dismiss()
    school.server.kill9()
    school.server.start()


def test_ten_acked_messages_survive_a_kill(school: School) -> None:
    """In the history, in the resume, and in the memory of what was sent already."""
    code = school.session()
    token = school.api.guest(code, "Ann")
    ann = school.connect(token)
    joined = ann.join(code)
    acks = [ann.say(code, f"message {n}", clientMessageId=f"m{n}") for n in range(10)]
    restart(school)

    history = school.api.messages(school.teacher, code)
    assert [message["message"] for message in history] == [f"message {n}" for n in range(10)]
    assert [{"ok": True} | {k: m[k] for k in ("seq", "timestamp", "messageId")} for m in history] == acks

    ann = school.connect(token)
    again = ann.join(code, {"sinceSeq": joined["seq"], "epoch": joined["epoch"]})
    assert again["recovered"]
    assert [item["data"] for item in again["missed"]] == history
    later = ann.join(code, {"sinceSeq": acks[6]["seq"], "epoch": joined["epoch"]})
    assert later["recovered"]
    assert [item["data"] for item in later["missed"]] == history[7:]

    assert ann.say(code, "message 3", clientMessageId="m3") == acks[3], "a repeat gets the first ack"
    assert len(school.api.messages(school.teacher, code)) == 10


def test_a_client_goes_on_through_a_kill(school: School) -> None:
    """It writes all the while; nothing is doubled and nothing that was acked is missing."""
    code = school.session()
    with (
        ResumingClient([school.url], school.api.guest(code, "Ann"), code, seed=1) as ann,
        ResumingClient([school.url], school.api.guest(code, "Ben"), code, seed=2) as ben,
    ):
        gathered([ann, ben])
        for number in range(40):
            ann.say(f"message {number}")
            eventually(lambda: ann.unacked < 3 or not school.server.running, what="acks")
            if number == 20:
                school.server.kill9()
            if number == 30:
                school.server.start()
        eventually(lambda: not ann.unacked, 20, "everything acked")
        history = school.api.messages(school.teacher, code)
        agreed([ann, ben], history)
        assert sorted(m["clientMessageId"] for m in history) == sorted(ann.acks)
        assert [client.snapshots[-1]["recovered"] for client in (ann, ben)] == [True, True]


@pytest.mark.parametrize("key", [{"clientMessageId": "m1"}, {}], ids=["with a key", "without"])
def test_an_append_whose_answer_is_lost_is_stored_once(school: School, proxy: FaultyProxy, key: dict[str, str]) -> None:
    code = school.session()
    ann = school.joined(code)
    proxy.swallow_next_reply(b"messageReceived")
    ack = ann.say(code, "once", **key)
    assert proxy.swallowed.wait(5)
    (stored,) = school.api.messages(school.teacher, code)
    assert stored["seq"] == ack["seq"]
    ann.say(code, "after")
    ann.wait_for("messageReceived", message="after")
    assert [data["message"] for name, data in ann.inbox if name == "messageReceived"] == ["once", "after"]


def test_a_join_whose_answer_is_lost_arrives_once(school: School, proxy: FaultyProxy) -> None:
    code = school.session()
    watcher = school.connect(school.teacher)
    watcher.join(code)
    proxy.swallow_next_reply(b'"change":"joined"')
    joined = school.joined(code).inbox[0][1]
    assert proxy.swallowed.wait(5)
    watcher.say(code, "up to here")
    watcher.wait_for("messageReceived", message="up to here")
    arrivals = [data["userId"] for name, data in watcher.inbox if name == "presenceUpdated"]
    assert arrivals == [joined["self"]["userId"]]
