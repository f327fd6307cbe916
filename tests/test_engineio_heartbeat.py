"""The heartbeat of Engine.IO 4 on a real server: ping, pong, silence; and clients that never say what they want."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

import gevent
import pytest

from classwaves.transport.connection import LiveSocket
from classwaves.transport.engine import LiveEngine
from tests.support.engine_io import TRANSPORTS, UNKNOWN_SID, Live, Opener, Session, ends
from tests.support.protocol import PING, PONG, TEXT, UPGRADE, Frame, Tcp, header
from tests.support.shop import ShopServer
from tests.support.waiting import eventually
from tests.support.wires import SEPARATOR, Closed

pytestmark = pytest.mark.xdist_group("heartbeat")

CONNECT = "40/shop,"

S = TypeVar("S", bound=Session)


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer(CLASSWAVES_PING_INTERVAL="0.3", CLASSWAVES_PING_TIMEOUT="3.7") as server:
        yield server


@pytest.fixture
def opener(server: ShopServer) -> Iterator[Opener]:
    with Opener(server.port) as opener:
        yield opener


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def connect(session: Session) -> str:
    """Connect to the shop's namespace and return the Socket.IO id."""
    session.send(CONNECT)
    sid: str = json.loads(str(session.receive()).removeprefix(CONNECT))["sid"]
    return sid


def next_packet(session: Session) -> object:
    """Return what comes next, pings too. Polling: all of one answer."""
    return session.packet() if isinstance(session, Live) else session.get().text  # type: ignore[attr-defined]


def test_fractions_of_a_second(opener: Opener, transport: str) -> None:
    opened = opener.open(transport).opened
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 3700)


def test_pings_come_and_go_on_as_long_as_they_are_answered(opener: Opener, transport: str) -> None:
    session = opener.open(transport)
    for _ in range(4):
        assert next_packet(session) == "2"
        session.send("3")
    connect(session)


def test_silence_ends_the_session(server: ShopServer, opener: Opener) -> None:
    """On each transport; and who says something else, or half of something, and answers no ping, is gone all the same.

    All at once, as it takes its time: a client must be able to connect meanwhile, however slow the machine is.
    """
    sids: list[str] = []

    def connected(session: S) -> S:
        sids.append(connect(session))
        return session

    polling, polled, live = connected(opener.polling()), connected(opener.polling()), connected(opener.live())
    upgraded = opener.upgrade(polled)
    half_frame, half_message = connected(opener.live()), connected(opener.live())
    half_frame.socket.send(header(TEXT, 1000) + b"half a frame")
    half_message.socket.send_frame(TEXT, b'42/shop,["mess', fin=False)
    talker, ponger = connected(opener.live()), connected(opener.live())
    ponger.socket.send_frame(PING, b"x")
    frames = [ponger.socket.frame()]
    while frames[-1].opcode != PONG:
        frames.append(ponger.socket.frame())
    assert frames[-1] == Frame(True, 0, PONG, b"x"), "RFC 6455's own pings are answered, and say nothing to Engine.IO"

    def ended() -> list[list[str]]:
        with suppress(Closed):
            talker.send('42/shop,["message","x"]')
        with suppress(Closed):
            ponger.socket.send_frame(PONG)
        reasons = [server.reasons(sid) for sid in sids]
        return reasons if all(reasons) else []

    assert eventually(ended, what="the disconnects", pause=0.05) == [["ping timeout"]] * len(sids)
    assert polling.post("3").error == polling.get().error == (400, UNKNOWN_SID)
    packets: list[object] = []
    with pytest.raises(Closed):
        while True:
            packets.append(live.packet())
    assert [packet for packet in packets if packet != "1"] == ["2"], "one ping, and never a heap of them"
    with pytest.raises(Closed):
        while upgraded.packet() in ("1", "2", "6"):
            pass
    for other in (talker, ponger):
        with pytest.raises(Closed):
            while True:
                other.packet()
    for other in (half_frame, half_message):
        other.socket.rest()


def test_a_waiting_get_is_told_of_the_end(opener: Opener) -> None:
    """The ping was read and not answered; the GET that waits then ends."""
    session = opener.polling()
    assert session.get().text == "2"
    answer = session.get()
    assert answer.status == 400 or answer.text.split(SEPARATOR)[-1] == "1"
    assert session.get().error == (400, UNKNOWN_SID)


def test_pings_go_on_over_websocket_after_an_upgrade(opener: Opener) -> None:
    session = opener.polling()
    assert session.get().text == "2"
    session.send("3")
    live = opener.upgrade(session)
    for _ in range(3):
        while live.packet() != "2":
            pass
        live.send("3")
    connect(live)


def test_a_ping_that_went_by_polling_may_be_answered_by_websocket(opener: Opener) -> None:
    session = opener.polling()
    assert session.get().text == "2"
    live = opener.upgrade(session)
    live.send("3")
    while live.packet() != "2":
        pass
    live.send("3")
    connect(live)


