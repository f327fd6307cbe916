"""The service behind nginx and behind Caddy, both as shipped: three workers, a real Redis, real clients through TLS."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.apps import API
from tests.support.clients import Api, Closed, RawClient
from tests.support.deploying import Caddy, Nginx, Proxy, Service, certificate, tool, unit
from tests.support.processes import minimal_environ
from tests.support.redis_server import RedisServer
from tests.support.tools import node
from tests.support.uploads import Sent, patterned
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("deploy-proxies")

RESTARTS = Path(__file__).with_name("node") / "restarts.mjs"
PROXIES = {"nginx": Nginx, "caddy": Caddy}
BEHIND = {
    "CLASSWAVES_PING_INTERVAL": "0.5",
    "CLASSWAVES_DRAIN_SECONDS": "1",
    "CLASSWAVES_GUESS_RATE": "5/minute",
    "CLASSWAVES_ARCHIVE_URL": "none",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Make a certificate that all clients of this process, and Node, know."""
    made = certificate(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            patch.setenv(name, str(made[0]))
        yield made


@pytest.fixture(scope="module")
def running(keys: tuple[Path, Path]) -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as folder,  # the path of a socket is short
        RedisServer() as redis,
        Service(Path(folder) / "classwaves.sock", redis.url, **BEHIND) as service,
    ):
        yield service


@pytest.fixture(scope="module")
def teacher(running: Service) -> str:
    """Log the demo teacher in, once: who logs in often is refused."""
    return Api(running.url).token("teacher")


@pytest.fixture(scope="module", params=PROXIES)
def in_front(request: pytest.FixtureRequest, running: Service, keys: tuple[Path, Path]) -> Iterator[Proxy]:
    tool(request.param)
    with PROXIES[request.param](running.socket_path, keys) as proxy:
        yield proxy


class Class:
    """A session of the demo teacher, by a proxy."""

    def __init__(self, url: str, teacher: str) -> None:
        self.url, self.api, self.teacher = url, Api(url), teacher
        self.code = self.api.new_session(self.teacher)
        self.clients: list[RawClient] = []

    def joined(self, transport: str, name: str = "Ann") -> RawClient:
        client = RawClient(self.url, self.api.guest(self.code, name), transport)
        self.clients.append(client)
        client.join(self.code)
        return client

    def dismiss(self) -> None:
        for client in self.clients:
            client.wire.drop()


@pytest.fixture
def lesson(in_front: Proxy, teacher: str) -> Iterator[Class]:
    lesson = Class(in_front.url, teacher)
    yield lesson
    lesson.dismiss()


