"""A real browser with a page of another origin: let in by the list or a wildcard, else kept out by each way in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import started_chromium
from tests.support.gunicorn_server import Gunicorn

pytestmark = pytest.mark.xdist_group("browser")

# What a page can try. Each way answers with what it got, or "refused".
TRY = """async ({ server, token }) => {
  const tried = (promise) => promise.then(String, () => "refused");
  const handshake = server + "/socket.io/?EIO=4&transport=polling";
  const socket = () => new Promise((resolve, reject) => {
    const ws = new WebSocket(server.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket");
    ws.onmessage = (event) => { resolve(event.data[0] === "0" ? "open" : event.data); ws.close(); };
    ws.onerror = reject;
  });
  return {
    websocket: await tried(socket()),
    polling: await tried(fetch(handshake).then((got) => got.text()).then((text) => text[0] === "0" ? "open" : text)),
    rest: await tried(fetch(server + "/api/v1/auth/me", { headers: { Authorization: "Bearer " + token } })
      .then((answer) => answer.status)),
    cookie: document.cookie,
  };
}"""


class AnotherPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another page</title><body>")

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def other_page() -> Iterator[int]:
    """Serve an empty page on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), AnotherPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def other() -> Iterator[int]:
    with other_page() as port:
        yield port


@pytest.fixture(scope="module")
def server(other: int) -> Iterator[Gunicorn]:
    """Pages of listed.example and of subdomains of school.example are welcome, on the other port."""
    listed = f"http://listed.example:{other},http://*.school.example:{other}"
    with Gunicorn(env={"CLASSWAVES_ORIGINS": listed}) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium("--host-resolver-rules=MAP *.example 127.0.0.1") as running:
        yield running


def tries(browser: Browser, page_url: str, server: Gunicorn) -> dict[str, str]:
    page: Page = browser.new_page()
    try:
        page.goto(page_url)
        told: dict[str, str] = page.evaluate(TRY, {"server": server.url, "token": "none"})
        return told
    finally:
        page.close()


@pytest.mark.parametrize("host", ["listed.example", "a.school.example", "b.a.school.example"])
def test_a_page_that_is_welcome(browser: Browser, server: Gunicorn, other: int, host: str) -> None:
    told = tries(browser, f"http://{host}:{other}/", server)
    assert (told["websocket"], told["polling"], told["rest"], told["cookie"]) == ("open", "open", "401", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "school.example", "evilschool.example", "listed.example.evil.example"]
)
def test_a_page_that_is_not(browser: Browser, server: Gunicorn, other: int, host: str) -> None:
    told = tries(browser, f"http://{host}:{other}/", server)
    assert (told["websocket"], told["polling"], told["rest"]) == ("refused", "refused", "refused")


def test_it_is_said_in_the_log_what_to_change(browser: Browser, server: Gunicorn, other: int) -> None:
    tries(browser, f"http://new.example:{other}/", server)
    told = [line for line in server.log().splitlines() if f"http://new.example:{other}" in line]
    assert len(told) == 1
    assert "CLASSWAVES_ORIGINS" in told[0]


def test_the_own_page_works_under_its_policy(browser: Browser, server: Gunicorn) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    try:
        answer = page.goto(server.url)
        assert answer is not None and "default-src 'none'" in answer.headers["content-security-policy"]
        page.locator("#demo-student").click()
        page.locator('#state[data-kind="connected"]').wait_for()
        assert faults == []
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.evil = 1'}))"
        )
        assert page.evaluate("window.evil") is None
        assert any("Content Security Policy" in fault for fault in faults)
    finally:
        page.close()
