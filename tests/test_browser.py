"""The example page in a real browser, against the server as it is deployed."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import AWAY, REFUSED, Window, started_chromium
from tests.support.clients import Api
from tests.support.gunicorn_server import ROOT, Gunicorn
from tests.support.ports import free_port
from tests.support.proxy import FaultyProxy
from tests.support.redis_server import RedisServer

# One Chromium, and one at a time on a small machine.
pytestmark = pytest.mark.xdist_group("browser")

DEMO = "DEM234"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser) -> Iterator[OpenWindow]:
    """Return a function that opens windows; they are closed after the test, and nothing may have gone wrong in them."""
    opened: list[Window] = []

    def open_window(url: str, **options: object) -> Window:
        opened.append(Window(browser, url, **options))
        return opened[-1]

    yield open_window
    for one in opened:
        one.close()
    assert [one.faults for one in opened] == [[] for _ in opened]


@pytest.fixture(scope="module")
def servers(redis_process: RedisServer) -> Iterator[dict[str, Gunicorn]]:
    """Run a server with each kind of store, and one whose logins and patience are short."""
    redis_process.make_clean()
    limits = {"CLASSWAVES_LOGIN_RATE": "100/minute", "CLASSWAVES_EVENT_RATE": "200/second"}
    short = {"CLASSWAVES_DISCONNECT_GRACE": "0.3", "CLASSWAVES_ACCESS_TOKEN_MINUTES": "0.05"}
    with ExitStack() as stack:
        redis = {"REDIS_URL": redis_process.url}
        started = {
            name: Gunicorn(env=limits | env) for name, env in (("memory", {}), ("redis", redis), ("hasty", short))
        }
        for server in started.values():
            stack.callback(server.close)
            server.start(wait=False)
        for server in started.values():
            server.wait_ready()
        yield started


@pytest.fixture
def server(servers: dict[str, Gunicorn], request: pytest.FixtureRequest) -> Gunicorn:
    """Return a running server, in memory unless parametrized with a kind of store."""
    return servers[getattr(request, "param", "memory")]


hasty = pytest.mark.parametrize("server", ["hasty"], indirect=True)
both_stores = pytest.mark.parametrize("server", ["memory", "redis"], indirect=True)


@pytest.fixture
def code(server: Gunicorn) -> str:
    """Return the code of a new session of the demo teacher, which is active."""
    api = Api(server.url)
    token = api.token("teacher")
    code = api.new_session(token)
    api.step(token, code, "start")
    return code


@both_stores
def test_a_teacher_and_a_student_in_one_lesson(server: Gunicorn, window: OpenWindow) -> None:
    teacher, student = window(server.url), window(server.url)
    teacher.come_in("teacher", DEMO)
    student.log_in("student")
    student.join("dem234")
    student.is_in_session("active")
    for one in (teacher, student):
        one.sees(Teacher="active", Student="active")

    said = ["Good morning", "<b>Good</b> morning & hello", "Who has done the homework?", "I have ✓"]
    for count, text in enumerate(said):
        (teacher, student)[count % 2].say(text)
        for one in (teacher, student):
            one.reads(*said[: count + 1])
    expect(student.at("#messages li[data-own]")).to_have_count(2)

    student.at("#status-select").select_option("away")
    teacher.sees(Teacher="active", Student="away")
    student.at("#leave").click()
    teacher.sees(Teacher="active")
    expect(student.at("#messages li, #participants li")).to_have_count(0)


@both_stores
def test_three_seconds_without_network(server: Gunicorn, code: str, window: OpenWindow) -> None:
    """The connection is cut and refused: Chromium's own offline switch leaves open WebSockets alone."""
    with FaultyProxy(server.port) as network:
        teacher, student = window(server.url), window(f"http://127.0.0.1:{network.port}")
        teacher.come_in("teacher", code)
        student.come_in("student", code)
        student.say("before")
        teacher.reads("before")
        student.page.evaluate("classwavesSocket.on('sessionJoined', (data) => { window.recovered = data.recovered; })")

        network.refuse()
        network.cut()
        student.context.set_offline(True)
        back = time.monotonic() + 3
        student.is_in_state("reconnecting")
        for text in ("one", "two", "three"):
            teacher.say(text)
        student.say("from the tunnel")
        expect(student.at("#messages li").last).to_have_attribute("data-state", "waiting")
        teacher.reads("before", "one", "two", "three")
        time.sleep(max(0, back - time.monotonic()))
        teacher.sees(Teacher="active", Student="active")  # within the grace
        network.accept()
        student.context.set_offline(False)

        for one in (student, teacher):
            one.reads("before", "one", "two", "three", "from the tunnel")
            one.sees(Teacher="active", Student="active")
        assert student.page.evaluate("window.recovered") is True
        student.forgive(AWAY)


