"""The rules of a session by the words of the contract, to be asked about any prefix of a log.

Nothing of the product's own rules is used here.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.chaos.verdict import Line

Payload = dict[str, Any]

SPEAKING = ("sendMessage", "addReaction", "removeReaction")
STAFF_ONLY = (
    "muteParticipant",
    "removeParticipant",
    "setSessionMode",
    "updateActivity",
    "deleteMessage",
    "createGroup",
)
STATUSES = {
    ("created", "active"),
    ("active", "paused"),
    ("paused", "active"),
    ("created", "ended"),
    ("active", "ended"),
    ("paused", "ended"),
}
ACTIVITY_STEPS = {
    ("started", "started"),
    ("started", "paused"),
    ("started", "completed"),
    ("paused", "started"),
    ("paused", "paused"),
    ("paused", "completed"),
    ("completed", "started"),
    ("completed", "completed"),
}
SILENT = ("participantChanged", "sessionEnded")
"""What is in a log after the end."""


@dataclass
class Rules:
    """What a prefix of a log says.

    :param teacher: the user id of the session's only staff
    """

    teacher: str
    seq: int = 0
    status: str = "created"
    mode: str = "open"
    muted: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    messages: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Those that are not deleted -> whom they were for, beside staff; ``None``: everybody."""
    groups: dict[str, Payload] = field(default_factory=dict)
    activity: Payload = field(default_factory=dict)

    # may it be in the log now?

    def forbids(self, line: Line) -> str | None:
        """Why an entry must not follow this prefix; none if it may."""
        if line.seq != self.seq + 1:
            return f"{line.seq} follows {self.seq}"
        if self.status == "ended" and line.event not in SILENT:
            return "the session has ended"
        judge = getattr(self, f"_judge_{line.event}", None)
        return judge(line) if judge else None

    def _judge_sessionStatusChanged(self, line: Line) -> str | None:
        step = (self.status, line.payload["status"])
        if step not in STATUSES or line.payload["previousStatus"] != self.status:
            return f"it was {self.status}"
        return None

    def _judge_sessionModeChanged(self, line: Line) -> str | None:
        return self._staff_alone(line) or (
            None if line.payload["previousMode"] == self.mode else f"the mode was {self.mode}"
        )

    def _judge_participantMuted(self, line: Line) -> str | None:
        return self._staff_alone(line)

    def _judge_participantRemoved(self, line: Line) -> str | None:
        return self._staff_alone(line)

    def _judge_messageDeleted(self, line: Line) -> str | None:
        return self._staff_alone(line) or self._unknown(line.payload["messageId"], line.user)

    def _judge_messageReceived(self, line: Line) -> str | None:
        if reason := self._may_not_speak(line.user):
            return reason
        group_id = line.payload.get("groupId")
        if group_id is None:
            return None if line.audience == "all" else f"it is for {line.audience}"
        group = self.groups.get(group_id)
        if group is None:
            return "there is no such group"
        if line.user != self.teacher and line.user not in group["members"]:
            return "its author is not in the group"
        if line.members != frozenset(group["members"]):
            return f"it is for {line.members}, and in the group are {group['members']}"
        return None

    def _judge_reactionUpdated(self, line: Line) -> str | None:
        return self._may_not_speak(line.user) or self._unknown(line.payload["messageId"], line.user)

    def _judge_handStatusChanged(self, line: Line) -> str | None:
        return self._is_out(line.user)

    def _judge_activityUpdate(self, line: Line) -> str | None:
        if reason := self._staff_alone(line):
            return reason
        same = self.activity.get("activityId") == line.payload["activityId"]
        before = self.activity if same else {}
        if line.payload["version"] != before.get("version", 0) + 1:
            return f"the version before was {before.get('version', 0)}"
        if not same and (self.activity.get("status") in ("started", "paused") or line.payload["status"] != "started"):
            return f"another activity is {self.activity.get('status')}"
        if same and (before["status"], line.payload["status"]) not in ACTIVITY_STEPS:
            return f"it was {before['status']}"
        if line.payload["status"] == "started" and self.status != "active":
            return f"the session is {self.status}"
        return None

    def _judge_activityResponse(self, line: Line) -> str | None:
        if self.status != "active":
            return f"the session is {self.status}"
        running = self.activity.get("activityId") == line.payload["activityId"] and self.activity["status"] == "started"
        return self._is_out(line.user) or (None if running else f"the activity is {self.activity}")

    def _judge_groupUpdate(self, line: Line) -> str | None:
        if line.user == self.teacher:
            return None
        old, new = self.groups.get(line.payload["groupId"]), line.payload
        if old is None:
            return "there is no such group"
        if (set(old["members"]) ^ set(new["members"])) - {line.user}:
            return f"others than its author came or went: {old['members']}"
        if new["maxSize"] is not None and len(new["members"]) > new["maxSize"]:
            return "the group is too large"
        others = [key for key, group in self.groups.items() if key != new["groupId"] and line.user in group["members"]]
        if others and line.user in new["members"]:
            return f"its author is in {others} too"
        return self._is_out(line.user)

    def _staff_alone(self, line: Line) -> str | None:
        return None if line.user == self.teacher else "its author is not staff"

    def _is_out(self, user: str) -> str | None:
        if user in self.removed:
            return "its author has been removed"
        return None if user in self.joined else "its author has not joined"

    def _may_not_speak(self, user: str) -> str | None:
        if user == self.teacher:
            return None
        if user in self.muted:
            return "its author is muted"
        return self._is_out(user) or (None if self.mode == "open" else f"the mode is {self.mode}")

    def _unknown(self, message_id: str, user: str) -> str | None:
        if message_id not in self.messages:
            return "there is no such message"
        readers = self.messages[message_id]
        return None if readers is None or user in readers or user == self.teacher else "its author cannot see it"

    # what it changes

    def learn(self, line: Line) -> None:
        """Go on by one entry."""
        self.seq = line.seq
        data = line.payload
        match line.event:
            case "sessionStatusChanged":
                self.status = data["status"]
            case "sessionModeChanged":
                self.mode = data["mode"]
            case "participantChanged" if data["change"] == "joined":
                self.joined.add(line.user)
            case "participantMuted":
                (self.muted.add if data["muted"] else self.muted.discard)(data["userId"])
            case "participantRemoved":
                self._remove(data["userId"])
            case "messageReceived":
                self.messages[data["messageId"]] = line.members if line.audience == "group" else None
            case "messageDeleted":
                del self.messages[data["messageId"]]
            case "activityUpdate":
                self.activity = data
            case "groupUpdate" if data["action"] == "deleted":
                del self.groups[data["groupId"]]
            case "groupUpdate":
                self.groups[data["groupId"]] = data

    def _remove(self, user: str) -> None:
        self.removed.add(user)
        for group_id, group in self.groups.items():
            left = [member for member in group["members"] if member != user]
            self.groups[group_id] = {**group, "members": left}

    # what is somebody told who tries now?

    def answer(self, user: str, event: str, data: Payload) -> tuple[str, str | None]:
        """The code of the refusal and its reason, in the contract's order of checks; or ``ok``."""
        if self.status == "ended":
            return "SESSION_ENDED", None
        if event == "joinSession":
            return ("SESSION_ACCESS_DENIED" if user in self.removed else "ok"), None
        if user in self.removed:
            return "NOT_IN_SESSION", None
        if user != self.teacher:
            if event in STAFF_ONLY:
                return "FORBIDDEN", None
            if event in SPEAKING and user in self.muted:
                return "FORBIDDEN", "muted"
            if event in SPEAKING and self.mode != "open":
                return "FORBIDDEN", self.mode
        return self._outcome(user, event, data)

    def _outcome(self, user: str, event: str, data: Payload) -> tuple[str, str | None]:
        if event in ("addReaction", "removeReaction", "deleteMessage"):
            return ("MESSAGE_NOT_FOUND" if self._unknown(data["messageId"], user) else "ok"), None
        if event in ("sendMessage", "joinGroup", "leaveGroup") and "groupId" in data:
            return self._with_group(user, event, data["groupId"])
        if event == "submitActivityResponse":
            return self._response(data), None
        if event == "updateActivity":
            return self._activity_step(data), None
        return "ok", None

    def _with_group(self, user: str, event: str, group_id: str) -> tuple[str, str | None]:
        group = self.groups.get(group_id)
        if group is None:
            return "GROUP_NOT_FOUND", None
        inside = user in group["members"]
        if event == "sendMessage" and not inside and user != self.teacher:
            return "FORBIDDEN", "otherGroup"
        if event == "joinGroup" and not inside and group["maxSize"] == len(group["members"]):
            return "GROUP_FULL", None
        return "ok", None

    def _response(self, data: Payload) -> str:
        if self.status != "active":
            return "SESSION_NOT_ACTIVE"
        if self.activity.get("activityId") != data["activityId"]:
            return "ACTIVITY_NOT_FOUND"
        return "ok" if self.activity["status"] == "started" else "CONFLICT"

    def _activity_step(self, data: Payload) -> str:
        if data["status"] == "started" and self.status != "active":
            return "SESSION_NOT_ACTIVE"
        if self.activity.get("activityId") != data["activityId"]:
            if data["status"] != "started":
                return "ACTIVITY_NOT_FOUND"
            return "CONFLICT" if self.activity.get("status") in ("started", "paused") else "ok"
        step = (self.activity["status"], data["status"])
        return "ok" if step in ACTIVITY_STEPS and step[0] != step[1] else "CONFLICT"
