"""Calls in real browsers: voice and video go from one to the other, and what the two have to say goes over workers."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser import ARGUMENTS, Window
from tests.support.clients import Api, RawClient
from tests.support.gunicorn_server import Gunicorn
from tests.support.redis_server import RedisServer
from tests.support.tools import chromium, npm_package
from tests.support.waiting import eventually

# One Chromium, and one at a time on a small machine.
pytestmark = pytest.mark.xdist_group("browser")

FAKE_MEDIA = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
]

# Nothing leaves this machine's own address, and the page's doings can be looked at.
WATCHED = """
    const add = RTCPeerConnection.prototype.addIceCandidate;
    RTCPeerConnection.prototype.addIceCandidate = function (one) {
        return one && one.candidate && !one.candidate.includes(" 127.0.0.1 ") ? Promise.resolve() : add.call(this, one);
    };
    window.peers = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...how) { super(...how); window.peers.push(this); }
    };
"""

# Frames that were decoded, and packets of sound, in the current call.
RECEIVED = """async () => {
    const all = [...(await classwavesPeer.getStats()).values()].filter((one) => one.type === "inbound-rtp");
    const of = (kind) => all.find((one) => one.kind === kind) || {};
    return { frames: of("video").framesDecoded || 0, packets: of("audio").packetsReceived || 0 };
}"""

# A frame that has been shown, whatever the statistics say: the size that it has on the screen's side.
SHOWN = """() => new Promise((resolve) => document.getElementById("remote-video")
    .requestVideoFrameCallback((now, frame) => resolve([frame.width, frame.height])))"""

OPEN = "peers.filter((one) => one.connectionState !== 'closed').length"

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    npm_package("socket.io-client")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *FAKE_MEDIA])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def servers(redis_process: RedisServer) -> Iterator[tuple[Gunicorn, Gunicorn]]:
    """Two servers on one Redis, with a worker each."""
    redis_process.make_clean()
    env = {"REDIS_URL": redis_process.url, "CLASSWAVES_LOGIN_RATE": "100/minute", "CLASSWAVES_DISCONNECT_GRACE": "0.3"}
    first, second = Gunicorn(env=env), Gunicorn(env=env)
    try:
        for server in (first, second):
            server.start(wait=False)
        for server in (first, second):
            server.wait_ready()
        yield first, second
    finally:
        for server in (first, second):
            server.close()


@pytest.fixture
def window(browser: Browser) -> Iterator[OpenWindow]:
    opened: list[Window] = []

    def open_window(url: str) -> Window:
        one = Window(browser, "about:blank")
        one.context.add_init_script(WATCHED)
        one.page.goto(url)
        opened.append(one)
        return one

    yield open_window
    for one in opened:
        one.close()
    assert [one.faults for one in opened] == [[] for _ in opened]


@pytest.fixture
def code(servers: tuple[Gunicorn, Gunicorn]) -> str:
    """Return the code of a new session of the demo teacher, which is active."""
    api = Api(servers[0].url)
    token = api.token("teacher")
    code = api.new_session(token)
    api.step(token, code, "start")
    return code


def is_in(window: Window, kind: str, words: str = "") -> None:
    """Wait for a state of the call."""
    expect(window.at("#call-state")).to_have_attribute("data-kind", kind, timeout=15_000)
    expect(window.at("#call-state")).to_contain_text(words)


def call(window: Window, name: str) -> None:
    window.at("#call-target").select_option(label=name)
    window.at("#call-start").click()


def sees_the_other(window: Window) -> None:
    """Wait until frames and sound arrive, and go on arriving."""
    is_in(window, "connected")
    assert min(window.page.evaluate(SHOWN)) >= 100, "a picture"
    first = window.page.evaluate(RECEIVED)

    def more() -> bool:
        now = window.page.evaluate(RECEIVED)
        return bool(now["frames"] >= first["frames"] + 5 and now["packets"] > first["packets"])

    eventually(more, 15, "more frames and sound")


def test_a_teacher_and_a_student_see_each_other(
    servers: tuple[Gunicorn, Gunicorn], code: str, window: OpenWindow
) -> None:
    """By the keyboard alone, over two workers; the call ends for both, and can be had again."""
    teacher, student = (window(server.url) for server in servers)
    teacher.come_in("teacher", code)
    student.come_in("student", code)
    teacher.sees(Teacher="active", Student="active")
    teacher.tab_to("#call-target")
    teacher.tab_to("#call-start")
    teacher.press("Enter")
    is_in(student, "ringing", "Teacher is calling you")
    student.tab_to("#answer")
    student.press("Enter")
    for one in (teacher, student):
        sees_the_other(one)
        assert one.page.evaluate(OPEN) == 1
    assert student.page.evaluate("document.activeElement.id") == "hang-up"
    student.press("Enter")
    is_in(student, "idle")
    is_in(teacher, "idle", "Demo Student has hung up.")
    for one in (teacher, student):
        expect(one.at("#videos")).to_be_hidden()
        assert one.page.evaluate(OPEN) == 0

    call(student, "Demo Teacher")
    teacher.at("#decline").click()
    is_in(student, "idle", "Demo Teacher has hung up.")
    expect(teacher.at("#messages li, #errors:not([hidden])")).to_have_count(0)


def test_two_who_call_each_other_at_once_have_one_call(
    servers: tuple[Gunicorn, Gunicorn], code: str, window: OpenWindow
) -> None:
    """Glare: each has made its offer before it hears the other's."""
    both = teacher, student = [window(server.url) for server in servers]
    teacher.come_in("teacher", code)
    student.come_in("student", code)
    for one, other in ((teacher, "Demo Student"), (student, "Demo Teacher")):
        expect(one.at("#call-target option")).to_have_text([other])
    at = teacher.page.evaluate("Date.now()") + 300
    for one in both:  # what one hears waits until both have called
        one.page.evaluate(
            "at => { setTimeout(() => document.getElementById('call-start').click(), at - Date.now()); }", at
        )
    for one in both:
        sees_the_other(one)
        assert one.page.evaluate(OPEN) == 1
    teacher.at("#microphone").click()
    expect(teacher.at("#microphone")).to_have_attribute("aria-pressed", "true")
    for one in both:  # after the network has failed, both look for another way; who called makes the offer
        one.page.evaluate("() => { classwavesPeer.restartIce(); }")
    for one in both:
        sees_the_other(one)
        eventually(lambda page=one.page: page.evaluate("classwavesPeer.signalingState") == "stable", what="stable")  # type: ignore[misc]
    teacher.close()
    is_in(student, "idle")


