"""The upgrade of Engine.IO 4 from polling to WebSocket on a real server: its races, and upgrades without success."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.engine_io import BAD_REQUEST, UNKNOWN_SID, Live, Opener, Polling, Session, ends
from tests.support.protocol import CLOSE, PING, PONG, Refused, close_body
from tests.support.shop import ShopServer
from tests.support.waiting import eventually
from tests.support.wires import SEPARATOR, Closed

pytestmark = pytest.mark.xdist_group("engineio")

CONNECT = "40/shop,"


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer() as server:
        yield server


@pytest.fixture
def opener(server: ShopServer) -> Iterator[Opener]:
    with Opener(server.port) as opener:
        yield opener


@pytest.fixture
def session(opener: Opener) -> Polling:
    """A polling session that is connected to the shop's namespace."""
    session = opener.polling()
    session.send(CONNECT)
    assert str(session.receive()).startswith(CONNECT)
    return session


def echoes(session: Session, text: str = "x") -> bool:
    session.send(f'42/shop,["message","{text}"]')
    return session.receive() == f'42/shop,["message-back","{text}"]'


def refused(opener: Opener, session: Session) -> tuple[int, int]:
    """Return the error answer to an upgrade that must not succeed."""
    with pytest.raises(Refused) as refusal:
        opener.live(query=f"&sid={session.sid}", opened=session.opened)
    return refusal.value.answer.error


def numbers(*packets: object) -> list[int]:
    """Return the numbers in packets of the shop's ``numbers``."""
    return [json.loads(str(packet).removeprefix("42/shop,"))[1] for packet in packets]


# an upgrade that succeeds


def test_an_upgrade(opener: Opener, session: Polling) -> None:
    live = opener.probe(session)
    assert session.get().text == "6"
    live.send("5")
    assert echoes(live)


def test_the_probe_ends_the_waiting_get_with_a_noop(opener: Opener, session: Polling) -> None:
    """So that the client may complete the upgrade."""
    with session.waiting_get() as waiting:
        live = opener.probe(session)
        answer = waiting.answer()
        assert (answer.status, answer.text) == (200, "6")
    live.send("5")
    assert echoes(live)


def test_an_upgrade_before_the_client_has_connected(opener: Opener) -> None:
    live = opener.upgrade(opener.polling())
    live.send(CONNECT)
    assert str(live.receive()).startswith(CONNECT)
    assert echoes(live)


def test_a_client_that_does_not_wait_for_the_answer_to_its_probe(opener: Opener, session: Polling) -> None:
    live = opener.live(query=f"&sid={session.sid}", opened=session.opened)
    live.send("2probe", "5", '42/shop,["message","at once"]')
    assert live.receive() == "3probe"
    assert live.receive() == '42/shop,["message-back","at once"]'


def test_what_was_queued_comes_by_websocket_in_order(opener: Opener, session: Polling) -> None:
    for number in range(10):
        session.send(f'42/shop,["message",{number}]')
    live = opener.upgrade(session)
    assert numbers(*(live.receive() for _ in range(10))) == list(range(10))


def test_what_is_sent_between_probe_and_upgrade_is_not_lost(opener: Opener, session: Polling) -> None:
    """Either transport may bring it, each packet once and in order."""
    live = opener.probe(session)
    for number in range(10):
        session.send(f'42/shop,["message",{number}]')
    polled = [packet for packet in session.get().text.split(SEPARATOR) if packet != "6"]
    live.send("5")
    rest = [live.receive() for _ in range(10 - len(polled))]
    assert numbers(*polled, *rest) == list(range(10))
    assert echoes(live)


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_events_under_way_during_the_upgrade(opener: Opener, session: Polling, polls: int) -> None:
    session.send('42/shop,["numbers",200,0.001]')
    packets = [session.receive() for _ in range(polls)]
    live = opener.live(query=f"&sid={session.sid}", opened=session.opened)
    with session.waiting_get() as waiting:
        live.send("2probe")
        last = waiting.answer().text.split(SEPARATOR)
    assert live.receive() == "3probe"
    held = list(session.packets)
    live.send("5")
    packets += [*held, *(packet for packet in last if packet not in ("6", "2"))]
    while len(packets) < 200:
        packets.append(live.receive())
    assert numbers(*packets) == list(range(200))


