"""What a line of the log looks like, what never is in it, and how many a client can cause."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from classwaves import logs
from classwaves.brake import KINDS, Brake
from classwaves.tally import LOST
from classwaves.trail import EVENT, REQUEST, Trail
from classwaves.transport.gunicorn_log import Logger, write_failures


class Lines(logging.Handler):
    """Keeps what a handler of ours would write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(logs.AddTrail())
        self.addFilter(logs.Bounded(3))
        self.all: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(self.format(record))


class Book:
    """A logger that writes nowhere else."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.lines = Lines(formatter)
        self.logger = logging.Logger("classwaves.test", logging.DEBUG)
        self.logger.addHandler(self.lines)

    @property
    def last(self) -> str:
        return self.lines.all[-1]

    def json(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.last)
        return line


@pytest.fixture
def book() -> Iterator[Book]:
    yield Book(logs.JsonFormatter())
    logs.name_worker("")


def fail(text: str) -> None:
    known: dict[str, int] = {}
    try:
        known[text]
    except KeyError as error:
        raise ValueError(text) from error


def test_a_line_of_json(book: Book) -> None:
    logs.name_worker("w1")
    with Trail(EVENT, "sendMessage", "u1", "s1") as trail:
        book.logger.info("%s was refused", "sendMessage", extra={"code": "FORBIDDEN", "seq": 0, "message_text": "no"})
    line = book.json()
    assert line.pop("time").endswith("Z")
    assert line.pop("pid")
    assert line == {
        "level": "INFO",
        "logger": "classwaves.test",
        "message": "sendMessage was refused",
        "worker": "w1",
        "traceId": trail.id,
        "event": "sendMessage",
        "sessionId": "s1",
        "userId": "u1",
        "code": "FORBIDDEN",
        "seq": 0,
    }, "and no field that nobody has allowed"


def test_what_is_not_known_is_not_there(book: Book) -> None:
    with Trail(REQUEST, "classwaves_sessions.create"):
        book.logger.info("hello")
    assert {"traceId", "route"} < book.json().keys()
    assert not {"event", "sessionId", "userId", "worker", "exception"} & book.json().keys()
    book.logger.info("hello")
    assert book.json().keys() == {"time", "level", "logger", "message", "pid"}


def test_an_exception_is_one_field_and_repeats_nothing_of_a_client(book: Book) -> None:
    said = " ".join(["what", "Ann", "has", "said"])
    with Trail(EVENT, "sendMessage"):
        try:
            fail(said)
        except ValueError:
            book.logger.exception("the event failed")
    told = book.json()["exception"]
    assert "KeyError" in told and "ValueError" in told and "in fail" in told
    assert said not in book.last


def test_an_exception_of_others_says_all(book: Book) -> None:
    said = " ".join(["the", "folder", "is", "missing"])
    for name, told in (("gunicorn.error", True), ("classwaves.archive", False), ("classwavesque", True)):
        book.logger.name = name
        try:
            fail(said)
        except ValueError:
            book.logger.exception("no start")
        assert (f"ValueError: {said}" in book.json()["exception"]) is told


def test_what_the_system_says_is_repeated_without_the_files_name(book: Book) -> None:
    try:
        Path(book.logger.name * 2).read_text()
    except OSError:
        book.logger.exception("no file")
    assert "FileNotFoundError: No such file" in book.json()["exception"]
    assert book.logger.name * 2 not in book.last


def test_text_stays_one_line() -> None:
    book = Book(logs.TextFormatter())
    with Trail(EVENT, "sendMessage"):
        book.logger.warning("a name\n2026 [1] INFO forged \x1b[2J\u2028", extra={"code": "A\nB"})
    assert len(book.last.splitlines()) == 1
    assert "\x1b" not in book.last
    assert "event=sendMessage" in book.last and r"code=A\x0aB" in book.last


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" in Book(logs.TextFormatter(colours=True)).lines.formatter.format(  # type: ignore[union-attr]
        logging.LogRecord("x", logging.ERROR, "", 0, "no", (), None)
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert logs.wanted({}) == ("text", "INFO")
    assert logs.make_formatter("text")._colours is True  # type: ignore[attr-defined]
    monkeypatch.setenv("NO_COLOR", "1")
    assert logs.make_formatter("text")._colours is False  # type: ignore[attr-defined]


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert logs.wanted({}) == ("json", "INFO")
    assert logs.wanted({"CLASSWAVES_LOG_FORMAT": "text", "CLASSWAVES_LOG_LEVEL": "debug"}) == ("text", "DEBUG")
    assert logs.wanted({"CLASSWAVES_LOG_FORMAT": "xml", "CLASSWAVES_LOG_LEVEL": "loud"}) == ("json", "INFO")


def test_a_client_does_not_fill_the_disk(book: Book) -> None:
    now = 0.0
    (bounded,) = [one for one in book.lines.filters if isinstance(one, logs.Bounded)]
    bounded._brake = Brake(3, lambda: now)
    for number in range(1000):
        book.logger.info("a packet was refused: %d", number)
        book.logger.debug("a detail")
    assert sum("refused" in line for line in book.lines.all) == 3
    assert sum("detail" in line for line in book.lines.all) == 1000
    now = 1.0
    book.logger.info("another thing")
    assert book.json()["leftOut"] == 997
    book.logger.info("another thing")
    assert "leftOut" not in book.json(), "told once"


def test_a_brake_keeps_no_more_kinds_than_it_may() -> None:
    now = 0.0
    brake = Brake(1, lambda: now)
    admitted = sum(brake.admits(str(number)) for number in range(2 * KINDS))
    assert admitted == KINDS + 1
    assert brake.left_out() == {}, "the second is not over"
    now = 1.0
    assert brake.left_out() == {None: KINDS - 1}
    assert brake.left_out() == {}
    assert brake.admits("1")


def test_an_application_keeps_its_own_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    below = [logging.getLogger(name) for name in ("socketio.server", "engineio.server")]
    for one in below:  # as they are before there is a server
        monkeypatch.setattr(one, "handlers", [])
        monkeypatch.setattr(one, "level", logging.NOTSET)
    before = [*root.handlers], root.level
    from classwaves import create_app
    from tests.support.apps import state_of
    from tests.support.gunicorn_server import TEST_KEYS

    state_of(create_app({**TEST_KEYS, "CLASSWAVES_ARCHIVE_URL": "none"})).close()
    assert before == ([*root.handlers], root.level)
    assert not any(one.handlers for one in (*below, logging.getLogger("classwaves")))
    assert [one.level for one in below] == [logging.ERROR] * 2


def test_what_a_greenlet_dies_of_is_a_line_without_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    said = "what Ann has said"
    hub = gevent.get_hub()
    write_failures(hub)
    try:
        gevent.spawn(fail, said).join()
    finally:
        del hub.print_exception
        counted = LOST.pop("greenlet")
    assert counted == 1
    (line,) = caplog.records
    assert line.exc_info and line.exc_info[0] is ValueError
    assert said not in logs.JsonFormatter().format(line)


def test_the_access_log_tells_no_code_and_no_query() -> None:
    logger = Logger.__new__(Logger)  # made by gunicorn, it takes over the logging of the process
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/api/v1/sessions/ABC234/messages?token=secret",
        "PATH_INFO": "/api/v1/sessions/ABC234/messages",
        "QUERY_STRING": "token=secret",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_AUTHORIZATION": "Bearer secret",
        "HTTP_COOKIE": "a=secret",
        "HTTP_REFERER": "https://a.example/ABC234",
    }
    headers = [("Authorization", "Bearer secret"), ("Cookie", "a=secret"), ("Accept", "*/*")]
    answer = SimpleNamespace(status="200 OK", headers=[], sent=1)
    atoms = logger.atoms(answer, SimpleNamespace(headers=headers), environ, timedelta())
    told = " ".join(str(value) for value in atoms.values())
    assert "GET /api/v1/sessions/-/messages HTTP/1.1" in told
    assert atoms["{accept}i"] == "*/*"
    assert "secret" not in told and "ABC234" not in told
