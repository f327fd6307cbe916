"""On a real server: a shop's handlers on ``/`` and the classroom on ``/classroom``, over one connection."""

import json
from collections.abc import Iterator

import pytest

from tests.support.clients import Api
from tests.support.engine_io import TRANSPORTS, Opener, Session
from tests.support.market import MarketServer
from tests.support.socket_io import HOLE, connect, content

pytestmark = pytest.mark.xdist_group("socketio")


@pytest.fixture(scope="module")
def server() -> Iterator[MarketServer]:
    with MarketServer() as server:
        yield server


@pytest.fixture
def opener(server: MarketServer) -> Iterator[Opener]:
    with Opener(server.port) as opener:
        yield opener


def asked(session: Session, event: str, *args: object) -> object:
    """Emit in ``/`` with the ack id 7, and return the argument of the ack."""
    session.send(f"427{json.dumps([event, *args])}")
    return content(session.receive(), "437")[0]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_both_are_there(server: MarketServer, opener: Opener, transport: str) -> None:
    api = Api(server.url)
    token = api.token("teacher")
    code = api.new_session(token)
    session = opener.open(transport)
    connect(session, "")
    assert asked(session, "price", "tea") == "tea: 3"
    connect(session, "/classroom,", json.dumps({"token": token}))
    assert content(session.receive(), "42/classroom,")[0] == "connectionReady"
    session.send(f'42/classroom,1["joinSession","{code}"]')
    assert content(session.receive(), "42/classroom,")[0] == "sessionJoined"
    assert content(session.receive(), "43/classroom,1")[0]["ok"]
    session.send(f'42/classroom,2["sendMessage",{{"sessionCode":"{code}","message":"é"}}]')
    answers = sorted(str(session.receive()) for _ in range(2))
    assert answers[0].startswith('42/classroom,["messageReceived"') and answers[1].startswith("43/classroom,2")
    assert asked(session, "price", "tea") == "tea: 3"


def test_nobody_enters_without_a_token(opener: Opener) -> None:
    session = opener.live()
    session.send("40/classroom,")
    refusal = content(session.receive(), "44/classroom,")
    assert refusal["data"]["code"] == "AUTH_REQUIRED"


def test_no_client_calls_a_handler_by_a_name_of_socketio(opener: Opener, server: MarketServer) -> None:
    """Of those of the shop on ``/`` neither; the classroom answers, as to everything."""
    token = Api(server.url).token("student")
    session = opener.live()
    connect(session, "")
    connect(session, "/classroom,", json.dumps({"token": token}))
    assert content(session.receive(), "42/classroom,")[0] == "connectionReady"
    before = asked(session, "connected")
    session.send('42["connect",{"a":1}]')
    session.send(f'451-["connect",{HOLE}]', b"1")
    for _ in range(3):  # the attachment belongs to nothing
        assert content(session.receive(), "42/classroom,")[1]["code"] == "INVALID_PAYLOAD"
    assert asked(session, "connected") == before
    session.send('42/classroom,7["connect",{}]')
    assert content(session.receive(), "42/classroom,")[1]["code"] == "UNKNOWN_EVENT"
    assert content(session.receive(), "43/classroom,7")[0]["error"]["code"] == "UNKNOWN_EVENT"
