"""Calls and captions in real browsers: voice and video from one to the other, and what somebody says in words."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import AWAY, Window, started_chromium
from tests.support.clients import Api, RawClient
from tests.support.gunicorn_server import Gunicorn
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer
from tests.support.turn_server import TurnServer
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

# Only by a TURN server; and the kinds of address at this end of the ways that are in use.
RELAYED = """
    const Direct = RTCPeerConnection;
    window.RTCPeerConnection = class extends Direct {
        constructor(how) { super({ ...how, iceTransportPolicy: "relay" }); }
    };
"""
WAYS = """async () => {
    const all = await classwavesPeer.getStats(), found = new Set();
    for (const one of all.values()) if (one.type === "candidate-pair" && one.state === "succeeded" && one.nominated)
        found.add(all.get(one.localCandidateId).candidateType);
    return [...found];
}"""

OPEN = "peers.filter((one) => one.connectionState !== 'closed').length"

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium(*FAKE_MEDIA) as browser:
        yield browser


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
def network(servers: tuple[Gunicorn, Gunicorn]) -> Iterator[FaultyProxy]:
    """Return a way to the second server. Name it before ``window``: it ends after the windows, which would complain."""
    with FaultyProxy(servers[1].port) as network:
        yield network


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
    servers: tuple[Gunicorn, Gunicorn], code: str, network: FaultyProxy, window: OpenWindow
) -> None:
    """By the keyboard alone, over two workers. A call outlives a lost connection, and ends for both."""
    teacher, student = window(servers[0].url), window(f"http://127.0.0.1:{network.port}")
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
        assert one.page.evaluate("document.activeElement.id") == "hang-up"

    lose(student, network, until=lambda: teacher.sees(Teacher="active", Student="disconnected"))
    for one in (teacher, student):
        sees_the_other(one)
    student.at("#hang-up").press("Enter")
    is_in(student, "idle")
    is_in(teacher, "idle", "Demo Student has hung up.")
    for one in (teacher, student):
        expect(one.at("#videos")).to_be_hidden()
        assert one.page.evaluate(OPEN) == 0

    call(student, "Demo Teacher")  # and who loses the connection while it rings lets it ring once more
    is_in(teacher, "ringing")
    lose(student, network, until=lambda: is_in(teacher, "idle", "Demo Student is gone."))
    is_in(teacher, "ringing")
    teacher.at("#decline").click()
    is_in(student, "idle", "Demo Teacher has hung up.")
    expect(teacher.at("#messages li, #errors:not([hidden])")).to_have_count(0)
    student.forgive(AWAY)


def lose(window: Window, network: FaultyProxy, until: Callable[[], object]) -> None:
    """Lose the connection until something has happened, and come back."""
    network.refuse()
    network.cut()
    window.is_in_state("reconnecting")
    window.complains(AWAY)
    until()
    network.accept()
    window.is_in_state("connected")
    window.is_in_session("active")


def test_two_who_call_each_other_at_once_have_one_call(
    servers: tuple[Gunicorn, Gunicorn], code: str, window: OpenWindow
) -> None:
    """Glare: each has called before it hears of the other's call."""
    both = teacher, student = [window(server.url) for server in servers]
    teacher.come_in("teacher", code)
    student.come_in("student", code)
    for one, other in ((teacher, "Demo Student"), (student, "Demo Teacher")):
        expect(one.at("#call-target option")).to_have_text([other])
    held: list[Route] = []
    for one in both:  # nobody makes an offer without this answer, which waits until both have called
        one.page.route("**/ice", lambda route: held.append(route), times=1)
        one.at("#call-start").click()
    for one in both:
        is_in(one, "calling")
    eventually(lambda: student.page.evaluate("true") and len(held) == 2, what="both questions")
    for route in held:
        route.continue_()
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
    """In a browser that has no speech recognition, which is said to who could use it."""
    one, api = window(servers[0].url), Api(servers[1].url)
    one.context.add_init_script("delete window.SpeechRecognition; delete window.webkitSpeechRecognition;")
    one.page.reload()
    one.come_in("teacher", code)
    expect(one.at("#caption-button")).to_be_disabled()
    expect(one.at("#caption-hint")).to_contain_text("no speech recognition")

    ann, bob = (RawClient(servers[1].url, api.guest(code, name)) for name in ("Ann", "Bob"))
    ann.join(code)
    people = bob.join(code)["participants"]
    me = next(person["userId"] for person in people if person["displayName"] == "Demo Teacher")
    about = {"sessionCode": code, "targetUserId": me, "type": "offer", "payload": {"type": "offer", "sdp": "nonsense"}}
    assert ann.ask("signal", {**about, "callId": "a"})["ok"]
    is_in(one, "ringing", "Ann is calling you")
    assert bob.ask("signal", {**about, "callId": "b"})["ok"]
    assert bob.wait_for("signalReceived", fromUserId=me, callId="b")["payload"] == {"reason": "busy"}
    ann.wire.drop()
    is_in(one, "idle", "Ann is gone.")
    # what is no description ends a call, and harms nothing
    assert bob.ask("signal", {**about, "callId": "c"})["ok"]
    one.at("#answer").click()
    bob.wait_for("signalReceived", fromUserId=me, callId="c", type="hangup")
    is_in(one, "idle", "The call failed")
    bob.close()