def test_who_is_in_a_call_is_busy_and_who_is_gone_is_gone(
    servers: tuple[Gunicorn, Gunicorn], code: str, window: OpenWindow
) -> None:
    one = window(servers[0].url)
    one.come_in("student", code)
    api = Api(servers[1].url)
    ann, bob = (RawClient(servers[1].url, api.guest(code, name)) for name in ("Ann", "Bob"))
    ids = [client.join(code)["self"]["userId"] for client in (ann, bob)]
    me = next(
        p["userId"] for _, data in bob.inbox for p in data.get("participants", ()) if p["displayName"] == "Demo Student"
    )
    about = {"sessionCode": code, "targetUserId": me, "type": "offer", "payload": {"type": "offer", "sdp": "v=0"}}
    assert ann.ask("signal", {**about, "callId": "a"})["ok"]
    is_in(one, "ringing", "Ann is calling you")
    assert bob.ask("signal", {**about, "callId": "b"})["ok"]
    assert bob.wait_for("signalReceived", fromUserId=me, callId="b")["payload"] == {"reason": "busy"}
    ann.wire.drop()
    is_in(one, "idle", "Ann is gone.")
    # what is no description ends a call, and harms nothing
    assert bob.ask("signal", {**about, "callId": "c", "payload": {"type": "offer", "sdp": "nonsense"}})["ok"]
    one.at("#answer").click()
    bob.wait_for("signalReceived", fromUserId=me, callId="c", type="hangup")
    is_in(one, "idle", "The call failed")
    bob.close()
    assert ids
