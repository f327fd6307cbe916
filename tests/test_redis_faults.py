"""Each fault of Redis with a lesson in it: everybody is answered, nothing untrue is said, and it heals by itself."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.clients import RawClient
from tests.support.pair import Pair, open_pair
from tests.support.pair import kept_pair as kept_pair
from tests.support.pair import kept_redis as kept_redis
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("redis faults")

HANG = 10.0
"""Seconds for which Redis hangs: several times the patience with one command."""
SPEAKERS = 20
"""More requests at a time than either server has made connections for before."""

Answer = dict[str, Any]

EVENTS = {
    "message": "messageReceived",
    "group": "groupUpdate",
    "activity": "activityUpdate",
    "hand": "handStatusChanged",
    "reaction": "reactionUpdated",
    "caption": "transcriptionUpdate",
}
"""Kind -> what it stores, in the place of the log that the ack names."""
ONCE = set(EVENTS.values()) - {"messageReceived"}


@pytest.fixture(scope="module")
def kept_servers(kept_redis: RedisServer) -> Iterator[Pair]:
    """Two servers with the patience that they have by default."""
    with open_pair(kept_redis.url) as pair:
        yield pair


def status_of(url: str) -> int:
    """The HTTP status of an answer that comes in a few seconds."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def are_ready(pair: Pair) -> bool:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(status_of, (f"{school.url}/readyz" for school in (pair.a, pair.b)))) == [200, 200]


