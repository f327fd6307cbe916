"""Frames that no browser sends (RFC 6455, section 5), before and after login: the sender is closed, nobody else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.bystanders import PLAIN, Student, event
from tests.support.protocol import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocket, frame, header
from tests.support.scene import MB, WHO, Scene, open_scene, pour
from tests.support.wires import Closed

pytestmark = pytest.mark.xdist_group("hostile-frames")

PROTOCOL_ERROR, INVALID_DATA, POLICY, TOO_BIG = 1002, 1007, 1008, 1009
"""Close codes (section 7.4.1)."""
DATA = bytes(MB)


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with open_scene() as scene:
        yield scene


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.dismiss()


def refused(ws: WebSocket, data: bytes, more: int = 0) -> int | None:
    """Send something, see the close code, and then send megabytes more that nobody wants."""
    ws.send(data)
    while (last := ws.frame()).opcode != CLOSE:
        pass
    pour(ws, DATA, more)
    return int.from_bytes(last.payload[:2], "big")


@pytest.mark.parametrize("size", [1 << 31, (1 << 63) - 1], ids=["2 GB", "8 EB"])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("who", WHO)
def test_a_giant_frame_is_refused_from_its_header(scene: Scene, who: str, opcode: int, size: int) -> None:
    ws = scene.somebody(who)
    codes: list[int | None] = []
    scene.harmless(lambda: codes.append(refused(ws, header(opcode, size), more=64)))
    assert codes == [TOO_BIG]


@pytest.mark.parametrize("who", WHO)
def test_a_giant_frame_with_its_data_right_behind(scene: Scene, who: str) -> None:
    """Nobody waits for an answer here: 64 MB follow the header as fast as they go."""
    ws = scene.somebody(who)

    def misdeed() -> None:
        ws.send(header(TEXT, 1 << 31))
        pour(ws, DATA, 64)

    scene.harmless(misdeed)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("payload", [b"", b"4", bytes(1000)], ids=len)
def test_10_000_fragments(scene: Scene, who: str, payload: bytes) -> None:
    """Their number is bounded, and so is what they are together."""
    ws = scene.somebody(who)
    first = frame(TEXT, payload, fin=False, mask=PLAIN)
    rest = frame(CONTINUATION, payload, fin=False, mask=PLAIN) * 9_999
    codes: list[int | None] = []

    def misdeed() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(pour, ws, first + rest, 1)
            codes.append(refused(ws, b""))

    scene.harmless(misdeed)
    assert codes in ([POLICY], [TOO_BIG])


def test_fragments_that_never_end_are_not_kept(scene: Scene) -> None:
    """Each is as large as a message may be; together they are too large."""
    ws = scene.stranger()
    first = frame(BINARY, bytes(900_000), fin=False, mask=PLAIN)
    codes: list[int | None] = []
    scene.harmless(lambda: codes.append(refused(ws, first + header(CONTINUATION, 900_000, fin=False), more=64)))
    assert codes == [TOO_BIG]


FRAMES = {
    "compressed, though nobody agreed on that": (frame(TEXT, b"40", rsv=4), PROTOCOL_ERROR),
    "RSV2": (frame(TEXT, b"40", rsv=2), PROTOCOL_ERROR),
    "RSV3 of a ping": (frame(PING, rsv=1), PROTOCOL_ERROR),
    "not masked": (frame(TEXT, b"40", mask=b""), PROTOCOL_ERROR),
    "bad UTF-8": (frame(TEXT, b"4\xff\xfe"), INVALID_DATA),
    "half a surrogate pair": (frame(TEXT, b'42["x","\xed\xa0\x80"]'), INVALID_DATA),
    "overlong UTF-8": (frame(TEXT, b"4\xc0\x80"), INVALID_DATA),
    "a ping of 64 KB": (header(PING, 65536), PROTOCOL_ERROR),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_wrong(scene: Scene, who: str, name: str) -> None:
    data, code = FRAMES[name]
    ws = scene.somebody(who)
    codes: list[int | None] = []
    scene.harmless(lambda: codes.append(refused(ws, data)))
    assert codes == [code]


def test_compression_that_is_offered_is_not_taken(scene: Scene) -> None:
    ws = scene.stranger({"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert "sec-websocket-extensions" not in ws.handshake.headers
    assert refused(ws, frame(TEXT, b"40", rsv=4)) == PROTOCOL_ERROR


def pings(count: int) -> bytes:
    """Frames of pings with their numbers."""
    return b"".join(frame(PING, b"%0100d" % number, mask=PLAIN) for number in range(count))


def test_50_000_pings_are_answered(scene: Scene) -> None:
    """A pong is due to the latest of those that came together (section 5.5.3); the connection goes on."""
    student = scene.student()
    data = pings(50_000)

    def misdeed() -> None:
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(student.send, data)
            while (pong := student.frame()).payload != b"%0100d" % 49_999:
                assert pong.opcode == PONG or pong.payload == b"2", pong
            sending.result()

    scene.harmless(misdeed)
    assert json.loads(ask(student)[3:])[0]["ok"]


def ask(student: Student) -> bytes:
    """Send an event and return its ack."""
    student.send(event("updatePresence", {"sessionCode": student.joined["sessionCode"], "status": "active"}, ack=1))
    return student.until(b"431[")


@pytest.mark.parametrize("who", WHO)
def test_50_000_pings_whose_answers_are_not_read(scene: Scene, who: str) -> None:
    """What waits for the sender is bounded."""
    ws = scene.somebody(who)
    scene.harmless(lambda: pour(ws, pings(50_000), 3))


def test_50_000_heartbeats_that_were_not_asked_for(scene: Scene) -> None:
    """Engine.IO's pongs to pings that were never sent change nothing; its pings are the server's, and end it."""
    student = scene.student()
    scene.harmless(lambda: student.send(frame(TEXT, b"3", mask=PLAIN) * 50_000))
    assert json.loads(ask(student)[3:])[0]["ok"]
    scene.harmless(lambda: pour(student, frame(TEXT, b"2", mask=PLAIN) * 50_000, 1))
    with pytest.raises(Closed):
        while True:
            assert student.frame().payload != b"3"
