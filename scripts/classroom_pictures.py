"""Take pictures of the classroom pages: ``python -m scripts.classroom_pictures [DIRECTORY]`` in the root.

Without a directory, those of docs/images. With one, every page on a phone and a laptop, light and dark, to look at:
with long names and messages, names from right to left, an empty class, one that has ended. It needs Chromium and a
Redis server, as the browser tests do.
"""

import random
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from scripts.pictures import LESSON, LOOK, PICTURES, TEACHER, TITLE
from tests.support import processes
from tests.support.browser import started_chromium
from tests.support.classroom import LAPTOP, PHONE, Desk
from tests.support.clients import RawClient
from tests.support.school import School, open_school

NAMES = [
    *(
        "Mia Brandt",
        "Jonas Weber",
        "Leila Haddad",
        "Tom Becker",
        "Sam Novak",
        "Zoë Ångström",
        "李小龍",
        "Đặng Thị Hương",
    ),
    *(
        "محمد عبد الرحمن",
        "נועה לוי",
        "Ada 🚀 Lovelace",
        "O’Brien-Fitzgerald, Caoimhe",
        "Wolfeschlegelsteinhausenbergerdorff",
    ),
    *(
        f"{first} {last}"
        for first in ("Ella", "Noah", "Ida")
        for last in ("Krause", "Silva", "Okoye", "Rossi", "Kaya", "Nowak")
    ),
]
LONG = (
    "I think the plant makes more oxygen when the lamp is closer because more light reaches the leaf, but past a point "
    "something else is missing: carbon dioxide, or warmth. https://example.org/"
    + "a-very-long-address-without-a-break/"
    * 4
)


class Scene:
    """A lesson with thirty guests over the wire, and what they have said."""

    def __init__(self, school: School, chance: random.Random) -> None:
        self.school = school
        self.code = school.api.ok("POST", "/sessions", school.teacher, {"title": TITLE})["sessionCode"]
        school.api.step(school.teacher, self.code, "start")
        self.people: dict[str, RawClient] = {name: school.guest(self.code, name) for name in NAMES}
        self.ids = {name: one.join(self.code)["self"]["userId"] for name, one in self.people.items()}
        self.chance = chance

    def tell(self, name: str, event: str, **more: Any) -> dict[str, Any]:
        ack = self.people[name].ask(event, {"sessionCode": self.code, **more})
        if not ack["ok"]:
            sys.exit(f"{event} of {name}: {ack}")
        return ack

    def play(self) -> None:
        self.people[TEACHER] = self.school.connect(self.school.teacher)
        self.people[TEACHER].join(self.code)
        said = [self.tell(name, "sendMessage", message=text)["messageId"] for name, text in LESSON]
        for name in self.chance.sample(NAMES, 6):
            self.tell(name, "addReaction", messageId=said[4], emoji=self.chance.choice("👍🎉"))
        for name, status in (("Jonas Weber", "idle"), ("Leila Haddad", "away"), ("Ida Silva", "away")):
            self.tell(name, "updatePresence", status=status)
        for name in ("Mia Brandt", "נועה לוי"):
            self.tell(name, "raiseHand")
        self.people.pop("Tom Becker").wire.drop()

    def go_wild(self, answered: str) -> None:
        """What is hard to show."""
        self.tell("Wolfeschlegelsteinhausenbergerdorff", "sendMessage", message=LONG)
        self.tell("محمد عبد الرحمن", "sendMessage", message="أعتقد أن الورقة تحتاج إلى الضوء (light) والماء.")
        self.tell("Ada 🚀 Lovelace", "sendMessage", message="🎉🎉🎉")
        self.tell("Zoë Ångström", "sendMessage", message="Do we also measure at night?", replyTo=answered)
        self.tell(TEACHER, "muteParticipant", userId=self.ids["Ida Kaya"], muted=True)


def take_for_docs(browser: Browser, scene: Scene) -> None:
    teacher = Desk(browser, scene.school.url, **LOOK)
    teacher.teach(scene.code)
    student = Desk(browser, scene.school.url, **{**PHONE, **LOOK, "color_scheme": "dark", "device_scale_factor": 2})
    student.come_as("Sam Nowak", scene.code)
    student.at("#hand").click()
    scene.tell("Leila Haddad", "typing", isTyping=True)
    teacher.page.wait_for_timeout(1500)
    teacher.page.screenshot(path=PICTURES / "classroom-teacher.png")
    student.page.screenshot(path=PICTURES / "classroom-student.png")
    check(teacher, student)


def take_all(browser: Browser, scene: Scene, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    url, school = scene.school.url, scene.school
    scene.go_wild(school.api.messages(school.teacher, scene.code)[-1]["messageId"])
    empty = school.session(waitingRoom=True)
    over = school.session()
    school.api.step(school.teacher, over, "start")
    waiting = school.guest(empty, "Grace Hopper")
    waiting.ask("joinSession", empty)
    guest = school.joined(over, "Mia Brandt")
    guest.say(over, "See you tomorrow!")
    school.api.step(school.teacher, over, "end")
    for device, size in (("laptop", LAPTOP), ("phone", PHONE)):
        for theme in ("light", "dark"):

            def take(desk: Desk, name: str, device: str = device, theme: str = theme) -> None:
                desk.page.wait_for_timeout(300)
                desk.page.screenshot(path=directory / f"{name}-{device}-{theme}.png")
                if desk.scrolls_sideways():
                    sys.exit(f"{name} is wider than its window")

            options = {**size, **LOOK, "color_scheme": theme}
            teacher = Desk(browser, url, **options)
            take(teacher, "door")
            teacher.teach(scene.code)
            take(teacher, "teacher")
            if device == "phone":
                teacher.at("#tab-people").click()
            teacher.person("Mia Brandt").locator("[aria-expanded]").click()
            take(teacher, "people")
            if device == "phone":
                teacher.at("#tab-chat").click()
            opener = teacher.message("More bubbles").locator(".opener")
            opener.click()
            teacher.at("#show-code").scroll_into_view_if_needed()
            take(teacher, "actions")
            teacher.at("#show-code").click()
            take(teacher, "code")
            teacher.page.goto(f"{url}/classroom/teacher")
            take(teacher, "sessions")
            for name, code in (("empty", empty), ("over", over)):
                teacher.page.goto(f"{url}/classroom/")
                teacher.page.goto(f"{url}/classroom/#code={code}")
                teacher.page.reload()
                teacher.at("#demo-teacher").click()
                teacher.at("#chat textarea").wait_for(state="attached")
                if device == "phone" and name == "empty":
                    teacher.at("#tab-people").click()
                take(teacher, name)
            student = Desk(browser, url, **options)
            student.come_as("Leonie von und zu Hohenlohe-Langenburg", scene.code)
            student.at("#hand").click()
            student.at("#message").fill("One moment\nplease")
            student.at("#send").click()
            take(student, "student")
            check(teacher, student)


def check(*desks: Desk) -> None:
    faults = [fault for one in desks for fault in one.faults]
    for one in desks:
        one.close()
    if faults:
        sys.exit(f"something went wrong in the page: {faults}")


if __name__ == "__main__":
    processes.mark_this_process()
    with open_school(CLASSWAVES_DISCONNECT_GRACE="0.2", CLASSWAVES_DEMO="1") as school, started_chromium() as browser:
        scene = Scene(school, random.Random(9))  # noqa: S311 - the same pictures again
        scene.play()
        if sys.argv[1:]:
            take_all(browser, scene, Path(sys.argv[1]))
        else:
            take_for_docs(browser, scene)
    processes.dismiss_reaper()