class Lesson:
    """An active session on both servers, and somebody for each kind of event, who repeats it as clients do."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.teacher = pair, pair.a.teacher
        self.acked: dict[int, str] = {}
        """What was said to be stored, and where."""
        self.code, self.other = pair.a.session(), pair.b.session()
        pair.a.api.step(self.teacher, self.code, "start")
        self.watcher = pair.a.joined(self.code, "Watcher")
        message = self.watcher.say(self.code, "before")["messageId"]
        staff, guest = self._staff, self._guest
        self.events: dict[str, tuple[RawClient, tuple[Any, ...]]] = {
            "message": (guest(), self._stored("sendMessage", message="once")),
            "group": (staff(), self._stored("createGroup", name="Readers")),
            "activity": (
                staff(),
                self._stored("updateActivity", activityId="q1", activityType="poll", status="started", data={}),
            ),
            "hand": (guest(), self._stored("raiseHand")),
            "reaction": (guest(), self._stored("addReaction", messageId=message, emoji="\U0001f44d")),
            "mode": (staff(), self._stored("setSessionMode", mode="open")),
            "caption": (
                staff(),
                self._stored(
                    "publishTranscription", segmentId="s1", revision=1, text="hello", isFinal=True, startMs=0, endMs=9
                ),
            ),
            "presence": (guest(), ("updatePresence", {"sessionCode": self.code, "status": "idle"})),
            "typing": (guest(), ("typing", {"sessionCode": self.code, "isTyping": True})),
            "read": (guest(), ("markRead", {"sessionCode": self.code, "messageId": message})),
            "history": (guest(), ("fetchHistory", {"sessionCode": self.code})),
            "sync": self._synced(guest()),
            "join": (pair.b.guest(self.code, "Late"), ("joinSession", self.code)),
            "leave": (guest(), ("leaveSession", self.code)),
        }

    def _synced(self, client: RawClient) -> tuple[RawClient, tuple[Any, ...]]:
        at = client.join(self.code)
        return client, ("syncSession", {"sessionCode": self.code, "sinceSeq": at["seq"], "epoch": at["epoch"]})

    def _stored(self, event: str, **fields: Any) -> tuple[Any, ...]:
        return event, {"sessionCode": self.code, "clientMessageId": event, **fields}

    def _guest(self) -> RawClient:
        return self.pair.b.joined(self.code, "Guest")

    def _staff(self) -> RawClient:
        client = self.pair.a.connect(self.teacher)
        client.join(self.code)
        return client

    def everything(self) -> dict[str, Answer]:
        """Ask for one of each kind, all at once, and see that the servers themselves answer meanwhile."""
        done = threading.Event()
        with ThreadPoolExecutor(6) as pool:
            alive = [pool.submit(self._is_alive, school.url, done) for school in (self.pair.a, self.pair.b)]
            try:
                create = pool.submit(self.pair.a.api.call, "POST", "/sessions", self.teacher, {"title": "Another"})
                end = pool.submit(self.pair.b.api.call, "POST", f"/sessions/{self.other}/end", self.teacher)
                asked = {kind: client.send(*what) for kind, (client, what) in self.events.items()}
                answers = {kind: self.events[kind][0].ack(number) for kind, number in asked.items()}
                answers |= {"create": rest_answer(*create.result()), "end": rest_answer(*end.result())}
            finally:
                done.set()
            for server in alive:
                server.result()
        self.acked.update({answers[kind]["seq"]: event for kind, event in EVENTS.items() if answers[kind]["ok"]})
        return answers

    @staticmethod
    def _is_alive(url: str, done: threading.Event) -> None:
        while not done.wait(0.1):
            assert status_of(f"{url}/healthz") == 200

    def heals(self) -> None:
        """Wait until everything is done, and see that it was done once."""

        def all_done() -> bool:
            answers = self.everything()
            wrong = {kind: answer for kind, answer in answers.items() if not (answer["ok"] or is_refusal(answer))}
            assert set(wrong) <= {"end"}, "only this one cannot say that it was asked before"
            return not [answer for answer in answers.values() if is_refusal(answer)]

        eventually(lambda: are_ready(self.pair), 15, "ready again")
        eventually(all_done, 15, "everything done")
        assert self.pair.a.api.ok("GET", f"/sessions/{self.other}", self.teacher)["status"] == "ended"
        log = self.log()
        stored = [entry["event"] for entry in log]
        assert {event: stored.count(event) for event in ONCE} == dict.fromkeys(ONCE, 1)
        assert [entry["data"]["message"] for entry in log if entry["event"] == "messageReceived"] == ["before", "once"]
        events = {entry["seq"]: entry["event"] for entry in log}
        assert {seq: events.get(seq) for seq in self.acked} == self.acked

    def log(self) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.pair.b.url}/api/v1/sessions/{self.code}/export", headers={"Authorization": f"Bearer {self.teacher}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


def rest_answer(status: int, body: Any) -> Answer:
    """An answer over REST in the shape of an ack."""
    if status < 300:
        return {"ok": True}
    return {"ok": False, "error": {"retryAfterMs": 1, **body["error"]}}  # over REST it is a header


def is_refusal(answer: Answer) -> bool:
    """Whether it says: not now, try again."""
    return not answer["ok"] and answer["error"]["code"] == "SERVICE_UNAVAILABLE"


Fault = Callable[[RedisServer], Callable[[], None]]


def killed(redis: RedisServer) -> Callable[[], None]:
    redis.kill()
    return redis.start


def hung(redis: RedisServer) -> Callable[[], None]:
    redis.pause()
    return redis.resume


def full(redis: RedisServer) -> Callable[[], None]:
    def limit(memory: int) -> None:
        with redis.client() as client:
            client.config_set("maxmemory", memory)

    limit(1)
    return lambda: limit(0)


def read_only(redis: RedisServer) -> Callable[[], None]:
    """A replica of a server that is not there."""

    def follow(*primary: str) -> None:
        with redis.client() as client:
            client.replicaof(*primary)

    follow("127.0.0.1", str(free_port()))
    return lambda: follow("NO", "ONE")


@pytest.mark.parametrize(
    ("fault", "seconds", "still_works"),
    [
        (killed, 0.0, {"sync"}),
        (hung, HANG, {"sync"}),
        (full, 0.0, {"sync", "history", "typing", "leave"}),
        (read_only, 0.0, {"sync", "history"}),
    ],
    ids=["killed", "hung", "full", "read-only"],
)
def test_a_lesson_goes_on_after_a_fault(
    kept_pair: Pair, kept_redis: RedisServer, fault: Fault, seconds: float, still_works: set[str]
) -> None:
    lesson = Lesson(kept_pair)
    until = time.monotonic() + seconds
    heal = fault(kept_redis)
    with ExitStack() as stack:
        stack.callback(heal)
        while True:
            answers = lesson.everything()
            done = {kind for kind, answer in answers.items() if answer["ok"]}
            # a connection that does not write is given up, with all that is asked for on it at the same time
            assert done - ({"typing"} if fault is read_only else set()) == still_works
            for kind, answer in answers.items():
                assert answer["ok"] or (is_refusal(answer) and answer["error"]["retryAfterMs"] > 0), (kind, answer)
            eventually(lambda: not are_ready(kept_pair), 10, "not ready, as the store was a second ago")
            if time.monotonic() >= until:
                break
    lesson.heals()
    with ThreadPoolExecutor(SPEAKERS) as pool:  # no connection is left that does not know of it
        for school in (kept_pair.a, kept_pair.b):
            made = [pool.submit(school.session) for _ in range(SPEAKERS)]
            assert len({code.result() for code in made}) == SPEAKERS
    lesson.watcher.say(lesson.code, "after")
    assert [name for name, _ in lesson.watcher.inbox].count("sessionJoined") == 1, "nothing was lost"