def test_binary_under_way_during_the_upgrade(opener: Opener, session: Polling) -> None:
    """A header and its attachment may come by different transports, never out of order."""
    session.send('451-/shop,["numbers",50,0.001,{"_placeholder":true,"num":0}]', b"\1\2\3")
    live = opener.upgrade(session)
    last = session.get()
    packets = [] if last.status != 200 else [packet for packet in last.text.split(SEPARATOR) if packet != "6"]
    heads = [live.receive() for _ in range(100 - len(packets))]
    together = ["bAQID" if packet == b"\1\2\3" else packet for packet in [*packets, *heads]]
    assert together[1::2] == ["bAQID"] * 50
    assert [json.loads(str(one).removeprefix("451-/shop,"))[1] for one in together[::2]] == list(range(50))


def test_after_the_upgrade_binary_is_a_frame_of_its_own(opener: Opener, session: Polling) -> None:
    live = opener.upgrade(session)
    live.send('451-/shop,["message",{"_placeholder":true,"num":0}]', b"\1\2\3\4")
    assert live.receive() == '451-/shop,["message-back",{"_placeholder":true,"num":0}]'
    assert live.receive() == b"\1\2\3\4"


def test_the_session_stays_the_same(server: ShopServer, opener: Opener, session: Polling) -> None:
    """The application sees no disconnect, and the same ids as before."""
    session.send('42/shop,1["whoami"]')
    before = json.loads(str(session.receive()).removeprefix("43/shop,1"))[0]
    live = opener.upgrade(session)
    live.send('42/shop,2["whoami"]')
    assert json.loads(str(live.receive()).removeprefix("43/shop,2"))[0] == before
    assert server.reasons(before["sid"]) == []
    live.drop()
    assert eventually(lambda: server.reasons(before["sid"]), what="the disconnect") == ["transport close"]


# after the upgrade


@pytest.mark.parametrize("method", ["get", "post"])
def test_polling_requests_after_the_upgrade(opener: Opener, session: Polling, method: str) -> None:
    """They are refused, and the WebSocket is not harmed."""
    live = opener.upgrade(session)
    assert echoes(live)
    answer = session.get() if method == "get" else session.post('42/shop,["message","late"]')
    assert answer.error == (400, BAD_REQUEST)
    assert echoes(live, "alone")


def test_a_second_upgrade(opener: Opener, session: Polling) -> None:
    live = opener.upgrade(session)
    assert echoes(live)
    assert refused(opener, session) == (400, BAD_REQUEST)
    assert echoes(live)


def test_an_upgrade_of_a_session_that_began_as_websocket(opener: Opener) -> None:
    live = opener.live()
    assert refused(opener, live) == (400, BAD_REQUEST)
    live.send(CONNECT)
    assert str(live.receive()).startswith(CONNECT)


def test_an_upgrade_of_a_session_that_is_over(opener: Opener, session: Polling) -> None:
    session.post("1")
    assert refused(opener, session) == (400, UNKNOWN_SID)


@pytest.mark.parametrize("packet", ["2probe", "5"])
def test_the_packets_of_an_upgrade_after_it_harm_nobody_else(opener: Opener, session: Polling, packet: str) -> None:
    live, other = opener.upgrade(session), opener.upgrade(opener.polling())
    live.send(packet)
    other.send(CONNECT)
    assert str(other.receive()).startswith(CONNECT)
    if packet == "2probe":  # a ping, which is the server's to send
        ends(live)


def test_a_close_after_the_upgrade(opener: Opener, session: Polling) -> None:
    live = opener.upgrade(session)
    assert echoes(live)
    ends(live, "1")
    assert session.get().error == (400, UNKNOWN_SID)


# an upgrade that comes to nothing: polling goes on


def goes_on(session: Polling) -> bool:
    """Whether polling brings an event, whatever NOOPs come before it."""
    return echoes(session, "still polling")


def drop(live: Live) -> None:
    live.drop()


def say_goodbye(live: Live) -> None:
    live.socket.send_frame(CLOSE, close_body(1000))
    with pytest.raises(Closed):
        live.packet()


