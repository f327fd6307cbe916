"""Somebody at the classroom pages (``/classroom/``) in a real browser."""

from typing import Any

from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import Window
from tests.support.contract import contract_package

LAPTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Desk(Window):
    """A window of the classroom, at its door.

    :param url: of the server
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        super().__init__(browser, f"{url}/classroom/", **{**LAPTOP, **options})

    def teach(self, code: str) -> None:
        """Log in as the demo teacher, and go into a session."""
        self.page.goto(f"{self.page.url.partition('#')[0]}#code={code}")
        self.page.reload()
        self.at("#demo-teacher").click()
        self.is_in()

    def come_as(self, name: str, code: str) -> None:
        """Join a session as a guest, whom nobody has to let in."""
        self.knock(name, code)
        self.is_in()

    def knock(self, name: str, code: str) -> None:
        self.at("#code").fill(code)
        self.at("#name").fill(name)
        self.at("#join").click()

    def is_in(self, timeout: float = 15) -> None:
        """Wait until the classroom is there, and its history."""
        expect(self.at("#state")).to_have_attribute("data-state", "joined", timeout=timeout * 1000)
        expect(self.at("#chat .scroll:not([aria-busy])")).to_have_count(1)

    def reads(self, *texts: str, timeout: float = 15) -> None:
        """Wait until these are all messages, each stored, in the order of the log; the page's own notices aside."""
        said = self.at("#messages > li:not([data-type=notice])")
        expect(said.locator("p.text")).to_have_text(list(texts), timeout=timeout * 1000)
        expect(self.at("#messages > [data-state]:not([data-state=sent])")).to_have_count(0, timeout=timeout * 1000)
        seqs = self.page.eval_on_selector_all("#messages > li", "nodes => nodes.map(node => Number(node.dataset.seq))")
        assert seqs == sorted(seqs), seqs

    def message(self, text: str) -> Locator:
        """The message with this text."""
        return self.at("#messages > li").filter(has_text=text)

    def person(self, name: str) -> Locator:
        """Somebody on the list of people."""
        return self.at("#participants > li").filter(has_text=name)

    def act_on(self, name: str, action: str) -> None:
        """Do something about somebody, as staff."""
        person = self.person(name)
        if person.locator("[aria-expanded]").get_attribute("aria-expanded") == "false":
            person.locator("[aria-expanded]").click()
        person.get_by_role("button", name=action, exact=True).click()

    def violations(self, *rules: str) -> list[str]:
        """What axe-core finds fault with on the page as it is: by these of its rules, or by all of WCAG 2.2 AA."""
        if not self.page.evaluate("typeof axe === 'object'"):
            axe = contract_package("axe-core") / "axe.min.js"
            self.page.evaluate(axe.read_text())  # a script tag would be against the page's policy
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
        found = self.page.evaluate("runOnly => axe.run(document, {runOnly})", only)
        assert found["passes"], "nothing was looked at"
        nodes = [(one["id"], node) for one in found["violations"] for node in one["nodes"]]
        return [f"{name}: {node['failureSummary']} {node['html']}" for name, node in nodes]