# The browser's own speech recognition, as the page sees it: Chromium's needs a service on the network.
RECOGNITION = """
    window.SpeechRecognition = window.webkitSpeechRecognition = class {
        start() { window.recognition = this; window.runs = (window.runs || 0) + 1; }
        stop() { this.stopped = true; if (this.onend) this.onend(); }
        says(index, transcript, isFinal, confidence) {
            const result = Object.assign([{ transcript, confidence }], { isFinal });
            this.results = Object.assign(this.results || [], { [index]: result });
            this.onresult({ resultIndex: index, results: this.results });
        }
    };
"""


def says(window: Window, index: int, text: str, final: bool, confidence: float = 0) -> None:
    window.page.evaluate("(how) => recognition.says(...how)", [index, text, final, confidence])


def caption_lines(window: Window, *lines: tuple[str, bool]) -> None:
    """Wait until these are all the captions on the page: text, and whether it is final."""
    shown = window.at("#captions p")
    expect(shown).to_have_text([f"Demo Teacher: {text}" for text, _ in lines])
    for at, (_, final) in enumerate(lines):
        expect(shown.nth(at)).to_have_attribute("data-final", str(final).lower())


def test_the_browser_captions_what_a_teacher_says(
    servers: tuple[Gunicorn, Gunicorn], code: str, window: OpenWindow
) -> None:
    """With a stand-in for Chromium's recognition, whose calls are those of the Web Speech API."""
    teacher, student = (window(server.url) for server in servers)
    teacher.context.add_init_script(RECOGNITION)
    teacher.page.reload()
    teacher.come_in("teacher", code)
    student.come_in("student", code)
    expect(student.at("#captioning")).to_be_hidden()
    teacher.tab_to("#caption-button")
    teacher.press("Enter")
    expect(teacher.at("#caption-button")).to_have_attribute("aria-pressed", "true")
    says(teacher, 0, "good mourning", False)
    for one in (teacher, student):
        caption_lines(one, ("good mourning", False))
    says(teacher, 0, "good morning", True, 0.9)
    says(teacher, 1, "open the", False)
    for one in (teacher, student):
        caption_lines(one, ("good morning", True), ("open the", False))
    teacher.page.evaluate("recognition.onend()")  # after a silence browsers end it; the page begins again
    eventually(lambda: teacher.page.evaluate("window.runs") == 2, what="another run")
    says(teacher, 0, "thank you", True)
    expect(student.at("#captions-said p")).to_have_text(["Demo Teacher: good morning", "Demo Teacher: thank you"])
    expect(student.at("#captions-said")).to_have_attribute("aria-live", "polite")
    teacher.page.evaluate("recognition.onerror({ error: 'network' })")
    expect(teacher.at("#caption-hint")).to_contain_text("does not work here (network)")
    expect(teacher.at("#caption-button")).to_have_attribute("aria-pressed", "false")
    api = Api(servers[0].url)
    segments = api.ok("GET", f"/sessions/{code}/transcript", api.token("teacher"))["segments"]
    assert [(one["text"], one["confidence"]) for one in segments] == [("good morning", 0.9), ("thank you", None)]
    assert all(0 <= one["startMs"] <= one["endMs"] for one in segments)
    expect(teacher.at("#errors")).to_be_hidden()


def test_a_call_through_a_relay(redis_process: RedisServer, window: OpenWindow) -> None:
    """A real TURN server takes the credentials that the page gets, and nothing goes any other way."""
    secret = "a secret of the relay"
    with TurnServer(secret) as turn:
        ice = {"CLASSWAVES_ICE_SERVERS": f"turn:127.0.0.1:{turn.port}", "CLASSWAVES_TURN_SECRET": secret}
        with Gunicorn(env={"REDIS_URL": redis_process.url, "CLASSWAVES_REDIS_PREFIX": "relay", **ice}) as server:
            both = teacher, student = [window(server.url) for _ in range(2)]
            for one, name in zip(both, ("teacher", "student"), strict=True):
                one.context.add_init_script(RELAYED)
                one.page.reload()
                one.come_in(name, "DEM234")
            call(teacher, "Demo Student")
            student.at("#answer").click()
            for one in both:
                sees_the_other(one)
                assert one.page.evaluate(WAYS) == ["relay"]
            for one in both:
                one.close()  # before the server ends, to which they would want to go back
