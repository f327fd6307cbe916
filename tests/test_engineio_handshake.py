"""The handshake of Engine.IO 4 on a real server: OPEN over both transports, and each documented error answer."""

import http.client
from collections.abc import Iterator

import pytest

from tests.support.engine_io import (
    BAD_METHOD,
    BAD_REQUEST,
    BAD_VERSION,
    TRANSPORTS,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    Live,
    Opener,
)
from tests.support.protocol import PATH, UPGRADE, Answer, Tcp
from tests.support.protocol import http as request
from tests.support.shop import ShopServer

pytestmark = pytest.mark.xdist_group("engineio")

FRIEND = "https://school.example"
FOE = "https://evil.example"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    env = {"CLASSWAVES_PING_INTERVAL": "22.5", "CLASSWAVES_PING_TIMEOUT": "11.25", "CLASSWAVES_ORIGINS": FRIEND}
    with ShopServer(CLASSWAVES_MAX_PACKET_BYTES="54321", **env) as server:
        yield server.port


@pytest.fixture
def opener(port: int) -> Iterator[Opener]:
    with Opener(port) as opener:
        yield opener


def ask(port: int, target: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    """Send a request, on a connection that is kept, and see that it serves the next one too or is closed."""
    with Tcp(port) as tcp:
        tcp.ask(method, target, headers, b"" if method in ("POST", "PUT", "PATCH") else None)
        answer = tcp.answer()
        if answer.headers.get("connection", "").lower() == "close":
            assert tcp.rest() == b""
        elif answer.status != 101:
            tcp.ask("GET", "/healthz")
            assert tcp.answer().status == 200
    return answer


def ask_by(transport: str, port: int, query: str, headers: dict[str, str] | None = None) -> Answer:
    """Send the GET that a client of this transport sends."""
    upgrade = UPGRADE if transport == "websocket" else {}
    return ask(port, f"/socket.io/?{query}", {**upgrade, **(headers or {})})


@pytest.mark.parametrize(("transport", "upgrades"), [("polling", ["websocket"]), ("websocket", [])])
def test_the_open_packet(opener: Opener, transport: str, upgrades: list[str]) -> None:
    """Times in milliseconds, to the millisecond."""
    opened = opener.open(transport).opened
    sid = opened.pop("sid")
    assert isinstance(sid, str) and sid.isprintable() and sid
    assert opened == {"upgrades": upgrades, "pingInterval": 22500, "pingTimeout": 11250, "maxPayload": 54321}
    assert [type(opened[name]) for name in ("pingInterval", "pingTimeout", "maxPayload")] == [int, int, int]


def test_the_answer_of_polling(port: int) -> None:
    """One packet, as text, that no cache may keep."""
    answer = request(port, "GET", PATH + "polling")
    assert answer.status == 200
    assert answer.headers["content-type"].lower().replace(" ", "") == "text/plain;charset=utf-8"
    assert answer.text.startswith('0{"') and "\x1e" not in answer.text


def test_ids_differ(opener: Opener) -> None:
    ids = [opener.open(transport).sid for transport in TRANSPORTS for _ in range(20)]
    assert len(set(ids)) == 40


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_other_parameters_and_their_order_do_not_matter(port: int, transport: str) -> None:
    answer = ask_by(transport, port, f"t=abc&b64=1&x&transport={transport}&y=%F0%9F%98%80&EIO=4")
    assert answer.status == (101 if transport == "websocket" else 200)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("version", ["", "EIO=", "EIO=abc", "EIO=3", "EIO=5", "EIO=44", "EIO=4.0", "EIO=-4", "eio=4"])
def test_another_protocol_version(port: int, transport: str, version: str) -> None:
    answer = ask_by(transport, port, f"transport={transport}&{version}")
    assert answer.error == (400, BAD_VERSION)


@pytest.mark.parametrize("headers", [{}, UPGRADE], ids=["plain", "upgrade"])
@pytest.mark.parametrize("name", ["", "&transport=", "&transport=abc", "&transport=Polling", "&transport=flashsocket"])
def test_an_unknown_transport(port: int, headers: dict[str, str], name: str) -> None:
    assert ask(port, f"/socket.io/?EIO=4{name}", headers).error == (400, UNKNOWN_TRANSPORT)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_handshake_by_another_method(port: int, transport: str, method: str) -> None:
    assert ask(port, PATH + transport, method=method).error == (400, BAD_METHOD)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("sid", ["nobody", "", "%00", "..", "x" * 2000, "%F0%9F%98%80"])
def test_an_unknown_session(port: int, transport: str, sid: str) -> None:
    answer = ask_by(transport, port, f"EIO=4&transport={transport}&sid={sid}")
    if sid:
        assert answer.error == (400, UNKNOWN_SID)
    else:  # Node takes an empty one for none
        assert answer.status in (200, 101, 400)


def test_a_post_to_an_unknown_session(port: int) -> None:
    assert ask(port, PATH + "polling&sid=nobody", method="POST").error == (400, UNKNOWN_SID)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_session_is_not_asked_by_another_method(opener: Opener, method: str) -> None:
    session = opener.polling()
    assert ask(opener.port, session.target, method=method).error == (400, BAD_REQUEST)
    session.send("40/shop,")
    assert str(session.receive()).startswith("40/shop,")


def test_websocket_without_the_headers_of_an_upgrade(port: int) -> None:
    assert ask(port, PATH + "websocket").error == (400, BAD_REQUEST)


def test_a_polling_session_asked_as_websocket_without_an_upgrade(opener: Opener) -> None:
    session = opener.polling()
    target = session.target.replace("polling", "websocket")
    assert ask(opener.port, target).error == (400, BAD_REQUEST)
    session.send("40/shop,")
    assert str(session.receive()).startswith("40/shop,")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_websocket_session_asked_as_polling(opener: Opener, method: str) -> None:
    session = opener.live()
    assert ask(opener.port, f"{PATH}polling&sid={session.sid}", method=method).error == (400, BAD_REQUEST)
    session.send("40/shop,")
    assert str(session.receive()).startswith("40/shop,")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("missing", ["EIO=4", "transport=polling"])
def test_a_mandatory_parameter_is_missing_from_a_later_request(opener: Opener, method: str, missing: str) -> None:
    """The protocol, "Query parameters": then the server must answer with the status 400."""
    target = opener.polling().target.replace(missing, "")
    assert ask(opener.port, target, method=method).status == 400


def test_a_mandatory_parameter_is_missing_from_an_upgrade(opener: Opener) -> None:
    """The protocol, "WebSocket"."""
    session = opener.polling()
    for query in ("transport=websocket", "EIO=4"):
        assert ask_by("websocket", opener.port, f"{query}&sid={session.sid}").status == 400
    session.send("40/shop,")
    assert str(session.receive()).startswith("40/shop,")


@pytest.mark.parametrize("twice", ["EIO=4&EIO=4", "transport=polling&transport=polling", "sid=a&sid=b"])
def test_a_parameter_twice(port: int, twice: str) -> None:
    name = twice.split("=")[0]
    rest = "&".join(part for part in ("EIO=4", "transport=polling") if not part.startswith(name))
    assert ask(port, f"/socket.io/?{twice}&{rest}").error[0] == 400


# origins (RFC 6454); a browser sends one with every WebSocket, and with every request to another server


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("origin", [FOE, "https://school.example.evil.example", FRIEND + ":444", "x"])
def test_a_page_of_a_stranger(port: int, transport: str, origin: str) -> None:
    """A real answer, also to WebSocket: never 101 and then a close."""
    answer = ask_by(transport, port, f"EIO=4&transport={transport}", {"Origin": origin})
    assert answer.error == (400, BAD_REQUEST)
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_a_stranger_with_a_known_session(opener: Opener) -> None:
    session = opener.polling()
    for method in ("GET", "POST"):
        assert ask(opener.port, session.target, {"Origin": FOE}, method).error == (400, BAD_REQUEST)
    session.send("40/shop,")
    assert str(session.receive()).startswith("40/shop,")


def test_a_page_of_a_friend(port: int) -> None:
    """The protocol of fetch: the page may read the answer, with credentials."""
    answer = request(port, "GET", PATH + "polling", {"Origin": FRIEND})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_a_page_of_a_friend_may_post(port: int) -> None:
    with Opener(port) as opener:
        session = opener.polling(headers={"Origin": FRIEND})
        answer = session.post("40/shop,")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, FRIEND)


def test_the_question_before_a_request_of_another_page(port: int) -> None:
    """A preflight is answered, and opens no session."""
    headers = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    answer = request(port, "OPTIONS", PATH + "polling", headers)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert '"sid"' not in answer.text


@pytest.mark.parametrize("origin", [FRIEND, "own"])
def test_a_page_that_is_welcome_over_websocket(port: int, origin: str) -> None:
    live = Live(port, headers={"Origin": f"http://127.0.0.1:{port}" if origin == "own" else origin})
    live.drop()
    assert live.opened["sid"]


@pytest.mark.parametrize("target", [PATH + "polling", PATH + "abc", PATH + "polling&sid=nobody"])
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_the_standard_library_reads_each_answer_to_its_end(port: int, target: str, connection: str) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", target, headers={"Connection": connection})
        answer = client.getresponse()
        assert len(answer.read()) > 10
        assert answer.isclosed()
    finally:
        client.close()
