"""HTTP long-polling of Engine.IO 4 on a real server: payloads and their limits, requests that overlap, closing."""

import json
from collections.abc import Iterator

import pytest

from tests.support.engine_io import BAD_REQUEST, UNKNOWN_SID, Opener, Polling
from tests.support.protocol import Tcp
from tests.support.shop import ShopServer
from tests.support.waiting import eventually
from tests.support.wires import SEPARATOR, Closed

pytestmark = pytest.mark.xdist_group("engineio")

LIMIT = 50_000
"""Bytes of a request, as this server is set."""
CONNECT = "40/shop,"


@pytest.fixture(scope="module")
def server() -> Iterator[ShopServer]:
    with ShopServer(CLASSWAVES_MAX_PACKET_BYTES=str(LIMIT)) as server:
        yield server


@pytest.fixture
def opener(server: ShopServer) -> Iterator[Opener]:
    with Opener(server.port) as opener:
        yield opener


@pytest.fixture
def session(opener: Opener) -> Polling:
    """A session that is connected to the shop's namespace."""
    session = opener.polling()
    session.send(CONNECT)
    assert str(session.receive()).startswith(CONNECT)
    return session


def echo(*args: object) -> str:
    """Return a packet that the shop sends back as :func:`echoed`."""
    return "42/shop," + json.dumps(["message", *args])


def echoed(packet: object) -> list[object]:
    name, *args = json.loads(str(packet).removeprefix("42/shop,"))
    assert name == "message-back"
    return list(args)


def alive(session: Polling) -> bool:
    session.send(echo("alive?"))
    return echoed(session.receive()) == ["alive?"]


def over(session: Polling) -> bool:
    """Whether the session is unknown, to GET and POST."""
    return session.get().error == session.post("40").error == (400, UNKNOWN_SID)


# payloads


def test_a_post_is_answered_with_ok(session: Polling) -> None:
    answer = session.post(echo("hello"))
    assert (answer.status, answer.text) == (200, "ok")
    assert answer.headers["content-type"].split(";")[0] in ("text/html", "text/plain")
    assert session.get().text == '42/shop,["message-back","hello"]'


def test_several_packets_in_one_payload(session: Polling) -> None:
    answer = session.post(SEPARATOR.join(echo(number) for number in (1, 2, 3)))
    assert (answer.status, answer.text) == (200, "ok")
    assert [echoed(session.receive()) for _ in range(3)] == [[1], [2], [3]]


def test_what_waits_comes_as_one_payload(session: Polling) -> None:
    """In the order in which it was sent, between separators, without one at the end."""
    for number in range(5):
        session.send(echo(number))
    answer = session.get()
    assert answer.headers["content-type"].lower().replace(" ", "") == "text/plain;charset=utf-8"
    assert [echoed(packet) for packet in answer.text.split(SEPARATOR)] == [[number] for number in range(5)]


def test_text_and_binary_in_one_payload(session: Polling) -> None:
    """Binary is base64 after a ``b``, both ways."""
    event = '451-/shop,["message",{"_placeholder":true,"num":0}]'
    answer = session.post(SEPARATOR.join([echo("first"), event, "bAQIDBA==", echo("last")]))
    assert (answer.status, answer.text) == (200, "ok")
    first, back, attachment, last = (session.receive() for _ in range(4))
    assert back == event.replace("message", "message-back")
    assert (echoed(first), attachment, echoed(last)) == (["first"], b"\1\2\3\4", ["last"])


@pytest.mark.parametrize("data", [b"", b"x", b"xy", b"xyz", bytes(range(256)), b"\x1e\x1e", b"b"], ids=len)
def test_binary_of_any_content(session: Polling, data: bytes) -> None:
    event = '451-/shop,["message",{"_placeholder":true,"num":0}]'
    session.send(event, data)
    assert [session.receive(), session.receive()] == [event.replace("message", "message-back"), data]


@pytest.mark.parametrize("text", ["é", "€", "😀", "\u2028", "\\u001e", "b", "\x7f", "\r\n", "=&+%", "ok"], ids=ascii)
def test_text_of_any_content(session: Polling, text: str) -> None:
    """UTF-8; the separator itself is escaped in JSON."""
    session.send(f'42/shop,["message",{json.dumps(text, ensure_ascii=False)}]')
    assert echoed(session.receive()) == [text]


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "text/plain", None, "application/x-www-form-urlencoded"])
def test_the_media_type_of_a_post_does_not_matter(session: Polling, kind: str | None) -> None:
    """Whatever it says, the body is the payload."""
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Content-Type": kind} if kind else {}, echo("é").encode())
        assert tcp.answer().text == "ok"
    assert echoed(session.receive()) == ["é"]


