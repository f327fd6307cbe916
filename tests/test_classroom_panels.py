"""The panels of the classroom pages in real browsers: activity, groups, files, captions and call."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import AWAY, Window, started_chromium
from tests.support.classroom import PHONE
from tests.support.clients import Api, RawClient
from tests.support.gunicorn_server import Gunicorn
from tests.support.panels import (
    begins_anew,
    frames_of,
    happens_meanwhile,
    has_missed_nothing,
    is_accessible,
    lose,
    too_much_happens,
)
from tests.support.proxy import FaultyProxy
from tests.support.waiting import eventually
from tests.test_browser_media import FAKE_MEDIA, RECOGNITION, WATCHED, says

# One Chromium, and one at a time on a small machine.
pytestmark = pytest.mark.xdist_group("browser")

# Frames of the other one's camera that have been shown.
FRAMES = "() => document.querySelector('#call video.remote').getVideoPlaybackQuality().totalVideoFrames"

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium(*FAKE_MEDIA) as browser:
        yield browser


@pytest.fixture(scope="module")
def server() -> Iterator[Gunicorn]:
    """A server on which a file takes its time, so that it can be cut in the middle, and few events can be missed."""
    env = {
        "CLASSWAVES_LOGIN_RATE": "100/minute",
        "CLASSWAVES_CHUNK_RATE": "3/second",
        "CLASSWAVES_RESUME_ENTRIES": "6",
    }
    with Gunicorn(env=env) as server:
        yield server


@pytest.fixture
def network(server: Gunicorn) -> Iterator[FaultyProxy]:
    """Return a way to the server. Name it before ``window``: it ends after the windows, which would complain."""
    with FaultyProxy(server.port) as network:
        yield network


@pytest.fixture
def code(server: Gunicorn) -> str:
    """Return the code of a new session of the demo teacher, which is active."""
    api = Api(server.url)
    token = api.token("teacher")
    code = api.new_session(token)
    api.step(token, code, "start")
    return code


@pytest.fixture
def window(browser: Browser, server: Gunicorn, code: str) -> Iterator[OpenWindow]:
    """Return a function that opens the page of a demo user in the session, with one panel shown."""
    opened: list[Window] = []

    def open_window(name: str, panel: str, url: str = "", **options: Any) -> Window:
        login = json.dumps(json.dumps(Api(server.url).login(name)))
        one = Window(browser, "about:blank", **options)
        opened.append(one)
        one.context.add_init_script(f"sessionStorage.setItem('classwaves.login', {login});{WATCHED}{RECOGNITION}")
        one.page.goto(f"{url or server.url}/classroom/{name}#code={code}")
        one.at(f"#tab-{panel}").click(timeout=15_000)
        return one

    yield open_window
    for one in opened:
        one.close()
    assert [one.faults for one in opened] == [[] for _ in opened]


@pytest.fixture
def class_of(server: Gunicorn, code: str) -> Iterator[Callable[..., list[RawClient]]]:
    """Return a function that has guests of these names join."""
    joined: list[RawClient] = []

    def join(*names: str) -> list[RawClient]:
        api = Api(server.url)
        for name in names:
            joined.append(RawClient(server.url, api.guest(code, name)))
            joined[-1].join(code)
        return joined

    yield join
    for client in joined:
        client.close()


def bars(window: Window) -> Locator:
    return window.at("#activity .chart tr:has(td)")


def test_a_quiz_from_its_question_to_its_results(
    window: OpenWindow, code: str, class_of: Any, server: Gunicorn
) -> None:
    """A student is sent no right answer and nobody else's answer before the teacher shows them."""
    (ann,) = class_of("<b>Ann</b>")
    teacher, student = window("teacher", "activity"), window("student", "activity", **PHONE)
    heard = frames_of(student)
    student.page.reload()
    student.at("#tab-activity").click()
    is_accessible(teacher, "activity")
    teacher.at("#activity-kind").select_option(label="Quiz question")
    teacher.at("#activity-text").fill("What is 6 × 7?")
    teacher.at("#activity-options").fill("forty-one\nforty-two\n\nforty-two\n<img src=x onerror=alert(1)>")
    teacher.at(".compose").get_by_role("button", name="Start").click()
    expect(teacher.at(".toast")).to_contain_text("Choose the right answer.")
    teacher.at("#activity-right").select_option(label="forty-two")
    teacher.at("#activity-right").press("Tab")
    teacher.press("Enter")

    options = student.at("#activity .option")
    expect(options).to_have_text(["forty-one", "forty-two", "<img src=x onerror=alert(1)>"])
    options.nth(0).click()
    student.page.reload()  # what is chosen and not sent stays chosen
    student.at("#tab-activity").click()
    expect(student.at("#answer-0")).to_be_checked()
    student.at("#answer-1").check()
    is_accessible(student, "activity")
    student.at("#answer-send").click()
    expect(student.at("#answer-note")).to_contain_text("Your answer is in.")
    student.page.reload()
    student.at("#tab-activity").click()
    expect(student.at("#answer-note")).to_contain_text("Your answer is in.")
    expect(student.at("#answer-1")).to_be_checked()

    started = ann.wait_for("activityUpdate", status="started")
    answer = {"sessionCode": code, "activityId": started["activityId"], "data": {"choices": [0]}, "clientId": "a"}
    assert ann.ask("submitActivityResponse", answer)["ok"]
    expect(bars(teacher).locator(".count")).to_have_text(["1 (50 %)", "1 (50 %)", "0 (0 %)"])
    expect(bars(teacher).locator(".fill").nth(0)).to_have_attribute("width", "50%")
    expect(teacher.at(".answered p")).to_have_text("2 of 2 have answered")
    teacher.at("#activity summary").click()
    expect(teacher.at(".who li")).to_have_text(["Demo Studentforty-two", "<b>Ann</b>forty-one"])
    is_accessible(teacher, "activity")

    expect(student.at(".progress-words")).to_have_text("2 of 2 have answered.")
    expect(student.at("#activity .chart")).to_have_count(0)
    assert heard
    assert not [one for one in heard if "staffOnly" in one or '"right"' in one or "activityResponse" in one]

    teacher.at("#activity-close").click()
    expect(student.at("#answer-1")).to_be_disabled()
    teacher.at("#activity-close").get_by_text("Show the results").click()
    for one in (teacher, student):
        expect(bars(one).locator(".count")).to_have_text(["1 (50 %)", "1 (50 %)", "0 (0 %)"])
    expect(bars(student).nth(1)).to_contain_text("right answer, your answer")
    expect(student.at(".verdict")).to_have_text("Your answer was right.")
    is_accessible(student, "activity")
    student.page.reload()
    student.at("#tab-activity").click()
    expect(student.at(".verdict")).to_have_text("Your answer was right.")

    teacher.at("#activity-again").click()  # nothing that was shown is left
    expect(student.at("#answer-1")).to_be_checked()
    expect(student.at("#activity .chart")).to_have_count(0)
    api = Api(server.url)
    api.step(api.token("teacher"), code, "end")
    expect(student.at("#answer-1")).to_be_disabled()
    for one in (teacher, student):
        expect(one.at("#activity").get_by_role("button")).to_have_count(0)


