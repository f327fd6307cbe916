"""The example of a webhook: signed, in order, nothing missed while the receiver is away, and the class never waits."""

import base64
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.examples import EXAMPLES, Example, environ
from tests.support.ports import free_port
from tests.support.school import School, open_school
from tests.support.waiting import eventually

KEY = base64.b64encode(b"0123456789abcdefghijklmn").decode()


class Receiver:
    """Keeps what it gets, and answers what ``answers`` says, then 204."""

    def __init__(self) -> None:
        self.port = free_port()
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        self._server: HTTPServer | None = None

    def open(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name, sent, signature = (self.headers[f"webhook-{one}"] for one in ("id", "timestamp", "signature"))
                right = hmac.digest(base64.b64decode(KEY), f"{name}.{sent}.".encode() + body, hashlib.sha256)
                status = receiver.answers.pop(0) if receiver.answers else 204
                if signature != f"v1,{base64.b64encode(right).decode()}" or abs(time.time() - int(sent)) > 60:
                    status = 401
                if status == 204:
                    receiver.got.append((name, json.loads(body)))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                """Where a redirect leads."""
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def texts(self) -> list[str]:
        return [event["data"]["message"] for _, event in self.got if event["type"] == "messageReceived"]


class Webhook(Example):
    """The example, which listens nowhere: it is ready when it runs."""

    def is_ready(self) -> bool:
        return True


def hook(archive: Path, receiver: Receiver, wanted: str = "") -> Webhook:
    replace = {
        "sqlite:////var/tmp/archive.sqlite3": f"sqlite:///{archive}",
        "http://127.0.0.1:9000/": f"http://127.0.0.1:{receiver.port}/",
        "$(openssl rand -base64 24)": KEY,
    }
    return Webhook("webhook_out", replace, WEBHOOK_EVENTS=wanted)


def rows(archive: Path, table: str, what: str) -> list[tuple[Any, ...]]:
    """What is in a table of the archive, if there is one."""
    if not archive.exists():
        return []
    with closing(sqlite3.connect(archive)) as database:
        there = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return database.execute(f"SELECT {what} FROM {table}").fetchall() if there else []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    with open_school(CLASSWAVES_ARCHIVE_URL=f"sqlite:///{tmp_path}/archive.sqlite3") as school:
        yield school


def test_everything_arrives_once_in_order_though_the_receiver_is_away(
    school: School, receiver: Receiver, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.sqlite3"
    code = school.session()
    client = school.joined(code)
    past = client.say(code, "Before")["seq"]
    eventually(lambda: (past,) in rows(archive, "classwaves_entries", "seq"), what="the archive")

    def is_sent(seq: int) -> bool:
        """Whether the cursor is there: who is killed before it has moved sends the event twice."""
        return (seq,) in rows(archive, "webhook_cursors", "seq")

    with hook(archive, receiver) as running:
        eventually(lambda: is_sent(past), what="its first start")
        client.say(code, "The receiver is away")
        eventually(lambda: "trying again" in running.log(), what="its first attempt")
        client.say(code, "And still")
        receiver.answers = [302]  # it would follow without the body
        receiver.open()
        eventually(lambda: is_sent(past + 2), what="what was missed")
    assert len(receiver.texts()) == 2
    client.say(code, "The webhook is away")
    school.api.step(school.teacher, code, "start")
    with hook(archive, receiver, "messageReceived,sessionStatusChanged"):
        eventually(lambda: len(receiver.got) >= 4, what="what was missed meanwhile")
    assert receiver.texts() == ["The receiver is away", "And still", "The webhook is away"]
    names, events = zip(*receiver.got, strict=True)
    assert len(set(names)) == len(names)
    assert [event["seq"] for event in events] == list(range(past + 1, past + 5))
    assert (events[-1]["type"], events[-1]["sessionCode"], events[-1]["author"]) == (
        "sessionStatusChanged",
        code,
        "demo-teacher",
    )


@pytest.mark.parametrize("secret", ["", "whsec_", f"whsec_{KEY[:8]}"])
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    env = environ(WEBHOOK_URL="http://127.0.0.1:1/", WEBHOOK_SECRET=secret, CLASSWAVES_ARCHIVE_URL="sqlite://")
    done = subprocess.run(
        [sys.executable, "webhook_out.py"], cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (1, "webhook_out: WEBHOOK_SECRET is too short\n")
