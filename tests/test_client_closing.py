"""classwaves.client is closed while it still connects."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from classwaves.client import ClassWavesError
from tests.support.python_clients import KINDS, Clients
from tests.support.waiting import eventually

OPEN = {"sid": "1", "upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}


class Stalling(ThreadingHTTPServer):
    """Engine.IO over polling, which does not answer somebody who wants to upgrade until it is let go on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.go_on = threading.Event(), threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Stalling

    def do_GET(self) -> None:
        if "Upgrade" in self.headers:
            self.server.asked.set()
            self.server.go_on.wait(20)
            self.send_error(400)
        elif "sid=" in self.path:
            self._answer("6")
        else:
            self._answer("0" + json.dumps(OPEN))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("ok")

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """To nowhere."""


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    with Stalling() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_is_dropped_while_it_upgrades_is_ended_when_it_is_made(stalling: Stalling, kind: str) -> None:
    client = Clients(kind).new(f"http://127.0.0.1:{stalling.server_port}", "token", transports=["polling", "websocket"])
    with pytest.raises(ClassWavesError):
        client.connect(0.1)
    assert stalling.asked.wait(10)
    (wire,) = client.client._wires.values()
    closing = threading.Thread(target=client.close)
    closing.start()
    eventually(lambda: not client.client._wires, 10, "the connection is dropped")
    stalling.go_on.set()
    eventually(lambda: wire.gone and wire.eio.state == "disconnected", 10, "the connection is ended")
    closing.join(20)