def ask(
    url: str, path: str, source: str = "127.0.0.1", body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a request from one of this machine's addresses and return status, headers and body."""
    kind = http.client.HTTPSConnection if url.startswith("https") else http.client.HTTPConnection
    connection = kind(urlsplit(url).netloc, timeout=10, source_address=(source, 0))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        data = None if body is None else json.dumps(body)
        if data:
            named["Content-Type"] = "application/json"
        connection.request("POST" if data else "GET", path, data, named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_its_own_program_takes_the_file(in_front: Proxy) -> None:
    in_front.checked()


def test_systemd_is_told_that_the_service_is_ready(running: Service) -> None:
    assert running.told().startswith("READY=1\n")
    assert len(running.worker_pids) == 3


def test_a_lesson_by_both_transports(lesson: Class) -> None:
    """Messages both ways, and nobody is given up who is silent for longer than the proxies or the server wait for."""
    clients = [lesson.joined("websocket", "Ann"), lesson.joined("polling", "Bob")]
    for client in clients:
        ack = client.say(lesson.code, "hello")
        for other in clients:
            other.wait_for("messageReceived", seq=ack["seq"])
    for client in clients:
        for _ in range(4):  # pings come one by one, when they are sent
            assert client.wire.receive() == "2"
            client.wire.send("3")
    assert clients[0].say(lesson.code, "still here")["ok"]
    clients[1].wait_for("messageReceived", message="still here")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_file_goes_up_and_its_parts_come_down(lesson: Class, transport: str) -> None:
    client = lesson.joined(transport)
    data = patterned(600_000)
    sent = Sent(client.ask, lesson.code, data)
    sent.share()
    path = f"{API}/files/{sent.file_id}"
    told = {"Authorization": f"Bearer {lesson.teacher}"}
    status, headers, body = ask(lesson.url, path, **told)
    assert (status, body) == (200, data)
    status, part, body = ask(lesson.url, path, **told, Range="bytes=262140-524300", If_Range=headers["ETag"])
    assert (status, body) == (206, data[262140:524301])
    assert part["Content-Range"] == "bytes 262140-524300/600000"


def test_what_is_too_large_is_refused_by_the_server_itself(lesson: Class) -> None:
    client = lesson.joined("polling")
    with pytest.raises(Closed) as refused:
        client.wire.send("4" * 1_500_000)
    assert refused.value.args == (413, ""), "a proxy's own answer is a page, or the server's connection was lost"


def test_an_address_is_the_clients_own_whatever_it_says(lesson: Class, request: pytest.FixtureRequest) -> None:
    """Guessed codes count by address: one has had enough, and the other has not. Neither can be another."""
    number = list(PROXIES).index(request.node.callspec.params["in_front"]) * 2 + 11
    guesser, stranger = f"127.0.0.{number}", f"127.0.0.{number + 1}"

    def guess(source: str, forged: str) -> int:
        said = {"X_Forwarded_For": forged, "X_Real_IP": forged, "Forwarded": f"for={forged}"}
        return ask(lesson.url, f"{API}/sessions/AAAAAA/join", source, {"displayName": "Eve"}, **said)[0]

    assert [guess(guesser, f"203.0.113.{tried}") for tried in range(7)] == [404] * 5 + [429] * 2
    assert guess(stranger, guesser) == 404


def test_origin_and_scheme_are_those_of_the_proxy(lesson: Class) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    assert ask(lesson.url, path, Origin=lesson.url)[0] == 200
    evil = {"Origin": "https://evil.example", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"}
    assert ask(lesson.url, path, **evil)[0] == 400
    _, headers, _ = ask(lesson.url, f"{API}/auth/me", X_Forwarded_Proto="http")
    assert "Strict-Transport-Security" in headers, "the server knows that it is https"


def test_what_is_for_the_inside_is_closed_to_the_outside(lesson: Class, running: Service) -> None:
    for path in ("/metrics", "/monitor"):
        assert ask(running.url, path)[0] == 200
    ways = ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?a=1", "/./metrics"]
    for path in [*ways, "/monitor", "/monitor/", "/monitor/static/monitor.js"]:
        status, _, body = ask(lesson.url, path)
        assert status in (301, 308, 400, 404), path
        assert b"classwaves_" not in body, path
    for path in ("/healthz", "/readyz"):
        assert ask(lesson.url, path)[0] == 200


def test_the_log_of_nginx_has_no_queries(lesson: Class, in_front: Proxy) -> None:
    if not isinstance(in_front, Nginx):
        pytest.skip("Caddy keeps no log of requests unless it is told to")
    lesson.joined("polling")
    log = eventually(in_front.access_log, what="lines")
    assert "/socket.io/" in log
    assert "sid=" not in log


def test_a_class_does_not_notice_what_is_done_to_workers_and_proxy(
    lesson: Class, running: Service, in_front: Proxy
) -> None:
    """socket.io-client by all transports: a worker is killed; nginx is reloaded, and then the service."""
    reloaded = isinstance(in_front, Nginx)
    tokens = [lesson.api.guest(lesson.code, f"Guest {number}") for number in range(3)]
    given = {"url": lesson.url, "way": "upgrade", "code": lesson.code, "tokens": tokens, "advised": int(reloaded)}
    students = subprocess.Popen(
        [node(), str(RESTARTS), json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=minimal_environ() | {"NODE_EXTRA_CA_CERTS": os.environ["NODE_EXTRA_CA_CERTS"]},
        text=True,
    )
    with students:
        try:
            assert students.stdout
            assert "joined" in students.stdout.readline()
            killed, *_ = running.worker_pids
            os.kill(killed, signal.SIGKILL)
            running.has_others_than([killed])
            if isinstance(in_front, Nginx):
                in_front.reload()
                old = running.worker_pids
                running.reload()
                running.has_others_than(old)
            out, _ = students.communicate("done\n", timeout=60)
        finally:
            students.kill()
    assert students.returncode == 0, out
    said = int(json.loads(out.splitlines()[0])["step"].split()[1])
    assert said == len(lesson.api.messages(lesson.teacher, lesson.code))


def test_tls_is_what_browsers_ask_for(in_front: Proxy, keys: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(keys[0]))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", in_front.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert (secure.version(), secure.selected_alpn_protocol()) == ("TLSv1.3", "h2")


def test_the_service_ends_in_time_and_lets_its_clients_go(
    running: Service, keys: tuple[Path, Path], teacher: str
) -> None:
    """The last one: the service is gone then."""
    with contextlib.ExitStack() as stack:
        there = [kind for kind in PROXIES.values() if tool(kind.name)]
        lessons = [Class(stack.enter_context(kind(running.socket_path, keys)).url, teacher) for kind in there]
        clients = [lesson.joined(transport) for lesson in lessons for transport in ("websocket", "polling")]
        for lesson in lessons:
            stack.callback(lesson.dismiss)
        running.terminate()  # KillMode=mixed: the master alone
        with ThreadPoolExecutor(len(clients)) as pool:
            told = list(pool.map(was_told_before_its_end, clients))
        assert told[::2] == [True] * len(lessons), "by WebSocket; a polling client may be between two requests"
        assert running.wait(float(unit("classwaves.service")["TimeoutStopSec"][0])) == 0
        assert running.members() == []


def was_told_before_its_end(client: RawClient) -> bool:
    """Read until the end of the connection, and return whether the client was told before."""
    with contextlib.suppress(Closed):
        while True:
            client.read()
    return any(event == "reconnectAdvised" for event, _ in client.inbox)