@pytest.mark.parametrize("pongs", [("3",), ("3", "3", "3"), ("3data",)], ids=len)
def test_a_pong_that_nobody_asked_for(opener: Opener, transport: str, pongs: tuple[str, ...]) -> None:
    """It is harmless: the next pings come, and their pongs count."""
    session = opener.open(transport)
    session.send(*pongs)
    for _ in range(2):
        assert next_packet(session) == "2"
        session.send("3")
    connect(session)


@pytest.mark.parametrize("ping", ["2", "2probe"])
def test_pings_are_the_servers_to_send(opener: Opener, ping: str) -> None:
    """A client's is an error over WebSocket too."""
    live = opener.live()
    live.send(ping)
    packets = []
    with pytest.raises(Closed):
        while True:
            packets.append(live.packet())
    assert "3" not in packets and "3probe" not in packets


@pytest.mark.parametrize("packet", ["", "abc", "7", "0", "0{}", "-1", "☃"])
def test_what_is_no_packet_ends_a_websocket_session(server: ShopServer, opener: Opener, packet: str) -> None:
    live = opener.live()
    sid = connect(live)
    ends(live, packet)
    assert len(eventually(lambda: server.reasons(sid), what="the disconnect")) == 1
    connect(opener.live())


def test_a_close_packet_ends_a_websocket_session(server: ShopServer, opener: Opener) -> None:
    """TCP ends too, and the application hears of it at once."""
    live = opener.live()
    sid = connect(live)
    live.send("1")
    with pytest.raises(Closed):
        while True:
            live.packet()
    live.socket.rest()
    assert len(eventually(lambda: server.reasons(sid), what="the disconnect")) == 1


def test_the_server_closes_a_websocket_session(opener: Opener) -> None:
    """By a CLOSE packet, a close frame and the end of TCP."""
    live = opener.live()
    connect(live)
    live.send('42/shop,["close"]')
    packets = []
    with pytest.raises(Closed):
        while True:
            packets.append(live.packet())
    assert [packet for packet in packets if packet != "2"] == ["1"]
    assert live.socket.rest() == b""


# half of something, and silence


@pytest.fixture(scope="module")
def hurried() -> Iterator[ShopServer]:
    """A server that waits a second for no request, and as long for who connects as a slow machine may take."""
    with ShopServer(CLASSWAVES_CONNECT_TIMEOUT="4", CLASSWAVES_REQUEST_TIMEOUT="0.9") as server:
        yield server


def test_who_never_connects_is_closed_and_who_has_connected_stays(hurried: ShopServer) -> None:
    with Opener(hurried.port) as opener:
        guests = [opener.open(transport) for transport in TRANSPORTS]
        for guest in guests:
            connect(guest)
        lurkers = [opener.open(transport) for transport in TRANSPORTS for _ in range(2)]
        for lurker in lurkers[::2]:
            lurker.send("40/refusing,")
        for lurker in [*lurkers, opener.upgrade(opener.polling())]:
            ends(lurker)
        for guest in guests:
            guest.send('42/shop,["message","x"]')
            assert guest.receive() == '42/shop,["message-back","x"]'


UPGRADE_LINES = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items()).encode()
UNFINISHED = {
    "nothing": b"",
    "half a line": b"GET /socket.io/?EIO=4&transp",
    "half a head": b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n",
    "half an upgrade": b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n" + UPGRADE_LINES,
    "no body": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
    "half a body": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
}


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_half_a_request_and_silence(hurried: ShopServer, data: bytes) -> None:
    with Tcp(hurried.port) as tcp:
        tcp.send(data)
        assert tcp.rest()[9:10] in (b"", b"4")


def test_half_a_post_of_a_session_and_silence(hurried: ShopServer) -> None:
    with Opener(hurried.port) as opener, Tcp(hurried.port) as tcp:
        session = opener.polling()
        connect(session)
        tcp.ask("POST", session.target, {"Content-Length": "100"})
        tcp.send(b"42/shop,")
        assert tcp.rest()[9:10] in (b"", b"4")


def test_a_request_that_drips_is_ended_as_a_whole(hurried: ShopServer) -> None:
    """One byte now and then does not help."""
    with Tcp(hurried.port) as tcp:

        def drip() -> bool:
            try:
                tcp.send(b"x")
                tcp.socket.settimeout(0.01)
                return tcp.socket.recv(1000) == b""
            except TimeoutError:
                return False
            except (OSError, Closed):
                return True

        tcp.send(b"GET / HTTP/1.1\r\nX-Slow: ")
        eventually(drip, what="the end", pause=0.1)


def test_who_connects_at_the_last_moment_has_a_heartbeat() -> None:
    """Between the look, which says that a client has not connected in time, and the end that comes of it."""
    engine = LiveEngine(max_backlog=1000, connect_timeout=0.02, async_mode="threading")
    answers = [True, False]
    engine.is_admitted = lambda sid: answers.pop()
    socket = LiveSocket(engine, "late", "")
    while answers:
        gevent.sleep(0.01)
    assert not socket.closed
    assert len(engine.wheel) == 1  # its ping
    socket.close()