def test_problems_are_told_in_words(server: Gunicorn, code: str, window: OpenWindow) -> None:
    someone = window(server.url)
    someone.log_in("student", "not my password")
    someone.is_told("User name or password is wrong.", "INVALID_CREDENTIALS")
    someone.at("#code").fill("ZZZZZZ")
    someone.at("#guest-name").fill("Ada")
    someone.at("#guest-join").click()
    someone.is_told("There is no session with this code.", "SESSION_NOT_FOUND")
    someone.at("#token").fill("not.a.token")
    someone.at("#use-token").click()
    someone.is_told("This login is not valid.", "INVALID_TOKEN")
    someone.at("#server").fill(f"http://127.0.0.1:{free_port()}")
    someone.at("#use-token").click()
    someone.is_told("The server cannot be reached.", "UNREACHABLE")
    someone.at("#server").fill(server.url)

    someone.demo("student")
    someone.join("ZZZZZZ")
    someone.is_told("There is no session with this code.", "SESSION_NOT_FOUND")
    someone.join(code)
    someone.is_in_session("active")
    expect(someone.at("#errors")).to_be_hidden()
    someone.say("x" * 4001)
    someone.is_told("The server did not accept this input.", "INVALID_PAYLOAD")
    expect(someone.at("#messages li")).to_contain_text("Not sent: The server did not accept this input.")
    someone.at("#messages").get_by_text("Discard").click()
    someone.say("x" * 4000)
    someone.reads("x" * 4000)
    someone.forgive(REFUSED, AWAY)


@hasty
def test_a_guest_with_a_phone_and_a_keyboard(server: Gunicorn, code: str, window: OpenWindow) -> None:
    teacher = window(server.url)
    teacher.come_in("teacher", code)
    guest = window(f"{server.url}/#code={code.lower()}", **PHONE)
    assert not guest.scrolls_sideways()
    guest.tab_to("#guest-name")
    name = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewis"  # as long as a name may be
    guest.page.keyboard.type(name)
    guest.press("Enter")
    guest.is_in_session("active")
    assert not guest.scrolls_sideways()
    guest.tab_to("#message")
    guest.page.keyboard.type("Two")
    guest.press("Shift+Enter")
    guest.page.keyboard.type("lines" * 50)
    guest.press("Enter")
    for one in (teacher, guest):
        one.reads("Two\n" + "lines" * 50)
    assert not guest.scrolls_sideways()
    guest.tab_to("#status-select")
    guest.press("ArrowDown")
    teacher.sees(**{"Teacher": "active", name: "idle"})
    guest.tab_to("#leave", "Shift+Tab")
    guest.press("Enter")
    teacher.sees(Teacher="active")
    guest.tab_to("#join")
    guest.press("Enter")
    teacher.sees(**{"Teacher": "active", name: "active"})
    guest.close()
    teacher.sees(**{"Teacher": "active", name: "disconnected"})


def test_the_life_of_a_session(server: Gunicorn, window: OpenWindow) -> None:
    teacher, student = window(server.url), window(server.url)
    teacher.demo("teacher")
    teacher.at("#session-title").fill("Fractions")
    teacher.at("#create").click()
    teacher.is_in_session("created")
    student.demo("student")
    student.join(teacher.at("#code").input_value())
    student.is_in_session("created")
    for step, status in (("start", "active"), ("pause", "paused"), ("resume", "active")):
        teacher.at(f"#{step}").click()
        for one in (teacher, student):
            one.is_in_session(status)
    teacher.at("#end").click()
    teacher.at("#end").click()
    for one in (teacher, student):
        one.reads(
            *(f"The session is now {status}." for status in ("active", "paused", "active")), "The session has ended."
        )
        expect(one.at("#title")).to_have_text("Fractions")
        expect(one.at("#session-status")).to_have_attribute("data-status", "ended")
        expect(one.at("#message")).to_be_disabled()


