"""classwaves.client, both kinds in one session, while workers, connections and Redis break."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from classwaves.client import ClassWavesError
from tests.support.fleet import Machine
from tests.support.proxy import FaultyProxy
from tests.support.python_clients import KINDS, AnyClient, AnyRoom, Clients
from tests.support.redis_copy import Copy
from tests.support.redis_server import RedisServer
from tests.support.school import School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("client faults")

QUICK = {"CLASSWAVES_DISCONNECT_GRACE": "0.5", "CLASSWAVES_REDIS_TIMEOUT": "1", "CLASSWAVES_RESUME_ENTRIES": "60"}


class Three(Machine):
    """A machine on which a worker is left when two have ended."""

    workers = 3


@dataclass
class Scene:
    """A session, in which a client of each kind is, behind a proxy of its own."""

    school: School
    redis: RedisServer
    proxies: list[FaultyProxy]
    clients: list[AnyClient]
    rooms: list[AnyRoom]

    def say(self, count: int) -> threading.Thread:
        """Have both say so much, one after the other, in a thread; the texts are numbers."""
        thread = threading.Thread(target=self._say, args=[count])
        thread.start()
        return thread

    def _say(self, count: int) -> None:
        for number in range(count):
            self.rooms[number % 2].send(str(number))

    def agree(self, texts: list[str]) -> None:
        """Both have heard this, each once and in order, and so it is stored."""
        for room in self.rooms:
            assert room.texts(texts[-1]) == texts
        assert [one["message"] for one in self.rooms[0].messages()] == texts


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer(aof=True) as redis:
        yield redis


@pytest.fixture(scope="module")
def school(redis: RedisServer) -> Iterator[School]:
    with open_school(server=Three, REDIS_URL=redis.url, CLASSWAVES_REQUIRE_REDIS="1", **QUICK) as school:
        yield school


@pytest.fixture
def scene(school: School, redis: RedisServer) -> Iterator[Scene]:
    if not redis.running:
        redis.start()
    code = school.session()
    made = [Clients(kind) for kind in KINDS]
    proxies = [FaultyProxy(school.server.port) for _ in KINDS]
    try:
        for proxy in proxies:
            proxy.accept()
        pairs = zip(made, proxies, strict=True)
        clients = [one.guest(f"http://127.0.0.1:{proxy.port}", code, one.kind) for one, proxy in pairs]
        yield Scene(school, redis, proxies, clients, [client.join(code) for client in clients])
    finally:
        for one in made:
            one.close()
        for proxy in proxies:
            proxy.close()


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def count_of(room: AnyRoom) -> int:
    return int(room.room._session.seq)


def after(scene: Scene, messages: int) -> None:
    """Wait until so many more have been heard."""
    begun = count_of(scene.rooms[0])
    eventually(lambda: count_of(scene.rooms[0]) >= begun + messages, 20, f"{messages} messages")


def test_connections_are_cut(scene: Scene) -> None:
    talk = scene.say(200)
    for _ in range(4):
        after(scene, 10)
        for proxy in scene.proxies:
            proxy.cut()
    talk.join(30)
    scene.agree(numbers(200))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends(scene: Scene, how: signal.Signals) -> None:
    """Killed, or told to end, which it tells its clients: they are at another one at once."""
    talk = scene.say(100)
    after(scene, 10)
    os.kill(scene.school.server.worker_pids[0], how)
    talk.join(60)
    scene.agree(numbers(100))


def test_an_ack_is_lost(scene: Scene) -> None:
    for number, (room, proxy) in enumerate(zip(scene.rooms, scene.proxies, strict=True)):
        proxy.swallow_next_reply()
        room.send(str(number))
        assert proxy.swallowed.wait(10)
    scene.agree(numbers(2))


def test_redis_is_away_for_a_while(scene: Scene) -> None:
    scene.redis.kill()
    for room in scene.rooms:
        with pytest.raises(ClassWavesError) as caught:
            room.send("never mind", timeout=0.3, client_message_id="the same")
        assert caught.value.code in ("SERVICE_UNAVAILABLE", "TIMEOUT")
    talk = scene.say(10)
    scene.redis.start()
    talk.join(40)
    heard = scene.rooms[1].texts("9")
    assert [text for text in heard if text != "never mind"] == numbers(10)
    assert heard == [one["message"] for one in scene.rooms[0].messages()]


def test_redis_has_lost_what_it_acknowledged(scene: Scene, tmp_path: Path) -> None:
    scene.rooms[0].send("kept")
    copy = Copy(scene.redis, tmp_path)
    scene.rooms[0].send("lost")
    for room in scene.rooms:
        assert room.texts("lost") == ["kept", "lost"]
    copy.restore()
    for room in scene.rooms:
        snapshot = room.next("snapshot")
        assert snapshot.data["recovered"] is False
        assert [one["message"] for one in room.messages()] == ["kept"]
    scene.rooms[1].send("and on")
    for room in scene.rooms:
        assert room.texts("and on") == ["and on"]


def test_what_is_missed_comes_as_missed_or_from_a_snapshot(scene: Scene) -> None:
    ann = scene.rooms[1]
    for count, name in ((5, "resumed"), (70, "snapshot")):
        scene.proxies[1].refuse()
        scene.proxies[1].cut()
        for _ in range(count):
            last = scene.rooms[0].send("meanwhile")
        scene.proxies[1].accept()
        found: list[Any] = []
        for event in ann.events(20):
            if event.name == name:
                break
            if event.name == "messageReceived":
                found.append(event)
        assert len(found) == (5 if name == "resumed" else 0)
        assert all(event.missed for event in found)
        assert event.data["seq"] >= last["seq"]
    assert len(ann.messages()) == 75
