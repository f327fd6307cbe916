"""Real Socket.IO clients on a shop's own namespaces, everything under way in both directions while they upgrade."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio

from classwaves.client.wire import SyncWire
from tests.support.clients import Api
from tests.support.processes import minimal_environ
from tests.support.shop import ShopServer
from tests.support.tools import node
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("clients-on-transport")

SCRIPT = Path(__file__).with_name("node") / "shop.mjs"
WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
COUNT = 200


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    # over polling python-socketio waits for the next ping when it disconnects
    with ShopServer(CLASSWAVES_PING_INTERVAL="0.5", CLASSWAVES_PING_TIMEOUT="5") as server:
        yield server


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(**given: str) -> list[str]:
    """Run the Node script to its end and return the steps that it reported."""
    command = [node(), str(SCRIPT), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=minimal_environ(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line)["step"] for line in done.stdout.splitlines()]


def test_socket_io_client(server: ShopServer, way: str) -> None:
    steps = run(url=server.url, way=way, token=Api(server.url).token("teacher"))
    assert steps == ["connect", "events", "refusals", "handshake", "binary", "rooms", "end"]


def test_several_socket_io_clients_at_once(server: ShopServer) -> None:
    """They upgrade at the same time, as a class does at the bell."""
    token = Api(server.url).token("teacher")
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run, url=server.url, way="upgrade", token=token) for _ in range(4)]
        assert [one.result()[-1] for one in runs] == ["end"] * 4


class Client:
    """A python-socketio client that notes what it receives, in order."""

    def __init__(self, server: ShopServer, way: str, namespaces: list[str], auth: Any = None) -> None:
        self.heard: dict[str, list[Any]] = {}
        self.ended: list[str] = []
        # python-socketio's own handles each packet in a thread of its own, in which one overtakes another on a busy
        # machine: an ack the attachment of a binary event, which ends in a TypeError
        self.sio = SyncWire({}, lambda: None)
        for namespace in namespaces:
            self.sio.on("*", self._note, namespace=namespace)
            self.sio.on("disconnect", self.ended.append, namespace=namespace)
        self.sio.on("question", lambda text, data: (f"{text}!", data[::-1]), namespace="/shop")
        self.sio.connect(
            server.url,
            transports=WAYS[way],
            namespaces=namespaces,
            auth=auth,
            headers={"X-Shop": "python"},
            wait_timeout=10,
        )

    def _note(self, event: str, *args: Any) -> None:
        self.heard.setdefault(event, []).append(args)

    def ask(self, event: str, *args: Any, namespace: str = "/shop") -> Any:
        """Emit and return the ack."""
        return self.sio.call(event, args, namespace=namespace, timeout=10)

    def wait_for(self, event: str, count: int) -> list[Any]:
        """Return the arguments of so many events."""
        eventually(lambda: len(self.heard.get(event, [])) >= count, what=f"{count} times {event}")
        return self.heard[event]


@contextmanager
def connected(server: ShopServer, way: str, *namespaces: str, auth: Any = None) -> Iterator[Client]:
    client = Client(server, way, list(namespaces), auth)
    try:
        yield client
    finally:
        client.sio.disconnect()


def transport_is(client: Client, way: str) -> bool:
    name: str = client.sio.transport()
    return name == ("polling" if way == "polling" else "websocket")


def test_python_socketio_events_under_way(server: ShopServer, way: str) -> None:
    with connected(server, way, "/shop", auth={"name": "Ann"}) as client:
        acks: list[int] = []
        client.sio.emit("numbers", (COUNT, 0.001, b"\1\2\3"), namespace="/shop")
        for number in range(COUNT):
            client.sio.emit("message-with-ack", number, namespace="/shop", callback=acks.append)
            client.sio.emit("message", (number, bytes([number])), namespace="/shop")
        assert client.wait_for("number", COUNT) == [(number, b"\1\2\3") for number in range(COUNT)]
        assert client.wait_for("message-back", COUNT) == [(number, bytes([number])) for number in range(COUNT)]
        eventually(lambda: len(acks) == COUNT, what="all acks")
        assert acks == list(range(COUNT))
        assert transport_is(client, way)
        seen = client.ask("whoami")
        assert (seen["auth"], seen["header"], seen["sid"]) == ({"name": "Ann"}, "python", client.sio.get_sid("/shop"))


def test_python_socketio_answers_questions(server: ShopServer, way: str) -> None:
    with connected(server, way, "/shop") as client:
        for number in range(20):
            client.sio.emit("ask", (str(number), bytes([1, 2, number])), namespace="/shop")
        assert client.wait_for("answered", 20) == [(f"{number}!", bytes([number, 2, 1])) for number in range(20)]
        assert client.ask("picture", 70_000) == bytes(number % 256 for number in range(70_000))


def test_python_socketio_on_several_namespaces(server: ShopServer, way: str) -> None:
    with connected(server, way, "/shop", "/custom") as client:
        assert client.ask("whoami")["namespace"] == "/shop"
        assert client.ask("whoami", namespace="/custom")["namespace"] == "/custom"
        client.sio.emit("throw me out", namespace="/custom")
        eventually(lambda: client.ended == ["server disconnect"], what="the server's disconnect")
        assert client.ask("message-with-ack", "still here") == "still here"


def test_python_socketio_in_a_room(server: ShopServer, way: str) -> None:
    with connected(server, way, "/shop") as ann, connected(server, "websocket", "/shop") as bob:
        for client in (ann, bob):
            client.ask("join", f"room {way}")
        for number in range(50):
            ann.sio.emit("tell", (f"room {way}", True, number, b"x" * (number + 1)), namespace="/shop")
        expected = [(number, b"x" * (number + 1)) for number in range(50)]
        assert ann.wait_for("told", 50) == bob.wait_for("told", 50) == expected


def test_python_socketio_is_refused(server: ShopServer, way: str) -> None:
    refusals: list[Any] = []
    sio = socketio.Client(reconnection=False, handle_sigint=False)
    sio.on("connect_error", refusals.append, namespace="/refusing")
    with pytest.raises(socketio.exceptions.ConnectionError):
        sio.connect(server.url, transports=WAYS[way], namespaces=["/refusing"], wait_timeout=10)
    sio.disconnect()
    assert refusals == [{"message": "Not authorized", "data": {"code": "NO_MONEY", "auth": None}}]
