"""Take pictures of the classroom pages: ``python -m scripts.pictures [DIRECTORY]`` in the root of
the repository.

Without a directory, those of docs/images. With one, every page and panel on a phone and a laptop, light and dark, to
look at: with long names and messages, names from right to left, an empty class, one that has ended. It needs Chromium
and a Redis server, as the browser tests do, and makes them small if pngquant is there.
"""

import base64
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.support import processes
from tests.support.browser import started_chromium
from tests.support.classroom import LAPTOP, PHONE, Desk
from tests.support.clients import RawClient
from tests.support.gunicorn_server import ROOT
from tests.support.school import School, open_school

PICTURES = ROOT / "docs" / "images"
PANELS = ("activity", "groups", "files", "call", "captions")
HEIGHT = 844

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

    def ask(self) -> None:
        """An activity that most have answered."""
        options = ["Light", "Warmth", "Carbon dioxide", "Water"]
        question = {"question": "What is missing when a brighter lamp changes nothing?", "options": options}
        more = {"activityId": "a", "activityType": "quiz", "data": {**question, "staffOnly": {"right": [2]}}}
        self.tell(TEACHER, "updateActivity", status="started", **more)
        for number, name in enumerate(one for one in self.ids if one in self.people and one != TEACHER):
            if number < 21:
                answer = {"choices": [self.chance.choice([0, 1, 2, 2, 2, 3])]}
                self.tell(name, "submitActivityResponse", activityId="a", data=answer, clientId=name[:60])

    def go_wild(self, answered: str) -> None:
        """What is hard to show."""
        self.tell("Wolfeschlegelsteinhausenbergerdorff", "sendMessage", message=LONG)
        self.tell("محمد عبد الرحمن", "sendMessage", message="أعتقد أن الورقة تحتاج إلى الضوء (light) والماء.")
        self.tell("Ada 🚀 Lovelace", "sendMessage", message="🎉🎉🎉")
        self.tell("Zoë Ångström", "sendMessage", message="Do we also measure at night?", replyTo=answered)
        self.tell(TEACHER, "muteParticipant", userId=self.ids["Ida Kaya"], muted=True)
        self.tell(TEACHER, "assignGroups", count=6, strategy="roundRobin")
        spoken = {"text": "Now look at the leaf from below.", "isFinal": True, "startMs": 0, "endMs": 1800}
        self.tell(TEACHER, "publishTranscription", segmentId="s", revision=1, **spoken)


def take_for_docs(browser: Browser, scene: Scene) -> None:
    """A teacher's laptop beside a student's phone, one of them light and one dark."""
    laptop, phone = (
        {"viewport": {"width": 1280, "height": HEIGHT}},
        {**PHONE, "viewport": {"width": 390, "height": HEIGHT}},
    )
    scene.ask()
    for name, teachers, students in (("classroom", "light", "dark"), ("classroom-dark", "dark", "light")):
        teacher = Desk(browser, scene.school.url, **{**laptop, **LOOK, "color_scheme": teachers})
        teacher.teach(scene.code)
        student = Desk(browser, scene.school.url, **{**phone, **LOOK, "color_scheme": students})
        student.come_as("Sam Novak", scene.code)
        if name == "classroom":
            student.at("#hand").click()
        else:
            student.at("#tab-activity").click()
        scene.tell("Leila Haddad", "typing", isTyping=True)
        expect(teacher.at(".typing")).to_contain_text("is typing")
        teacher.at("#title").focus()  # which shows no ring
        student.page.wait_for_timeout(1500)  # receipts come once a second
        shots = [base64.b64encode(one.page.screenshot()).decode() for one in (teacher, student)]
        both = browser.new_page(viewport={"width": 1280 + 390 + 72, "height": HEIGHT + 48})
        both.set_content(SIDE_BY_SIDE.replace("{}", shots[0], 1).replace("{}", shots[1], 1))
        both.screenshot(path=PICTURES / f"{name}.png")
        both.close()
        student.at("#leave").click()
        expect(student.at("#join")).to_be_visible()
        check(teacher, student)
    if shrink := shutil.which("pngquant"):  # a third of the size; without it they are right too
        for name in ("classroom", "classroom-dark"):
            command = [shrink, "--force", "--ext", ".png", "--skip-if-larger", str(PICTURES / f"{name}.png")]
            subprocess.run(command, check=False)  # noqa: S603 - ours


def take_all(browser: Browser, scene: Scene, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    url, school = scene.school.url, scene.school
    scene.go_wild(school.api.messages(school.teacher, scene.code)[-1]["messageId"])
    scene.ask()
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

            def take_panels(desk: Desk, who: str, take: Callable[[Desk, str], None] = take) -> None:
                for panel in PANELS:
                    desk.at(f"#tab-{panel}").click()
                    take(desk, f"{panel}-{who}")

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
            teacher.press("Escape")
            take_panels(teacher, "teacher")
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
            take_panels(student, "student")
            check(teacher, student)


def check(*desks: Desk) -> None:
    faults = [fault for one in desks for fault in one.faults]
    for one in desks:
        one.close()
    if faults:
        sys.exit(f"something went wrong in the page: {faults}")


if __name__ == "__main__":
    processes.mark_this_process()
    settings = {"CLASSWAVES_DISCONNECT_GRACE": "0.2", "CLASSWAVES_PING_INTERVAL": "1000"}  # the guests do not listen
    with open_school(CLASSWAVES_DEMO="1", **settings) as school, started_chromium() as browser:
        scene = Scene(school, random.Random(9))  # noqa: S311 - the same pictures again
        scene.play()
        if sys.argv[1:]:
            take_all(browser, scene, Path(sys.argv[1]))
        else:
            take_for_docs(browser, scene)
    processes.dismiss_reaper()
