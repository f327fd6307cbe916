"""Socket.IO protocol 5 on a real server, over both transports: CONNECT, DISCONNECT, and packets that are none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Api
from tests.support.engine_io import TRANSPORTS, Opener, Packet, Session, ends
from tests.support.protocol import http
from tests.support.shop import ShopServer
from tests.support.socket_io import HOLE, alive, ask, connect, content
from tests.support.waiting import eventually
from tests.support.wires import Closed

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


@pytest.fixture
def session(opener: Opener, transport: str) -> Session:
    """An Engine.IO session without any Socket.IO connection."""
    return opener.open(transport)


@pytest.fixture
def shop(session: Session) -> Session:
    """A session that is connected to the namespace ``/shop`` and to no other."""
    connect(session)
    return session


# CONNECT and CONNECT_ERROR


@pytest.mark.parametrize("packet", ["40/shop,", "40/shop", "40/shop,{}"])
def test_connect(session: Session, packet: str) -> None:
    session.send(packet)
    answer = content(session.receive(), "40/shop,")
    assert list(answer) == ["sid"]
    assert answer["sid"] != session.sid
    assert ask(session, "whoami")[0]["sid"] == answer["sid"]


@pytest.mark.parametrize("auth", [{"token": "123"}, {"ä": ["😀", None, {"deep": [1.5]}]}], ids=ascii)
def test_connect_with_a_payload(session: Session, auth: Any) -> None:
    connect(session, auth=json.dumps(auth))
    assert ask(session, "whoami")[0]["auth"] == auth


def test_connect_to_the_main_namespace(server: ShopServer, session: Session) -> None:
    """The classroom's own, which wants a token."""
    token = Api(server.url).token("teacher")
    connect(session, "", json.dumps({"token": token}))
    assert content(session.receive(), "42")[0] == "connectionReady"
    session.send('427["no such event",{}]')
    packets = {session.receive(), session.receive()}
    assert {str(packet)[:3] for packet in packets} == {"42[", "437"}


def test_the_main_namespace_refuses(session: Session) -> None:
    session.send("40")
    error = content(session.receive(), "44")
    assert error["message"] == "Authentication required"
    assert error["data"]["code"] == "AUTH_REQUIRED"


@pytest.mark.parametrize("packet", ["40/random", "40/random,", '40/random,{"token":"123"}'])
def test_an_unknown_namespace(session: Session, packet: str) -> None:
    session.send(packet)
    assert content(session.receive(), "44/random,") == {"message": "Invalid namespace"}
    connect(session)


def test_a_refusal_with_data(session: Session) -> None:
    session.send('40/refusing,{"a":1}')
    expected = {"message": "Not authorized", "data": {"code": "NO_MONEY", "auth": {"a": 1}}}
    assert content(session.receive(), "44/refusing,") == expected
    connect(session)


def test_a_refusal_without_a_word(session: Session) -> None:
    """The payload is an object with a message all the same."""
    session.send("40/closed,")
    error = content(session.receive(), "44/closed,")
    assert isinstance(error["message"], str)
    connect(session)


def test_a_refused_client_is_not_connected(server: ShopServer, session: Session, opener: Opener) -> None:
    connect(session)
    session.send("40/refusing,")
    content(session.receive(), "44/refusing,")
    session.send('42/refusing,7["whoami"]')
    other = opener.open("websocket")
    connect(other)
    assert alive(other)


def test_several_namespaces(session: Session) -> None:
    """On one connection, each with its own id and its own ack ids."""
    ids = [connect(session, namespace) for namespace in ("/shop,", "/custom,")]
    assert ids[0] != ids[1]
    for sid, namespace in zip(ids, ("/shop", "/custom"), strict=True):
        seen = ask(session, "whoami", namespace=namespace)[0]
        assert (seen["sid"], seen["namespace"]) == (sid, namespace)


def test_a_second_connect_to_the_same_namespace(session: Session) -> None:
    """The protocol is silent: it may be refused, accepted anew or end the session; it never is left without a sign."""
    first = connect(session)
    session.send("40/shop,")
    try:
        answer = session.receive()
    except Closed:
        return
    assert str(answer)[:2] in ("40", "44")
    session.send('42/shop,7["whoami"]')
    seen = content(session.receive(), "43/shop,7")[0]["sid"]
    assert seen == (first if str(answer)[:2] == "44" else content(answer, "40/shop,")["sid"])


