"""Clients that begin something and fall silent, 1,000 at once: all are closed, and meanwhile the class chats."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.bystanders import PLAIN
from tests.support.protocol import CONTINUATION, PATH, TEXT, UPGRADE, Tcp, frame, header, http
from tests.support.scene import MB, WHO, Scene, open_scene
from tests.support.uploads import Sent, patterned
from tests.support.waiting import eventually
from tests.support.wires import Closed

pytestmark = pytest.mark.xdist_group("hostile-silence")

MANY = 1000
SOON = {
    "CLASSWAVES_REQUEST_TIMEOUT": "1",
    "CLASSWAVES_ANSWER_TIMEOUT": "1",
    "CLASSWAVES_CONNECT_TIMEOUT": "1",
    "CLASSWAVES_PING_INTERVAL": "0.5",
    "CLASSWAVES_PING_TIMEOUT": "5",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with open_scene(**SOON) as scene:
        yield scene


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.dismiss()


def request_head(method: str, target: str, **headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode()


HANDSHAKE = request_head("GET", f"{PATH}websocket", **UPGRADE)
STARTS = {
    "nothing": b"",
    "half a request line": HANDSHAKE[:20],
    "half of the headers": HANDSHAKE[: len(HANDSHAKE) // 2],
    "a head without its end": HANDSHAKE + b"\r\n",
    "half of a body": request_head("POST", "/api/v1/auth/login", **{"Content-Length": "1000"}) + b"\r\n\r\n{",
    "a WebSocket without CONNECT": HANDSHAKE + b"\r\n\r\n",
    "a WebSocket with half a CONNECT": HANDSHAKE + b"\r\n\r\n" + frame(TEXT, b"40{}")[:-1],
    "a polling session without CONNECT": request_head("GET", f"{PATH}polling") + b"\r\n\r\n",
}


def all_end(sockets: list[socket.socket], timeout: float = 15) -> None:
    """Wait until the server has ended all of these; what it says before is dropped."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)

        def none_is_left() -> bool:
            for key, _ in selector.select(1):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if ended(one):
                    selector.unregister(one)
                    one.close()
            assert not selector.get_map(), f"{len(selector.get_map())} of {len(sockets)} are left"
            return True

        eventually(none_is_left, timeout, "the end of all half-open connections", pause=0)


def ended(one: socket.socket) -> bool:
    try:
        return not one.recv(65536)
    except ConnectionError:
        return True


def half_open(scene: Scene, starts: list[bytes]) -> list[socket.socket]:
    """Begin :data:`MANY` connections, with these starts in turn."""
    opened = []
    for number in range(MANY):
        tcp = scene.tcp()
        tcp.send(starts[number % len(starts)])
        opened.append(tcp.socket)
    return opened


def still_works(scene: Scene) -> None:
    """Somebody new logs in, joins and is heard, and REST answers."""
    code = scene.school.session()
    scene.school.joined(code).say(code, "hello")
    assert http(scene.port, "GET", "/healthz").status == 200


ALIKE = ("nothing", "half a request line", "half of the headers", "a WebSocket without CONNECT")


@pytest.mark.parametrize("names", [*([name] for name in ALIKE), list(STARTS)], ids=lambda names: " ".join(names)[:40])
def test_1000_half_open_connections(scene: Scene, names: list[str]) -> None:
    files = scene.server.open_files()

    def misdeed() -> None:
        opened = half_open(scene, [STARTS[name] for name in names])
        still_works(scene)
        all_end(opened)
        scene.dismiss()
        eventually(lambda: scene.server.open_files() <= files, what="the descriptors of before")

    scene.harmless(misdeed, growth=64 * MB)


SILENCES: dict[str, bytes] = {
    "nothing at all": b"",
    "half of a header": header(TEXT, 1000)[:1],
    "a header": header(TEXT, 1000),
    "half of a frame": frame(TEXT, bytes(1000), mask=PLAIN)[:500],
    "half of a message": frame(TEXT, b"42", fin=False) + frame(CONTINUATION, b"[", fin=False),
}


@pytest.mark.parametrize("who", WHO)
def test_half_a_frame_and_silence(scene: Scene, who: str) -> None:
    """A stranger is closed because it does not connect, a student by the heartbeat."""

    def misdeed() -> None:
        opened = []
        for start in SILENCES.values():
            ws = scene.somebody(who)
            ws.send(start)
            opened.append(ws.socket)
        all_end(opened)

    scene.harmless(misdeed)


def test_a_frame_that_drips_is_no_sign_of_life(scene: Scene) -> None:
    """A byte now and then is no pong."""
    student = scene.student()
    drip(scene, student, header(TEXT, 60_000) + bytes(60_000))


@pytest.mark.parametrize("name", ["head", "body"])
def test_a_request_that_drips_has_a_time_for_all_of_it(scene: Scene, name: str) -> None:
    head = request_head("POST", "/api/v1/auth/login", **{"Content-Length": "60000"})
    start = head + (b"\r\n\r\n" if name == "body" else b"\r\nX-Drip: ")
    tcp = scene.tcp()
    tcp.send(start)
    drip(scene, tcp, b"x" * 60_000)


def test_downloads_that_nobody_takes_are_broken_off(scene: Scene) -> None:
    """Each holds a piece of the file in the worker's memory."""

    def share() -> bytes:
        code = scene.school.session()
        token = scene.school.api.guest(code, "Mallory")
        mallory = scene.school.connect(token)
        mallory.join(code)
        sent = Sent(mallory.ask, code, patterned(8 * MB))
        sent.share()
        return request_head("GET", f"/api/v1/files/{sent.file_id}", Authorization=f"Bearer {token}") + b"\r\n\r\n"

    def misdeed() -> None:
        asked = share()  # which takes longer than the class may be silent
        files = scene.server.open_files()
        for _ in range(20):
            tcp = scene.tcp()
            tcp.send(asked)
            assert tcp.socket.recv(12) == b"HTTP/1.1 200"  # and no more of it
        eventually(lambda: scene.server.open_files() <= files, what="the end of all downloads")

    scene.harmless(misdeed, growth=32 * MB)


def drip(scene: Scene, tcp: Tcp, data: bytes) -> None:
    """Send byte by byte, ten in a second, until the server ends the connection; never is all of it sent."""
    left = iter(data)

    def misdeed() -> None:
        tcp.socket.settimeout(0.1)
        with pytest.raises((Closed, ConnectionError)):
            while True:
                tcp.send(bytes([next(left)]))
                listen(tcp)

    scene.harmless(misdeed)


def listen(tcp: Tcp) -> None:
    """Read what comes in a tenth of a second. :raises Closed: the end."""
    with suppress(TimeoutError):
        if not tcp.socket.recv(65536):
            raise Closed
