"""Socket.IO protocol 5 on a real server, over both transports: EVENT and ACK, with and without attachments."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.engine_io import TRANSPORTS, Opener, Packet, Session
from tests.support.shop import ShopServer
from tests.support.socket_io import HOLE, TWO_HOLES, alive, ask, connect, content
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


# EVENT and ACK

VALUES = [
    *([], [1, "2", {"3": [True]}], [None], [[]], [{}], [""], [0], [-1.5], [1e300], [2**53], [False, True]),
    *(["é€😀\u2028"], ['"\\\n'], ["\u0000"], [{"a": {"b": {"c": [[[1]]]}}}], ["x" * 50_000], ["[", "]", ",", "/x,"]),
    *([{"_placeholder": False}], [{"num": 0}]),
]


@pytest.mark.parametrize("args", VALUES, ids=lambda args: ascii(args)[:40])
def test_an_event_comes_back_as_it_was(shop: Session, args: list[Any]) -> None:
    shop.send(f"42/shop,{json.dumps(['message', *args])}")
    assert content(shop.receive(), "42/shop,") == ["message-back", *args]


@pytest.mark.parametrize("args", VALUES, ids=lambda args: ascii(args)[:40])
def test_an_ack_with_arguments(shop: Session, args: list[Any]) -> None:
    assert ask(shop, "message-with-ack", *args) == args


@pytest.mark.parametrize("number", [0, 1, 9, 10, 456, 2**31, 2**53 - 1])
def test_the_number_of_an_ack(shop: Session, number: int) -> None:
    shop.send(f'42/shop,{number}["message-with-ack",1,"2",{{"3":[false]}}]')
    assert shop.receive() == f'43/shop,{number}[1,"2",{{"3":[false]}}]'


def test_an_ack_of_nothing(shop: Session) -> None:
    assert ask(shop, "no answer") == []


def test_an_ack_of_one_value(shop: Session) -> None:
    assert ask(shop, "one answer", 1, 2, 3) == [{"given": 3}]


def test_no_ack_unless_asked(shop: Session) -> None:
    shop.send('42/shop,["message-with-ack","x"]')
    assert alive(shop)


def test_acks_and_events_keep_their_order(shop: Session) -> None:
    shop.send(*(f'42/shop,{number}["message-with-ack",{number}]' for number in range(100)))
    assert [shop.receive() for _ in range(100)] == [f"43/shop,{number}[{number}]" for number in range(100)]


@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error"])
def test_the_names_of_the_protocols_own_events_are_no_events(server: ShopServer, session: Session, name: str) -> None:
    """A client cannot call the handlers of its own arrival and departure."""
    sid = connect(session, auth='{"token":"mine"}')
    session.send(f'42/shop,["{name}",{{"token":"forged"}}]')
    with contextlib.suppress(Closed):  # Node ends the session
        session.send('42/shop,7["whoami"]')
        assert content(session.receive(), "43/shop,7")[0]["auth"] == {"token": "mine"}
        assert server.reasons(sid) == []


@pytest.mark.parametrize("event", ["nobody listens", "", "\u2028", "x" * 1000, "__class__", "*"], ids=ascii)
def test_an_event_without_a_handler_is_ignored(shop: Session, event: str) -> None:
    shop.send(f"42/shop,{json.dumps([event, 1])}")
    assert alive(shop)


# acks that the server asks for


def question(session: Session, *args: Any) -> str:
    """Have the server ask something; return the number of the ack that it waits for."""
    session.send(f"42/shop,{json.dumps(['ask', *args])}")
    packet = session.receive()
    assert isinstance(packet, str) and packet.startswith("42/shop,")
    number, bracket, rest = packet.removeprefix("42/shop,").partition("[")
    assert json.loads(bracket + rest) == ["question", *args]
    assert number.isdigit()
    return number


@pytest.mark.parametrize("answer", [[], [1, "2", {"3": [True]}], [None]], ids=json.dumps)
def test_the_server_asks_for_an_ack(shop: Session, answer: list[Any]) -> None:
    number = question(shop, "what?", 1)
    shop.send(f"43/shop,{number}{json.dumps(answer)}")
    assert content(shop.receive(), "42/shop,") == ["answered", *answer]


def test_several_questions_are_told_apart(shop: Session) -> None:
    numbers = [question(shop, text) for text in ("a", "b", "c")]
    assert len(set(numbers)) == 3
    for number in reversed(numbers):
        shop.send(f'43/shop,{number}["{number}"]')
        assert content(shop.receive(), "42/shop,") == ["answered", number]


def test_an_ack_counts_once(shop: Session) -> None:
    number = question(shop, "what?")
    shop.send(f'43/shop,{number}["first"]', f'43/shop,{number}["second"]')
    assert content(shop.receive(), "42/shop,") == ["answered", "first"]
    assert alive(shop)


def test_an_ack_that_nobody_asked_for(shop: Session) -> None:
    shop.send('43/shop,99["x"]')
    assert alive(shop)


def test_the_ack_of_somebody_else_does_not_count(opener: Opener, shop: Session) -> None:
    other = opener.open("websocket")
    connect(other)
    number = question(shop, "what?")
    other.send(f'43/shop,{number}["stolen"]')
    assert alive(other)
    shop.send(f'43/shop,{number}["mine"]')
    assert content(shop.receive(), "42/shop,") == ["answered", "mine"]


def test_a_question_with_a_binary_answer(shop: Session) -> None:
    number = question(shop, "what?")
    shop.send(f'461-/shop,{number}["x",{HOLE}]', b"\1\2")
    assert shop.receive() == f'451-/shop,["answered","x",{HOLE}]'
    assert shop.receive() == b"\1\2"


# BINARY_EVENT and BINARY_ACK


def test_a_binary_event(shop: Session) -> None:
    shop.send(f'452-/shop,["message",{TWO_HOLES}]', b"\1\2\3", b"\4\5\6")
    assert shop.receive() == f'452-/shop,["message-back",{TWO_HOLES}]'
    assert [shop.receive(), shop.receive()] == [b"\1\2\3", b"\4\5\6"]


def test_a_binary_event_with_an_ack(shop: Session) -> None:
    shop.send(f'452-/shop,789["message-with-ack",{TWO_HOLES}]', b"\1\2\3", b"\4\5\6")
    assert shop.receive() == f"462-/shop,789[{TWO_HOLES}]"
    assert [shop.receive(), shop.receive()] == [b"\1\2\3", b"\4\5\6"]


def test_a_binary_event_with_an_ack_of_text(shop: Session) -> None:
    shop.send(f'451-/shop,7["one answer",{HOLE}]', b"x")
    assert shop.receive() == '43/shop,7[{"given":1}]'


def test_an_event_of_text_with_a_binary_ack(shop: Session) -> None:
    shop.send('42/shop,0["picture",3]')
    assert shop.receive() == f"461-/shop,0[{HOLE}]"
    assert shop.receive() == b"\0\1\2"


def test_attachments_at_any_depth(shop: Session) -> None:
    nested = '{"a":[{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}]}'
    shop.send(f'452-/shop,["message",{nested}]', b"zero", b"one")
    name, back = content(shop.receive(), "452-/shop,")
    attachments = [shop.receive(), shop.receive()]
    first, second = back["a"][0], back["a"][1]["b"]
    assert name == "message-back"
    assert (attachments[first["num"]], attachments[second["num"]]) == (b"one", b"zero")


@pytest.mark.parametrize("data", [b"", b"\0", b"b", b'42["x"]', b"\xff\xfe", bytes(range(256)) * 1000], ids=len)
def test_attachments_of_any_content(shop: Session, data: bytes) -> None:
    shop.send(f'451-/shop,["message",{HOLE}]', data)
    assert [shop.receive(), shop.receive()] == [f'451-/shop,["message-back",{HOLE}]', data]


def test_the_most_attachments(shop: Session) -> None:
    holes = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
    attachments = [bytes([number]) for number in range(10)]
    shop.send(f'4510-/shop,["message",{holes}]', *attachments)
    assert shop.receive() == f'4510-/shop,["message-back",{holes}]'
    assert [shop.receive() for _ in range(10)] == attachments


def test_no_other_packet_comes_between_a_header_and_its_attachment(opener: Opener, shop: Session) -> None:
    """While others send text and binary to the same client."""
    others = [opener.open("websocket") for _ in range(3)]
    for other in others:
        connect(other)
    shop.send(f'451-/shop,["numbers",100,0,{HOLE}]', b"data")
    for number in range(30):
        for other in others:
            other.send(f'42/shop,["shout",{number}]', f'451-/shop,["shout",{HOLE}]', b"data")
    seen: list[Packet] = []
    while len([packet for packet in seen if packet == b"data"]) < 100 + 3 * 30 or len(seen) < 200 + 9 * 30:
        seen.append(shop.receive())
    followers = [after for packet, after in zip(seen, seen[1:], strict=False) if str(packet).startswith("451-")]
    assert followers == [b"data"] * 190
