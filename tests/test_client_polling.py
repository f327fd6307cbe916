"""classwaves.client over long-polling, on a server that does what goes wrong: an answer is lost, or is late."""

import base64
import gc
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import engineio
import pytest

from classwaves.client import ClassWavesError
from tests.support.python_clients import KINDS, Clients
from tests.support.waiting import eventually

OPEN = {"sid": "1", "upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What a WebSocket's key is answered with (RFC 6455, section 1.3)."""


class Failing(ThreadingHTTPServer):
    """Engine.IO, of which each session is connected by the answer to its first GET, and gets none to the second.

    Somebody who wants to upgrade gets none until it is let go on, or a WebSocket that ends at once.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.half = False
        """The second answer begins, and does not end."""
        self.upgrades = False
        self.sessions = 0
        self.polls: list[str] = []
        self.connects = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Failing

    def do_GET(self) -> None:
        server = self.server
        if "Upgrade" in self.headers and server.upgrades:
            self._upgrade()
        elif "Upgrade" in self.headers:
            server.asked.set()
            server.go_on.wait(20)
            self.send_error(400)
        elif "sid=" not in self.path:
            server.sessions += 1
            server.connects = True
            self._answer("0" + json.dumps(OPEN))
        else:
            server.polls.append(self.path)
            if server.connects:
                server.connects = False
                self._answer('40{"sid":"1"}')
            elif server.half:
                self._answer('42["message"', 100)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("ok")

    def _upgrade(self) -> None:
        """Take the WebSocket, and answer its first frame by ending it."""
        key = self.headers["Sec-WebSocket-Key"].encode() + GUID
        self.protocol_version = "HTTP/1.1"
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade")):
            self.send_header(name, value)
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key).digest()).decode())
        self.end_headers()
        self.rfile.read(2 + 4 + len("2probe"))
        self.wfile.write(b"\x88\x02\x03\xe8")
        self.close_connection = True

    def _answer(self, text: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """To nowhere."""


@pytest.fixture
def failing() -> Iterator[Failing]:
    with Failing() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("half", [False, True], ids=["none of it came", "half of it came"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_was_lost_is_not_asked_for_again(failing: Failing, kind: str, half: bool) -> None:
    """What was in it would be missing: the server has sent it, and answers with what comes next. Only a new connection
    resumes."""
    failing.half = half
    client = Clients(kind).new(failing.url, "token", transports=["polling"])
    client.connect()
    eventually(lambda: failing.sessions > 1, 10, "another session")
    client.close()
    assert len(failing.polls) == len(set(failing.polls))


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_is_dropped_while_it_upgrades_is_ended_when_it_is_made(failing: Failing, kind: str) -> None:
    client = Clients(kind).new(failing.url, "token", transports=["polling", "websocket"])
    with pytest.raises(ClassWavesError):
        client.connect(0.1)
    assert failing.asked.wait(10)
    (wire,) = client.client._wires.values()
    closing = threading.Thread(target=client.close)
    closing.start()
    eventually(lambda: not client.client._wires, 10, "the connection is dropped")
    failing.go_on.set()
    eventually(lambda: wire.gone and wire.eio.state == "disconnected", 10, "the connection is ended")
    closing.join(20)


# python-engineio leaves the socket of an upgrade that fails to be collected
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_websocket_that_ends_while_a_connection_upgrades_leaves_nothing_behind(failing: Failing, kind: str) -> None:
    """As that of a worker that ends: nobody reads from such a connection yet, and its end waited for who does."""
    failing.upgrades = True
    client = Clients(kind).new(failing.url, "token", transports=["polling", "websocket"])
    with pytest.raises(ClassWavesError):
        client.connect(0.1)
    eventually(lambda: failing.sessions > 1, 10, "another session")
    client.close()
    known = engineio.base_client.connected_clients
    eventually(lambda: not [one for one in known if failing.url in one.base_url.replace("ws:", "http:")], 10, "no rest")
    gc.collect()  # here, not in a test after this one