def test_a_page_from_disk_with_a_pasted_token(server: Gunicorn, code: str, window: OpenWindow) -> None:
    student = window((ROOT / "examples" / "websocket-client.html").as_uri())
    student.at("#server").fill(server.url)
    student.at("#token").fill(Api(server.url).token("student"))
    student.at("#use-token").click()
    student.is_in_state("connected")
    student.join(code)
    student.is_in_session("active")
    student.say("from disk")
    student.reads("from disk")


def test_a_network_without_websockets(server: Gunicorn, code: str, window: OpenWindow) -> None:
    guest = window(server.url)
    elsewhere = f"url.replace({server.port}, {free_port()})"
    guest.context.add_init_script(
        f"WebSocket = class extends WebSocket {{ constructor(url) {{ super({elsewhere}); }} }}"
    )
    guest.page.reload()
    guest.be_guest("Ada", code)
    guest.say("by polling")
    guest.reads("by polling")
    assert guest.page.evaluate("classwavesSocket.io.engine.transport.name") == "polling"
    guest.forgive(AWAY)


def test_the_public_copy_of_the_client_is_the_installed_one(server: Gunicorn, code: str, window: OpenWindow) -> None:
    """Chromium itself compares what the CDN would send with the page's integrity hash."""
    guest = window(server.url)
    script = ROOT / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
    guest.context.route(f"{server.url}/socket.io.min.js", lambda route: route.abort())
    guest.context.route(
        "https://cdn.socket.io/**",
        lambda route: route.fulfill(path=script, headers={"Access-Control-Allow-Origin": "*"}),
    )
    guest.page.reload()
    guest.be_guest("Ada", code)
    guest.forgive(AWAY)


def test_late_comers_read_the_whole_history(server: Gunicorn, code: str, window: OpenWindow) -> None:
    early, late = window(server.url), window(server.url)
    early.be_guest("Ada", code)
    texts = [f"message {number}" for number in range(130)]
    early.page.evaluate(
        "async ([sessionCode, texts]) => { for (const message of texts)"
        " await classwavesSocket.emitWithAck('sendMessage', { sessionCode, message }); }",
        [code, texts],
    )
    early.reads(*texts)
    late.be_guest("Bob", code)
    late.reads(*texts[30:])
    late.at("#older").click()
    late.reads(*texts)
    expect(late.at("#older")).to_be_hidden()


def test_a_restart_in_memory_is_a_new_beginning(server: Gunicorn, window: OpenWindow) -> None:
    """The login is gone and so are the messages: the page says so, and goes on where it was after a new login."""
    student = window(server.url)
    student.come_in("student", DEMO)
    student.say("before")
    expect(student.at("#messages li").last).to_have_attribute("data-state", "sent")
    server.kill9()
    student.is_in_state("reconnecting")
    student.say("meanwhile")
    student.complains(AWAY)  # an attempt while nobody answers
    server.start()
    student.is_in_state("refused")
    student.is_told("Please log in again.", "SESSION_EXPIRED")
    student.demo("student")
    student.is_in_session("active")
    student.reads("meanwhile")
    expect(student.at("#errors")).to_be_hidden()
    student.forgive(AWAY)


@pytest.mark.parametrize("server", ["redis"], indirect=True)
def test_a_killed_server_with_redis_loses_nothing(server: Gunicorn, code: str, window: OpenWindow) -> None:
    student = window(server.url)
    student.come_in("student", code)
    student.say("before")
    student.reads("before")
    server.kill9()
    student.is_in_state("reconnecting")
    student.say("meanwhile")
    student.complains(AWAY)  # an attempt while nobody answers
    server.start()
    student.reads("before", "meanwhile")
    student.forgive(AWAY)


@hasty
def test_a_lesson_that_outlasts_the_access_token(server: Gunicorn, window: OpenWindow) -> None:
    teacher = window(server.url)
    renewed: list[str] = []
    teacher.page.on("request", lambda request: renewed.append(request.url) if "/auth/refresh" in request.url else None)
    teacher.demo("teacher")
    teacher.at("#create").click()
    teacher.is_in_session("created")
    connection = teacher.page.evaluate("window.classwavesSocket.id")
    said: list[str] = []
    while not renewed:
        assert len(said) < 100
        said.append(f"message {len(said)}")
        teacher.say(said[-1])
        teacher.reads(*said)
    teacher.say("the same connection")
    teacher.reads(*said, "the same connection")
    assert teacher.page.evaluate("window.classwavesSocket.id") == connection
