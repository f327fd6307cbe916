"""The heartbeat of Engine.IO 4 on a real server: ping, pong, silence; and clients that never say what they want."""

import json
from collections.abc import Iterator

import gevent
import pytest

from classwaves.transport.connection import LiveSocket
from classwaves.transport.engine import LiveEngine
from tests.support.engine_io import TRANSPORTS, UNKNOWN_SID, Live, Opener, Polling, Session, ends
from tests.support.protocol import PING, PONG, TEXT, UPGRADE, Frame, Tcp, header
from tests.support.shop import ShopServer
from tests.support.waiting import eventually
from tests.support.wires import SEPARATOR, Closed

pytestmark = pytest.mark.xdist_group("heartbeat")

CONNECT = "40/shop,"


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer(CLASSWAVES_PING_INTERVAL="0.3", CLASSWAVES_PING_TIMEOUT="0.7") as server:
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
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 700)


def test_pings_come_and_go_on_as_long_as_they_are_answered(opener: Opener, transport: str) -> None:
    session = opener.open(transport)
    for _ in range(4):
        assert next_packet(session) == "2"
        session.send("3")
    connect(session)


def test_a_ping_is_sent_only_after_the_last_was_answered(opener: Opener) -> None:
    """So a client that is late is sent one ping, then the end; never a heap of pings."""
    live = opener.live()
    connect(live)
    packets = []
    with pytest.raises(Closed):
        while True:
            packets.append(live.packet())
    assert [packet for packet in packets if packet != "1"] == ["2"]


def test_silence_ends_the_session(server: ShopServer, opener: Opener, transport: str) -> None:
    session = opener.open(transport)
    sid = connect(session)
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["ping timeout"]
    if isinstance(session, Live):
        with pytest.raises(Closed):
            while session.packet() in ("1", "2"):
                pass
    else:
        assert isinstance(session, Polling)
        assert session.post("3").error == session.get().error == (400, UNKNOWN_SID)


def test_a_waiting_get_is_told_of_the_end(opener: Opener) -> None:
    """The ping was read and not answered; the GET that waits then ends."""
    session = opener.polling()
    assert session.get().text == "2"
    answer = session.get()
    assert answer.status == 400 or answer.text.split(SEPARATOR)[-1] == "1"
    assert session.get().error == (400, UNKNOWN_SID)


def test_silence_after_an_upgrade(server: ShopServer, opener: Opener) -> None:
    session = opener.polling()
    sid = connect(session)
    live = opener.upgrade(session)
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["ping timeout"]
    with pytest.raises(Closed):
        while live.packet() in ("1", "2", "6"):
            pass


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


def test_messages_are_no_pong(server: ShopServer, opener: Opener) -> None:
    """Who talks and does not answer pings is gone all the same."""
    live = opener.live()
    sid = connect(live)

    def talk() -> list[str]:
        live.send('42/shop,["message","x"]')
        return server.reasons(sid)

    with pytest.raises(Closed):
        eventually(talk, what="the disconnect", pause=0.05)
        while True:
            live.packet()
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["ping timeout"]


def test_pings_of_websocket_are_no_pong(server: ShopServer, opener: Opener) -> None:
    """RFC 6455's own pings and pongs are answered, and say nothing to Engine.IO."""
    live = opener.live()
    sid = connect(live)
    live.socket.send_frame(PING, b"x")
    frames = [live.socket.frame()]
    while frames[-1].opcode != PONG:
        frames.append(live.socket.frame())
    assert frames[-1] == Frame(True, 0, PONG, b"x")

    def talk() -> list[str]:
        live.socket.send_frame(PONG)
        return server.reasons(sid)

    with pytest.raises(Closed):
        eventually(talk, what="the disconnect", pause=0.05)
        while True:
            live.packet()


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


def test_half_a_frame_and_silence(server: ShopServer, opener: Opener) -> None:
    live = opener.live()
    sid = connect(live)
    live.socket.send(header(TEXT, 1000) + b"half a frame")
    live.socket.rest()
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["ping timeout"]


def test_half_a_message_and_silence(server: ShopServer, opener: Opener) -> None:
    live = opener.live()
    sid = connect(live)
    live.socket.send_frame(TEXT, b'42/shop,["mess', fin=False)
    live.socket.rest()
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["ping timeout"]


@pytest.fixture(scope="module")
def hurried() -> Iterator[ShopServer]:
    """A server that waits a second for nobody."""
    with ShopServer(CLASSWAVES_CONNECT_TIMEOUT="0.9", CLASSWAVES_REQUEST_TIMEOUT="0.9") as server:
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
