"""Take the picture of docs/monitor.md: ``python -m scripts.monitor_picture`` in the root of the repository.

A minute and a half of three lessons on two workers. It needs Chromium and a Redis server, as the browser tests do.
"""

import random
import sys

from classwaves import create_app
from scripts.pictures import PICTURES
from tests.support import processes
from tests.support.apps import add_user, state_of
from tests.support.browser import Window, started_chromium
from tests.support.gunicorn_server import TEST_KEYS, Gunicorn
from tests.support.redis_server import RedisServer
from tests.support.school import School

SECONDS = 90
LESSONS = (24, 15, 8)
SIZE = {"width": 1280, "height": 1130}


def take_picture() -> None:
    chance = random.Random(9)  # noqa: S311 - the same picture again
    with RedisServer() as redis, started_chromium() as browser:
        app = create_app({"REDIS_URL": redis.url, **TEST_KEYS})
        add_user(app, "Root", "admin")
        state_of(app).close()
        env = {"REDIS_URL": redis.url, "WEB_CONCURRENCY": "2", "CLASSWAVES_RATELIMIT_ENABLED": "0"}
        with Gunicorn(env={**TEST_KEYS, **env}) as server:
            school = School(server)
            window = Window(browser, f"{server.url}/monitor", viewport=SIZE, color_scheme="light")
            window.log_in("Root")
            people = []
            codes = [school.session() for _ in LESSONS]
            for code, size in zip(codes, LESSONS, strict=True):
                school.api.step(school.teacher, code, "start")
                for number in range(size):
                    transport = chance.choice(["websocket"] * 9 + ["polling"])
                    people.append((code, school.joined(code, f"Guest {number}", transport)))
            for second in range(SECONDS):
                for code, one in chance.sample(people, 6 + 4 * (second // 30 % 2)):
                    one.say(code, "hello")
                if second % 20 == 19:
                    people[second % 7][1].ask("no such event")
                    people.pop()[1].wire.drop()
                window.page.wait_for_timeout(700)
            window.page.screenshot(path=PICTURES / "monitor.png")
            school.dismiss()
        if window.faults:
            sys.exit(f"something went wrong in the page: {window.faults}")


if __name__ == "__main__":
    processes.mark_this_process()
    take_picture()
    processes.dismiss_reaper()
