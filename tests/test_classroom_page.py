"""The classroom pages in a real browser, against two workers on one Redis: what a teacher and students see and do."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from classwaves import Publisher
from tests.support.blocks import blocks
from tests.support.browser import AWAY, REFUSED, started_chromium
from tests.support.classroom import PHONE, Desk
from tests.support.gunicorn_server import ROOT
from tests.support.school import School, open_school

# two minutes, as it is elsewhere, are little for axe and for new workers on a machine that has other work
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

OpenDesk = Callable[..., Desk]
HOSTILE = "<img src=x onerror=alert(1)> & \u202egnirts\u202c </b>"
TITLE = "<b onclick=alert(1)>Fractions</b> שברים"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school("redis", WEB_CONCURRENCY="2", CLASSWAVES_DEMO="1", CLASSWAVES_DISCONNECT_GRACE="1") as school:
        yield school


@pytest.fixture
def code(school: School) -> str:
    code = school.session()
    school.api.step(school.teacher, code, "start")
    return code


@pytest.fixture
def desk(browser: Browser, school: School) -> Iterator[OpenDesk]:
    """Return a function that opens windows at the door; closed after the test, in which nothing may go wrong."""
    opened: list[Desk] = []

    def open_desk(**options: object) -> Desk:
        opened.append(Desk(browser, school.url, **options))
        return opened[-1]

    yield open_desk
    for one in opened:
        one.close()
    assert [one.faults for one in opened] == [[] for _ in opened]


def test_a_lesson(desk: OpenDesk, code: str) -> None:
    teacher, student = desk(), desk(**PHONE)
    teacher.teach(code)
    student.come_as("Mia Brandt", code.lower())

    student.at("#message").press_sequentially("Goo")
    expect(teacher.at(".typing")).to_have_text("Mia Brandt is typing…")
    student.at("#message").fill("Good morning")
    student.at("#send").click()
    for one in (teacher, student):
        one.reads("Good morning")
    expect(teacher.at(".typing")).to_have_text("")
    expect(student.message("Good morning").locator(".below")).to_have_text("Read by \u2068Demo Teacher\u2069")

    teacher.message("Good morning").locator(".opener").click()
    teacher.at("#messages").get_by_role("button", name="React with 🎉").click()
    for one, mine in ((teacher, "true"), (student, "false")):
        expect(one.at("#messages .chip")).to_have_text("🎉 1")
        expect(one.at("#messages .chip")).to_have_attribute("aria-pressed", mine)
    student.at("#messages .chip").click()
    expect(teacher.at("#messages .chip")).to_have_text("🎉 2")
    teacher.at("#messages .chip").click()
    expect(student.at("#messages .chip")).to_have_text("🎉 1")

    student.at("#hand").click()
    expect(teacher.person("Mia").locator(".hand")).to_contain_text("1")
    expect(student.at("#hand")).to_have_text("Hand is up (1)")
    teacher.act_on("Mia", "Lower hand")
    expect(student.at("#hand")).to_have_text("Raise hand")
    student.at("#tab-people").click()
    student.at("#own-status").select_option("away")
    expect(teacher.person("Mia")).to_have_attribute("data-status", "away")
    student.at("#tab-chat").click()

    teacher.act_on("Mia", "Mute")
    expect(student.at("#why-not")).to_contain_text("Your teacher has muted you.")
    teacher.act_on("Mia", "Unmute")
    teacher.at("#mode").select_option("focus")
    expect(student.at("#why-not")).to_have_text("Only the teacher writes at the moment.")
    teacher.at("#mode").select_option("open")
    expect(student.at("#message")).to_be_enabled()

    teacher.at("#pause").click()
    expect(student.at("#status")).to_have_text("Paused")
    teacher.message("Good morning").locator(".opener").click()
    teacher.at("#messages").get_by_role("button", name="Delete").click()
    teacher.at("dialog").get_by_role("button", name="Delete").click()
    for one in (teacher, student):
        one.reads()
    teacher.act_on("Mia", "Remove")
    teacher.at("dialog").get_by_role("button", name="Remove").click()
    expect(student.at("#banner")).to_contain_text("You were removed from this session.")
    expect(teacher.person("Mia")).to_have_count(0)


def test_nothing_is_lost_or_doubled_when_the_workers_die(desk: OpenDesk, school: School, code: str) -> None:
    teacher, student = desk(), desk()
    teacher.teach(code)
    student.come_as("Mia", code)
    said = ["before"]
    teacher.at("#message").fill("before")
    teacher.press("Enter")
    student.reads(*said)
    for pid in school.server.worker_pids:
        os.kill(pid, signal.SIGKILL)
    for one, text in ((student, "meanwhile"), (teacher, "meanwhile too")):
        one.at("#message").fill(text)
        one.press("Enter")
    for one in (teacher, student):
        one.is_in(timeout=60)  # new workers take their time on a machine with much to do
    for one in (teacher, student):
        expect(one.at("#messages > li:not([data-type=notice])")).to_have_count(3, timeout=30_000)
        expect(one.at("#messages > [data-state]:not([data-state=sent])")).to_have_count(0, timeout=30_000)
    stored = [message["message"] for message in school.api.messages(school.teacher, code)]
    assert sorted(stored) == sorted([*said, "meanwhile", "meanwhile too"])
    for one in (teacher, student):
        one.reads(*stored)
        one.faults = [fault for fault in one.faults if not AWAY.search(fault)]
        one.page.reload()
        one.is_in()
        one.reads(*stored)
    expect(teacher.person("Mia")).to_have_attribute("data-status", "active")


def test_what_was_not_sent_is_sent_after_a_reload(desk: OpenDesk, code: str) -> None:
    student = desk()
    student.come_as("Mia", code)
    student.page.evaluate(
        """code => { const { user } = JSON.parse(sessionStorage.getItem("classwaves.login"));
        sessionStorage.setItem(`classwaves.outbox.${code}.${user.userId}`, JSON.stringify(
            [{ clientMessageId: "from-before", message: "written in a tunnel" }])); }""",
        code,
    )
    for _ in range(2):
        student.page.reload()
        student.is_in()
        student.reads("written in a tunnel")


def test_older_messages_come_in_pages(desk: OpenDesk, school: School, code: str) -> None:
    teacher = school.connect(school.teacher)
    teacher.join(code)
    for number in range(60):
        teacher.say(code, f"number {number}")
    student = desk()
    student.come_as("Mia", code)
    student.reads(*(f"number {number}" for number in range(10, 60)))
    student.at(".older").click()
    student.reads(*(f"number {number}" for number in range(60)))
    expect(student.at(".older")).to_be_hidden()


def test_without_a_mouse(desk: OpenDesk, code: str) -> None:
    teacher, student = desk(), desk()
    teacher.page.goto(f"{teacher.page.url}#code={code}")
    teacher.page.reload()
    teacher.tab_to("#demo-teacher")
    teacher.press("Enter")
    teacher.is_in()
    student.tab_to("#code")
    student.page.keyboard.type(code)
    student.press("Tab")
    student.page.keyboard.type("Mia")
    student.press("Enter")
    student.is_in()
    expect(student.at("#message")).to_be_focused()
    student.page.keyboard.type("Hello")
    student.press("Enter")
    teacher.reads("Hello")
    student.tab_to("#hand", "Shift+Tab")
    student.press("Enter")

    teacher.tab_to("#participants [aria-expanded]")
    teacher.press("Enter")
    teacher.press("Tab")
    teacher.press("Enter")
    expect(student.at("#hand")).to_have_text("Raise hand")
    expect(teacher.person("Mia").locator(".hand")).to_be_empty()
    expect(teacher.person("Mia").locator("[aria-expanded]")).to_be_focused()
    teacher.press("Escape")
    expect(teacher.person("Mia").locator(".drawer")).to_be_hidden()
    teacher.tab_to("[role=tab]")
    teacher.press("ArrowRight")
    expect(teacher.at("#tab-groups")).to_be_focused()
    expect(teacher.at("#groups")).to_be_visible()
    expect(teacher.at("#activity")).to_be_hidden()
    teacher.tab_to(".opener", "Shift+Tab")
    teacher.press("Enter")
    teacher.press("Tab")
    teacher.press("Enter")
    expect(student.at("#messages .chip")).to_have_text("👍 1")
    expect(teacher.message("Hello").locator(".opener")).to_be_focused()
    teacher.tab_to("#end", "Shift+Tab")
    teacher.press("Enter")
    teacher.tab_to("dialog .danger")
    teacher.press("Enter")
    expect(student.at("#why-not")).to_have_text("The session has ended. You can still read.")


def test_who_knocks_waits_until_they_are_let_in(desk: OpenDesk, school: School) -> None:
    teacher, good, bad = desk(), desk(), desk()
    teacher.at("#demo-teacher").click()
    teacher.is_in()
    teacher.at("#leave").click()
    teacher.at("#session-title").fill("Fractions")
    teacher.at("#session-door").check()
    teacher.at("#create").click()
    teacher.is_in()
    expect(teacher.at("#title")).to_have_text("Fractions")
    teacher.at("#start").click()
    code = teacher.at("#show-code b").inner_text()
    for one, name in ((good, "Grace"), (bad, "Mallory")):
        one.knock(name, code)
        expect(one.at("#banner")).to_contain_text("Your teacher will let you in.")
    waiting = teacher.at("#waiting li")
    waiting.filter(has_text="Grace").locator(".admit").click()
    waiting.filter(has_text="Mallory").get_by_role("button", name="No").click()
    good.is_in()
    expect(good.at("#status")).to_have_text("Live")
    expect(bad.at("#banner")).to_contain_text("You are not allowed in this session.")
    expect(teacher.at("#waiting")).to_be_hidden()


def test_what_others_write_is_text(desk: OpenDesk, school: School, code: str) -> None:
    teacher, student = desk(), desk()
    school.api.ok("PATCH", f"/sessions/{code}", school.teacher, {"title": TITLE})
    teacher.teach(code)
    student.come_as("<script>alert(1)</script>", code)
    for one in (student, teacher):
        one.at("#message").fill(HOSTILE)
        one.press("Enter")
    for one in (student, teacher):
        one.reads(HOSTILE, HOSTILE)
        expect(one.at("#title")).to_have_text(TITLE)
        expect(one.person("<script>alert(1)</script>").locator("bdi").first).to_have_text("<script>alert(1)</script>")
        assert one.at("main img, main script, main b b").count() == 0
    student.message(HOSTILE).first.locator(".opener").click()
    student.at("#messages").get_by_role("button", name="Reply", exact=True).click()
    expect(student.at(".quoting")).to_contain_text(f"<script>alert(1)</script>: {HOSTILE}")


def test_what_goes_wrong_at_the_door_is_said(desk: OpenDesk) -> None:
    someone = desk()
    someone.knock("Mia", "ZZZZZZ")
    expect(someone.at(".toast")).to_contain_text("There is no session with this code.")
    someone.at("#username").fill("teacher")
    someone.at("#password").fill("wrong")
    someone.at("#login").click()
    expect(someone.at(".toast")).to_contain_text(
        ["There is no session with this code.", "User name or password is wrong."]
    )
    someone.page.goto(f"{someone.page.url}student#code=ZZZZZZ")
    expect(someone.at("#code")).to_have_value("ZZZZZZ")
    someone.forgive(REFUSED)


def test_a_panel_of_ones_own_as_the_docs_have_it(desk: OpenDesk, school: School, code: str) -> None:
    (block,) = (block for block in blocks(ROOT / "docs" / "classroom.md") if block.language == "js")
    teacher = desk()
    teacher.page.route(
        "**/panels/groups.js", lambda route: route.fulfill(body=block.text, content_type="text/javascript")
    )
    teacher.teach(code)
    teacher.at("#tab-groups").click()
    teacher.at("#groups").get_by_role("button", name="Clap").click()
    expect(teacher.at(".toast")).to_contain_text("There is no such event.")  # on this server
    teacher.at("#tab-activity").click()
    assert school.redis
    Publisher(school.redis.url).publish(code, "applauded", {"userId": "somebody"})
    expect(teacher.at("#tab-groups .badge")).to_be_visible()
    expect(teacher.at("#groups .empty")).to_have_text("Somebody claps.")


def test_the_theme_is_remembered(desk: OpenDesk) -> None:
    someone = desk(color_scheme="light")
    dark = "getComputedStyle(document.body).colorScheme + getComputedStyle(document.body).backgroundColor"
    before = someone.page.evaluate(dark)
    someone.at(".theme-switch").click()
    assert someone.page.evaluate(dark) != before
    someone.page.reload()
    expect(someone.at(".theme-switch")).to_have_attribute("aria-pressed", "true")
    assert someone.page.evaluate(dark) != before


def test_axe_finds_no_fault(desk: OpenDesk, school: School, code: str) -> None:
    """All rules in one theme on each device; contrast, which alone depends on the theme, in the other one too."""
    student, teacher = desk(), desk()

    def check(one: Desk, what: str) -> None:
        one.page.emulate_media(reduced_motion="reduce")
        one.page.set_viewport_size({"width": 390, "height": 844})
        one.page.emulate_media(color_scheme="dark")
        assert (what, one.violations()) == (what, [])
        one.page.emulate_media(color_scheme="light")
        assert (what, one.violations("color-contrast")) == (what, [])
        assert not one.scrolls_sideways(), what
        one.page.set_viewport_size({"width": 1280, "height": 800})
        assert (what, one.violations()) == (what, [])
        one.page.emulate_media(color_scheme="dark")
        assert (what, one.violations("color-contrast")) == (what, [])

    check(teacher, "door")
    # only now: they answer no ping while the page is looked at
    guests = [school.joined(code, name) for name in ("Leila", "Jonas")]
    guests[0].say(code, "Hello")
    guests[1].ask("raiseHand", {"sessionCode": code})
    over = school.session()
    school.api.step(school.teacher, over, "start")
    school.joined(over).say(over, "Bye")
    school.api.step(school.teacher, over, "end")
    teacher.teach(code)
    teacher.person("Jonas").locator("[aria-expanded]").click()
    teacher.message("Hello").locator(".opener").click()
    check(teacher, "teacher")
    teacher.at("#show-code").click()
    assert teacher.violations() == []
    teacher.page.goto(f"{school.url}/classroom/teacher")
    expect(teacher.at("#sessions .chip").first).to_be_visible()
    check(teacher, "sessions")
    student.come_as("Mia", code)
    student.at("#message").fill("Hi")
    student.press("Enter")
    student.reads("Hello", "Hi")
    check(student, "student")
    teacher.at(f"#sessions a[href$='{over}']").click()
    teacher.reads("Bye")
    check(teacher, "ended")