def test_groups_are_dealt_out_changed_and_talk(window: OpenWindow, code: str, class_of: Any, server: Gunicorn) -> None:
    ann, bob = class_of("Ann", "Bob")
    teacher, student = window("teacher", "groups"), window("student", "groups", **PHONE)
    expect(student.at("#groups")).to_contain_text("There are no groups now.")
    expect(teacher.at(".loose .pick")).to_have_text(["Ann", "Bob", "Demo Student"])
    teacher.at(".deal input").fill("3")
    teacher.at(".deal").get_by_role("button", name="Make groups").click()
    cards = teacher.at(".group:not(.loose)")
    expect(cards).to_have_count(3)
    expect(teacher.at(".loose")).to_be_hidden()
    expect(student.at(".own-group .members")).to_contain_text("Youleader")
    mine = student.at(".own-group h3").inner_text()
    student.at("#group-ready").click()
    card = teacher.at(f".group:has(h3:text-is('{mine}'))")
    expect(card).to_contain_text("1 in it · ready")

    teacher.at(".pick:has-text('Ann')").click()
    teacher.at(".mover select").select_option(label=mine)
    teacher.at(".mover").get_by_role("button", name="Move").click()
    expect(card.locator(".members li")).to_contain_text(["Demo Student", "Ann"])
    expect(student.at(".own-group .members li")).to_have_count(2)
    card.locator("summary").click()
    card.get_by_role("textbox").fill("Read page <i>7</i>.")
    teacher.press("Enter")
    expect(student.at("#groups .said")).to_have_text(["Read page <i>7</i>."])
    student.at(".group-chat input").fill("Yes")
    student.press("Enter")
    for one in (teacher, student):
        expect(one.at("#groups .said")).to_have_text(["Read page <i>7</i>.", "Yes"])
        is_accessible(one, "groups")
    assert ann.wait_for("messageReceived", message="Yes")
    assert bob.ask("raiseHand", {"sessionCode": code})["ok"]
    assert "messageReceived" not in [event for event, _ in bob.inbox], "a message of another group"

    student.page.reload()
    student.at("#tab-groups").click()
    expect(student.at("#groups .said")).to_have_text(["Read page <i>7</i>.", "Yes"])
    other = student.at(".other-group").first.locator("bdi").inner_text()
    student.at(".other-group").first.get_by_role("button").click()
    expect(student.at(".own-group h3")).to_have_text(other)
    expect(student.at("#groups .said")).to_have_count(0)
    card.get_by_role("button", name="Dissolve").click()
    teacher.at("dialog").get_by_role("button", name="Dissolve").click()
    expect(cards).to_have_count(2)
    expect(teacher.at(".loose .pick")).to_have_text(["Ann"])

    teacher.at(".loose .pick").click()  # and one is made by hand
    teacher.at(".make").get_by_label("Name").fill("Readers")
    teacher.press("Enter")
    readers = teacher.at(".group:has(h3:text-is('Readers'))")
    readers.locator(".pick").click()
    teacher.at(".mover").get_by_role("button", name="Make leader").click()
    expect(readers.locator(".members li")).to_have_text(["Annleader"])

    api = Api(server.url)
    api.step(api.token("teacher"), code, "end")
    for one in (teacher, student):  # and is only looked at
        expect(one.at("#groups")).to_contain_text("The session has ended.")
        expect(one.at("#groups").get_by_role("button")).to_have_count(0)