def send(*packets: str | bytes) -> Callable[[Live], None]:
    def run(live: Live) -> None:
        live.send(*packets)
        with pytest.raises(Closed):
            while True:
                live.packet()

    return run


WRONG: dict[str, str | bytes] = {
    **{"a close packet": "1", "pong": "3", "another probe": "2other", "ping": "2", "text": "42"},
    "binary": b"x",
}
BROKEN: dict[str, Callable[[Live], None]] = {"TCP ends": drop, "a close frame": say_goodbye}


@pytest.mark.parametrize(
    "failure",
    [*BROKEN.values(), *(send(packet) for packet in [*WRONG.values(), "5", "", "abc"])],
    ids=[*BROKEN, *WRONG, "upgrade", "nothing", "no packet"],
)
def test_a_websocket_that_fails_before_the_probe(
    opener: Opener, session: Polling, failure: Callable[[Live], None]
) -> None:
    failure(opener.live(query=f"&sid={session.sid}", opened=session.opened))
    assert goes_on(session)
    assert echoes(opener.upgrade(session))


@pytest.mark.parametrize(
    "failure",
    [*BROKEN.values(), *(send(packet) for packet in [*WRONG.values(), "abc"])],
    ids=[*BROKEN, *WRONG, "no packet"],
)
def test_a_websocket_that_fails_after_the_probe(
    opener: Opener, session: Polling, failure: Callable[[Live], None]
) -> None:
    failure(opener.probe(session))
    assert goes_on(session)
    assert echoes(opener.upgrade(session))


def test_a_websocket_that_fails_while_a_get_waits(opener: Opener, session: Polling) -> None:
    live = opener.live(query=f"&sid={session.sid}", opened=session.opened)
    with session.waiting_get() as waiting:
        live.drop()
        session.send('42/shop,["message","x"]')
        event = waiting.answer().text
    assert (session.receive() if event == "6" else event) == '42/shop,["message-back","x"]'


def test_a_websocket_that_never_probes(opener: Opener, session: Polling) -> None:
    opener.live(query=f"&sid={session.sid}", opened=session.opened)
    assert goes_on(session)


def test_a_probe_that_is_never_followed_by_an_upgrade(opener: Opener, session: Polling) -> None:
    """The silent WebSocket does not keep what polling asks for."""
    opener.probe(session)
    session.send('42/shop,["message","x"]')

    def poll() -> str:
        text = session.get().text
        return "" if text == "6" else text

    assert eventually(poll, what="the event", pause=0.1) == '42/shop,["message-back","x"]'


def test_two_websockets_for_one_session(opener: Opener, session: Polling) -> None:
    """The protocol, "WebSocket": the second is refused or closed; it costs no event."""
    first = opener.probe(session)
    with pytest.raises((Closed, Refused)):
        second = opener.live(query=f"&sid={session.sid}", opened=session.opened)
        second.send("2probe")
        second.packet()
        second.packet()
    first.send("5")
    assert echoes(first)


def test_a_session_that_ends_during_its_upgrade(opener: Opener, session: Polling) -> None:
    live = opener.probe(session)
    session.post("1")
    ends(live)
    assert session.get().error == (400, UNKNOWN_SID)


def test_a_session_that_the_server_ends_during_its_upgrade(opener: Opener, session: Polling) -> None:
    """The JavaScript client polls no more by then, and hears of no end but that of a WebSocket that it has gone over
    to: else it would wait for a ping, three quarters of a minute."""
    live = opener.probe(session)
    assert session.post("no packet").error == (400, BAD_REQUEST)
    live.socket.send_frame(PING)
    assert live.socket.frame().opcode == PONG
    live.send("5")
    with pytest.raises(Closed):
        live.packet()


def test_many_upgrades_at_once(opener: Opener) -> None:
    sessions = [opener.polling() for _ in range(30)]
    lives = [opener.live(query=f"&sid={session.sid}", opened=session.opened) for session in sessions]
    for live in lives:
        live.send("2probe", "5", CONNECT)
    for live in lives:
        assert live.receive() == "3probe"
        assert str(live.receive()).startswith(CONNECT)
        assert echoes(live)