def test_five_hundred_packets_in_one_payload(session: Polling) -> None:
    session.send(*(echo(number) for number in range(500)))
    assert [echoed(session.receive()) for _ in range(500)] == [[number] for number in range(500)]


def test_posts_one_after_the_other_keep_their_order(session: Polling) -> None:
    with Tcp(session.port) as tcp:
        for number in range(50):
            tcp.ask("POST", session.target, body=echo(number).encode())
            assert tcp.answer().text == "ok"
    assert [echoed(session.receive()) for _ in range(50)] == [[number] for number in range(50)]


def test_a_post_that_comes_in_pieces(session: Polling) -> None:
    body = echo("é" * 100).encode()
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Content-Length": str(len(body))})
        for at in range(0, len(body), 7):
            tcp.send(body[at : at + 7])
        assert tcp.answer().text == "ok"
    assert echoed(session.receive()) == ["é" * 100]


def test_a_post_in_chunks_is_read_or_refused(session: Polling) -> None:
    """RFC 9112, section 7.1; the status 411 asks for a length."""
    body = echo("chunks").encode()
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Transfer-Encoding": "chunked"})
        tcp.send(b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:])) + b"0\r\n\r\n")
        status = tcp.answer().status
    assert status in (200, 411)
    if status == 200:
        assert echoed(session.receive()) == ["chunks"]


# payloads that are refused

INVALID = {
    **{ascii(body.decode("latin-1")): body for body in (b"", b"abc", b"x", b"-", b"7", b"8hello", b"9", b"/", b" 4")},
    "an empty packet": b"\x1e",
    "an empty packet at the end": b"40/custom,\x1e",
    "an empty packet at the start": b"\x1e40/custom,",
    "an unknown type after a good packet": b"40/custom,\x1eabc",
    "no base64": b"b****",
    "cut base64": b"bAQI",
    "no UTF-8": b'42/shop,["message","\xff"]',
    "a surrogate": b'42/shop,["message","\xed\xa0\x80"]',
    "cut UTF-8": b"40\xe2\x82",
    "a payload of version 3": b"6:4hello",
}


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_payload_ends_the_session(session: Polling, body: bytes) -> None:
    assert session.post(body).error == (400, BAD_REQUEST)
    assert over(session)


@pytest.mark.parametrize("packet", ["0", "0{}", "2", "2probe"])
def test_a_packet_that_is_the_servers_ends_the_session(session: Polling, packet: str) -> None:
    """A client opens nothing, and answers pings."""
    assert session.post(packet).status in (200, 400)
    assert over(session)


def test_an_invalid_payload_ends_the_waiting_get(session: Polling) -> None:
    with session.waiting_get() as waiting:
        session.post("abc")
        assert waiting.answer().status in (200, 400)
    assert over(session)


def padded(size: int) -> str:
    return echo("x" * (size - len(echo(""))))


def test_a_payload_up_to_the_limit(session: Polling) -> None:
    assert session.opened["maxPayload"] == LIMIT
    session.send(padded(LIMIT))
    assert len(str(session.receive())) > LIMIT


@pytest.mark.parametrize("size", [LIMIT + 1, 10_000_000, 2**31, 10**15])
def test_a_payload_over_the_limit_is_refused_from_its_length(session: Polling, size: int) -> None:
    """Before any of it has come; a length beyond all reason may be a bad request."""
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Content-Length": str(size)})
        assert tcp.answer().status in ({413} if size < 2**32 else {400, 413})


def test_the_limit_counts_bytes(session: Polling) -> None:
    assert session.post(padded(LIMIT - 100).replace("x" * 200, "é" * 200)).status == 413


def test_chunks_over_the_limit_are_refused(session: Polling) -> None:
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Transfer-Encoding": "chunked"})
        try:
            tcp.send(chunk * 8 + b"0\r\n\r\n")
            status = tcp.answer().status
        except Closed:
            status = 0
    assert status in (0, 400, 411, 413)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "+5", "0x5"])
def test_a_length_that_is_none(session: Polling, length: str) -> None:
    """RFC 9110, section 8.6."""
    with Tcp(session.port) as tcp:
        tcp.ask("POST", session.target, {"Content-Length": length})
        tcp.send(b"40/custom,")
        assert tcp.answer().status == 400


# requests that overlap


def test_a_get_waits_until_there_is_something(session: Polling) -> None:
    with session.waiting_get() as waiting:
        session.send(echo("now"))
        answer = waiting.answer()
    assert (answer.status, echoed(answer.text)) == (200, ["now"])


