"""What everybody does in the lesson: plans that a seed makes, and how a step of a plan becomes an event.

``tests/node/chaos.mjs`` does the same in JavaScript.
"""

import random
from collections.abc import Sequence
from typing import Any

Payload = dict[str, Any]
Step = tuple[int, str, Any]
"""When, in milliseconds from the beginning; what; and what of it, which depends on what it is."""

EMOJI = ["\N{THUMBS UP SIGN}", "\N{SEEDLING}", "\N{PARTY POPPER}"]
GROUPS = 4

#: the client's event -> the event of the log that it becomes
STORED = {
    "sendMessage": "messageReceived",
    "raiseHand": "handStatusChanged",
    "lowerHand": "handStatusChanged",
    "addReaction": "reactionUpdated",
    "removeReaction": "reactionUpdated",
    "createGroup": "groupUpdate",
    "updateGroup": "groupUpdate",
    "joinGroup": "groupUpdate",
    "leaveGroup": "groupUpdate",
    "assignGroups": "groupUpdate",
    "updateActivity": "activityUpdate",
    "submitActivityResponse": "activityResponse",
}

#: what may be refused for good, because others were faster or the teacher's own steps came late; all else is stored
REFUSABLE = {
    "updateGroup": {"GROUP_NOT_FOUND"},
    "joinGroup": {"GROUP_NOT_FOUND"},
    "leaveGroup": {"GROUP_NOT_FOUND"},
    "updateActivity": {"CONFLICT", "ACTIVITY_NOT_FOUND"},
    "submitActivityResponse": {"CONFLICT", "ACTIVITY_NOT_FOUND"},
}


def student_plan(chance: random.Random, name: str, seconds: float, messages: int) -> list[Step]:
    """So many messages, and about a third as many other things, at any time, often several at once."""
    plan: list[Step] = []
    said = 0
    while said < messages:
        at = round(chance.uniform(0, seconds * 1000))
        burst = min(chance.choice([1, 1, 1, 2, 4]), messages - said)
        for _ in range(burst):
            plan.append((at, "say", f"{name} {said}"))
            said += 1
    others = ["hand", "react", "react", "unreact", "join", "leave", "answer"]
    for number in range(max(1, messages // 3)):
        at = round(chance.uniform(0, seconds * 1000))
        what = chance.choice(others)
        plan.append((at, what, f"{name} answers {number}" if what == "answer" else chance.randrange(1000)))
    return sorted(plan, key=lambda step: step[0])


def teacher_plan(chance: random.Random, seconds: float, messages: int) -> list[Step]:
    """Groups at the beginning and dealt out later, and one activity after the other."""
    plan: list[Step] = [(0, "group", f"Group {number}") for number in range(GROUPS)]
    plan += [(round(chance.uniform(0, seconds * 1000)), "say", f"teacher {number}") for number in range(messages)]
    at = 0.5
    while at < seconds:
        for status in ("started", "paused", "started", "completed"):
            plan.append((round(at * 1000), "activity", status))
            at += chance.uniform(0.5, 1.5)
    for number in range(round(seconds / 5)):
        plan.append((round(chance.uniform(1, seconds) * 1000), "rename", chance.randrange(1000)))
        if number % 3 == 2:
            plan.append((round(chance.uniform(1, seconds) * 1000), "assign", chance.randrange(2, 6)))
    return sorted(plan, key=lambda step: step[0])


class Knowledge:
    """What a client knows when it makes an event of a step: the newest message, the groups, the activity, its hand."""

    def __init__(self) -> None:
        self.message: str | None = None
        self.groups: list[str] = []
        self.activity: str | None = None
        self.raised = False
        self.activities = 0

    def take(self, event: str, data: Payload) -> None:
        """Learn from an event as it was received."""
        if event == "sessionJoined":
            self.groups = [group["groupId"] for group in data["groups"]]
            self.activity = data["activity"] and data["activity"]["activityId"]
            for item in data["missed"]:
                self.take(item["event"], item["data"])
        elif event == "messageReceived":
            self.message = data["messageId"]
        elif event == "activityUpdate":
            self.activity = data["activityId"]
        elif event == "groupUpdate":
            if data["groupId"] in self.groups:
                self.groups.remove(data["groupId"])
            if data["action"] != "deleted":
                self.groups.append(data["groupId"])

    def event(self, what: str, of: Any) -> tuple[str, Payload] | None:
        """The event and the payload of a step; none if there is nothing to do it to."""
        match what:
            case "say":
                return "sendMessage", {"message": of}
            case "hand":
                self.raised = not self.raised
                return ("raiseHand" if self.raised else "lowerHand"), {}
            case "react" | "unreact" if self.message:
                name = "addReaction" if what == "react" else "removeReaction"
                return name, {"messageId": self.message, "emoji": EMOJI[of % len(EMOJI)]}
            case "join" | "leave" if self.groups:
                return f"{what}Group", {"groupId": one_of(self.groups, of)}
            case "answer" if self.activity:
                return "submitActivityResponse", {"activityId": self.activity, "data": of, "clientId": of}
            case "group":
                return "createGroup", {"name": of}
            case "rename" if self.groups:
                return "updateGroup", {"groupId": one_of(self.groups, of), "name": f"Name {of}"}
            case "assign":
                return "assignGroups", {"count": of, "strategy": "random"}
            case "activity":
                self.activities += of == "completed"
                return "updateActivity", {
                    "activityId": f"activity {self.activities - (of == 'completed')}",
                    "activityType": "poll",
                    "status": of,
                    "data": {"question": f"Question {self.activities}", "staffOnly": "the answer"},
                }
        return None


def one_of(found: Sequence[str], pick: int) -> str:
    return sorted(found)[pick % len(found)]
