"""Frames of WebSocket (RFC 6455, sections 5 to 8) on a real server: what is taken, and with which code it closes."""

import json
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.support.engine_io import Live, Opener
from tests.support.protocol import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    WebSocket,
    close_body,
    frame,
    header,
)
from tests.support.shop import ShopServer
from tests.support.waiting import eventually
from tests.support.wires import Closed

pytestmark = pytest.mark.xdist_group("websocket")

LIMIT = 100_000
"""Bytes of a message, as this server is set."""
RESET = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""The option with which a closed socket sends a TCP reset."""
ECHO = '42/shop,["message","{}"]'
EMPTY = len(ECHO) - 2


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer(CLASSWAVES_MAX_PACKET_BYTES=str(LIMIT)) as server:
        yield server


@pytest.fixture
def ws(server: ShopServer) -> Iterator[WebSocket]:
    """A WebSocket whose client is connected to the shop's namespace."""
    live = Live(server.port)
    try:
        live.send("40/shop,")
        assert str(live.receive()).startswith("40/shop,")
        yield live.socket
    finally:
        live.drop()


def echo(text: str) -> bytes:
    """Return a message that the shop sends back."""
    return ECHO.replace("{}", text).encode()


def heard(ws: WebSocket) -> str:
    """Return what the shop has sent back."""
    answer = ws.frame()
    assert (answer.fin, answer.rsv, answer.opcode) == (True, 0, TEXT), answer
    name, text = json.loads(answer.payload.decode().removeprefix("42/shop,"))
    assert name == "message-back"
    return str(text)


def binary_echo() -> bytes:
    return b'451-/shop,["message",{"_placeholder":true,"num":0}]'


@pytest.mark.parametrize("size", [EMPTY, 125, 126, 127, 65_535, 65_536, LIMIT])
def test_messages_of_every_length_encoding(ws: WebSocket, size: int) -> None:
    """Section 5.2, both ways; up to the limit."""
    text = "x" * (size - EMPTY)
    ws.send_frame(TEXT, echo(text))
    assert heard(ws) == text


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536])
def test_the_server_writes_each_length_in_its_shortest_form(ws: WebSocket, size: int) -> None:
    """Section 5.2: the minimal number of bytes; section 5.1: without a mask."""
    ws.send_frame(TEXT, f'42/shop,7["picture",{size}]'.encode())
    assert ws.frame().payload.startswith(b"461-/shop,7[")
    picture = ws.frame()
    assert picture == Frame(True, 0, BINARY, bytes(number % 256 for number in range(size)))
    extended = 0 if size < 126 else 2 if size < 1 << 16 else 8
    assert len(picture.header) == 2 + extended


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\2\3", b"abcd"])
@pytest.mark.parametrize("extra", range(9))
def test_masks(ws: WebSocket, mask: bytes, extra: int) -> None:
    """Section 5.3, at every alignment."""
    text = "0123456789"[: extra + 1]
    ws.send_frame(TEXT, echo(text), mask=mask)
    assert heard(ws) == text


def test_a_frame_that_comes_byte_by_byte(ws: WebSocket) -> None:
    for byte in frame(TEXT, echo("x" * 150)):
        ws.send(bytes([byte]))
    assert heard(ws) == "x" * 150


def test_many_frames_in_one_segment(ws: WebSocket) -> None:
    ws.send(b"".join(frame(TEXT, echo(str(number))) for number in range(500)))
    assert [heard(ws) for _ in range(500)] == [str(number) for number in range(500)]


# fragments (section 5.4)


