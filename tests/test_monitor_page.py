"""The monitor's page in a real browser, against two workers on one Redis."""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from classwaves import create_app
from tests.support.apps import add_user, state_of
from tests.support.browser import AWAY, REFUSED, Window, started_chromium
from tests.support.clients import RawClient
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer
from tests.support.school import School
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("browser")

ADMIN = "Root"
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=800)
QUICK = {
    "CLASSWAVES_MONITOR_SECONDS": "0.25",
    "CLASSWAVES_LEASE": "5",
    "CLASSWAVES_RENEW": "0.5",
    "CLASSWAVES_REDIS_TIMEOUT": "4",
}

# The texts that are hard to read: what is below 4.5 to 1 (WCAG 2.2, 1.4.3), or 3 to 1 if it is large.
CONTRASTS = """() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 :
        ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => { for (; node; node = node.parentElement) {
        const color = parts(getComputedStyle(node).backgroundColor);
        if (color.length < 4 || color[3] === 1) return color; } return [255, 255, 255]; };
    return [...document.querySelectorAll("body *")].filter(node => node.checkVisibility() &&
            [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())).flatMap(node => {
        const style = getComputedStyle(node), inside = node instanceof SVGElement;
        const [one, other] = [light(parts(inside ? style.fill : style.color)), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        return ratio >= (parseFloat(style.fontSize) >= 24 ? 3 : 4.5) ? [] : [[node.textContent, ratio]];
    });
}"""
# The charts of which two lines look the same, or would without colour.
LINES = """() => {
    const looks = figure => [...figure.querySelectorAll(".legend .line")].map(line =>
        getComputedStyle(line).stroke + line.getAttribute("stroke-dasharray"));
    const dashes = figure => [...figure.querySelectorAll(".legend .line")].map(line =>
        line.getAttribute("stroke-dasharray"));
    return [...document.querySelectorAll("figure")].flatMap(figure =>
        [looks(figure), dashes(figure)].filter(all => new Set(all).size < all.length));
}"""
# What can be reached or seen and has no name.
NAMELESS = """() => [...document.querySelectorAll('button, input, summary, [tabindex], [role=img], table, section')]
    .filter(node => node.checkVisibility() && !node.closest("[aria-hidden]")).filter(node => {
        const label = node.getAttribute("aria-labelledby");
        const name = node.getAttribute("aria-label") || (label && document.getElementById(label)?.textContent) ||
            node.labels?.[0]?.textContent || node.caption?.textContent || node.textContent;
        return !name.trim(); }).map(node => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def school(redis_process: RedisServer) -> Iterator[School]:
    redis_process.make_clean()
    app = create_app({"REDIS_URL": redis_process.url, **TEST_KEYS})
    add_user(app, ADMIN, "admin")
    state_of(app).close()
    env = {"REDIS_URL": redis_process.url, "WEB_CONCURRENCY": "2", "CLASSWAVES_RATELIMIT_ENABLED": "0"}
    with Gunicorn(env={**TEST_KEYS, **env, **QUICK}) as server:
        school = School(server)
        yield school
        school.dismiss()


class Monitor(Window):
    """The page in a window."""

    def __init__(self, browser: Browser, school: School, **options: Any) -> None:
        super().__init__(browser, f"{school.url}/monitor", **options)

    def is_live(self) -> None:
        expect(self.at("#state")).to_have_text("Live", timeout=15_000)
        expect(self.at("#workers tbody tr").first).to_be_visible()

    def rows(self, table: str) -> list[list[str]]:
        found: list[list[str]] = self.page.eval_on_selector_all(
            f"{table} tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
        return found

    def tile(self, title: str) -> str:
        return self.at("#tiles div").filter(has_text=title).locator("dd").inner_text()

    def is_told(self, words: str, code: str | None = None) -> None:
        expect(self.at("#problem")).to_contain_text(words)
        expect(self.at("#problem")).to_have_attribute("data-code", code or "")


@pytest.fixture
def monitor(browser: Browser, school: School) -> Iterator[Monitor]:
    window = Monitor(browser, school, viewport=DESK)
    yield window
    window.close()
    assert window.faults == []


def crowd(school: School, code: str, count: int) -> list[RawClient]:
    return [school.joined(code, f"Guest {number}") for number in range(count)]


def test_both_workers_and_their_sum(monitor: Monitor, school: School) -> None:
    code = school.session()
    people = crowd(school, code, 5)
    monitor.log_in(ADMIN)
    monitor.is_live()

    def whole() -> bool:
        rows = monitor.rows("#workers")
        assert [row[1] for row in rows] == ["running"] * 2
        assert {int(row[9]) for row in rows} == set(school.server.worker_pids)
        assert sum(int(row[4]) for row in rows) == 6, "five guests and this page"
        assert monitor.tile("Connections") == "6" and monitor.tile("Workers") == "2"
        assert [row[:4] for row in monitor.rows("#sessions") if row[0] == code] == [[code, "created", "5", "5"]]
        return True

    eventually(whole, what="both workers", pause=0.1)
    for number in range(20):
        people[0].say(code, f"message {number}")
    people[1].wire.drop()
    assert people[2].ask("no such event")["error"]["code"] == "UNKNOWN_EVENT"

    def told() -> bool:
        assert monitor.rows("#words-errors") == [["UNKNOWN_EVENT", "1"]]
        assert monitor.rows("#words-disconnects")[0][1] == "1"
        return True

    eventually(told, what="what happened", pause=0.1)
    for name, key in (("throughput", 1), ("connections", 1), ("lag", 1)):
        figure = monitor.at(f"#chart-{name}-figure")
        figure.locator("summary").click()
        expect(figure.locator("tbody tr").first).to_be_visible()
        values = [row[key] for row in monitor.rows(f"#chart-{name}-figure")]
        assert any(value not in ("–", "0") for value in values), (name, values)
        assert "now" in (figure.locator("[role=img]").last.get_attribute("aria-label") or "")
    monitor.at("#logout").click()
    expect(monitor.at("#board")).to_be_hidden()
    expect(monitor.at("#state")).to_have_text("Not logged in")
    school.dismiss()


def test_a_killed_worker_is_shown_as_gone_and_then_no_more(browser: Browser, school: School) -> None:
    monitor = Monitor(browser, school, viewport=DESK)
    monitor.log_in(ADMIN)
    monitor.is_live()
    eventually(lambda: len(monitor.rows("#workers")) == 2, what="two workers", pause=0.1)
    killed = school.server.worker_pids[0]
    os.kill(killed, signal.SIGKILL)

    def states() -> dict[int, str]:
        return {int(row[9]): row[1] for row in monitor.rows("#workers")}

    eventually(lambda: states().get(killed) == "gone?", what="gone", pause=0.05)
    expect(monitor.at("#tiles div").filter(has_text="Workers running").locator("dd")).to_have_text(
        re.compile("^[12] of")
    )
    assert monitor.page.evaluate(
        "document.querySelectorAll('#tiles div').values().every(tile => tile.scrollWidth <= tile.clientWidth)"
    ), "each tile has room for what is in it"
    eventually(lambda: killed not in states() and set(states().values()) == {"running"}, 20, "no other", pause=0.1)
    eventually(lambda: len(states()) == 2, 40, "the new one", pause=0.1)
    assert not psutil.pid_exists(killed)
    monitor.is_live()
    assert not [fault for fault in monitor.faults if not AWAY.search(fault)]
    monitor.close()


def test_without_redis_it_says_so_and_goes_on(monitor: Monitor, school: School, redis_process: RedisServer) -> None:
    monitor.log_in(ADMIN)
    monitor.is_live()
    expect(monitor.at("#store")).to_be_hidden()
    redis_process.pause()
    try:
        expect(monitor.at("#store")).to_be_visible(timeout=15_000)
        expect(monitor.at("#workers tbody tr")).to_have_count(1)
    finally:
        redis_process.resume()
    expect(monitor.at("#store")).to_be_hidden(timeout=15_000)
    expect(monitor.at("#workers tbody tr")).to_have_count(2, timeout=15_000)


def test_it_can_be_read_on_a_phone_and_a_desk_by_day_and_by_night(monitor: Monitor) -> None:
    def is_readable() -> None:
        for scheme, size in itertools.product(("light", "dark"), (PHONE, DESK)):
            monitor.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            monitor.page.set_viewport_size(size)
            assert not monitor.scrolls_sideways(), size
            assert monitor.page.evaluate(CONTRASTS) == [], scheme
        assert monitor.page.evaluate(NAMELESS) == []

    is_readable()
    monitor.log_in(ADMIN)
    monitor.is_live()
    for summary in monitor.at("summary").all():
        summary.click()
    expect(monitor.at("#chart-lag-figure tbody tr").first).to_be_visible()
    is_readable()
    assert monitor.page.evaluate(LINES) == []


def test_by_keyboard(monitor: Monitor) -> None:
    monitor.tab_to("#username")
    monitor.page.keyboard.type(ADMIN)
    monitor.tab_to("#password")
    monitor.page.keyboard.type("classwaves")
    monitor.press("Enter")
    monitor.is_live()
    monitor.tab_to("#pause", "Shift+Tab")
    monitor.press("Enter")
    expect(monitor.at("#state")).to_have_text("Paused")
    monitor.press("Enter")
    monitor.is_live()
    monitor.tab_to("summary")
    monitor.press("Enter")
    expect(monitor.at("#chart-connections-figure tbody tr").first).to_be_visible()


def test_who_is_refused_is_told_so(monitor: Monitor, school: School) -> None:
    monitor.log_in(ADMIN, "not my password")
    monitor.is_told("User name or password is wrong.", "INVALID_CREDENTIALS")
    monitor.log_in("teacher")
    monitor.is_told("The monitor is for administrators.", "FORBIDDEN")
    expect(monitor.at("#board")).to_be_hidden()
    monitor.log_in(ADMIN)
    monitor.is_live()
    monitor.page.reload()
    expect(monitor.at("#login-form")).to_be_visible()
    monitor.forgive(REFUSED)
