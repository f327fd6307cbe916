"""Requests that no browser sends (RFC 9112, Engine.IO 4): refused with a plain answer, and nobody else is harmed."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.clients import RawClient
from tests.support.engine_io import Polling
from tests.support.protocol import PATH, UPGRADE, Answer
from tests.support.scene import MB, Scene, open_scene
from tests.support.wires import SEPARATOR, Closed

pytestmark = pytest.mark.xdist_group("hostile-http")

LIMIT = 1_000_000
"""Bytes of a packet, and of the body of a polling request: the default."""


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with open_scene() as scene:
        yield scene


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.dismiss()


def joined(scene: Scene) -> tuple[RawClient, Polling, str]:
    """Return a polling client that has joined a session of its own, its session by hand, and the code."""
    code = scene.school.session()
    client = scene.school.joined(code, "Mallory", "polling")
    polling = Polling.__new__(Polling)
    polling.port, polling.headers = scene.port, {}
    polling.opened = client.handshake
    polling.target = f"{PATH}polling&sid={polling.sid}"
    return client, polling, code


@pytest.mark.parametrize("count", [100, 10_000])
def test_a_post_of_many_packets_is_handled_in_order(scene: Scene, count: int) -> None:
    """JavaScript clients send all they have in one request."""
    client, polling, code = joined(scene)
    packets = [
        f'42{number}["updatePresence",{json.dumps({"sessionCode": code, "status": "active"})}]'
        for number in range(10, 10 + count)
    ]
    answers: list[Answer] = []
    scene.harmless(lambda: answers.append(polling.post(SEPARATOR.join(packets))))
    assert [(answer.status, answer.text) for answer in answers] == [(200, "ok")]
    for number in range(10, 10 + count):
        assert client.ack(number)["ok"]
    assert list(client.acks)[-count:] == list(range(10, 10 + count))


def test_a_post_of_100_packets_that_are_wrong(scene: Scene) -> None:
    """The first that no client may send ends it; the 99 behind are not handled."""
    _, polling, _ = joined(scene)
    answers: list[Answer] = []
    scene.harmless(lambda: answers.append(polling.post(SEPARATOR.join(["2"] * 100))))
    assert answers[0].error == (400, 3)
    assert polling.get().error == (400, 1)


@pytest.mark.parametrize("who", ["stranger", "student"])
@pytest.mark.parametrize("how", ["one packet", "many packets", "chunked", "only the head"])
def test_a_post_of_10_mb_is_refused(scene: Scene, who: str, how: str) -> None:
    polling = joined(scene)[1] if who == "student" else Polling(scene.port)
    body = (b"4" + bytes(10 * MB)) if how != "many packets" else b"4\x1e" * (5 * MB)
    tcp = scene.tcp()
    answers: list[Answer] = []

    def misdeed() -> None:
        length = {"Transfer-Encoding": "chunked"} if how == "chunked" else {"Content-Length": str(len(body))}
        tcp.ask("POST", polling.target, length)
        if how == "chunked":
            body_sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            body_sent = b"" if how == "only the head" else body
        with suppress(Closed):
            tcp.send(body_sent)
        answers.append(tcp.answer())

    scene.harmless(misdeed)
    assert [answer.status for answer in answers] == [413]
    assert polling.get().error == (400, 1)


PLACES = [
    "/",
    "/healthz",
    "/api/v1/sessions",
    "/nowhere",
    "/socket.iox/",
    "/socket.io",
    "/static/x",
    "*",
    "//socket.io/",
]


@pytest.mark.parametrize("path", PLACES)
def test_an_upgrade_in_another_place_is_refused(scene: Scene, path: str) -> None:
    """With an answer as to any request, after which the connection can be used for the next one."""
    tcp = scene.tcp()
    tcp.ask("GET", f"{path}?EIO=4&transport=websocket", UPGRADE)
    assert tcp.answer().status in (400, 404, 405)
    tcp.ask("GET", "/healthz")
    assert tcp.answer().status == 200
