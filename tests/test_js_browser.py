"""The page of docs/client-js.md without a build step, in a browser, also after a reload and without a line."""

import re
from collections.abc import Iterator

import pytest

from tests.support.browser import Window, started_chromium
from tests.support.gunicorn_server import ROOT
from tests.support.school import School, open_school
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("js-client")


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school() as school:
        yield school


def test_a_page_without_a_build_step(school: School) -> None:
    found = re.search(r"```html\n(.*?)```", (ROOT / "docs" / "client-js.md").read_text(), re.DOTALL)
    assert found
    code = school.session()
    teacher = school.connect(school.teacher)
    teacher.join(code)
    with started_chromium() as browser:
        window = Window(browser, f"{school.url}/healthz")
        page = window.page
        page.route("**/classroom.html", lambda route: route.fulfill(body=found[1], content_type="text/html"))
        page.route("**/classwaves.js", lambda route: route.fulfill(path=ROOT / "clients/js/classwaves.js"))

        def shows(*wanted: str) -> None:
            eventually(lambda: page.locator("#messages li").all_text_contents() == [*wanted], 20, str(wanted))

        page.goto(f"{school.url}/classroom.html#token={school.api.guest(code, 'Ann')}&code={code}")
        page.wait_for_function("document.title === 'joined'")
        teacher.say(code, "one")
        shows("one")
        page.reload()
        page.wait_for_function("document.title === 'joined'")
        teacher.say(code, "two")
        shows("one", "two")
        page.context.set_offline(True)
        teacher.say(code, "three")
        page.context.set_offline(False)
        shows("one", "two", "three")
        # the browser takes a page that a test answers for itself for one of the internet, which may open no sockets:
        # so it is by polling that the client is there, as behind a proxy that knows no WebSocket
        assert not [fault for fault in window.faults if not re.search("WebSocket connection to|INTERNET_DISCON", fault)]
