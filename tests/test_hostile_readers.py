"""A client that never reads, and one that sends as fast as it can: the others notice nothing."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.support.bystanders import Student, event, packet
from tests.support.protocol import WebSocket
from tests.support.scene import MB, Scene, open_scene
from tests.support.waiting import eventually
from tests.support.wires import Closed

pytestmark = pytest.mark.xdist_group("hostile-readers")

SLOW = "slow consumer"
LINE = 50_000
"""Characters of one message."""
FAN_OUT = 200 * MB
"""Bytes for the one who never reads."""
AHEAD = 8
"""Messages of the lesson that the readers have not got yet: far less than a backlog."""


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    # the log would grow to its 64 MB, which is no backlog
    small = {"CLASSWAVES_LOG_BYTES": str(2 * MB), "CLASSWAVES_CHECKPOINT_ENTRIES": "20"}
    long = {"CLASSWAVES_MAX_MESSAGE_LENGTH": str(LINE), "CLASSWAVES_RESUME_BYTES": str(FAN_OUT)}
    with open_scene(**small, **long) as scene:
        yield scene


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.dismiss()


class Lesson:
    """A session in which one of two readers says long messages, as fast as both of them get what was said."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.code = scene.school.session()
        self.readers = [scene.keep(Student(scene.school, self.code, f"Reader {number}")) for number in range(2)]
        self.sent = 0

    def speak(self, count: int) -> None:
        """Say so many messages, and wait until both readers have them all, in order."""
        said, heard = self.sent, [self.sent] * len(self.readers)
        last = said + count
        while min(heard) < last:
            while said < last and said - min(heard) < AHEAD:
                self._say(said)
                said += 1
            for number, reader in enumerate(self.readers):
                data = json.loads(reader.until(b'42["messageReceived"')[2:])[1]
                assert data["message"].startswith(f"{heard[number]} "), data["message"][:20]
                heard[number] += 1
        self.sent = last

    def _say(self, number: int) -> None:
        text = f"{number} ".ljust(LINE, "x")
        self.readers[0].send(event("sendMessage", {"sessionCode": self.code, "message": text}))

    def sleeper(self) -> Student:
        """Let somebody join who never reads again."""
        student = self.scene.keep(Student(self.scene.school, self.code, "Sleeper"))
        student.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return student


def test_a_client_that_never_reads_during_200_mb_of_fan_out(scene: Scene) -> None:
    lesson = Lesson(scene)
    lesson.speak(200)  # until the log, the ring and the allocator hold what they may
    before = scene.server.dropped(SLOW)
    sleepers = [lesson.sleeper() for _ in range(2)]
    scene.harmless(lambda: lesson.speak(FAN_OUT // LINE))
    assert scene.server.dropped(SLOW) == before + len(sleepers)
    assert scene.server.log().count(SLOW) == 1, "told once, then only counted"
    for sleeper in sleepers:
        with pytest.raises(Closed):
            while True:
                sleeper.frame()


def test_a_client_that_was_too_slow_resumes_by_seq(scene: Scene) -> None:
    lesson = Lesson(scene)
    sleeper = lesson.sleeper()
    before = scene.server.dropped(SLOW)

    def until_dropped() -> bool:
        lesson.speak(20)
        return scene.server.dropped(SLOW) > before

    scene.bystanders.meanwhile(lambda: eventually(until_dropped, timeout=30, pause=0))
    read, position = [], sleeper.joined["seq"]
    with pytest.raises(Closed):
        while True:
            data = json.loads(sleeper.until(b'42["messageReceived"')[2:])[1]
            read.append(data["message"])
            position = data["seq"]
    back = scene.keep(sleeper.again(scene.school, lesson.code, sinceSeq=position, epoch=sleeper.joined["epoch"]))
    assert back.joined["recovered"] is True
    missed = [item["data"]["message"] for item in back.joined["missed"] if item["event"] == "messageReceived"]
    assert missed, "nothing was lost: it was dropped too late for this test"
    assert [int(message.split()[0]) for message in read + missed] == list(range(lesson.sent))


def test_a_polling_client_that_never_polls_is_dropped_too(scene: Scene) -> None:
    lesson = Lesson(scene)
    sleeper = scene.school.joined(lesson.code, "Sleeper", "polling")
    before = scene.server.dropped(SLOW)
    scene.harmless(lambda: lesson.speak(200), growth=16 * MB)  # the log and the ring grow to what they may
    assert scene.server.dropped(SLOW) == before + 1
    with pytest.raises(Closed):
        while True:
            sleeper.wire.receive()


TIMES = 2000
LONG = "x" * 100_000


def flood(sender: WebSocket, message: bytes) -> None:
    """Send a message :data:`TIMES` times, as fast as they go."""
    for _ in range(TIMES):
        sender.send(message)


def test_2000_messages_of_100_kb_while_the_class_chats(scene: Scene) -> None:
    """The 99th percentile of the class's latencies stays under 250 ms, beyond what this machine takes anyway."""
    student = scene.student()
    payload = {"sessionCode": student.joined["sessionCode"], "message": LONG}
    message = event("sendMessage", payload, ack=7)
    alone = scene.bystanders.alone(50)

    def misdeed() -> None:
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(flood, student, message)
            for _ in range(TIMES):
                assert b'"PAYLOAD_TOO_LARGE"' in student.until(b"437[")
            sending.result()

    assert scene.harmless(misdeed) < 0.25 + alone
    assert "TIMEOUT" not in scene.server.log(), "gunicorn has killed a worker"


def test_2000_messages_of_100_kb_from_a_stranger(scene: Scene) -> None:
    """Nobody has logged in here: the first message ends it, and the others are read by nobody."""
    stranger = scene.stranger()
    message = packet(f'42/nowhere,["x","{LONG}"]')
    alone = scene.bystanders.alone(50)

    def misdeed() -> None:
        with suppress(Closed):
            flood(stranger, message)
        stranger.rest()

    assert scene.harmless(misdeed) < 0.25 + alone
    assert "TIMEOUT" not in scene.server.log(), "gunicorn has killed a worker"
