"""The classroom pages under use: a long lesson, a small window, the keyboard, an odd address, and who may not write."""

import pytest
from playwright.sync_api import expect

from tests.support.gunicorn_server import ROOT
from tests.support.school import School
from tests.test_classroom_page import OpenDesk
from tests.test_classroom_page import browser as browser
from tests.test_classroom_page import code as code
from tests.test_classroom_page import desk as desk
from tests.test_classroom_page import school as school

pytestmark = pytest.mark.xdist_group("browser")


def test_a_long_lesson_does_not_make_a_long_page(desk: OpenDesk, school: School, code: str) -> None:
    """Who reads the newest messages has no more of them on the page than are of use; the others are in the history."""
    chat = (ROOT / "examples/classroom/chat.js").read_text()
    short = chat.replace("MOST = 300, KEPT = 200", "MOST = 60, KEPT = 55")
    assert short != chat
    student = desk()
    student.page.route("**/chat.js", lambda route: route.fulfill(body=short, content_type="text/javascript"))
    teacher = school.connect(school.teacher)
    teacher.join(code)
    for number in range(50):
        teacher.say(code, f"number {number}")
    student.come_as("Mia", code)
    for number in range(50, 61):
        teacher.say(code, f"number {number}")
    student.reads(*(f"number {number}" for number in range(6, 61)))
    student.at(".older").click()
    student.reads(*(f"number {number}" for number in range(61)))
    expect(student.at(".older")).to_be_hidden()


def test_a_laptop_magnified_fourfold_and_a_phone_that_lies_show_all(desk: OpenDesk, school: School, code: str) -> None:
    student, teacher = desk(viewport={"width": 320, "height": 256}), desk(viewport={"width": 320, "height": 256})
    assert not student.scrolls_sideways()
    student.come_as("Mia", code)
    teacher.teach(code)
    for one in (student, teacher):
        for _ in range(2):
            assert not one.scrolls_sideways()
            one.at("#tab-chat").scroll_into_view_if_needed()
            expect(one.at("#message")).to_be_in_viewport()
            assert one.at("#scroll").evaluate("node => node.clientHeight") > 60
            one.page.set_viewport_size({"width": 844, "height": 390})
        one.page.set_viewport_size({"width": 320, "height": 640})
        overlap = """tabs => tabs.slice(1).some((tab, at) => tabs[at].lastElementChild.previousElementSibling
            .getBoundingClientRect().right > tab.getBoundingClientRect().right)"""
        assert not one.page.eval_on_selector_all("[role=tab]", overlap)


def test_what_is_gone_takes_no_focus_with_it(desk: OpenDesk, school: School, code: str) -> None:
    for name in ("Ann", "Bob"):
        school.joined(code, name)
    teacher, student = desk(), desk()
    teacher.teach(code)
    student.come_as("Mia", code)
    teacher.act_on("Ann", "Remove")
    teacher.tab_to("dialog .danger")
    teacher.press("Enter")
    expect(teacher.person("Ann")).to_have_count(0)
    expect(teacher.at("#participants")).to_be_focused()
    teacher.at("#tab-groups").click()
    teacher.at(".deal input").fill("1")
    teacher.press("Enter")
    teacher.at(".pick input").first.check()
    teacher.at(".mover select").select_option("-")
    teacher.at(".mover").get_by_role("button", name="Move").press("Enter")
    expect(teacher.at(".loose .pick")).to_have_count(1)
    expect(teacher.at(".mover")).to_be_focused()
    teacher.at(".group").get_by_role("button", name="Dissolve").click()
    teacher.tab_to("dialog .danger")
    teacher.press("Enter")
    expect(teacher.at(".group:not(.loose)")).to_have_count(0)
    expect(teacher.at(".cards")).to_be_focused()

    student.at("#message").focus()
    teacher.at("#mode").select_option("focus")
    expect(student.at("#scroll")).to_be_focused()


def test_who_may_not_write_is_offered_nothing_that_would_be_refused(desk: OpenDesk, school: School, code: str) -> None:
    school.joined(code, "Ann").say(code, "Hello")
    teacher, student = school.connect(school.teacher), desk()
    teacher.join(code)
    student.come_as("Mia", code)
    expect(student.at(".opener")).to_be_visible()
    for text in ("focus", "open"):
        assert teacher.ask("setSessionMode", {"sessionCode": code, "mode": text})["ok"]
        expect(student.at(".opener")).to_be_visible(visible=text == "open")
    school.api.step(school.teacher, code, "end")
    for _ in range(2):
        student.reads("Hello")
        expect(student.at("#why-not")).to_contain_text("The session has ended.")
        expect(student.at(".opener")).to_be_hidden()
        student.page.reload()


def test_a_code_in_the_address_is_letters_and_digits_and_leads_nowhere_else(desk: OpenDesk, school: School) -> None:
    student = desk()
    for text, typed in (
        ("../../auth/logout", "AUTHLOGOUT"),
        ("%3Cimg%20src%3Dx%3E", "IMGSRCX"),
        ("dem-2%2034", "DEM234"),
    ):
        student.page.goto(f"{school.url}/classroom/#code={text}")
        student.page.reload()
        expect(student.at("#code")).to_have_value(typed)
    student.at("#demo-student").click()
    student.is_in()
    assert student.page.url.endswith("/classroom/student#code=DEM234")
    student.page.go_back()  # by mistake, perhaps
    student.page.go_forward()
    student.is_in()
