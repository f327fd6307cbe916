"""The opening handshake of WebSocket (RFC 6455, section 4) on a real server: where it is taken, and what is refused."""

import base64
from collections.abc import Iterator

import pytest

from tests.support.engine_io import BAD_REQUEST
from tests.support.protocol import ACCEPT, PATH, TEXT, UPGRADE, Answer, Tcp, WebSocket, frame, http
from tests.support.shop import ShopServer

pytestmark = pytest.mark.xdist_group("websocket")

TARGET = PATH + "websocket"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ShopServer() as server:
        yield server.port


def refusal(port: int, headers: dict[str, str]) -> Answer:
    """Return the answer to a handshake that must not succeed."""
    with Tcp(port) as tcp:
        tcp.ask("GET", TARGET, {**UPGRADE, **headers})
        answer = tcp.answer()
    assert answer.status != 101
    return answer


def test_the_answer(port: int) -> None:
    """Section 4.2.2, with the key of the document's own example."""
    with WebSocket(port) as ws:
        headers = ws.handshake.headers
        assert headers["upgrade"].lower() == "websocket"
        assert headers["connection"].lower() == "upgrade"
        assert headers["sec-websocket-accept"] == ACCEPT == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert ws.frame().opcode == TEXT


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "WEBSOCKET", "Connection": "UPGRADE"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade,keep-alive"},
        {"X-Long": "x" * 4000},
    ],
    ids=str,
)
def test_other_ways_to_ask(port: int, headers: dict[str, str]) -> None:
    """Section 4.2.1: tokens in any case, among others."""
    with WebSocket(port, headers=headers) as ws:
        assert ws.frame().opcode == TEXT


def test_header_names_in_any_case_and_spaces_around_values(port: int) -> None:
    lines = "".join(f"{name.upper()}:   {value}  \r\n" for name, value in UPGRADE.items())
    with Tcp(port) as tcp:
        tcp.send(f"GET {TARGET} HTTP/1.1\r\nhOST: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
        assert tcp.answer().status == 101


def test_a_request_that_comes_byte_by_byte(port: int) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    with Tcp(port) as tcp:
        for byte in f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode():
            tcp.send(bytes([byte]))
        assert tcp.answer().status == 101


def test_no_extension_and_no_subprotocol_that_the_server_does_not_have(port: int) -> None:
    """Sections 4.2.2 and 9.1: what it does not speak it does not name."""
    offers = {
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits, x-unknown",
        "Sec-WebSocket-Protocol": "chat, superchat",
    }
    with WebSocket(port, headers=offers) as ws:
        assert "sec-websocket-extensions" not in ws.handshake.headers
        assert "sec-websocket-protocol" not in ws.handshake.headers


@pytest.mark.parametrize("version", ["8", "12", "14", "0", "99", "-1", "x"])
def test_another_version(port: int, version: str) -> None:
    """Section 4.4: the answer names the version that is spoken."""
    answer = refusal(port, {"Sec-WebSocket-Version": version})
    assert (answer.status, answer.headers["sec-websocket-version"]) == (426, "13")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",
        "!!!!!!!!!!!!!!!!!!!!!!==",
        base64.b64encode(b"x" * 15).decode(),
        base64.b64encode(b"x" * 17).decode(),
        base64.b64encode(b"x" * 16).decode() + "x",
    ],
)
def test_a_key_that_is_not_sixteen_bytes(port: int, key: str) -> None:
    """Section 4.2.1, 5."""
    assert refusal(port, {"Sec-WebSocket-Key": key}).status == 400


@pytest.mark.parametrize("missing", ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_a_header_is_missing(port: int, missing: str) -> None:
    headers = {name: value for name, value in UPGRADE.items() if name != missing}
    answer = http(port, "GET", TARGET, headers if missing == "Connection" else {"Connection": "Upgrade", **headers})
    assert answer.status in ({400, 426} if missing == "Sec-WebSocket-Version" else {400})


@pytest.mark.parametrize("headers", [{"Upgrade": "h2c"}, {"Connection": "close"}], ids=str)
def test_no_upgrade_to_websocket_is_a_bad_request(port: int, headers: dict[str, str]) -> None:
    assert refusal(port, headers).error == (400, BAD_REQUEST)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_another_method(port: int, method: str) -> None:
    """Section 4.1: the method must be GET."""
    assert http(port, method, TARGET, UPGRADE).status == 400


def test_http_1_0(port: int) -> None:
    """Section 4.1: the version must be at least 1.1."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    with Tcp(port) as tcp:
        tcp.send(f"GET {TARGET} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
        assert tcp.answer().status in (400, 426, 505)


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/shop/hello/Ann", "/healthz", "/api/v1/sessions", "/socket.iox/", "/x/socket.io/"]
)
def test_no_upgrade_anywhere_else(port: int, path: str) -> None:
    """A path without Socket.IO answers as it does without the header, or refuses; it never switches."""
    with Tcp(port) as tcp:
        tcp.ask("GET", path + "?EIO=4&transport=websocket", UPGRADE)
        assert tcp.answer().status in (200, 400, 401, 404, 405, 426)


def test_the_refused_connection_serves_the_next_request_or_ends(port: int) -> None:
    """No bytes of a refused upgrade are taken for frames, and none of its answer are left over."""
    with Tcp(port) as tcp:
        tcp.ask("GET", TARGET, {**UPGRADE, "Sec-WebSocket-Key": "x"})
        first = tcp.answer()
        assert first.status == 400
        if first.headers.get("connection", "").lower() == "close":
            assert tcp.rest() == b""
        else:
            tcp.ask("GET", "/healthz")
            assert tcp.answer().status == 200


def test_a_frame_instead_of_a_request_harms_nobody(port: int) -> None:
    with Tcp(port) as tcp:
        tcp.send(frame(TEXT, b"40/shop,") + b"\r\n\r\n")
        assert b"101" not in tcp.rest()[:15]
    assert http(port, "GET", "/healthz").status == 200