@pytest.mark.parametrize(
    "packet",
    [
        '42/shop,["message","x"]',
        '42["message","x"]',
        '42/shop,7["whoami"]',
        "41/shop,",
        "43/shop,7[]",
        "4abc",
        "4",
        "44",
    ],
)
def test_anything_but_connect_at_first_ends_the_session(server: ShopServer, session: Session, packet: Packet) -> None:
    """The protocol, "Connection to a namespace": the server must close the connection."""
    ends(session, packet)
    assert http(server.port, "GET", "/healthz").status == 200


# DISCONNECT


@pytest.mark.parametrize("packet", ["41/shop,", "41/shop"])
def test_disconnect_from_one_of_two_namespaces(server: ShopServer, session: Session, packet: str) -> None:
    sid, other = connect(session), connect(session, "/custom,")
    session.send(packet, '42/custom,["message","to the other"]')
    assert session.receive() == '42/custom,["message-back","to the other"]'
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["client disconnect"]
    assert server.reasons(other) == []


def test_connect_again_after_a_disconnect(session: Session) -> None:
    connect(session, "/custom,")
    first = connect(session)
    session.send("41/shop,")
    second = connect(session)
    assert first != second
    assert ask(session, "whoami")[0]["sid"] == second


def test_events_after_the_disconnect_do_not_count(session: Session) -> None:
    connect(session, "/custom,")
    connect(session)
    session.send("41/shop,", '42/shop,["shout","late"]', '42/custom,["message","x"]')
    assert session.receive() == '42/custom,["message-back","x"]'


def test_the_server_disconnects(server: ShopServer, session: Session) -> None:
    """The client is told, the other namespace lives on."""
    connect(session, "/custom,")
    sid = connect(session)
    session.send('42/shop,["throw me out"]')
    assert session.receive() == "41/shop,"
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["server disconnect"]
    assert ask(session, "message-with-ack", "x", namespace="/custom") == ["x"]


def test_the_end_of_the_transport_disconnects_each_namespace(server: ShopServer, session: Session) -> None:
    ids = [connect(session, namespace) for namespace in ("/shop,", "/custom,")]
    session.send("1")
    for sid in ids:
        assert len(eventually(lambda sid=sid: server.reasons(sid), what="the disconnect")) == 1  # type: ignore[misc]


# packets that are none: a client of a shop's namespace alone is closed (for the classroom's see test_bad_packets.py)


@pytest.mark.parametrize(
    "packet",
    [
        *("4abc", "4", "47", "49/shop,", "42/shop,", "42/shop,{}", "42/shop,[]", "42/shop,null", '42/shop,"x"'),
        *('42/shop,abc["message-with-ack",1,"2",{"3":[false]}]', "42/shop,[1,2", "42/shop,[{}]", "42/shop,[null]"),
        *("43/shop,", "43/shop,7{}", "43/shop,7", '44/shop,{"message":"x"}', "45/shop,[1]", f'45-/shop,["x",{HOLE}]'),
        *(f'45x-/shop,["x",{HOLE}]', '45-1-/shop,["x"]', f'451.5-/shop,["x",{HOLE}]'),
    ],
    ids=lambda packet: packet[:30],
)
def test_an_invalid_packet_ends_the_session(server: ShopServer, session: Session, packet: str) -> None:
    sid = connect(session)
    ends(session, packet)
    assert len(eventually(lambda: server.reasons(sid), what="the disconnect")) == 1


@pytest.mark.parametrize("packet", [b"out of nowhere", b"", b"2"], ids=ascii)
def test_binary_that_nothing_announced_ends_the_session(shop: Session, packet: bytes) -> None:
    ends(shop, packet)


def test_text_where_an_attachment_was_announced_ends_the_session(shop: Session) -> None:
    ends(shop, f'451-/shop,["message",{HOLE}]', '42/shop,["message","x"]')
