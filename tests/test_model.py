"""Whatever users do in a classroom, in whatever order: the product does what a small model of the contract says.

The model is plain Python. Each step predicts the ack and what every socket is told; after it, the replica of each
worker, one folded anew from the whole log, and the snapshots for a student and for staff agree with the model.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from classwaves import lifecycle
from classwaves.erasure import erased
from classwaves.errors import ClassWavesError
from classwaves.live import LiveSession
from classwaves.models import DEFAULT_SESSION_SETTINGS, Entry
from classwaves.replica import Replica
from classwaves.store import MemoryStore
from classwaves.store.base import Feed
from tests.support.hubs import Worker, principal
from tests.support.hubs import workers as workers
from tests.support.stores import LIMITS, new_session, redis_store
from tests.support.uploads import Sent
from tests.support.waiting import eventually

#: Only a failure takes long: until its steps are the fewest that fail.
pytestmark = pytest.mark.timeout(400)

Payload = dict[str, Any]
Told = tuple[str, Payload]


class Refusal(NamedTuple):
    """The code of a refusal, and its ``details.reason``."""

    code: str
    reason: str | None = None


#: socket -> whose it is, and the worker that it is connected to
SOCKETS = {
    "olga": ("olga", 0),
    "carl": ("carl", 1),
    "sam": ("sam", 0),
    "sam's phone": ("sam", 1),
    "sue": ("sue", 1),
    "tim": ("tim", 0),
    "una": ("una", 1),
    "tess": ("tess", 0),  # another teacher
}
STAFF = {"olga", "carl"}
TEACHERS = STAFF | {"tess"}
STUDENTS = ["sam", "sue", "tim", "una"]
#: What only staff may ever be sent.
SECRET = "the answer key"
#: What the model knows of a file.
FILE = ("fileId", "userId", "clientFileId", "sha256", "seq")
EMOJI = ["\N{THUMBS UP SIGN}", "\N{SEEDLING}"]

STEPS = {
    "start": ({"created"}, "active"),
    "pause": ({"active"}, "paused"),
    "resume": ({"paused"}, "active"),
    "end": ({"created", "active", "paused"}, "ended"),
}
ACTIVITY_STEPS = {
    "": {"started"},
    "started": {"started", "paused", "completed"},
    "paused": {"started", "paused", "completed"},
    "completed": {"started", "completed"},
}


def role_of(user: str) -> str:
    return "teacher" if user in TEACHERS else "student"


def user_of(sid: str) -> str:
    return SOCKETS[sid][0]


def most_present(statuses: Collection[str]) -> str:
    return next(status for status in ("active", "idle", "away") if status in statuses)


class Durable(NamedTuple):
    """An event of the log as the model knows it; ``to``: its readers beside staff, ``None``: everybody."""

    seq: int
    event: str
    fields: Payload
    staff_fields: Payload
    to: frozenset[str] | None

    def is_for(self, user: str) -> bool:
        return self.to is None or user in self.to or user in STAFF


@dataclass
class Message:
    text: str
    group: str | None
    to: frozenset[str] | None
    deleted: bool = False


@dataclass
class Model:
    """A classroom session by the words of the contract."""

    status: str = "created"
    mode: str = "open"
    seq: int = 1  # the session's own first entry
    muted: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    present: list[str] = field(default_factory=list)
    joined: dict[str, str] = field(default_factory=dict)
    """Socket -> its status."""
    messages: dict[str, Message] = field(default_factory=dict)
    reactions: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    hands: list[str] = field(default_factory=list)
    groups: dict[str, Payload] = field(default_factory=dict)
    activity: Payload | None = None
    responses: dict[str, Any] = field(default_factory=dict)
    run: int = 0
    cursors: dict[str, str] = field(default_factory=dict)
    segments: dict[str, str] = field(default_factory=dict)
    files: dict[str, Payload] = field(default_factory=dict)
    log: list[Durable] = field(default_factory=list)
    expected: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    """Socket -> what it is to be told in this step."""

    # what happens

    def fact(self) -> None:
        """Something for the log that nobody is told under its own name."""
        self.seq += 1

    def append(
        self, event: str, fields: Payload, to: Collection[str] | None = None, staff: Payload | None = None
    ) -> None:
        """A durable event. ``staff``: what differs in the fields for staff."""
        self.seq += 1
        fields = {**fields, "seq": self.seq}
        readers = None if to is None else frozenset(to)
        entry = Durable(self.seq, event, fields, {**fields, **(staff or {})}, readers)
        self.log.append(entry)
        for sid in self.joined:
            if entry.is_for(user_of(sid)):
                self.expected[sid].append((event, entry.staff_fields if user_of(sid) in STAFF else fields))

    def say(self, event: str, fields: Payload, but: str = "") -> None:
        """Something without a seq, for everybody except the sockets of one user."""
        for sid in self.joined:
            if user_of(sid) != but:
                self.expected[sid].append((event, fields))

    def say_presence(self, user: str, status: str) -> None:
        self.say("presenceUpdated", {"userId": user, "status": status, "role": role_of(user)}, but=user)

    # what may be

    def gate(self, sid: str, allow: str, active: bool = False, reads: bool = False) -> Refusal | None:
        """Whether a socket may send an event at all."""
        user, ended = user_of(sid), self.status == "ended"
        if sid not in self.joined:
            return Refusal("SESSION_ENDED" if ended else "NOT_IN_SESSION")
        if ended and not reads:
            return Refusal("SESSION_ENDED")
        if (allow == "staff" and user not in STAFF) or (allow == "student" and user in STAFF):
            return Refusal("FORBIDDEN")
        if allow == "speaker" and user not in STAFF:
            if user in self.muted:
                return Refusal("FORBIDDEN", "muted")
            if self.mode != "open":
                return Refusal("FORBIDDEN", self.mode)
        if active and self.status != "active":
            return Refusal("SESSION_NOT_ACTIVE")
        return None

    def sees(self, user: str, message_id: str) -> bool:
        message = self.messages.get(message_id)
        return (
            message is not None and not message.deleted and (message.to is None or user in message.to or user in STAFF)
        )

    def group_refusal(self, user: str, group_id: str | None) -> Refusal | None:
        """Whether this user may speak to a group."""
        if group_id is None:
            return None
        if group_id not in self.groups:
            return Refusal("GROUP_NOT_FOUND")
        if user not in STAFF and user not in self.groups[group_id]["members"]:
            return Refusal("FORBIDDEN", "otherGroup")
        return None

    def group_readers(self, group_id: str | None) -> list[str] | None:
        return None if group_id is None else list(self.groups[group_id]["members"])

    def shape_refusal(self, group: Payload, new: Collection[str]) -> Refusal | None:
        """Whether a group can be like this."""
        if any(user not in self.known or user in self.removed for user in new):
            return Refusal("INVALID_PAYLOAD")
        if group["leaderId"] is not None and group["leaderId"] not in group["members"]:
            return Refusal("INVALID_PAYLOAD")
        if group["maxSize"] is not None and len(group["members"]) > group["maxSize"]:
            return Refusal("GROUP_FULL")
        return None

    def target_refusal(self, user: str) -> Refusal | None:
        """Whether staff may mute or remove this user."""
        if user not in self.known:
            return Refusal("NOT_FOUND")
        return Refusal("FORBIDDEN", "staff") if user in STAFF else None

    # groups

    def put(self, group: Payload, action: str, by: str) -> None:
        """A group as it is now, one version on; everybody is told."""
        group = {**group, "version": group["version"] + 1}
        if action == "deleted":
            del self.groups[group["groupId"]]
        else:
            self.groups[group["groupId"]] = group
        self.append("groupUpdate", {**group, "action": action, "updatedBy": by})

    def move(self, users: Collection[str], into: str, by: str) -> None:
        """These users leave the other groups that they are in."""
        for group in list(self.groups.values()):
            if group["groupId"] != into and set(group["members"]) & set(users):
                self.put(without(group, users), "updated", by)

    # what a joiner is told

    def status_of(self, user: str) -> str:
        return most_present([status for sid, status in self.joined.items() if user_of(sid) == user])

    def progress(self) -> dict[str, int]:
        students = [user for user in self.present if user not in STAFF]
        return {"responded": len(self.responses), "participants": len(students)}

    def shown_activity(self, user: str) -> Payload | None:
        if self.activity is None:
            return None
        shown = {**self.activity, **self.progress()}
        if user in STAFF:
            rows = [{"userId": who, "displayName": who.title(), "data": data} for who, data in self.responses.items()]
            return shown | {"responses": rows, "responsesComplete": True}
        mine = {"response": self.responses[user]} if user in self.responses else {}
        return public(shown) | mine

    def snapshot(self, user: str) -> Payload:
        return {
            "status": self.status,
            "mode": self.mode,
            "seq": self.seq,
            "participants": [(other, role_of(other), self.status_of(other)) for other in self.present],
            "staff": user in STAFF,
            "muted": user in self.muted,
            "groups": list(self.groups.values()),
            "hands": list(enumerate(self.hands, 1)),
            "activity": self.shown_activity(user),
            "files": list(self.files.values()),
            "readReceipts": dict(self.cursors),
        }

    def missed(self, user: str, since: int) -> list[Told]:
        """What a resuming user gets: as it was sent, with count and position as of now."""
        return [(e.event, self._now(e, user)) for e in self.log if e.seq > since and e.is_for(user)]

    def _now(self, entry: Durable, user: str) -> Payload:
        fields = dict(entry.staff_fields if user in STAFF else entry.fields)
        if entry.event == "reactionUpdated":
            fields["count"] = self.count(fields["messageId"], fields["emoji"])
        elif entry.event == "handStatusChanged":
            fields["position"] = self.position(fields["userId"])
        return fields

    def count(self, message_id: str, emoji: str) -> int:
        return len(self.reactions.get(message_id, {}).get(emoji, ()))

    def position(self, user: str) -> int | None:
        return self.hands.index(user) + 1 if user in self.hands else None


def without(group: Payload, users: Collection[str]) -> Payload:
    """A group that these users have left."""
    leader = None if group["leaderId"] in users else group["leaderId"]
    return {**group, "members": [user for user in group["members"] if user not in users], "leaderId": leader}


def public(activity: Payload) -> Payload:
    """An activity as students see it."""
    if "data" not in activity:
        return dict(activity)
    return {**activity, "data": {key: value for key, value in activity["data"].items() if key != "staffOnly"}}


def seen(snapshot: Payload) -> Payload:
    """What of ``sessionJoined`` the model knows, in the model's shape."""
    plain = ("status", "mode", "seq", "groups", "activity", "readReceipts")
    return {
        **{key: snapshot[key] for key in plain},
        "participants": [(one["userId"], one["role"], one["status"]) for one in snapshot["participants"]],
        "staff": snapshot["self"]["staff"],
        "muted": snapshot["self"]["muted"],
        "hands": [(hand["position"], hand["userId"]) for hand in snapshot["hands"]],
        "files": [{key: file[key] for key in FILE} for file in snapshot["files"]],
    }


