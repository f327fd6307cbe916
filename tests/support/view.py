"""What a front end makes of a session: a snapshot, and every event after it."""

from typing import Any

Payload = dict[str, Any]


class View:
    """A participant's picture of the classroom, kept by the rules that the docs give to front ends.

    :param events: as they came, ``sessionJoined`` among them; events of other sessions may be there too
    """

    def __init__(self, code: str, events: list[tuple[str, Payload]]) -> None:
        self.participants: dict[str, str] = {}
        self.groups: dict[str, Payload] = {}
        self.activity: Payload | None = None
        self.hands: list[str] = []
        self.mode = "open"
        self.muted: set[str] = set()
        self.streams: dict[str, str] = {}
        self.files: dict[str, Payload] = {}
        self.read: dict[str, str] = {}
        self._me = ""
        for name, data in events:
            if data.get("sessionCode") == code:
                self.take(name, data)

    def take(self, name: str, data: Payload) -> None:
        """Apply one event."""
        if handler := getattr(self, f"_on_{name}", None):
            handler(data)

    def facts(self) -> Payload:
        """Everything that must be the same for all who may see it."""
        return {
            "participants": {user: status for user, status in self.participants.items() if user != self._me},
            "groups": self.groups,
            "activity": self.activity,
            "hands": self.hands,
            "mode": self.mode,
            "muted": self.muted,
            "streams": self.streams,
            "files": self.files,
            "read": self.read,
        }

    def _on_sessionJoined(self, data: Payload) -> None:
        self._me = data["self"].get("userId", "")
        self.participants = {one["userId"]: one["status"] for one in data["participants"]}
        self.groups = {group["groupId"]: group for group in data["groups"]}
        self.activity = data["activity"] and activity_of(data["activity"])
        self.hands = [hand["userId"] for hand in data["hands"]]
        self.mode = data["mode"]
        self.muted = set(data["muted"])
        self.streams = {stream["streamId"]: stream["status"] for stream in data["transcription"]["streams"]}
        self.files = {file["fileId"]: file for file in data["files"]}
        self.read = dict(data["readReceipts"])

    def _on_presenceUpdated(self, data: Payload) -> None:
        if data["status"] == "left":
            self._gone(data["userId"])
        else:
            self.participants[data["userId"]] = data["status"]

    def _on_participantRemoved(self, data: Payload) -> None:
        self._gone(data["userId"])
        for group in self.groups.values():
            if data["userId"] in group["members"]:
                group["members"] = [user for user in group["members"] if user != data["userId"]]
                group["leaderId"] = None if group["leaderId"] == data["userId"] else group["leaderId"]

    def _gone(self, user_id: str) -> None:
        """Who leaves has no hand up, and keeps a place in a group."""
        self.participants.pop(user_id, None)
        if user_id in self.hands:
            self.hands.remove(user_id)

    def _on_groupUpdate(self, data: Payload) -> None:
        if data["action"] == "deleted":
            self.groups.pop(data["groupId"], None)
        else:
            keys = ("groupId", "groupName", "members", "leaderId", "isReady", "maxSize", "version")
            self.groups[data["groupId"]] = {key: data[key] for key in keys}

    def _on_activityUpdate(self, data: Payload) -> None:
        progress = {"responded": 0}
        if self.activity and self.activity["activityId"] == data["activityId"]:
            progress = {"responded": self.activity["responded"]}
        self.activity = activity_of({**data, **progress})

    def _on_activityProgress(self, data: Payload) -> None:
        if self.activity and self.activity["activityId"] == data["activityId"]:
            self.activity["responded"] = data["responded"]

    def _on_handStatusChanged(self, data: Payload) -> None:
        user_id = data["userId"]
        if data["raised"] and data["position"] is not None and user_id not in self.hands:
            self.hands.append(user_id)
        elif not data["raised"] and user_id in self.hands:
            self.hands.remove(user_id)

    def _on_sessionModeChanged(self, data: Payload) -> None:
        self.mode = data["mode"]

    def _on_participantMuted(self, data: Payload) -> None:
        (self.muted.add if data["muted"] else self.muted.discard)(data["userId"])

    def _on_transcriptionStatus(self, data: Payload) -> None:
        if data["status"] == "stopped":
            self.streams.pop(data["streamId"], None)
        else:
            self.streams[data["streamId"]] = data["status"]

    def _on_fileShared(self, data: Payload) -> None:
        self.files[data["fileId"]] = {key: value for key, value in data.items() if key != "sessionCode"}

    def _on_fileRemoved(self, data: Payload) -> None:
        self.files.pop(data["fileId"], None)

    def _on_readReceiptUpdated(self, data: Payload) -> None:
        self.read[data["userId"]] = data["messageId"]


def activity_of(data: Payload) -> Payload:
    """What of an activity everybody sees, with its progress."""
    keys = ("activityId", "activityType", "status", "version", "updatedBy", "responded")
    return {**{key: data[key] for key in keys}, "data": data.get("data")}


def conversation(code: str, events: list[tuple[str, Payload]]) -> tuple[dict[str, Payload], list[Payload]]:
    """What was said and captioned: messages as history shows them, by id; final captions by seq."""
    messages: dict[str, Payload] = {}
    captions: dict[int, Payload] = {}
    for name, data in events:
        if data.get("sessionCode") != code:
            continue
        if name == "messageReceived":
            messages[data["messageId"]] = dict(data)
        elif name == "messageDeleted":
            messages.pop(data["messageId"], None)
        elif name == "reactionUpdated" and (message := messages.get(data["messageId"])):
            counts = {**message.get("reactions", {}), data["emoji"]: data["count"]}
            counts = {emoji: count for emoji, count in counts.items() if count}
            message.pop("reactions", None)
            message |= {"reactions": counts} if counts else {}
        elif name == "transcriptionUpdate" and data["isFinal"]:
            captions[data["seq"]] = data
    return messages, [captions[seq] for seq in sorted(captions)]
