"""Somebody who pings without reading while a class talks: pongs and messages wait in one queue and never mix."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.bystanders import PLAIN, Student, event
from tests.support.protocol import PING, PONG, TEXT, frame
from tests.support.scene import Scene, open_scene

pytestmark = pytest.mark.xdist_group("hostile-pings")

LINE, LINES = 50_000, 200
"""Characters of a message, and messages: more than the kernel holds for a connection."""
PINGS = 50_000


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A server on which all of this may wait for one client."""
    with open_scene(CLASSWAVES_MAX_BACKLOG_BYTES=str(1 << 25), CLASSWAVES_MAX_MESSAGE_LENGTH=str(LINE)) as scene:
        yield scene
        scene.dismiss()


def speak(speaker: Student, code: str) -> None:
    for number in range(LINES):
        message = f"{number} ".ljust(LINE, "x")
        speaker.send(event("sendMessage", {"sessionCode": code, "message": message}, ack=7))
        speaker.until(b"437[")


def test_50_000_pings_while_the_class_talks(scene: Scene) -> None:
    code = scene.school.session()
    pinger, speaker = (scene.keep(Student(scene.school, code, name)) for name in ("Mallory", "Ann"))
    pinger.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    pings = b"".join(frame(PING, b"%0100d" % number, mask=PLAIN) for number in range(PINGS))
    heard: list[str] = []
    pongs = [-1]
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(pinger.send, pings)
        speak(speaker, code)
        while len(heard) < LINES or pongs[-1] < PINGS - 1:
            found = pinger.frame()
            assert (found.fin, found.rsv, found.opcode in (TEXT, PONG)) == (True, 0, True), found
            if found.opcode == PONG:
                pongs.append(int(found.payload))
            elif found.payload.startswith(b'42["messageReceived"'):
                heard.append(json.loads(found.payload[2:])[1]["message"])
        sending.result()
    assert [int(message.split()[0]) for message in heard] == list(range(LINES))
    assert pongs == sorted(set(pongs))