def test_a_file_goes_on_after_the_connection_was_cut(
    network: FaultyProxy, window: OpenWindow, code: str, server: Gunicorn, tmp_path: Path
) -> None:
    teacher = window("teacher", "files")
    student = window("student", "files", f"http://127.0.0.1:{network.port}", **PHONE)
    content = random.Random(9).randbytes(1_500_000)
    name = "A report with quite a long name & a list, as people write them äñd 日本.bin"
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    network.delay = 0.7  # the file takes five seconds, and is not there yet when a stalled browser is cut off
    student.at("#file-input").set_input_files(file)  # type: ignore[arg-type]
    bar = student.at(".upload progress")
    eventually(lambda: bar.evaluate("one => one.value") > 0, what="a part of the file at the server")
    lose(student, network)
    network.delay = 0
    expect(student.at(".upload .hint")).to_contain_text("Waiting for the connection")
    is_accessible(student, "files")
    expect(teacher.at(".file")).to_have_count(0)
    happens_meanwhile(server, code)
    network.accept()
    expect(student.at(".file")).to_contain_text("1.5 MB · you", timeout=20_000)
    expect(student.at(".upload")).to_have_count(0)
    has_missed_nothing(student)
    lose(student, network)
    too_much_happens(server, code)
    network.accept()
    begins_anew(student)
    expect(teacher.at(".file bdi")).to_have_text([name])
    with teacher.page.expect_download() as download:
        teacher.at(".file").get_by_role("button", name="Download").click()
    saved = tmp_path / "saved"
    download.value.save_as(saved)
    assert hashlib.sha256(saved.read_bytes()).digest() == hashlib.sha256(content).digest()

    student.at("#file-input").set_input_files(file)  # type: ignore[arg-type]
    expect(student.at(".toast")).to_contain_text("is shared already.")
    picture = {"name": "picture.png", "mimeType": "image/png", "buffer": b"no picture"}
    student.at("#file-input").set_input_files(picture)  # type: ignore[arg-type]
    expect(student.at(".upload")).to_contain_text("Not shared. Files of this kind are not shared here")
    is_accessible(teacher, "files")
    large = tmp_path / "large.bin"
    large.write_bytes(content * 8)  # a quarter of a minute
    teacher.at("#file-input").set_input_files(large)
    bar = teacher.at(".upload progress")
    eventually(lambda: bar.evaluate("one => one.value") > 0, what="a part of the large file at the server")
    heard = frames_of(teacher)
    teacher.page.reload()
    teacher.at("#tab-files").click()
    teacher.at("#file-input").set_input_files(large)
    eventually(lambda: bar.evaluate("one => one.value") > 0, what="the part that the server has")
    assert re.search(r'"nextIndex":[1-9]\d*,"complete":false', "".join(heard)), "it goes on where it was"
    teacher.at(".upload").get_by_role("button", name="Cancel").click()
    expect(teacher.at(".upload")).to_have_count(0)
    teacher.at(".file").get_by_role("button", name="Remove").click()
    teacher.at("dialog").get_by_role("button", name="Remove").click()
    for one in (teacher, student):
        expect(one.at(".file")).to_have_count(0)
    api = Api(server.url)
    api.ok("PATCH", f"/sessions/{code}", api.token("teacher"), {"settings": {"fileSharing": False}})
    teacher.page.reload()
    teacher.at("#tab-files").click()
    expect(teacher.at("#files")).to_contain_text("Files are turned off in this session.")
    expect(teacher.at("#file-input")).to_be_disabled()
    student.forgive(AWAY)


