"""A real browser: headless Chromium with the example page in windows that share nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from classwaves.auth.accounts import DEMO_PASSWORD
from tests.support.tools import chromium, npm_package
from tests.support.waiting import eventually

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

expect.set_options(timeout=15_000)  # five seconds, as it is by default, are little on a machine that has other work

# What Chromium itself writes on the console when a server refuses or is away.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
AWAY = re.compile(r"WebSocket connection to .* failed|Failed to load resource: net::ERR_")

# The name of each participant without "(you)", its last word; and the status.
PRESENCE = """items => items.map(item =>
    [item.children[1].firstChild.data.replace(" (you)", "").split(" ").pop(), item.dataset.status])"""


@contextmanager
def started_chromium(*more: str) -> Iterator[Browser]:
    """Run one Chromium with these arguments too, or skip where it or the page's Socket.IO client is missing.

    While it runs this thread has an event loop: nothing else may run one here.
    """
    npm_package("socket.io-client")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """The page in a window of one person, who shares no cookies, storage and network with others.

    What goes wrong in the page, uncaught or on the console, is kept in :attr:`faults`.

    :param url: where the page is
    :param options: of Playwright's ``new_context``, e.g. ``viewport``
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
        self.context.set_default_timeout(10_000)
        self.faults: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("console", self._on_console)
        self.page.goto(url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def complains(self, pattern: re.Pattern[str]) -> None:
        """Wait until the page has complained of this, which it does only while it is let run."""

        def complained() -> bool:
            self.page.wait_for_timeout(20)
            return any(pattern.search(fault) for fault in self.faults)

        eventually(complained, what=f"a complaint like {pattern.pattern!r}")

    def forgive(self, *expected: re.Pattern[str]) -> None:
        """Take from :attr:`faults` what the test has caused itself; each must have happened."""
        for pattern in expected:
            assert any(pattern.search(fault) for fault in self.faults), f"no {pattern.pattern!r} in {self.faults}"
            self.faults = [fault for fault in self.faults if not pattern.search(fault)]

    def at(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press a key until something has the focus, as who has no mouse does."""
        for _ in range(60):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.press(key)
        raise AssertionError(f"{key} does not lead to {selector}")

    def demo(self, name: str) -> None:
        """Log in with the button of a demo user."""
        self.at(f"#demo-{name}").click()
        self.is_in_state("connected")

    def log_in(self, name: str, password: str = DEMO_PASSWORD) -> None:
        """Log in with the form; it may be refused."""
        self.at("#username").fill(name)
        self.at("#password").fill(password)
        self.at("#login").click()

    def be_guest(self, name: str, code: str) -> None:
        """Join a session without an account."""
        self.at("#code").fill(code)
        self.at("#guest-name").fill(name)
        self.at("#guest-join").click()
        self.is_in_session("active")

    def join(self, code: str) -> None:
        """Ask for a session; it may be refused."""
        self.at("#code").fill(code)
        self.at("#join").click()

    def come_in(self, name: str, code: str) -> None:
        """Log in as a demo user and join an active session."""
        self.demo(name)
        self.join(code)
        self.is_in_session("active")

    def say(self, text: str) -> None:
        self.at("#message").fill(text)
        self.press("Enter")

    def is_in_state(self, kind: str) -> None:
        """Wait for a state of the connection."""
        expect(self.at("#state")).to_have_attribute("data-kind", kind, timeout=15_000)

    def is_in_session(self, status: str) -> None:
        """Wait for a session that one may write in."""
        expect(self.at("#session-status")).to_have_attribute("data-status", status, timeout=15_000)
        expect(self.at("#message")).to_be_enabled()

    def reads(self, *texts: str, timeout: float = 15) -> None:
        """Wait until these are all the messages on the page, and see that they are stored, and in the log's order."""
        expect(self.at("#messages .text")).to_have_text(list(texts), timeout=timeout * 1000)
        expect(self.at('#messages li:not([data-state="sent"])')).to_have_count(0)
        seqs = self.page.eval_on_selector_all("#messages li", "nodes => nodes.map(node => Number(node.dataset.seq))")
        assert seqs == sorted(set(seqs)), seqs

    def sees(self, **people: str) -> None:
        """Wait until these are the participants on the page, by the name's last word, each with their presence."""

        def as_expected() -> bool:
            assert dict(self.page.eval_on_selector_all("#participants li", PRESENCE)) == people
            return True

        eventually(as_expected, 15, "these participants")

    def is_told(self, words: str, code: str | None = None) -> None:
        """Wait for a problem in words, and the code behind them."""
        expect(self.at("#errors")).to_be_visible()
        expect(self.at("#errors p")).to_contain_text(words)
        if code:
            expect(self.at("#errors")).to_have_attribute("data-code", code)

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than its window."""
        size = self.page.viewport_size
        assert size
        return bool(self.page.evaluate("document.scrollingElement.scrollWidth") > size["width"])

    def close(self) -> None:
        """Close it as a person does: the page says goodbye to nobody."""
        self.context.close()
