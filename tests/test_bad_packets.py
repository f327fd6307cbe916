"""Packets that no client should send: each gets its code, the connection stays usable, nobody else notices."""

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.clients import RawClient
from tests.support.school import TRANSPORTS, School, open_school
from tests.support.wires import SEPARATOR, Closed, PollingWire

pytestmark = pytest.mark.xdist_group("bad-packets")

EMOJI = "\U0001f600"
"""One character, four bytes."""


@pytest.fixture(scope="module")
def running() -> Iterator[School]:
    with open_school() as school:
        yield school


@pytest.fixture
def school(running: School) -> Iterator[School]:
    yield running
    running.dismiss()


def harmless(school: School, transport: str, misdeed: Callable[[RawClient, str], None], code: str = "") -> None:
    """Run a misdeed; see that it is told its code once, if any, and that the session goes on for all."""
    session = school.session()
    client, witness = school.joined(session, transport=transport), school.joined(session, "Bob")
    client.wait_for("presenceUpdated")
    client.take()
    witness.take()
    misdeed(client, session)
    client.say(session, "still here")
    client.wait_for("messageReceived")
    heard = client.take()
    assert [name for name, _ in heard] == ["error"] * bool(code) + ["messageReceived"], heard
    if code:
        assert heard[0][1]["code"] == code
    witness.wait_for("messageReceived", message="still here")
    assert [name for name, _ in witness.take()] == ["messageReceived"]


MALFORMED = [
    *("4", "4abc", "4-", "4²", "49", "47", "44", '44{"message":"no"}', "42", "42{}", "42[]", "42[1]", "42[null]"),
    *("42[[]]", '42[{"a":1}]', "42null", '42"x"', "4277", '42["x",', '42["x"', "42[x]", "42['x']", '42["x"]]'),
    *('42["\\ud8"]', "42/", "42/,[]", "42-[]", '42["sendMessage"]garbage', "42" * 200, '421-["x"]'),
    *(
        '45["x"]',
        '4577["x"]',
        '450-["x"]',
        "451-[]",
        "451-{}",
        "451-",
        '45-1-["x"]',
        '4511-["x"]',
        '4599999999999-["x"]',
    ),
    *('451-/other,["x",{"_placeholder":true,"num":0}]', '451-/other,7["x"]', "461-/other,1[]"),
    *("43abc", "43[", "431", "43{}", "46[]", "461-{}", "460-[]"),
    *("42" + "[" * 30_000, '42["x",' + "[" * 20_000 + "]" * 20_000 + "]", '42["x",' + "9" * 5_000 + "]"),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("packet", MALFORMED, ids=lambda packet: ascii(packet)[1:30])
def test_what_is_no_packet(school: School, transport: str, packet: str) -> None:
    harmless(school, transport, lambda client, _: client.wire.send(packet), "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "packet",
    ["43[]", "431[]", '439["x",{}]', '42/other,["x"]', '43/other,7["x"]', "41/other,"],
    ids=lambda packet: ascii(packet)[1:30],
)
def test_a_packet_that_nobody_waits_for(school: School, transport: str, packet: str) -> None:
    harmless(school, transport, lambda client, _: client.wire.send(packet))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"2", b'2["sendMessage",{}]', b"\xff" * 100], ids=ascii)