def fragments(*parts: bytes, opcode: int = TEXT) -> list[bytes]:
    """Return the frames of one message."""
    last = len(parts) - 1
    return [frame(opcode if at == 0 else CONTINUATION, part, fin=at == last) for at, part in enumerate(parts)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_fragments(ws: WebSocket, size: int) -> None:
    whole = echo("é€😀" * 10)
    ws.send(b"".join(fragments(*(whole[at : at + size] for at in range(0, len(whole), size)))))
    assert heard(ws) == "é€😀" * 10


def test_empty_fragments(ws: WebSocket) -> None:
    whole = echo("x")
    ws.send(b"".join(fragments(b"", whole[:9], b"", b"", whole[9:], b"")))
    assert heard(ws) == "x"


def test_fragments_of_binary(ws: WebSocket) -> None:
    ws.send_frame(TEXT, binary_echo())
    ws.send(b"".join(fragments(b"\xff\xfe", b"", b"\0", opcode=BINARY)))
    assert ws.frame().opcode == TEXT
    assert ws.frame() == Frame(True, 0, BINARY, b"\xff\xfe\0")


def test_control_frames_between_fragments(ws: WebSocket) -> None:
    """Section 5.4: they may come in the middle, and are answered before the message has ended."""
    first, second, third = fragments(echo("x")[:5], echo("x")[5:9], echo("x")[9:])
    ws.send(first + frame(PING, b"one"))
    assert ws.frame() == Frame(True, 0, PONG, b"one")
    ws.send(frame(PONG, b"unasked") + second + frame(PING, b"two"))
    assert ws.frame() == Frame(True, 0, PONG, b"two")
    ws.send(third)
    assert heard(ws) == "x"


def test_a_close_between_fragments(ws: WebSocket) -> None:
    ws.send(fragments(echo("x")[:5], b"")[0] + frame(CLOSE, close_body(1000)))
    assert ws.close_code() == 1000


# ping and pong (sections 5.5.2 and 5.5.3)


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff\xfe", b"x" * 125], ids=len)
def test_a_ping_is_answered_with_its_payload(ws: WebSocket, payload: bytes) -> None:
    ws.send_frame(PING, payload)
    assert ws.frame() == Frame(True, 0, PONG, payload)


def test_the_newest_of_many_pings_is_answered(ws: WebSocket) -> None:
    """Section 5.5.3: a server may answer only the newest; in order, and none that was not asked."""
    ws.send(b"".join(frame(PING, b"%d" % number) for number in range(100)))
    answers = [ws.frame()]
    while answers[-1].payload != b"99":
        answers.append(ws.frame())
    assert {one.opcode for one in answers} == {PONG}
    numbers = [int(one.payload) for one in answers]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("payload", [b"", b"unasked", b"x" * 125], ids=len)
def test_a_pong_that_nobody_asked_for_is_ignored(ws: WebSocket, payload: bytes) -> None:
    ws.send(frame(PONG, payload) + frame(TEXT, echo("x")))
    assert heard(ws) == "x"


# closing (sections 5.5.1 and 7)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code_and_tcp_ends(ws: WebSocket, code: int) -> None:
    ws.send_frame(CLOSE, close_body(code))
    assert ws.close_code() == code


def test_a_close_without_a_code(ws: WebSocket) -> None:
    ws.send_frame(CLOSE)
    assert ws.close_code() in (None, 1000)


@pytest.mark.parametrize("reason", [b"bye", "Grüße 😀".encode(), b"x" * 123], ids=len)
def test_a_close_with_a_reason(ws: WebSocket, reason: bytes) -> None:
    ws.send_frame(CLOSE, close_body(1000, reason))
    assert ws.close_code() == 1000


def test_nothing_counts_after_the_close(ws: WebSocket) -> None:
    """Section 5.5.1: what follows is not answered, not even pings."""
    ws.send(frame(CLOSE, close_body(1000)) + frame(TEXT, echo("late")) + frame(PING))
    assert ws.frame().opcode == CLOSE
    assert ws.rest() == b""


def test_what_was_sent_before_the_close_counts(server: ShopServer, ws: WebSocket) -> None:
    with Opener(server.port) as opener:
        live = opener.live()
        live.send("40/shop,")
        live.receive()
        live.socket.send(frame(TEXT, b'42/shop,["shout","last words"]') + frame(CLOSE, close_body(1000)))
        assert ws.frame().payload == b'42/shop,["told","last words"]'


@pytest.mark.parametrize("end", ["close frame", "end of TCP", "reset", "half a frame"])
def test_every_end_is_a_disconnect(server: ShopServer, end: str) -> None:
    """The application hears of it once."""
    live = Live(server.port)
    live.send("40/shop,")
    sid = json.loads(str(live.receive()).removeprefix("40/shop,"))["sid"]
    if end == "close frame":
        live.socket.send_frame(CLOSE, close_body(1000))
    elif end == "half a frame":
        live.socket.send(header(TEXT, 100) + b"half")
    elif end == "reset":
        live.socket.socket.setsockopt(*RESET)
    live.drop()
    assert eventually(lambda: server.reasons(sid), what="the disconnect") == ["transport close"]


# what is no WebSocket: the connection fails with a code (section 7.4.1)

HALF = frame(TEXT, b"42", fin=False)
NO_PROTOCOL = {
    **{f"unmasked {name}": frame(code, mask=b"") for name, code in [("text", TEXT), ("ping", PING), ("close", CLOSE)]},
    **{f"unmasked, {size} bytes": header(BINARY, size, mask=b"") for size in (1, 126, 70_000)},
    **{f"RSV {rsv}": frame(TEXT, b"2", rsv=rsv) for rsv in range(1, 8)},
    **{f"RSV {rsv} in a ping": frame(PING, rsv=rsv) for rsv in (1, 2, 4)},
    "RSV 4 in a continuation": HALF + frame(CONTINUATION, b"", rsv=4),
    **{f"opcode {code}": frame(code, b"x") for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{f"a control frame of 126 bytes, {code}": frame(code, b"x" * 126) for code in (CLOSE, PING, PONG)},
    **{f"a control frame of 2**40 bytes, {code}": header(code, 2**40) for code in (CLOSE, PING, PONG)},
    **{f"a control frame in fragments, {code}": frame(code, fin=False) for code in (CLOSE, PING, PONG)},
    "the top bit of a length": header(TEXT, 2**63),
    "all bits of a length": header(BINARY, 2**64 - 1),
    "125 bytes in the 16 bit form": header(TEXT, 125, form=126) + b"x" * 125,
    "0 bytes in the 16 bit form": header(TEXT, 0, form=126),
    "65535 bytes in the 64 bit form": header(TEXT, 65_535, form=127),
    "a ping in the 16 bit form": header(PING, 5, form=126) + b"12345",
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "an open continuation of nothing": frame(CONTINUATION, b"x", fin=False),
    "a continuation after the end": frame(TEXT, echo("x")) + frame(CONTINUATION, b"x"),
    "text in mid-message": HALF + frame(TEXT, b"2"),
    "binary in mid-message": HALF + frame(BINARY, b"2", fin=False),
    "a close of one byte": frame(CLOSE, b"\x03"),
    **{
        f"a close with {code}": frame(CLOSE, close_body(code))
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
    },
}


@pytest.mark.parametrize("data", NO_PROTOCOL.values(), ids=NO_PROTOCOL.keys())
def test_protocol_errors(ws: WebSocket, data: bytes) -> None:
    ws.send(data)
    assert ws.close_code() == 1002


def test_a_compressed_frame_of_a_client_that_offered_compression(server: ShopServer) -> None:
    """It was not accepted (section 5.2: RSV1 without a negotiated meaning)."""
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    with WebSocket(server.port, headers=offer) as ws:
        ws.send_frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=4)
        assert ws.close_code() == 1002


PART = b"x" * 60_000
TOO_LARGE = {
    **{f"{size} bytes": header(TEXT, size) for size in (LIMIT + 1, 2**31, 2**40, 2**63 - 1)},
    "binary": header(BINARY, LIMIT + 1),
    "two fragments": frame(TEXT, PART, fin=False) + header(CONTINUATION, 40_001),
    "two fragments of binary": frame(BINARY, PART, fin=False) + header(CONTINUATION, 40_001, fin=False),
    "a first fragment": header(TEXT, LIMIT + 1, fin=False),
}


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_message_over_the_limit_is_refused_from_its_header(ws: WebSocket, data: bytes) -> None:
    """Nothing of the payload that it announces ever comes."""
    ws.send(data)
    assert ws.close_code() == 1009


def test_fragments_up_to_the_limit(ws: WebSocket) -> None:
    whole = echo("x" * (LIMIT - EMPTY))
    ws.send(b"".join(fragments(whole[:60_000], whole[60_000:])))
    assert heard(ws) == "x" * (LIMIT - EMPTY)


NOT_UTF_8 = {
    "a lonely start": b"\xc3",
    "a lonely rest": b"\x80",
    "no such byte": b"\xff",
    "an overlong slash": b"\xc0\xaf",
    "an overlong zero": b"\xe0\x80\x80",
    "a surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "a truncated end": b"\xe2\x82",
}


@pytest.mark.parametrize("bad", NOT_UTF_8.values(), ids=NOT_UTF_8.keys())
def test_text_that_is_not_utf_8(ws: WebSocket, bad: bytes) -> None:
    """Section 8.1."""
    ws.send_frame(TEXT, b'42/shop,["message","' + bad + b'"]')
    assert ws.close_code() == 1007


@pytest.mark.parametrize("bad", NOT_UTF_8.values(), ids=NOT_UTF_8.keys())
def test_fragments_that_are_not_utf_8_together(ws: WebSocket, bad: bytes) -> None:
    ws.send(b"".join(fragments(b'42/shop,["message","' + bad[:1], bad[1:] + b'"]')))
    assert ws.close_code() == 1007


@pytest.mark.parametrize("bad", NOT_UTF_8.values(), ids=NOT_UTF_8.keys())
def test_the_reason_of_a_close_that_is_not_utf_8(ws: WebSocket, bad: bytes) -> None:
    ws.send_frame(CLOSE, close_body(1000, bad))
    assert ws.close_code() == 1007


@pytest.mark.parametrize(
    "text", ["\x7f\x80", "߿ࠀ", "\ud7ff\ue000", "\uffff\ufffe", "\U00010000", "\U0010ffff"], ids=ascii
)
def test_text_at_the_borders_of_utf_8(ws: WebSocket, text: str) -> None:
    ws.send_frame(TEXT, echo(text))
    assert heard(ws) == text


def test_binary_may_be_anything(ws: WebSocket) -> None:
    ws.send_frame(TEXT, binary_echo())
    ws.send_frame(BINARY, b"\xc0\xaf\xff")
    assert ws.frame().opcode == TEXT
    assert ws.frame() == Frame(True, 0, BINARY, b"\xc0\xaf\xff")


def test_a_failed_connection_harms_nobody(server: ShopServer, ws: WebSocket) -> None:
    for data in (*NO_PROTOCOL.values(), *TOO_LARGE.values()):
        with WebSocket(server.port) as other:
            other.send(data)
    with pytest.raises(Closed), WebSocket(server.port) as other:
        other.send(frame(TEXT, b"\xff"))
        while True:
            other.frame()
    ws.send_frame(TEXT, echo("still here"))
    assert heard(ws) == "still here"