def known_part(event: str, payload: Payload, fields: Payload) -> Payload:
    """Those fields of a payload that the model predicts."""
    if event == "sessionJoined":
        shown = {**seen(payload), "recovered": payload["recovered"]}
        missed = fields["missed"]
        got = [(item["event"], item["data"]) for item in payload["missed"]]
        assert [name for name, _ in got] == [name for name, _ in missed]
        shown["missed"] = [
            (name, known_part(name, data, want)) for (name, data), (_, want) in zip(got, missed, strict=True)
        ]
        return shown
    return {key: payload.get(key, "(absent)") for key in fields}


class Ears(list[Feed]):
    """Several workers that hear one feed."""

    def on_entry(self, session_id: str, entry: Entry) -> None:
        for feed in self:
            feed.on_entry(session_id, entry)

    def on_ephemeral(self, session_id: str, message: Payload) -> None:
        for feed in self:
            feed.on_ephemeral(session_id, message)

    def on_control(self, message: Payload) -> None:
        for feed in self:
            feed.on_control(message)

    def on_new_connection(self) -> None:
        """It is never away."""

    def on_reconnect(self) -> None:
        """Nor does it come back."""


class SharedMemory(MemoryStore):
    """A memory store that several workers of this process share, as those of several processes share Redis."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self._ears = Ears()

    def start(self, feed: Feed) -> None:
        self._ears.append(feed)
        super().start(self._ears)

    def unsubscribe(self, session_id: str) -> None:
        """The other worker may still listen."""


_numbers = itertools.count(1)

sockets = st.sampled_from([sid for sid in SOCKETS if sid != "tess"])
mostly_staff = st.sampled_from(["olga", "carl", "olga", "carl", "sue"])
mostly_students = st.sampled_from(["sam", "sam's phone", "sue", "tim", "una", "olga"])
people = st.sampled_from([*STUDENTS, *STUDENTS, "carl", "zoe"])
subsets = st.lists(st.sampled_from([*STUDENTS, *STUDENTS, "zoe"]), max_size=3, unique=True)
numbers = st.integers(0, 9)


class Classroom(RuleBasedStateMachine):
    """Users of one session, on two workers, and the model beside them."""

    def __init__(self, workers: list[Worker]) -> None:
        super().__init__()
        self.workers = workers
        options = {**DEFAULT_SESSION_SETTINGS, "coTeacherIds": ["carl"]}
        self.session = new_session(workers[0].store, owner="olga", settings=options)
        self.model = Model()
        example = next(_numbers)
        self.connections = {
            sid: workers[at].connect(user, role_of(user), sid=f"{sid} {example}") for sid, (user, at) in SOCKETS.items()
        }
        self.read_up_to: dict[str, int] = defaultdict(int)
        """Socket -> how much of its inbox was compared."""
        self.left_at: dict[str, int] = {}
        """Socket -> the seq that it had seen when it left."""
        self.epoch = ""
        self.keyed: list[tuple[str, str, Payload, Payload]] = []
        """Requests that may be repeated, and their acks."""
        self.old_groups: list[str] = []
        self.uploads: set[tuple[str, str]] = set()
        """Whose files are there whole, and not shared yet."""
        self.old_files: list[str] = []
        self.removals: dict[tuple[str, str], Payload] = {}
        self.steps = 0

    # how a step is made

    def worker(self, sid: str) -> Worker:
        return self.workers[SOCKETS[sid][1]]

    def send(self, sid: str, event: str, *args: Any) -> Payload:
        return self.worker(sid).send(self.connections[sid], event, *args)

    def act(self, sid: str, event: str, data: Payload, refusal: Refusal | None) -> Payload:
        """Send an event, and compare its ack with the model's word."""
        return self.judge(sid, event, self.send(sid, event, {"sessionCode": self.session.code, **data}), refusal)

    def judge(self, sid: str, event: str, ack: Payload, refusal: Refusal | None) -> Payload:
        if refusal is None:
            assert ack["ok"], ack
        else:
            assert not ack["ok"], ack
            error = ack["error"]
            reason = error.get("details", {}).get("reason")
            assert Refusal(error["code"], reason) == refusal
            self.model.expected[sid].append(("error", {"code": refusal.code, "event": event}))
        return ack

    def stored(self, ack: Payload) -> None:
        """The ack is that of the newest entry."""
        assert ack["seq"] == self.model.seq

    def message_id(self, number: int) -> str:
        ids = [*self.model.messages, *self.model.messages, "nonsense", f"{self.epoch}-1"]
        return ids[number % len(ids)]

    def group_id(self, number: int) -> str:
        ids = [*self.model.groups, *self.model.groups, *self.old_groups[-1:], "nonsense"]
        return ids[number % len(ids)]

    # who is there

    @initialize(absent=st.sets(sockets, max_size=2), started=st.booleans() | st.just(True), furnished=st.booleans())
    def begin(self, absent: set[str], started: bool, furnished: bool) -> None:
        """Most are there; the lesson may be under way, with groups, something said and something asked."""
        steps: list[Callable[[], None]] = [partial(self.join, sid) for sid in SOCKETS if sid not in absent]
        if started:
            steps.append(partial(self.take_step, "olga", "start"))
        if furnished:
            steps += [
                partial(self.create_group, "olga", ["sam"], led=True, size=2, keyed=False),
                partial(self.create_group, "carl", ["tim"], led=True, size=None, keyed=False),
                partial(self.send_message, "olga", None, None, keyed=False),
                partial(self.send_message, "sam", 0, None, keyed=True),
                partial(self.update_activity, "carl", "quiz", "started", {"staffOnly": SECRET}, 0, keyed=False),
            ]
        for step in steps:
            step()
            self.all_agree()

    @rule(sid=st.sampled_from(list(SOCKETS)), resuming=st.booleans())
    def join(self, sid: str, resuming: bool = False) -> None:
        model, user = self.model, user_of(sid)
        refusal = None
        if model.status == "ended":
            refusal = Refusal("SESSION_ENDED")
        elif user in model.removed or user == "tess":
            refusal = Refusal("SESSION_ACCESS_DENIED")
        since = self.left_at.get(sid) if resuming else None
        resume = [] if since is None else [{"sinceSeq": since, "epoch": self.epoch}]
        ack = self.judge(sid, "joinSession", self.send(sid, "joinSession", self.session.code, *resume), refusal)
        if refusal is not None:
            return
        if user not in model.present:
            model.known.add(user)
            model.present.append(user)
            model.fact()
            model.say_presence(user, "active")
            model.joined[sid] = "active"
        elif sid not in model.joined:
            before = model.status_of(user)
            model.joined[sid] = "active"
            if before != "active":
                model.say_presence(user, "active")
        self.stored(ack)
        self.epoch = ack["epoch"]
        told = {**model.snapshot(user), "recovered": since is not None}
        told["missed"] = [] if since is None else model.missed(user, since)
        model.expected[sid].append(("sessionJoined", told))

    @rule(sid=sockets)
    def leave(self, sid: str) -> None:
        model, user = self.model, user_of(sid)
        assert self.send(sid, "leaveSession", self.session.code)["ok"]
        if sid in model.joined:
            self.left_at[sid] = model.seq
            before = model.status_of(user)
            del model.joined[sid]
            if not any(user_of(other) == user for other in model.joined):
                model.present.remove(user)
                if user in model.hands:
                    model.hands.remove(user)
                model.fact()
                model.say_presence(user, "left")
            elif model.status_of(user) != before:
                model.say_presence(user, model.status_of(user))
        model.expected[sid].append(("sessionLeft", {"sessionCode": self.session.code}))

    @rule(sid=sockets, status=st.sampled_from(["active", "idle", "away"]))
    def update_presence(self, sid: str, status: str) -> None:
        model, user = self.model, user_of(sid)
        refusal = model.gate(sid, "participant")
        ack = self.act(sid, "updatePresence", {"status": status}, refusal)
        if refusal is None:
            before = model.status_of(user)
            model.joined[sid] = status
            assert ack["status"] == model.status_of(user)
            if before != ack["status"]:
                model.say_presence(user, ack["status"])

    # what is said

    @rule(sid=mostly_students, group=st.none() | numbers, reply=st.none() | numbers, keyed=st.booleans())
    def send_message(self, sid: str, group: int | None, reply: int | None, keyed: bool) -> None:
        model, user = self.model, user_of(sid)
        data: Payload = {"message": f"message {len(model.messages)}"}
        group_id = None if group is None else self.group_id(group)
        if group_id is not None:
            data["groupId"] = group_id
        if reply is not None:
            data["replyTo"] = self.message_id(reply)
        fields = {**data, "userId": user, "displayName": user.title(), "type": "text"}
        if keyed:
            data["clientMessageId"] = fields["clientMessageId"] = f"key {model.seq}"
        refusal = model.gate(sid, "speaker") or model.group_refusal(user, group_id)
        if refusal is None and reply is not None and not model.sees(user, data["replyTo"]):
            refusal = Refusal("MESSAGE_NOT_FOUND")
        ack = self.act(sid, "sendMessage", data, refusal)
        if refusal is None:
            readers = model.group_readers(group_id)
            model.append("messageReceived", {**fields, "messageId": ack["messageId"]}, readers)
            to = None if readers is None else frozenset(readers)
            model.messages[ack["messageId"]] = Message(data["message"], group_id, to)
            self.stored(ack)
            if keyed:
                self.keyed.append((sid, "sendMessage", data, ack))

    @precondition(lambda self: self.keyed)
    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        """A repeated request gets the first answer, and nobody is told anything, whatever has happened since."""
        sid, event, data, ack = self.keyed[number % len(self.keyed)]
        assert self.send(sid, event, {"sessionCode": self.session.code, **data}) == ack

    @rule(sid=mostly_staff, number=numbers)
    def delete_message(self, sid: str, number: int) -> None:
        model, message_id = self.model, self.message_id(number)
        refusal = model.gate(sid, "staff")
        if refusal is None and not model.sees(user_of(sid), message_id):
            refusal = Refusal("MESSAGE_NOT_FOUND")
        ack = self.act(sid, "deleteMessage", {"messageId": message_id}, refusal)
        if refusal is None:
            message = model.messages[message_id]
            model.append("messageDeleted", {"messageId": message_id, "deletedBy": user_of(sid)}, message.to)
            message.deleted = True
            model.reactions.pop(message_id, None)
            self.stored(ack)

    @rule(sid=mostly_students, number=numbers, emoji=st.sampled_from(EMOJI), add=st.booleans() | st.just(True))
    def react(self, sid: str, number: int, emoji: str, add: bool) -> None:
        model, user, message_id = self.model, user_of(sid), self.message_id(number)
        refusal = model.gate(sid, "speaker")
        if refusal is None and not model.sees(user, message_id):
            refusal = Refusal("MESSAGE_NOT_FOUND")
        name = "addReaction" if add else "removeReaction"
        ack = self.act(sid, name, {"messageId": message_id, "emoji": emoji}, refusal)
        if refusal is not None:
            return
        users = model.reactions.setdefault(message_id, {}).setdefault(emoji, [])
        if (user in users) == add:
            assert ack == {"ok": True}
        else:
            (users.append if add else users.remove)(user)
            fields = {"messageId": message_id, "userId": user, "emoji": emoji, "count": len(users)}
            fields["action"] = "added" if add else "removed"
            model.append("reactionUpdated", fields, model.messages[message_id].to)
            self.stored(ack)

    @rule(sid=sockets, number=numbers)
    def mark_read(self, sid: str, number: int) -> None:
        model, user, message_id = self.model, user_of(sid), self.message_id(number)
        refusal = model.gate(sid, "participant")
        if refusal is None and not model.sees(user, message_id):
            refusal = Refusal("MESSAGE_NOT_FOUND")
        ack = self.act(sid, "markRead", {"messageId": message_id}, refusal)
        if refusal is None:
            assert ack["messageId"] == message_id
            order = ["", *model.messages]
            if order.index(message_id) > order.index(model.cursors.get(user, "")):
                model.cursors[user] = message_id
                model.say("readReceiptUpdated", {"userId": user, "messageId": message_id})

    @rule(sid=sockets)
    def read_history(self, sid: str) -> None:
        model, user = self.model, user_of(sid)
        refusal = model.gate(sid, "participant", reads=True)
        ack = self.act(sid, "fetchHistory", {}, refusal)
        if refusal is None:
            counts = {
                message_id: {emoji: len(users) for emoji, users in found.items() if users}
                for message_id, found in model.reactions.items()
            }
            wanted = [
                (message_id, message.text, message.group, counts.get(message_id) or {})
                for message_id, message in model.messages.items()
                if model.sees(user, message_id)
            ]
            page = [(m["messageId"], m["message"], m.get("groupId"), m.get("reactions", {})) for m in ack["messages"]]
            assert page == wanted
            assert not ack["hasMore"]

    @rule(sid=sockets)
    def read_transcript(self, sid: str) -> None:
        refusal = self.model.gate(sid, "participant", reads=True)
        ack = self.act(sid, "fetchTranscript", {}, refusal)
        if refusal is None:
            mine = [e for e in self.model.log if e.event == "transcriptionUpdate" and e.is_for(user_of(sid))]
            assert [segment["text"] for segment in ack["segments"]] == [entry.fields["text"] for entry in mine]

    # files

    @rule(sid=mostly_students, client_id=st.sampled_from("ab"), whole=st.booleans() | st.just(True))
    def send_file(self, sid: str, client_id: str, whole: bool) -> None:
        """Begin or go on, from whichever tab; if it is shared already, that is all that comes of it."""
        model, user = self.model, user_of(sid)
        known = next((f for f in model.files.values() if (f["userId"], f["clientFileId"]) == (user, client_id)), None)
        sent = Sent(lambda event, data: self.send(sid, event, data), self.session.code, b"hello", client_id=client_id)
        refusal = model.gate(sid, "speaker")
        begun = self.judge(sid, "fileStart", sent.start(), refusal)
        if refusal is not None:
            return
        if known:
            assert (begun["fileId"], begun["nextIndex"], begun["complete"]) == (known["fileId"], 1, True)
            assert sent.complete()["seq"] == known["seq"], "the first answer"
            return
        assert (begun["nextIndex"], begun["complete"]) == (int((user, client_id) in self.uploads), False)
        assert sent.chunk(0) == {"ok": True, "nextIndex": 1}
        self.uploads.add((user, client_id))
        if whole:
            ack = sent.complete()
            self.uploads.discard((user, client_id))
            file = {"fileId": sent.file_id, "userId": user, "clientFileId": client_id, "seq": model.seq + 1}
            model.files[sent.file_id] = file | {"sha256": hashlib.sha256(b"hello").hexdigest()}
            model.append("fileShared", model.files[sent.file_id])
            self.stored(ack)

    @rule(sid=sockets, number=numbers)
    def remove_file(self, sid: str, number: int) -> None:
        """Once; whoever did it gets the first answer again, whatever has happened since."""
        model, user = self.model, user_of(sid)
        ids = [*model.files, *model.files, *self.old_files, f"{self.session.id}{'x' * 22}"]
        file_id = ids[number % len(ids)]
        data = {"sessionCode": self.session.code, "fileId": file_id}
        if sid in model.joined and (first := self.removals.get((user, file_id))):
            assert self.send(sid, "removeFile", data) == first
            return
        file, refusal = model.files.get(file_id), model.gate(sid, "participant")
        if refusal is None and file is None:
            refusal = Refusal("FILE_NOT_FOUND")
        elif refusal is None and file and user not in STAFF and file["userId"] != user:
            refusal = Refusal("FORBIDDEN", "notOwner")
        ack = self.act(sid, "removeFile", {"fileId": file_id}, refusal)
        if refusal is None:
            del model.files[file_id]
            self.old_files.append(file_id)
            self.removals[user, file_id] = ack
            model.append("fileRemoved", {"fileId": file_id, "removedBy": user})
            self.stored(ack)

    # hands

    @rule(sid=mostly_students)
    def raise_hand(self, sid: str) -> None:
        model, user = self.model, user_of(sid)
        refusal = model.gate(sid, "participant")
        ack = self.act(sid, "raiseHand", {}, refusal)
        if refusal is None and user in model.hands:
            assert ack == {"ok": True}
        elif refusal is None:
            model.hands.append(user)
            model.append("handStatusChanged", {"userId": user, "raised": True, "position": len(model.hands)})
            self.stored(ack)

    @rule(sid=sockets, other=st.none() | people)
    def lower_hand(self, sid: str, other: str | None) -> None:
        model, me = self.model, user_of(sid)
        user = other or me
        refusal = model.gate(sid, "participant")
        if refusal is None and user != me and me not in STAFF:
            refusal = Refusal("FORBIDDEN", "notStaff")
        if refusal is None and user not in model.known:
            refusal = Refusal("NOT_FOUND")
        ack = self.act(sid, "lowerHand", {"userId": other} if other else {}, refusal)
        if refusal is None and user not in model.hands:
            assert ack == {"ok": True}
        elif refusal is None:
            model.hands.remove(user)
            model.append("handStatusChanged", {"userId": user, "raised": False, "position": None})
            self.stored(ack)

    # groups

    @rule(sid=mostly_staff, members=subsets, led=st.booleans(), size=st.none() | st.integers(1, 3), keyed=st.booleans())
    def create_group(self, sid: str, members: list[str], led: bool, size: int | None, keyed: bool) -> None:
        model, me = self.model, user_of(sid)
        leader = (members or ["sue"])[0] if led else None
        group: Payload = {"groupName": f"group {model.seq}", "members": members, "leaderId": leader, "isReady": False}
        group |= {"maxSize": size, "version": 0}
        data = {"name": group["groupName"], "memberIds": members, "leaderId": leader, "maxSize": size}
        if keyed:
            data["clientMessageId"] = f"key {model.seq}"
        refusal = model.gate(sid, "staff") or model.shape_refusal(group, members)
        ack = self.act(sid, "createGroup", data, refusal)
        if refusal is None:
            model.move(members, "", me)
            model.put({"groupId": ack["groupId"], **group}, "created", me)
            self.stored(ack)
            if keyed:
                self.keyed.append((sid, "createGroup", data, ack))

    @rule(
        sid=mostly_staff,
        number=numbers,
        changes=st.fixed_dictionaries(
            {},
            optional={"memberIds": subsets, "leaderId": st.none() | people, "maxSize": st.none() | st.integers(1, 3)},
        ),
        off=st.sampled_from([None, None, 0, 0, -1, 1]),
    )
    def update_group(self, sid: str, number: int, changes: Payload, off: int | None) -> None:
        """``off``: how far ``expectedVersion`` is from the group's; ``None``: it is not given."""
        model, me, group_id = self.model, user_of(sid), self.group_id(number)
        data, refusal = self._expecting({"groupId": group_id, **changes}, off, model.gate(sid, "staff"))
        group: Payload = {}
        if refusal is None:
            group = dict(model.groups[group_id])
            before = group["members"]
            group["members"] = changes.get("memberIds", before)
            kept = group["leaderId"] if group["leaderId"] in group["members"] else None
            group["leaderId"] = changes.get("leaderId", kept)
            group["maxSize"] = changes.get("maxSize", group["maxSize"])
            refusal = model.shape_refusal(group, set(group["members"]) - set(before))
        ack = self.act(sid, "updateGroup", data, refusal)
        if refusal is None:
            model.move(group["members"], group_id, me)
            model.put(group, "updated", me)
            self.stored(ack)
        self._check_current(ack, group_id)

    def _expecting(self, data: Payload, off: int | None, refusal: Refusal | None) -> tuple[Payload, Refusal | None]:
        """What asks for a version of a group, and whether it is refused for what the group is."""
        group = self.model.groups.get(data["groupId"])
        if off is not None:
            data = {**data, "expectedVersion": max((group["version"] if group else 1) + off, 0)}
        if refusal is None and group is None:
            refusal = Refusal("GROUP_NOT_FOUND")
        if refusal is None and off:
            refusal = Refusal("CONFLICT")
        return data, refusal

    def _check_current(self, ack: Payload, group_id: str) -> None:
        if not ack["ok"] and ack["error"]["code"] == "CONFLICT":
            assert ack["error"]["details"]["current"] == self.model.groups[group_id]

    @rule(sid=mostly_staff, number=numbers, off=st.sampled_from([None, 0, 1]))
    def delete_group(self, sid: str, number: int, off: int | None) -> None:
        model, group_id = self.model, self.group_id(number)
        data, refusal = self._expecting({"groupId": group_id}, off, model.gate(sid, "staff"))
        ack = self.act(sid, "deleteGroup", data, refusal)
        if refusal is None:
            model.put(model.groups[group_id], "deleted", user_of(sid))
            self.old_groups.append(group_id)
            self.stored(ack)
        self._check_current(ack, group_id)

    @rule(sid=mostly_students, number=numbers)
    def join_group(self, sid: str, number: int) -> None:
        model, user, group_id = self.model, user_of(sid), self.group_id(number)
        refusal = model.gate(sid, "student")
        if refusal is None and group_id not in model.groups:
            refusal = Refusal("GROUP_NOT_FOUND")
        group = model.groups.get(group_id, {"members": []})
        inside = user in group["members"]
        joined = {**group, "members": [*group["members"], user]}
        if refusal is None and not inside:
            refusal = model.shape_refusal(joined, [])
        ack = self.act(sid, "joinGroup", {"groupId": group_id}, refusal)
        if refusal is None and inside:
            assert ack == {"ok": True}
        elif refusal is None:
            model.move([user], group_id, user)
            model.put(joined, "updated", user)
            self.stored(ack)

    @rule(sid=mostly_students, number=numbers)
    def leave_group(self, sid: str, number: int) -> None:
        model, user, group_id = self.model, user_of(sid), self.group_id(number)
        refusal = model.gate(sid, "student")
        if refusal is None and group_id not in model.groups:
            refusal = Refusal("GROUP_NOT_FOUND")
        ack = self.act(sid, "leaveGroup", {"groupId": group_id}, refusal)
        if refusal is None and user not in model.groups[group_id]["members"]:
            assert ack == {"ok": True}
        elif refusal is None:
            model.put(without(model.groups[group_id], [user]), "updated", user)
            self.stored(ack)

    @rule(sid=sockets, number=numbers, ready=st.booleans())
    def set_ready(self, sid: str, number: int, ready: bool) -> None:
        model, user, group_id = self.model, user_of(sid), self.group_id(number)
        refusal = model.gate(sid, "participant")
        if refusal is None and group_id not in model.groups:
            refusal = Refusal("GROUP_NOT_FOUND")
        if refusal is None and user not in STAFF and model.groups[group_id]["leaderId"] != user:
            refusal = Refusal("FORBIDDEN", "notLeader")
        ack = self.act(sid, "setGroupReady", {"groupId": group_id, "ready": ready}, refusal)
        if refusal is None:
            model.put({**model.groups[group_id], "isReady": ready}, "updated", user)
            self.stored(ack)

    @rule(
        sid=mostly_staff,
        how=st.sampled_from(["count", "size"]),
        number=st.integers(1, 4),
        strategy=st.sampled_from(["random", "roundRobin"]),
    )
    def assign_groups(self, sid: str, how: str, number: int, strategy: str) -> None:
        model, me = self.model, user_of(sid)
        refusal = model.gate(sid, "staff")
        ack = self.act(sid, "assignGroups", {how: number, "strategy": strategy}, refusal)
        if refusal is not None:
            return
        for group_id in list(model.groups):
            model.put(model.groups[group_id], "deleted", me)
            self.old_groups.append(group_id)
        students = [user for user in model.present if user not in STAFF]
        count = number if how == "count" else -(-len(students) // number)
        made = [entry.draft for entry in self.log()[model.seq :]]
        dealt: list[list[str]] = [list(draft.data["members"]) for draft in made]
        assert len(dealt) == count
        assert sorted(itertools.chain(*dealt)) == sorted(students), "every student is in exactly one"
        sizes = [len(members) for members in dealt]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        if strategy == "roundRobin":
            assert dealt == [students[at::count] for at in range(count)]
        for members, entry in zip(dealt, self.log()[model.seq :], strict=True):
            leader = members[0] if members else None
            group = {"groupId": entry.id, "groupName": entry.draft.data["groupName"], "members": members}
            model.put({**group, "leaderId": leader, "isReady": False, "maxSize": None, "version": 0}, "created", me)
        if "seq" in ack:
            self.stored(ack)
        if strategy == "random":  # dealt again, so that the steps after it mean the same when they are repeated
            self.all_agree()
            self.assign_groups(sid, how, number, "roundRobin")

    # the activity

    @rule(
        sid=mostly_staff,
        name=st.sampled_from(["quiz", "quiz", "poll"]),
        status=st.sampled_from(["started", "started", "paused", "completed"]),
        data=st.sampled_from([None, {"question": 1}, {"question": 2, "staffOnly": SECRET}]),
        off=st.sampled_from([None, None, 0, 0, 1]),
        keyed=st.booleans(),
    )
    def update_activity(
        self, sid: str, name: str, status: str, data: Payload | None, off: int | None, keyed: bool
    ) -> None:
        """``off``: how far ``expectedVersion`` is from the activity's; ``None``: it is not given."""
        model, running = self.model, self.model.activity or {}
        before = running if running.get("activityId") == name else {}
        version = before.get("version", 0)
        sent: Payload = {"activityId": name, "activityType": "poll", "status": status}
        if data is not None:
            sent["data"] = data
        if off is not None:
            sent["expectedVersion"] = version + off
        if keyed:
            sent["clientMessageId"] = f"key {model.seq}"
        refusal = model.gate(sid, "staff") or self._step_refusal(before, running, status, data, off)
        ack = self.act(sid, "updateActivity", sent, refusal)
        if refusal is None:
            self._start_activity(sent, before, user_of(sid))
            self.stored(ack)
            if keyed:
                self.keyed.append((sid, "updateActivity", sent, ack))
        elif refusal.code == "CONFLICT":
            assert ack["error"]["details"]["current"] == model.activity

    def _step_refusal(
        self, before: Payload, running: Payload, status: str, data: Payload | None, off: int | None
    ) -> Refusal | None:
        was = before.get("status", "")
        if off:
            return Refusal("CONFLICT")
        if status == "started" and self.model.status != "active":
            return Refusal("SESSION_NOT_ACTIVE")
        if not before and status != "started":
            return Refusal("ACTIVITY_NOT_FOUND")
        if not before and running.get("status") in ("started", "paused"):
            return Refusal("CONFLICT")
        if status not in ACTIVITY_STEPS[was] or (status == was and data is None):
            return Refusal("CONFLICT")
        return None

    def _start_activity(self, sent: Payload, before: Payload, by: str) -> None:
        model = self.model
        activity = {key: sent[key] for key in ("activityId", "activityType", "status")}
        activity |= {"version": before.get("version", 0) + 1, "updatedBy": by}
        if "data" in sent or "data" in before:
            activity["data"] = sent.get("data", before.get("data"))
        if not before:
            model.responses, model.run = {}, model.seq + 1
        model.activity = activity
        model.append("activityUpdate", public(activity), staff=activity)

    @rule(sid=mostly_students, name=st.sampled_from(["quiz", "quiz", "poll"]), answer=numbers)
    def respond(self, sid: str, name: str, answer: int) -> None:
        model, user, running = self.model, user_of(sid), self.model.activity or {}
        refusal = model.gate(sid, "student", active=True)
        if refusal is None and running.get("activityId") != name:
            refusal = Refusal("ACTIVITY_NOT_FOUND")
        if refusal is None and running["status"] != "started":
            refusal = Refusal("CONFLICT")
        data: Payload = {"activityId": name, "data": answer, "clientId": f"answer {model.seq}"}
        data["clientMessageId"] = f"response {model.seq}"  # a clientId is for one run of an activity alone
        ack = self.act(sid, "submitActivityResponse", data, refusal)
        if refusal is None:
            model.responses.pop(user, None)
            model.responses[user] = answer
            fields = {"activityId": name, "userId": user, "displayName": user.title(), "data": answer}
            model.append("activityResponse", fields, to=())
            model.say("activityProgress", {"activityId": name, **model.progress()})
            self.stored(ack)
            self.keyed.append((sid, "submitActivityResponse", data, ack))

    @rule(sid=mostly_staff, number=st.integers(0, 3), group=st.none() | numbers)
    def caption(self, sid: str, number: int, group: int | None) -> None:
        model, segment = self.model, f"segment {number}"
        group_id = None if group is None else self.group_id(group)
        refusal = model.gate(sid, "staff", active=True) or model.group_refusal(user_of(sid), group_id)
        fields: Payload = {"segmentId": segment, "revision": 1, "text": f"text {model.seq}", "isFinal": True}
        fields |= {"startMs": 0, "endMs": 10} | ({} if group_id is None else {"groupId": group_id})
        ack = self.act(sid, "publishTranscription", fields, refusal)
        if refusal is None and segment in model.segments:
            assert ack == {"ok": True, "stale": True}
        elif refusal is None:
            model.segments[segment] = fields["text"]
            told = {**fields, "speakerId": user_of(sid)}
            model.append("transcriptionUpdate", told, model.group_readers(group_id))
            self.stored(ack)

    # moderation and the session's life

    @rule(sid=mostly_staff, user=people, muted=st.booleans())
    def mute(self, sid: str, user: str, muted: bool) -> None:
        model = self.model
        refusal = model.gate(sid, "staff") or model.target_refusal(user)
        ack = self.act(sid, "muteParticipant", {"userId": user, "muted": muted}, refusal)
        if refusal is None:
            (model.muted.add if muted else model.muted.discard)(user)
            model.append("participantMuted", {"userId": user, "muted": muted, "mutedBy": user_of(sid)})
            self.stored(ack)

    @precondition(lambda self: len(self.model.removed) < 2)
    @rule(sid=mostly_staff, user=people)
    def remove(self, sid: str, user: str) -> None:
        model = self.model
        refusal = model.gate(sid, "staff") or model.target_refusal(user)
        ack = self.act(sid, "removeParticipant", {"userId": user}, refusal)
        if refusal is not None:
            return
        model.removed.add(user)
        if user in model.present:
            model.present.remove(user)
        if user in model.hands:
            model.hands.remove(user)
        for group_id, group in model.groups.items():
            if user in group["members"]:
                model.groups[group_id] = without(group, [user])
        model.append("participantRemoved", {"userId": user, "removedBy": user_of(sid)})
        model.say_presence(user, "left")
        for other in [other for other in model.joined if user_of(other) == user]:
            model.expected[other].append(("sessionLeft", {"sessionCode": self.session.code}))
            del model.joined[other]
        self.stored(ack)

    @rule(sid=mostly_staff, mode=st.sampled_from(["open", "open", "open", "focus", "quiz"]))
    def set_mode(self, sid: str, mode: str) -> None:
        model = self.model
        refusal = model.gate(sid, "staff")
        ack = self.act(sid, "setSessionMode", {"mode": mode}, refusal)
        if refusal is None:
            model.append("sessionModeChanged", {"mode": mode, "previousMode": model.mode, "updatedBy": user_of(sid)})
            model.mode = mode
            self.stored(ack)

    @rule(sid=mostly_staff, name=st.sampled_from(["start", "start", "resume", "pause"]))
    def take_step(self, sid: str, name: str) -> None:
        """Over REST, so whether they have joined does not matter."""
        model, (sources, target) = self.model, STEPS[name]
        refusal = None if user_of(sid) in STAFF else Refusal("SESSION_ACCESS_DENIED")
        if refusal is None and model.status not in sources:
            refusal = Refusal("CONFLICT")
        try:
            who = self.connections[sid].principal
            record = lifecycle.step(self.worker(sid).hub, self.session.id, name, who)
        except ClassWavesError as error:
            assert Refusal(error.code) == refusal
            return
        assert refusal is None
        assert record.status == target
        model.append("sessionStatusChanged", {"status": target, "previousStatus": model.status})
        model.status = target
        if target == "ended":
            model.append("sessionEnded", {"reason": "ended"})

    @precondition(lambda self: self.steps >= 20)
    @rule(sid=mostly_staff)
    def end(self, sid: str) -> None:
        self.take_step(sid, "end")

    # what has to hold after each step

    def log(self) -> list[Entry]:
        return self.workers[0].store.read(self.session.id, 0, LIMITS.log_entries)

    def lives(self) -> list[LiveSession]:
        return [live for worker in self.workers for live in worker.hub.live_sessions() if live.id == self.session.id]

    @invariant()
    def all_agree(self) -> None:
        self.steps += 1
        log = self.log()
        assert len(log) == self.model.seq
        anew = Replica(log[0].epoch)
        for entry in log:
            anew.apply(entry)
        self.compare_replica(anew)
        for live in self.lives():
            live.reach(self.model.seq)
            assert live.replica.dump() == anew.dump()
        self.compare_inboxes()
        for worker in self.workers:
            for user in ("sue", "olga"):
                self.compare_snapshot(worker.hub.view(self.session.id), user)

    def compare_replica(self, replica: Replica) -> None:
        model, state = self.model, replica.state
        assert replica.record is not None
        assert (replica.record.status, replica.mode) == (model.status, model.mode)
        assert (replica.muted, replica.removed) == (model.muted, model.removed)
        assert list(replica.participants) == model.present
        assert set(replica.known) == model.known
        assert replica.students() == [user for user in model.present if user not in STAFF]
        assert list(state.get("hands", {})) == model.hands
        assert list(state.get("groups", {}).values()) == list(model.groups.values())
        self.at_most_one_group()
        kept_beside = {"run": model.run, "responses": model.responses}
        assert state.get("activity") == (None if model.activity is None else {**model.activity, **kept_beside})
        kept = {key: message.to for key, message in model.messages.items() if not message.deleted}
        found = {key: None if to is None else frozenset(to) for key, to in state.get("messages", {}).items()}
        assert found == kept
        assert set(state.get("deletedMessages", {})) == {key for key, m in model.messages.items() if m.deleted}
        reactions = {key: {e: users for e, users in of.items() if users} for key, of in model.reactions.items()}
        assert state.get("reactions", {}) == {key: of for key, of in reactions.items() if of}
        assert set(state.get("segments", {})) == set(model.segments)
        assert list(state.get("files", {})) == list(model.files)

    def at_most_one_group(self) -> None:
        members = list(itertools.chain(*(group["members"] for group in self.model.groups.values())))
        assert len(members) == len(set(members))

    def compare_inboxes(self) -> None:
        """Each socket was told what the model says, in this order, and nothing else."""
        for sid, connection in self.connections.items():
            inbox = self.worker(sid).sockets.inbox[connection.sid]
            wanted, start = self.model.expected.pop(sid, []), self.read_up_to[sid]
            if len(inbox) < start + len(wanted):
                self.wait_for(inbox, start + len(wanted))
            told, self.read_up_to[sid] = inbox[start:], len(inbox)
            assert [event for event, _ in told] == [event for event, _ in wanted], f"{sid}: {told}, not {wanted}"
            for (event, payload), (_, fields) in zip(told, wanted, strict=True):
                part = known_part(event, payload, fields)
                if event == "sessionJoined":  # their own status may be on its way
                    for snapshot in (part, fields):
                        others = [one for one in snapshot["participants"] if one[0] != user_of(sid)]
                        snapshot["participants"] = others
                assert (sid, event, part) == (sid, event, fields)
                assert user_of(sid) in STAFF or SECRET not in repr(payload)

    def wait_for(self, inbox: list[Told], length: int) -> None:
        until(lambda: len(inbox) >= length)

    def compare_snapshot(self, live: LiveSession, user: str) -> None:
        who, wanted = principal(user, role_of(user)), self.model.snapshot(user)

        def shown() -> Payload:
            with live.lock:
                return live.snapshot(who)

        if seen(shown()) != wanted:  # what has no seq may still be on its way
            until(lambda: same(seen(shown()), wanted))
        assert user in STAFF or SECRET not in repr(shown())

    def teardown(self) -> None:
        """All leave, and no worker keeps the session."""
        for sid in self.connections:
            self.send(sid, "leaveSession", self.session.code)
        until(lambda: same([live.id for live in self.lives()], []))
        log = self.workers[0].store.read(self.session.id, 0, 1_000_000)
        for user in ("sam", "carl", "olga"):  # to erase before folding is to erase after it
            replica = folded_from(log)
            replica.erase(user)
            assert replica.dump() == folded_from(erased(entry, user) for entry in log).dump()


def folded_from(entries: Iterable[Entry]) -> Replica:
    replica = Replica()
    for entry in entries:
        replica.apply(entry)
    return replica


def same(found: object, wanted: object) -> bool:
    assert found == wanted
    return True


def until(condition: Any) -> None:
    eventually(condition, pause=0.002)


def run(workers: list[Worker], examples: int) -> None:
    class OnTheseWorkers(Classroom):
        def __init__(self) -> None:
            super().__init__(workers)

    options = settings(max_examples=examples, stateful_step_count=40, deadline=None, print_blob=True)
    run_state_machine_as_test(OnTheseWorkers, settings=options)


def test_a_classroom_in_memory_does_what_the_contract_says(workers: list[Worker], tmp_path: Path) -> None:
    shared = SharedMemory()
    workers += [Worker(shared, FILES=str(tmp_path)), Worker(shared, FILES=str(tmp_path))]
    run(workers, examples=150)


def test_a_classroom_on_two_workers_and_redis_does_what_the_contract_says(
    redis_url: str, workers: list[Worker], tmp_path: Path
) -> None:
    workers += [Worker(redis_store(redis_url), FILES=str(tmp_path)) for _ in range(2)]
    run(workers, examples=100)
