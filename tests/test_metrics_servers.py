"""The numbers of real workers: added up, kept when one dies, and what a loop that stands still looks like."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from tests.support.blocking_app import BlockingGunicorn
from tests.support.prometheus import Scrape, scrape
from tests.support.protocol import http
from tests.support.school import School, open_school
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def blocking() -> Iterator[School]:
    with open_school("memory", server=BlockingGunicorn, CLASSWAVES_BLOCKED_AFTER="0.4") as school:
        yield school


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_handler_that_blocks_the_loop_is_noticed(blocking: School) -> None:
    ann = blocking.guest(blocking.session())
    waits = 0

    def goes_on() -> bool:
        """A machine that stands still does to the loop what a handler would: it is seen for ten seconds."""
        nonlocal waits
        waits += 1
        assert ann.ask("wait", {"seconds": 0.6})["ok"]
        return status_of(blocking.url + "/healthz") == 200

    eventually(goes_on, 60, what="a handler that waits, and lets the others go on")
    assert ann.ask("block", {"seconds": 0.8})["ok"]
    answer = http(blocking.server.port, "GET", "/healthz")
    assert (answer.status, answer.body.strip()) == (503, b'{"status":"blocked"}')
    seen = scrape(blocking.url)
    late = seen.value("loop_lag_seconds_bucket", le="+Inf") - seen.value("loop_lag_seconds_bucket", le="0.25")
    assert late >= 1
    for event, times in (("wait", waits), ("block", 1)):
        assert seen.value("handler_latency_seconds_bucket", event=event, le="0.5") == 0
        assert seen.value("handler_latency_seconds_count", event=event) == times


def test_connections_and_bytes_by_transport(blocking: School) -> None:
    code = blocking.session()
    before = scrape(blocking.url)
    ann, bob = (blocking.joined(code, name, wire) for name, wire in (("Ann", "websocket"), ("Bob", "polling")))
    ann.say(code, "hello " * 100)
    bob.wait_for("messageReceived")
    after = scrape(blocking.url)
    for transport in ("websocket", "polling"):
        assert after.value("connections", transport=transport) - before.value("connections", transport=transport) == 1
        sent = "sent_bytes_total"
        assert after.value(sent, transport=transport) - before.value(sent, transport=transport) > 600
    assert after.value("received_bytes_total", transport="websocket") > 600
    bob.close()
    ended = "disconnects_total"
    eventually(lambda: scrape(blocking.url).value(ended) > before.value(ended), what="the end of a connection")


def test_who_says_goodbye_is_no_broken_connection(blocking: School) -> None:
    code = blocking.session()
    before = scrape(blocking.url)

    def ended(reason: str) -> float:
        name = "disconnects_total"
        return scrape(blocking.url).value(name, reason=reason) - before.value(name, reason=reason)

    for transport in ("websocket", "polling"):
        blocking.joined(code, "Ann", transport).close()  # as a tab that is closed does
    eventually(lambda: ended("client disconnect") == 2, what="the ends of those who left")
    blocking.joined(code, "Bob").wire.drop()
    eventually(lambda: ended("transport close") == 1, what="the end of one that broke")
    assert ended("client disconnect") == 2


def test_what_breaks_the_protocol_is_counted(blocking: School) -> None:
    before = scrape(blocking.url)
    http(blocking.server.port, "GET", "/socket.io/?EIO=3&transport=polling")
    http(blocking.server.port, "GET", "/socket.io/?EIO=4&transport=polling&sid=nobody")
    after = scrape(blocking.url)
    for reason in ("unsupported protocol version", "session id unknown"):
        grown = after.value("refused_total", reason=reason) - before.value("refused_total", reason=reason)
        assert grown == 1, reason


def sockets(pid: int, port: int) -> int:
    """How many clients of that port a process holds."""
    held = psutil.Process(pid).net_connections("tcp4")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in held)


def test_two_workers_are_one_and_the_dead_stay_counted() -> None:
    with open_school("redis", WEB_CONCURRENCY="2") as school:
        code = school.session()
        clients = [school.joined(code, f"Ann{number}") for number in range(6)]
        for client in clients:
            client.say(code, "hello")

        def whole() -> Scrape:  # those of the worker that is not asked are a second old
            seen = scrape(school.url)
            assert seen.value("workers") == 2
            assert seen.value("events_total", event="sendMessage", outcome="ok") == 6
            assert seen.value("connections") == 6
            return seen

        seen = eventually(whole, what="the numbers of both workers")
        assert seen.value("connections_opened_total", transport="websocket") == 6
        pids = school.server.worker_pids
        os.kill(next(pid for pid in pids if sockets(pid, school.server.port)), signal.SIGKILL)

        def buried() -> Scrape:
            seen = scrape(school.url)
            assert seen.value("connections") < 6
            return seen

        seen = eventually(buried, what="the end of a worker's gauges")
        assert seen.value("events_total", event="sendMessage", outcome="ok") == 6
        assert seen.value("connections_opened_total", transport="websocket") == 6