def test_binary_out_of_nowhere(school: School, transport: str, data: bytes) -> None:
    harmless(school, transport, lambda client, _: client.wire.send(data), "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_binary_where_text_belongs(school: School, transport: str) -> None:
    def send(client: RawClient, session: str) -> None:
        client.wire.send(
            f'451-77["sendMessage",{{"sessionCode":"{session}","message":{{"_placeholder":true,"num":0}}}}]'
        )
        client.wire.send(b"hello")
        assert client.ack(77)["error"]["code"] == "INVALID_PAYLOAD"

    harmless(school, transport, send, "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("number", ["1", "-1", "99", '"0"', "null", "0.5", "{}"])
def test_a_placeholder_without_its_attachment(school: School, transport: str, number: str) -> None:
    def send(client: RawClient, _: str) -> None:
        client.wire.send(f'451-["sendMessage",{{"_placeholder":true,"num":{number}}}]')
        client.wire.send(b"hello")

    harmless(school, transport, send, "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_text_where_an_attachment_was_announced(school: School, transport: str) -> None:
    """The packet that waits for its attachment is given up; the text is a packet of its own."""

    def send(client: RawClient, session: str) -> None:
        client.wire.send('452-["sendMessage",{"_placeholder":true,"num":0}]')
        client.wire.send(b"the first of two")
        assert client.ask("updatePresence", {"sessionCode": session, "status": "active"})["ok"]

    harmless(school, transport, send, "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "argument",
    ["[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000, "9" * 5000],
    ids=["lists", "objects", "number"],
)
def test_json_that_is_right_and_still_too_much_is_acked(school: School, transport: str, argument: str) -> None:
    """Another server might read it, so the client waits for its ack."""

    def send(client: RawClient, _: str) -> None:
        client.wire.send(f'4277["sendMessage",{argument}]')
        assert client.ack(77)["error"]["code"] == "INVALID_PAYLOAD"

    harmless(school, transport, send, "INVALID_PAYLOAD")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("message", ["x" * 70_000, EMOJI * 17_000], ids=["ascii", "emoji"])
@pytest.mark.parametrize("event", ["sendMessage", "noSuchEvent"])
def test_a_large_event(school: School, transport: str, message: str, event: str) -> None:
    """Larger than ``CLASSWAVES_MAX_EVENT_BYTES``, which counts bytes."""

    def send(client: RawClient, session: str) -> None:
        body = json.dumps([event, {"sessionCode": session, "message": message}], ensure_ascii=False)
        client.wire.send(f"4277{body}")
        assert client.ack(77)["error"]["code"] == "PAYLOAD_TOO_LARGE"

    harmless(school, transport, send, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_event_that_is_large_by_its_attachments(school: School, transport: str) -> None:
    def send(client: RawClient, session: str) -> None:
        holes = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(4))
        client.wire.send(f'454-77["sendMessage",{holes}]')
        for _ in range(4):
            client.wire.send(b"x" * 30_000)
        assert client.ack(77)["error"]["code"] == "PAYLOAD_TOO_LARGE"

    harmless(school, transport, send, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "packet",
    ['42["sendMessage","' + "x" * 1_100_000 + '"]', "x", "-1", "☃", "7", "8hello", "9", "0{}", "2probe", "6"],
    ids=lambda packet: ascii(packet)[:20],
)
def test_what_the_transport_itself_does_not_take(school: School, transport: str, packet: str) -> None:
    """The transport may end the connection for it; nobody else notices, and the sender comes back."""
    session = school.session()
    token = school.api.guest(session, "Ann")
    client, witness = school.connect(token, transport), school.joined(session, "Bob")
    client.join(session)
    witness.wait_for("presenceUpdated")
    witness.take()
    with contextlib.suppress(Closed):
        client.wire.send(packet)
        client.ask("updatePresence", {"sessionCode": session, "status": "active"})
    school.connect(token, transport).join(session)
    witness.say(session, "still here")
    witness.wait_for("messageReceived")
    assert [name for name, _ in witness.take()] == ["messageReceived"]


def test_many_packets_in_one_polling_request_all_count(school: School) -> None:
    """What the JavaScript client does with events that it could not send at once."""
    session = school.session()
    client = school.joined(session, transport="polling")
    assert isinstance(client.wire, PollingWire)
    hellos = [json.dumps(["sendMessage", {"sessionCode": session, "message": str(n)}]) for n in range(500)]
    client.wire.send_raw(SEPARATOR.join(f"42{1000 + n}{hello}" for n, hello in enumerate(hellos)))
    assert all(client.ack(1000 + n)["ok"] for n in range(500))
    assert [data["message"] for name, data in client.take() if name == "messageReceived"] == [
        str(n) for n in range(500)
    ]
