"""Take the README's pictures of the example page: ``python -m scripts.pictures`` in the root of the repository.

They need Chromium and a Redis server, as the browser tests do.
"""

import base64
import sys
from datetime import UTC, datetime
from pathlib import Path

from classwaves import create_app
from tests.support import processes
from tests.support.apps import add_user, state_of
from tests.support.browser import Window, started_chromium
from tests.support.clients import Api
from tests.support.gunicorn_server import ROOT, TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer

PICTURES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 760, 800
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}

TEACHER, TITLE = "Ms Okafor", "Biology 9b: Photosynthesis"
LESSON = [
    (TEACHER, "Good morning, 9b! What does a leaf need to make sugar?"),
    ("Mia Brandt", "Light and water"),
    ("Jonas Weber", "and carbon dioxide, from the air"),
    (TEACHER, "Right. And what does it give back?"),
    ("Mia Brandt", "Oxygen! That's the bubbles on the waterweed"),
    ("Leila Haddad", "More bubbles when the lamp is closer"),
    (TEACHER, "Well seen. Please count them for one minute at 10 cm and at 30 cm."),
    ("Mia Brandt", "10 cm: 42"),
    ("Jonas Weber", "30 cm: 11"),
]

# Around ten in the morning, whenever the pictures are taken: lessons are not at night.
HOURS = (datetime.now(UTC).hour - 10 + 12) % 24 - 12
LOOK = {"locale": "en-GB", "timezone_id": f"Etc/GMT{HOURS:+d}" if HOURS else "Etc/GMT", "color_scheme": "light"}

SIDE_BY_SIDE = """
<style>
  body { margin: 0; padding: 24px; display: flex; gap: 24px; background: #c9d6df; }
  img { display: block; border-radius: 10px; box-shadow: 0 6px 24px #17222c55; }
</style>
<img src="data:image/png;base64,{}"><img src="data:image/png;base64,{}">
"""


def create_teacher(redis_url: str) -> None:
    app = create_app({"REDIS_URL": redis_url, **TEST_KEYS})
    add_user(app, TEACHER, "teacher")
    state_of(app).close()


def take_pictures() -> None:
    grace = {"CLASSWAVES_DISCONNECT_GRACE": "0.2"}
    with (
        RedisServer() as redis,
        started_chromium() as browser,
        Gunicorn(env={"REDIS_URL": redis.url, **grace}) as server,
    ):
        create_teacher(redis.url)
        api = Api(server.url)
        token = api.token(TEACHER)
        made = {"title": "Chemistry 10a: Acids"}, {"title": TITLE}
        code = [api.ok("POST", "/sessions", token, body)["sessionCode"] for body in made][-1]
        api.step(token, code, "start")

        square = {"viewport": {"width": WIDTH, "height": HEIGHT}, **LOOK}
        teacher = Window(browser, server.url, **square)
        teacher.log_in(TEACHER)
        teacher.is_in_state("connected")
        teacher.join(code)
        teacher.is_in_session("active")
        people = {TEACHER: teacher}
        for name in ("Mia Brandt", "Jonas Weber", "Leila Haddad", "Tom Becker"):
            people[name] = Window(browser, server.url, **square)
            people[name].be_guest(name, code)
        for number, (name, text) in enumerate(LESSON, 1):
            people[name].say(text)
            teacher.reads(*(said for _, said in LESSON[:number]))
        people["Jonas Weber"].at("#status-select").select_option("idle")
        people["Leila Haddad"].at("#status-select").select_option("away")
        people.pop("Tom Becker").close()
        presence = {"Okafor": "active", "Brandt": "active", "Weber": "idle", "Haddad": "away", "Becker": "disconnected"}
        pair = [teacher, people["Mia Brandt"]]
        for one in pair:
            one.sees(**presence)
            one.reads(*(said for _, said in LESSON))
        teacher.at("#message").fill("Now plot both on one")

        shots = [base64.b64encode(one.page.screenshot()).decode() for one in pair]
        both = browser.new_page(viewport={"width": 2 * WIDTH + 72, "height": HEIGHT + 48})
        both.set_content(SIDE_BY_SIDE.replace("{}", shots[0], 1).replace("{}", shots[1], 1))
        both.screenshot(path=PICTURES / "classroom.png")

        phone = Window(browser, server.url, **{**PHONE, **LOOK, "color_scheme": "dark"})
        phone.be_guest("Sam Novak", code)
        phone.say("30 cm: 12 for us")
        phone.reads(*(said for _, said in LESSON), "30 cm: 12 for us")
        phone.page.screenshot(path=PICTURES / "phone-dark.png")
        faults = [fault for one in (*people.values(), phone) for fault in one.faults]
        if faults:
            sys.exit(f"something went wrong in the page: {faults}")


if __name__ == "__main__":
    processes.mark_this_process()
    PICTURES.mkdir(parents=True, exist_ok=True)
    take_pictures()
    processes.dismiss_reaper()
    for picture in sorted(Path(PICTURES).glob("*.png")):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} KiB")
