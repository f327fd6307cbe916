"""What tests do with a panel of the classroom pages: look at it closely, and let it miss what happens."""

from typing import Any

from playwright.sync_api import WebSocket, expect

from tests.support.browser import AWAY, Window
from tests.support.classroom import RULES
from tests.support.clients import Api, RawClient
from tests.support.contract import contract_package
from tests.support.gunicorn_server import Gunicorn
from tests.support.proxy import FaultyProxy

# What axe-core finds fault with in a part of the page.
AXE = """([selector, rules]) => axe.run(selector, { runOnly: rules, resultTypes: ["violations"] })
    .then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`))"""


def is_accessible(window: Window, panel: str) -> None:
    """Look at a panel by light and by dark, and at how wide it is."""
    if not window.page.evaluate("typeof axe === 'object'"):
        window.page.evaluate((contract_package("axe-core") / "axe.min.js").read_text())
    window.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert window.page.evaluate(AXE, [f"#{panel}", RULES]) == []
    window.page.emulate_media(color_scheme="dark")  # in which nothing else is different
    assert window.page.evaluate(AXE, [f"#{panel}", {"type": "rule", "values": ["color-contrast"]}]) == []
    assert not window.scrolls_sideways()


def frames_of(window: Window) -> list[str]:
    """Return a list into which everything is put that the server sends from now on."""
    heard: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: heard.append(str(frame)))

    window.page.on("websocket", listen)
    return heard


def happens_meanwhile(server: Gunicorn, code: str) -> None:
    """What a student misses who is not connected: something in each panel."""
    people = does(server, code)["participants"]
    student = next(one["userId"] for one in people if one["role"] == "student")
    question = {"question": "Why?", "options": ["So", {"no": "text"}]}
    activity = {"activityId": "a", "activityType": "poll", "status": "started"}
    text = {"segmentId": "s", "revision": 1, "text": "hello", "isFinal": True, "startMs": 0, "endMs": 1}
    does(
        server,
        code,
        ("updateActivity", {**activity, "data": question}),
        ("createGroup", {"name": "Readers", "memberIds": [student]}),
        ("publishTranscription", text),
    )


def too_much_happens(server: Gunicorn, code: str) -> None:
    """More than can be missed: the page gets a snapshot, and all that it has shown is of before."""
    (group,) = does(server, code)["groups"]
    names = [("updateGroup", {"groupId": group["groupId"], "name": f"Writers {number}"}) for number in range(8)]
    does(server, code, *names, ("updateActivity", {"activityId": "a", "activityType": "poll", "status": "completed"}))


def does(server: Gunicorn, code: str, *events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Do something as the teacher, in another tab, and return what that was told when it joined."""
    staff = RawClient(server.url, Api(server.url).token("teacher"))
    joined: dict[str, Any] = staff.join(code)
    for event, data in events:
        assert staff.ask(event, {"sessionCode": code, **data})["ok"]
    staff.close()
    return joined


def lose(window: Window, network: FaultyProxy) -> None:
    """Lose the connection until the network accepts new ones."""
    network.refuse()
    network.cut()
    expect(window.at("#state")).to_have_attribute("data-state", "reconnecting")
    window.complains(AWAY)


def begins_anew(student: Window) -> None:
    student.at("#tab-groups").click()
    expect(student.at(".own-group h3")).to_have_text("Writers 7", timeout=15_000)
    student.at("#tab-activity").click()
    expect(student.at("#answer-note")).to_have_text("The activity is closed. You have not answered.")
    student.at("#tab-captions").click()
    expect(student.at(".said .text")).to_have_text(["hello"])
    student.at("#tab-files").click()
    expect(student.at(".file")).to_have_count(1)


def has_missed_nothing(student: Window) -> None:
    student.at("#tab-activity").click()
    expect(student.at("#activity .option")).to_have_text(["So", "[object Object]"])
    student.at("#tab-groups").click()
    expect(student.at(".own-group h3")).to_have_text("Readers")
    student.at("#tab-captions").click()
    expect(student.at(".said .text")).to_have_text(["hello"])
    student.at("#tab-files").click()
