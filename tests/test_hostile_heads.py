"""Heads and bodies of requests that two servers read in two ways (RFC 9112, RFC 9110): refused, and nothing behind them
is taken for a request.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.protocol import http
from tests.support.scene import MB, Scene, open_scene
from tests.support.wires import Closed

pytestmark = pytest.mark.xdist_group("hostile-heads")


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with open_scene() as scene:
        yield scene


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.dismiss()


POST = "POST /api/v1/auth/login HTTP/1.1\r\nHost: h\r\n"
GET = "GET /healthz HTTP/1.1\r\nHost: h\r\n"
HEADS = {
    "two lengths": f"{POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "two equal lengths": f"{POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": f"{POST}Content-Length: 5, 5\r\n\r\n",
    "length and coding": f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding and length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "two codings": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "an unknown coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n",
    "chunked is not the last": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n",
    "a signed length": f"{POST}Content-Length: +5\r\n\r\n",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\n",
    "a hexadecimal length": f"{POST}Content-Length: 0x5\r\n\r\n",
    "an empty length": f"{POST}Content-Length:\r\n\r\n",
    "digits of another script": f"{POST}Content-Length: \u0665\r\n\r\n",
    "a length of a thousand digits": f"{POST}Content-Length: {'9' * 1000}\r\n\r\n",
    "a folded line": f"{GET}X-One: 1\r\n two\r\n\r\n",
    "folded by a tab": f"{GET}X-One: 1\r\n\ttwo\r\n\r\n",
    "folded at once": f"{GET} X-One: 1\r\n\r\n".replace("Host: h\r\n", ""),
    "a space before the colon": f"{POST}Content-Length : 5\r\n\r\n",
    "a tab before the colon": f"{POST}Transfer-Encoding\t: chunked\r\n\r\n",
    "no name": f"{GET}: value\r\n\r\n",
    "no colon": f"{GET}nothing\r\n\r\n",
    "a strange name": f"{GET}X(One): 1\r\n\r\n",
    "NUL in a value": f"{GET}X-One: a\0b\r\n\r\n",
    "CR in a value": f"{GET}X-One: a\rContent-Length: 5\r\n\r\n",
    "two hosts": f"{GET}Host: other\r\n\r\n",
    "101 lines": GET + "".join(f"X-{number}: 1\r\n" for number in range(100)) + "\r\n",
    "a line of 10 KB": f"{GET}X-One: {'1' * 10_000}\r\n\r\n",
    "a target of 10 KB": f"GET /{'1' * 10_000} HTTP/1.1\r\nHost: h\r\n\r\n",
    "a line without end": GET + "X-One: " + "1" * MB,
    "a request line without end": "GET /" + "1" * MB,
    "no version": "GET /healthz\r\nHost: h\r\n\r\n",
    "another version": "GET /healthz HTTP/2.0\r\nHost: h\r\n\r\n",
    "two spaces": "GET  /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "a tab": "GET\t/healthz\tHTTP/1.1\r\nHost: h\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\0" * 500 + "\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_two_servers_read_in_two_ways(scene: Scene, name: str) -> None:
    """It is answered once and the connection ends: what is behind it is never taken for a request."""
    tcp = scene.tcp()
    with suppress(Closed):
        tcp.send(HEADS[name].encode("utf-8") + b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n" * 2)
    answer = tcp.rest()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 414 ", b"HTTP/1.1 431 ")), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, answer


SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
CHUNKS = {
    "a negative size": "-5\r\n{}",
    "a signed size": "+{}",
    "a size with a prefix": "0x5\r\n{}",
    "an underscore": "5_0\r\n{}",
    "a space in front": " 5\r\n{}",
    "no size": "\r\n{}",
    "no number": "x{}",
    "digits of another script": "\u0665\r\n{}",
    "a size of 100 digits": "5" * 100 + "\r\n{}",
    "an endless line": "5;" + "x" * 100_000 + "\r\n{}",
    "no line end behind a chunk": "5\r\nhelloxx{}",
    "a line feed alone in an extension": "2;\nxx\r\n{:x}\r\n0\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk line that ends with a line feed": "0\n\n{}",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_a_chunk_that_two_servers_read_in_two_ways(scene: Scene, name: str) -> None:
    """What is behind it is never taken for a request: where the body ends is not known (RFC 9112, section 7.1)."""
    body = CHUNKS[name].replace("{:x}", f"{len(SMUGGLED):x}").replace("{}", SMUGGLED)
    tcp = scene.tcp()
    with suppress(Closed):
        head = f"{POST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        tcp.send(f"{head}{body}".encode())
    answer = tcp.rest()
    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, answer


@pytest.mark.parametrize("target", ["/nowhere", "/healthz", "/api/v1/auth/login", "/socket.io/?EIO=4"])
def test_a_body_that_nobody_reads_is_no_request(scene: Scene, target: str) -> None:
    """What follows it is one."""
    tcp = scene.tcp()
    body = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    tcp.ask("POST", target, {"Content-Type": "text/x"}, body)
    tcp.ask("GET", "/nowhere-else", {"Connection": "close"})
    assert tcp.answer().status in (400, 404, 405, 415, 422)
    assert tcp.answer().status == 404
    assert tcp.rest() == b""


def test_a_million_header_lines_are_not_kept(scene: Scene) -> None:
    tcp = scene.tcp()

    def misdeed() -> None:
        with suppress(Closed):
            tcp.send(GET.encode() + b"X-One: 1\r\n" * 1_000_000)
        assert tcp.rest()[:13] in (b"HTTP/1.1 400 ", b"")

    scene.harmless(misdeed)


def test_100_header_lines_of_8_kb_are_read(scene: Scene) -> None:
    """As much as there may be, so that the test above is about one more."""
    lines = {f"X-{number}": "1" * 8000 for number in range(98)}
    assert http(scene.port, "GET", "/healthz", lines).status == 200


def test_rubbish(scene: Scene) -> None:
    def misdeed() -> None:
        for _ in range(100):
            with scene.tcp() as tcp:
                with suppress(Closed):
                    tcp.send(os.urandom(2000) + b"\r\n\r\n")
                assert tcp.rest()[:13] in (b"HTTP/1.1 400 ", b"")

    scene.harmless(misdeed)