def is_in_call(window: Window, kind: str, words: str = "") -> None:
    """Wait for a state of the call."""
    expect(window.at(".call-words")).to_have_attribute("data-kind", kind, timeout=15_000)
    expect(window.at(".call-words")).to_contain_text(words)


def sees_the_other(window: Window) -> None:
    is_in_call(window, "connected")
    first = window.page.evaluate(FRAMES)
    eventually(lambda: window.page.evaluate(FRAMES) >= first + 5, 15, "more frames")


def test_a_call_from_ringing_to_its_end(window: OpenWindow) -> None:
    teacher, student = window("teacher", "call"), window("student", "call", **PHONE)
    teacher.at("#call-target").select_option(label="Demo Student")
    is_accessible(teacher, "call")
    teacher.tab_to("#call .primary")
    teacher.press("Enter")
    is_in_call(student, "ringing", "Demo Teacher is calling you.")
    is_accessible(student, "call")
    student.at("#call").get_by_role("button", name="Answer").press("Enter")
    for one in (teacher, student):
        sees_the_other(one)
        assert one.page.evaluate("document.activeElement.textContent") == "Hang up"
    is_accessible(student, "call")
    mute = student.at("#call").get_by_role("button", name="Mute")
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "true")
    student.at("#call").get_by_role("button", name="Hang up").click()
    is_in_call(student, "idle")
    is_in_call(teacher, "idle", "Demo Student has hung up.")
    for one in (teacher, student):
        expect(one.at("#call .videos")).to_be_hidden()
        assert one.page.evaluate("peers.filter((one) => one.connectionState !== 'closed').length") == 0

    student.at("#call-target").select_option(label="Demo Teacher")
    student.at("#call .primary").get_by_text("Call").click()
    teacher.at("#call").get_by_role("button", name="Decline").click()
    is_in_call(student, "idle", "Demo Teacher has hung up.")


def test_captions_are_shown_while_they_are_said(window: OpenWindow, tmp_path: Path) -> None:
    """With a stand-in for the browser's own recognition, which needs a service on the network."""
    teacher, student = window("teacher", "captions"), window("student", "captions", **PHONE)
    expect(student.at("#captions")).to_contain_text("Nobody is captioning.")
    expect(student.at("#captions button")).to_have_count(0)
    switch = teacher.at("#captions").get_by_role("button", name="Caption what I say")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    says(teacher, 0, "good mourning", False)
    for one in (teacher, student):
        expect(one.at(".saying .text")).to_have_text(["good mourning"])
    says(teacher, 0, "good morning <b>all</b>", True, 0.9)
    says(teacher, 1, "open the", False)
    for one in (teacher, student):
        expect(one.at(".said .text")).to_have_text(["good morning <b>all</b>"])
        expect(one.at(".saying .text")).to_have_text(["open the"])
        is_accessible(one, "captions")
    student.page.reload()
    student.at("#tab-captions").click()
    expect(student.at(".said .text")).to_have_text(["good morning <b>all</b>"])
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(student.at(".saying .text")).to_have_count(0)
    with teacher.page.expect_download() as download:
        teacher.at("#captions").get_by_role("button", name="Download the transcript").click()
    saved = tmp_path / "saved"
    download.value.save_as(saved)
    assert "good morning <b>all</b>" in saved.read_text()
