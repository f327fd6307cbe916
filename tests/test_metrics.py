"""``/metrics``: what Prometheus is told, who is told it, and that no client makes it longer."""

import threading

import pytest
from flask import Flask

from classwaves import logs, tally
from classwaves.metrics import METRICS
from classwaves.tally import PLACES
from tests.support.apps import AppFactory, bearer, state_of
from tests.support.prometheus import Scrape, promtool
from tests.support.tabs import Classroom, Tabs, open_classroom
from tests.support.tabs import room as room
from tests.support.tabs import tabs as tabs

TOKEN = "a-token-of-the-scraper-0123456789"

NAMES = {
    *("connections", "disconnects_total", "events_total", "deliveries_total", "handler_latency_seconds"),
    *("append_latency_seconds", "feed_lag_seconds", "loop_lag_seconds", "room_size", "rate_limited_total"),
}
"""Names that dashboards of others rely on."""


def scraped(app: Flask) -> Scrape:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return Scrape(answer.get_data(as_text=True))


def test_a_lesson_as_prometheus_sees_it(tabs: Tabs, room: Classroom) -> None:
    tabs["Ada"].say(room.code, "hello")
    tabs["Bob"].ask("sendMessage", {"sessionCode": room.code})
    tabs["Cyd"].vanish()
    seen = scraped(room.app)
    assert seen.value("connections") == 3
    assert seen.value("connections_opened_total") == 4
    assert seen.value("disconnects_total", reason="client disconnect") == 1
    assert seen.value("disconnects_total", reason="slow consumer") == 0
    assert seen.value("events_total", event="sendMessage", outcome="ok") == 1
    assert seen.value("events_total", event="sendMessage", outcome="INVALID_PAYLOAD") == 1
    assert seen.value("events_sent_total", event="messageReceived") == 1
    assert seen.value("handler_latency_seconds_count", event="sendMessage") == 2
    assert seen.value("handler_latency_seconds_bucket", event="sendMessage", le="+Inf") == 2
    assert seen.value("append_latency_seconds_count") == 1
    assert seen.value("room_size_bucket", le="5.0") >= 1
    assert seen.value("room_size_bucket", le="2.0") == 0
    assert seen.value("sessions") == 1


def test_the_first_failure_is_an_increase(demo_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scraped(demo_app)
    assert before.samples["failures_total"] == {(("place", place),): 0 for place in PLACES}
    monkeypatch.setattr(threading, "excepthook", logs.thread_failed)
    lost: dict[str, int] = {}
    monkeypatch.setattr(tally, "LOST", lost)
    monkeypatch.setattr(logs, "LOST", lost)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert scraped(demo_app).value("failures_total", place="thread") == 1 == lost["thread"]


def test_the_names_that_were_promised_are_there(demo_app: Flask) -> None:
    assert {spec.name for spec in METRICS} >= NAMES
    page = scraped(demo_app).page
    assert all(f"# TYPE classwaves_{name} " in page for name in NAMES)


def test_promtool_finds_no_fault_with_it(tabs: Tabs, room: Classroom) -> None:
    assert promtool("check", "metrics", given=scraped(room.app).page) == ""


def test_every_metric_is_declared_once() -> None:
    assert len({spec.name for spec in METRICS}) == len({spec.source for spec in METRICS}) == len(METRICS)


def test_no_client_makes_new_series(tabs: Tabs, room: Classroom) -> None:
    def misbehave(number: int) -> None:
        tabs["Ada"].ask(f"made up {number}", number)
        tabs["Ada"].ask("sendMessage", {"sessionCode": room.code, "message": "hi", f"field{number}": 1})
        tabs["Ada"].ask("joinSession", f"CODE{number}")
        room.tab(f"User{number}").ask("leaveSession", room.code)
        client = room.app.test_client()
        if number % 100 == 0:  # looking at a password takes its time
            client.post("/api/v1/auth/login", json={"username": f"user{number}", "password": "x"})
        client.get(f"/api/v1/sessions/{number}", headers={**bearer(f"token{number}"), "Origin": f"http://{number}"})
        client.get(f"/socket.io/?EIO=4&transport=made-up-{number}", headers={"Origin": f"http://{number}.example"})

    misbehave(0)
    before = scraped(room.app)
    for number in range(1, 201):
        misbehave(number)
    after = scraped(room.app)
    assert after.value("events_total", event="unknown", outcome="UNKNOWN_EVENT") == 201
    assert after.series == before.series
    assert "made up" not in after.page and "user1" not in after.page.lower() and room.code not in after.page


def test_applications_of_one_process_have_registries_of_their_own(make_app: AppFactory) -> None:
    one, other = (open_classroom(make_app()) for _ in range(2))
    one.teacher()
    assert (scraped(one.app).value("connections"), scraped(other.app).value("connections")) == (1, 0)
    assert state_of(one.app).metrics.registry is not state_of(other.app).metrics.registry


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ({}, 401, "AUTH_REQUIRED"),
        ({"Authorization": TOKEN}, 401, "AUTH_REQUIRED"),
        (bearer("another"), 401, "INVALID_TOKEN"),
        (bearer("a-t\N{LATIN SMALL LETTER O WITH DIAERESIS}ken"), 401, "INVALID_TOKEN"),
        (bearer(TOKEN), 200, ""),
    ],
)
def test_who_asks_shows_the_token(make_app: AppFactory, header: dict[str, str], status: int, code: str) -> None:
    answer = make_app(CLASSWAVES_METRICS_TOKEN=TOKEN).test_client().get("/metrics", headers=header)
    assert answer.status_code == status
    assert answer.headers["Cache-Control" if status == 200 else "WWW-Authenticate"]
    if code:
        assert answer.get_json()["error"]["code"] == code
        assert TOKEN not in answer.get_data(as_text=True)


def test_asking_for_numbers_is_no_visit_that_users_limits_know(make_app: AppFactory) -> None:
    client = make_app(CLASSWAVES_RATELIMIT_ENABLED=True, CLASSWAVES_READ_RATE="1/hour").test_client()
    assert {client.get("/metrics").status_code for _ in range(50)} == {200}


def test_a_file_is_counted_by_what_came_of_it(room: Classroom) -> None:
    teacher = room.teacher()
    start = {"sessionCode": room.code, "clientFileId": "1", "fileName": "a", "mimeType": "text/plain", "size": 1}
    begun = teacher.ask("fileStart", {**start, "sha256": "0" * 64})
    assert begun["ok"], begun
    assert teacher.ask("fileStart", {**start, "sha256": "0" * 64})["fileId"] == begun["fileId"]
    assert teacher.ask("fileCancel", {"fileId": begun["fileId"]})["ok"]
    seen = scraped(room.app)
    assert (seen.value("uploads_total", outcome="begun"), seen.value("uploads_total", outcome="cancelled")) == (1, 1)