def test_a_get_and_posts_at_the_same_time(session: Polling) -> None:
    for number in range(10):
        with session.waiting_get() as waiting:
            session.send(echo(number))
            assert echoed(waiting.answer().text) == [number]


def test_gets_on_one_kept_connection(session: Polling) -> None:
    with Tcp(session.port) as tcp:
        for number in range(10):
            session.send(echo(number))
            tcp.ask("GET", session.target)
            assert echoed(tcp.answer().text) == [number]


def test_a_second_get_ends_the_session(session: Polling) -> None:
    """The protocol, "Receiving data": the status 400, and the session is closed. The first GET is told so."""
    with session.waiting_get() as waiting:
        second = session.get()
        first = waiting.answer()
    assert (first.status, first.text) == (200, "1")
    assert second.error == (400, BAD_REQUEST)
    assert over(session)


def test_a_get_that_is_repeated_by_itself_ends_the_session(session: Polling) -> None:
    """Browsers do that when a connection was cut: what the first answer had is lost, and the client must know."""
    plain = session.target
    for number in (1, 2):
        session.target = f"{plain}&t={number}"
        assert alive(session)
    session.send(echo("lost"))
    assert session.get().error == (400, BAD_REQUEST)
    assert over(session)


def test_a_client_may_always_say_the_same_time(opener: Opener) -> None:
    session = opener.polling(query="&t=1")
    session.target += "&t=1"
    session.send(CONNECT)
    assert str(session.receive()).startswith(CONNECT)
    for _ in range(2):
        assert alive(session)


def test_gets_that_tell_no_time_are_not_taken_for_one_that_is_repeated(opener: Opener) -> None:
    """So they come from another machine whose worker is of a version that did not pass the time on."""
    session = opener.polling(query="&t=1")
    session.send(CONNECT)
    assert str(session.receive()).startswith(CONNECT)
    for _ in range(2):
        assert alive(session)


def test_a_second_post_ends_the_session(session: Polling) -> None:
    """The protocol, "Sending data": the status 400, and the session is closed."""
    with Tcp(session.port) as first:
        first.ask("POST", session.target, {"Content-Length": "100"})
        first.send(b"42")
        session.settle()
        assert session.post(echo("second")).error == (400, BAD_REQUEST)
        assert over(session)


def test_a_second_get_is_a_disconnect_for_the_application(server: ShopServer, opener: Opener) -> None:
    session = opener.polling()
    session.send(CONNECT)
    sid = json.loads(str(session.receive()).removeprefix(CONNECT))["sid"]
    with session.waiting_get():
        session.get()
    assert len(eventually(lambda: server.reasons(sid), what="the disconnect")) == 1


# closing


def test_a_client_closes(server: ShopServer, opener: Opener) -> None:
    session = opener.polling()
    session.send(CONNECT)
    sid = json.loads(str(session.receive()).removeprefix(CONNECT))["sid"]
    assert session.post("1").text == "ok"
    assert over(session)
    assert len(eventually(lambda: server.reasons(sid), what="the disconnect")) == 1


def test_a_client_closes_while_its_get_waits(session: Polling) -> None:
    """The GET ends with a NOOP."""
    with session.waiting_get() as waiting:
        assert session.post("1").text == "ok"
        answer = waiting.answer()
    assert (answer.status, answer.text) == (200, "6")
    assert over(session)


def test_what_comes_before_a_close_counts(opener: Opener, session: Polling) -> None:
    other = opener.polling()
    other.send(CONNECT)
    other.receive()
    other.send('42/shop,["shout","last words"]', "1")
    assert session.receive() == '42/shop,["told","last words"]'
    assert over(other)


def test_the_server_closes_while_a_get_waits(session: Polling) -> None:
    with session.waiting_get() as waiting:
        session.post('42/shop,["close"]')
        answer = waiting.answer()
    assert (answer.status, answer.text.split(SEPARATOR)[-1]) == (200, "1")
    assert over(session)


def test_the_server_closes_while_no_get_waits(session: Polling) -> None:
    """The next GET may still be told; then the session is unknown."""
    session.post('42/shop,["close"]')
    answer = session.get()
    assert answer.status == 400 or answer.text.split(SEPARATOR)[-1] == "1"
    assert over(session)


def test_sessions_do_not_disturb_each_other(opener: Opener, session: Polling) -> None:
    with session.waiting_get() as waiting:
        for body in ("abc", "1", "2"):
            opener.polling().post(body)
        session.send(echo("x"))
        assert echoed(waiting.answer().text) == ["x"]
    assert alive(session)
