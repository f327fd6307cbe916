"""A server bound to a unix socket, where no client has an address: it works, also in a flood of handshakes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.apps import PASSWORD
from tests.support.bystanders import event, packet
from tests.support.protocol import PATH, TEXT, UPGRADE, Frame
from tests.support.unix_server import UnixGunicorn, UnixTcp, UnixWebSocket
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("hostile-unix")

FLOOD = 300
"""Handshakes of each kind."""


@pytest.fixture(scope="module")
def server() -> Iterator[UnixGunicorn]:
    patience = "4"  # so that also a client whose machine stands still is in the class before it is over
    with UnixGunicorn(env={f"CLASSWAVES_{what}_TIMEOUT": patience for what in ("REQUEST", "CONNECT")}) as server:
        yield server


@pytest.fixture(scope="module")
def teacher(server: UnixGunicorn) -> str:
    """The demo teacher's access token."""
    return str(server.api("/auth/login", {"username": "teacher", "password": PASSWORD})["accessToken"])


@pytest.fixture
def code(server: UnixGunicorn, teacher: str) -> str:
    return str(server.api("/sessions", {"title": "A lesson"}, teacher)["sessionCode"])


def until(ws: UnixWebSocket, start: bytes) -> Frame:
    while not (frame := ws.frame()).payload.startswith(start):
        assert frame.opcode == TEXT, frame
    return frame


def enter(server: UnixGunicorn, code: str, name: str) -> UnixWebSocket:
    """Join a session as a new guest."""
    token = server.api(f"/sessions/{code}/join", {"displayName": name})["accessToken"]
    ws = UnixWebSocket(server.port)
    until(ws, b"0{")
    ws.send(packet("40" + json.dumps({"token": token})))
    until(ws, b"40{")
    ws.send(event("joinSession", code, ack=1))
    assert b'"ok":true' in until(ws, b"431[").payload
    return ws


def test_two_clients_talk(server: UnixGunicorn, code: str) -> None:
    """Of two sockets without an address, each is one of its own."""
    with enter(server, code, "Ann") as ann, enter(server, code, "Bob") as bob:
        for number, (speaker, listener) in enumerate([(ann, bob), (bob, ann), (ann, ann), (bob, bob)]):
            speaker.send(event("sendMessage", {"sessionCode": code, "message": f"n{number}"}, ack=2))
            until(listener, b'42["messageReceived"')
            until(speaker, b"432[")


def test_polling(server: UnixGunicorn) -> None:
    with UnixTcp(server.port) as tcp:
        tcp.ask("GET", f"{PATH}polling")
        opened = tcp.answer()
        sid = json.loads(opened.text[1:])["sid"]
        tcp.ask("POST", f"{PATH}polling&sid={sid}", body=b"40/nowhere,")
        assert tcp.answer().text == "ok"
        tcp.ask("GET", f"{PATH}polling&sid={sid}")
        assert tcp.answer().text.startswith("44/nowhere,")


def test_a_flood_of_handshakes(server: UnixGunicorn, code: str) -> None:
    """Some are begun and some are done, all without CONNECT; a class goes on, and all of them are closed."""
    worker, files = server.worker, server.open_files()
    with enter(server, code, "Ann") as ann:
        with ThreadPoolExecutor(4) as pool:
            whole = list(pool.map(UnixWebSocket, [server.port] * FLOOD))
            half = list(pool.map(UnixTcp, [server.port] * FLOOD))
        for number, tcp in enumerate(half):
            tcp.send(f"GET {PATH}websocket HTTP/1.1\r\nUpgrade: {UPGRADE['Upgrade']}\r\n".encode()[: number % 80])
        with enter(server, code, "Bob") as bob:
            bob.send(event("sendMessage", {"sessionCode": code, "message": "hello"}))
            until(ann, b'42["messageReceived"')
        for ended in (*whole, *half):
            ended.rest()
            ended.drop()
    assert server.worker == worker
    eventually(lambda: server.open_files() <= files, what="the descriptors of before")
