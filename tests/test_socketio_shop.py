"""A shop's own handlers on a real server, over both transports: what they see of the client, rooms and broadcasts."""

import json
from collections.abc import Iterator

import pytest

from tests.support.engine_io import TRANSPORTS, Opener
from tests.support.protocol import http
from tests.support.shop import ShopServer
from tests.support.socket_io import TWO_HOLES, alive, ask, connect, content
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("socketio")


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer() as server:
        yield server


@pytest.fixture
def opener(server: ShopServer) -> Iterator[Opener]:
    with Opener(server.port) as opener:
        yield opener


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_handler_sees_the_handshake(server: ShopServer, opener: Opener, transport: str) -> None:
    """Its headers, arguments, address and cookie, as in a request of Flask."""
    cookie = http(server.port, "GET", "/shop/hello/Ann").headers["set-cookie"].split(";")[0]
    how = {"query": "&colour=red%20%F0%9F%98%80", "headers": {"X-Shop": "yes", "Cookie": cookie}}
    session = opener.open(transport, **how)
    sid = connect(session, auth='{"a":1}')
    assert ask(session, "whoami") == [
        {
            "sid": sid,
            "namespace": "/shop",
            "auth": {"a": 1},
            "header": "yes",
            "argument": "red 😀",
            "address": "127.0.0.1",
            "path": "/socket.io/",
            "name": "Ann",
        }
    ]


def test_handlers_of_two_clients_see_each_their_own(opener: Opener, transport: str) -> None:
    sessions = [opener.open(transport, headers={"X-Shop": str(number)}) for number in range(5)]
    for session in sessions:
        connect(session)
    for _ in range(3):
        assert [ask(session, "whoami")[0]["header"] for session in sessions] == ["0", "1", "2", "3", "4"]


def test_rooms(opener: Opener, transport: str) -> None:
    ann, bob, cem = (opener.open(transport) for _ in range(3))
    room = f"a room over {transport}"
    for session in (ann, bob, cem):
        connect(session)
    for session in (ann, bob):
        assert ask(session, "join", room) == []
    cem.send(f"42/shop,{json.dumps(['tell', room, True, 1, {'a': 'é'}])}")
    assert [content(session.receive(), "42/shop,") for session in (ann, bob)] == [["told", 1, {"a": "é"}]] * 2
    bob.send(f"42/shop,{json.dumps(['tell', room, False, 'from bob'])}")
    assert ann.receive() == '42/shop,["told","from bob"]'
    assert ask(bob, "leave", room) == []
    ann.send(f"42/shop,{json.dumps(['tell', room, True, 'after bob'])}")
    assert ann.receive() == '42/shop,["told","after bob"]'
    assert alive(bob) and alive(cem)


def test_binary_to_a_room_of_both_transports(opener: Opener) -> None:
    sessions = [opener.open(transport) for transport in TRANSPORTS for _ in range(2)]
    for session in sessions:
        connect(session)
        ask(session, "join", "mixed")
    sessions[0].send(f'452-/shop,["tell","mixed",true,{TWO_HOLES}]', b"\1", b"\2\3")
    for session in sessions:
        assert session.receive() == f'452-/shop,["told",{TWO_HOLES}]'
        assert [session.receive(), session.receive()] == [b"\1", b"\2\3"]


def test_a_broadcast_stays_in_its_namespace(opener: Opener, transport: str) -> None:
    ann, bob, other = (opener.open(transport) for _ in range(3))
    connect(ann)
    connect(bob)
    connect(other, "/custom,")
    ann.send('42/shop,["shout","to all"]')
    assert ann.receive() == bob.receive() == '42/shop,["told","to all"]'
    assert ask(other, "message-with-ack", namespace="/custom") == []


def test_who_has_gone_is_in_no_room(server: ShopServer, opener: Opener, transport: str) -> None:
    ann, bob = opener.open(transport), opener.open(transport)
    sid = connect(ann)
    connect(bob)
    ask(ann, "join", "left")
    ask(bob, "join", "left")
    ann.send("1")
    eventually(lambda: server.reasons(sid), what="the disconnect")
    bob.send('42/shop,["tell","left",true,"anybody?"]')
    assert bob.receive() == '42/shop,["told","anybody?"]'
    assert alive(bob)
