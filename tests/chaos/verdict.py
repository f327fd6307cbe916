"""What is asked when everything is over: the log, and what each client has seen of it, side by side."""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.lesson import REFUSABLE, STORED
from tests.chaos.people import Witness
from tests.support.view import View, conversation

Payload = dict[str, Any]

AS_OF_NOW = ("count", "position")
"""What an event has that is of the moment when it was sent, and not of the log."""

IN_ORDER = ("clients/js", "Asyncio")
"""The ways of those who promise that nothing they send overtakes what has to be repeated."""


@dataclass(frozen=True)
class Line:
    """An entry of the log as ``GET /sessions/{code}/export`` has it."""

    seq: int
    epoch: str
    event: str
    user: str
    audience: str
    members: frozenset[str]
    payload: Payload
    """As staff get it, without what is of the moment."""
    public: Payload

    @classmethod
    def of(cls, line: Payload, code: str) -> "Line":
        known = ("seq", "epoch", "timestamp", "event", "userId", "audience", "data", "members")
        ids = {key: value for key, value in line.items() if key not in known}
        payload = {"sessionCode": code, **line["data"], **ids, "seq": line["seq"], "timestamp": line["timestamp"]}
        public = payload
        if line["event"] == "activityUpdate":
            shown = {key: value for key, value in payload.get("data", {}).items() if key != "staffOnly"}
            public = {**payload, "data": shown}
        members = frozenset(line.get("members", ()))
        return cls(
            line["seq"], line["epoch"], line["event"], line["userId"], line["audience"], members, payload, public
        )

    def is_for(self, user: str, staff: bool) -> bool:
        """The words of the contract on who gets what."""
        match self.audience:
            case "all":
                return True
            case "staff":
                return staff
            case "group":
                return staff or user in self.members
            case "user":
                return user in self.members
        return False


def read_log(text: str, code: str) -> list[Line]:
    return [Line.of(json.loads(line), code) for line in text.splitlines()]


def last_for(log: Sequence[Line], user: str, staff: bool) -> int:
    """The number of the newest entry that was for somebody."""
    return next((line.seq for line in reversed(log) if line.is_for(user, staff)), 0)


def few(numbers: Iterable[Any]) -> str:
    """Some of them, for a sentence."""
    found = list(numbers)
    return f"{found[:12]}{f' and {len(found) - 12} more' if len(found) > 12 else ''}"


@dataclass
class Verdict:
    """Collects what is wrong, in sentences that name the client.

    :param staff: the user ids of staff
    """

    log: list[Line]
    code: str
    staff: set[str]
    complaints: list[str] = field(default_factory=list)
    restarts: Counter[str] = field(default_factory=Counter)
    """Client -> how often it had to start again from the snapshot."""
    heard: int = 0
    """Durable events that all clients together have been sent."""

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    @property
    def epochs(self) -> set[str]:
        return {line.epoch for line in self.log}

    # the log by itself

    def look_at_log(self, epochs: int) -> None:
        """Numbered from 1 without a gap, and each group's versions too: nothing is in it twice.

        :param epochs: how many there may be: where Redis was started anew, and nobody who had the session had stayed to
            say that nothing was lost, another one begins
        """
        numbers = [line.seq for line in self.log]
        if numbers != list(range(1, len(numbers) + 1)):
            self.complain(
                f"the log is not numbered from 1 without gaps: {few(set(numbers) ^ set(range(1, len(numbers) + 1)))}"
            )
        if len(self.epochs) > epochs:
            self.complain(f"the log has {len(self.epochs)} epochs, of which there may be {epochs}")
        versions: dict[str, list[int]] = defaultdict(list)
        for line in self.log:
            if line.event == "groupUpdate":
                versions[line.payload["groupId"]].append(line.payload["version"])
        for group, found in versions.items():
            if found != list(range(1, len(found) + 1)):
                self.complain(f"the versions of group {group} are {found}")

    # acks

    def look_at_acks(self, witnesses: Sequence[Witness]) -> None:
        """Everything acked is in the log where its ack says, once, and nothing is there that nobody sent."""
        in_log = Counter((line.user, line.event) for line in self.log)
        by_id = Counter(
            (line.user, line.payload.get("clientMessageId")) for line in self.log if line.event == "messageReceived"
        )
        for key, times in by_id.items():
            if times != 1:
                self.complain(f"the message {key} is in the log {times} times")
        for witness in witnesses:
            self._look_at_acks_of(witness, in_log)

    def _look_at_acks_of(self, witness: Witness, in_log: Counter[tuple[str, str]]) -> None:
        seqs: dict[str, set[int]] = defaultdict(set)
        for name, event in witness.sent.items():
            if name in witness.rejected:
                code = witness.rejected[name]["code"]
                if code not in REFUSABLE.get(event, ()):
                    self.complain(f"{witness.name}: {event} {name} was refused: {witness.rejected[name]}")
                continue
            ack = witness.acks.get(name)
            if ack is None:
                self.complain(f"{witness.name}: {event} {name} was never acked")
                continue
            self._compare_ack(witness, name, event, ack)
            seqs[STORED[event]].add(ack["seq"])
        in_turn = [witness.acks[name]["seq"] for name in witness.sent if name in witness.acks]
        if witness.way.startswith(IN_ORDER) and in_turn != sorted(in_turn):
            self.complain(f"{witness.name} ({witness.way}): what they sent was stored in another order: {in_turn}")
        for stored in sorted(set(STORED.values())):
            acked = sum(1 for name in witness.acks if STORED[witness.sent[name]] == stored)
            if len(seqs[stored]) != acked:
                self.complain(f"{witness.name}: {acked} acks of {stored} name {len(seqs[stored])} entries")
            # who changes groups may leave one with the same append
            if stored != "groupUpdate" and in_log[witness.userId, stored] != acked:
                self.complain(f"{witness.name}: {acked} {stored} acked, {in_log[witness.userId, stored]} in the log")

    def _compare_ack(self, witness: Witness, name: str, event: str, ack: Payload) -> None:
        line = self.log[ack["seq"] - 1] if 0 < ack["seq"] <= len(self.log) else None
        if line is None or (line.user, line.event) != (witness.userId, STORED[event]):
            self.complain(f"{witness.name}: {event} {name} was acked as {ack}, but there is {line}")
        elif event == "sendMessage" and line.payload.get("clientMessageId") != name:
            self.complain(f"{witness.name}: {event} {name} was acked as {ack}, but there is {line.payload}")

    # what each has seen

    def look_at_stream(self, witness: Witness) -> None:
        """Every entry that was for this client came once and in order, from its first snapshot on."""
        stream = Stream(self, witness)
        for name, data in witness.events:
            stream.take(name, data)
        stream.end()
        self.heard += stream.heard
        self.restarts[witness.name] = max(0, stream.starts - 1)

    # what each makes of it

    def look_at_view(self, witness: Witness, truth: Payload, history: Sequence[Payload]) -> None:
        """The client's picture of the classroom is the server's: a snapshot of now, and the messages of now."""
        seen = View(self.code, flat(witness.events)).facts()
        mine = dict(truth, participants={u: s for u, s in truth["participants"].items() if u != witness.userId})
        for key in mine:
            if seen[key] != mine[key]:
                self.complain(f"{witness.name}: sees {key} {differing(seen[key], mine[key])}")
        held = messages_of(self.code, witness.events)
        shown = {message["messageId"]: message for message in history}
        if held != shown:
            wrong = [key for key in held.keys() | shown.keys() if held.get(key) != shown.get(key)]
            some = [(held.get(key), shown.get(key)) for key in wrong[:2]]
            self.complain(f"{witness.name}: holds {len(wrong)} messages unlike the history, such as {some}")


class Stream:
    """What one client was sent, compared with what of the log was for it."""

    def __init__(self, verdict: Verdict, witness: Witness) -> None:
        self.verdict = verdict
        self.name, self.way = witness.name, witness.way
        self.staff = witness.userId in verdict.staff
        self.heard = self.starts = 0
        self._recent: deque[str] = deque(maxlen=8)
        self._mine = [line.seq for line in verdict.log if line.is_for(witness.userId, self.staff)]
        self._position = self._joins = 0
        self._epoch = ""
        self._wanted = iter(list[int]())
        self._next: int | None = None

    def take(self, name: str, data: Payload) -> None:
        missed = f" with {[item['data']['seq'] for item in data['missed']]}" if name == "sessionJoined" else ""
        self._recent.append(f"{name} {data.get('seq', '')}{missed}".strip())
        if name == "connect":
            self._joins = 0
        elif name == "join":
            self._joins += 1
        elif name == "sessionJoined":
            self._recover(data) if data["recovered"] else self._start(data)
        elif isinstance(data.get("seq"), int):
            self._hear(name, data)

    def end(self) -> None:
        if lacking := [*([] if self._next is None else [self._next]), *self._wanted]:
            self._complain(f"lacks {few(lacking)}")

    def _complain(self, text: str) -> None:
        self.verdict.complain(f"{self.name} ({self.way}): {text}; just then: {', '.join(self._recent)}")

    def _start(self, data: Payload) -> None:
        """From the snapshot: what was before it is nobody's business any more."""
        self.starts += 1
        self._position, self._epoch = data["seq"], data["epoch"]
        self._wanted = iter([seq for seq in self._mine if seq > data["seq"]])
        self._advance()

    def _recover(self, data: Payload) -> None:
        if data["epoch"] != self._epoch:
            self._complain(f"recovered from the epoch {self._epoch} into {data['epoch']}")
        for item in data["missed"]:
            self._hear(item["event"], item["data"])
        if self._next is not None and self._next <= data["seq"]:
            self._complain(f"recovered to {data['seq']} without {self._next}")

    def _advance(self) -> None:
        self._next = next(self._wanted, None)

    def _hear(self, name: str, data: Payload) -> None:
        seq = data["seq"]
        self.heard += 1
        if not self.starts:
            return self._complain(f"{name} {seq} came before sessionJoined")
        if seq <= self._position:
            # who joins again on a socket that is in the session may get what was under way twice
            if self._joins < 2:
                self._complain(f"{name} {seq} came after {self._position}")
            return
        self._position = seq
        lacking = []
        while self._next is not None and self._next < seq:
            lacking.append(self._next)
            self._advance()
        if lacking:
            self._complain(f"{name} {seq} came without {few(lacking)} before it")
        if self._next != seq:
            return self._complain(f"{name} {seq} was not for them: {data}")
        self._advance()
        self._compare(name, data, self.verdict.log[seq - 1])

    def _compare(self, name: str, data: Payload, line: Line) -> None:
        expected = line.payload if self.staff else line.public
        shown = {key: value for key, value in data.items() if key not in AS_OF_NOW}
        if name != line.event or shown != expected:
            self._complain(f"heard {name} {data}, but in the log is {line.event} {expected}")


def differing(seen: Any, truth: Any) -> str:
    """Where two values differ, in words."""
    if isinstance(seen, dict) and isinstance(truth, dict):
        keys = [key for key in seen.keys() | truth.keys() if seen.get(key) != truth.get(key)]
        return ", ".join(f"{key}: {seen.get(key)} instead of {truth.get(key)}" for key in keys[:4])
    return f"{seen} instead of {truth}"


def flat(events: Sequence[tuple[str, Payload]]) -> list[tuple[str, Payload]]:
    """The events since the client last started again; what is missed comes before the snapshot that brings it."""
    start = max(at for at, (name, data) in enumerate(events) if name == "sessionJoined" and not data["recovered"])
    found: list[tuple[str, Payload]] = []
    for name, data in events[start:]:
        if name == "sessionJoined":
            found += [(item["event"], item["data"]) for item in data["missed"]]
        found.append((name, data))
    return found


def messages_of(code: str, events: Sequence[tuple[str, Payload]]) -> dict[str, Payload]:
    """The messages that a client holds, by id: up to its snapshot from history, and what came since."""
    start = max(at for at, (name, data) in enumerate(events) if name == "sessionJoined" and not data["recovered"])
    history: list[Payload] = next((data["messages"] for name, data in events[start:] if name == "history"), [])
    older = [("messageReceived", one) for one in history if one["seq"] <= events[start][1]["seq"]]
    held, _ = conversation(code, [*older, *flat(events)])
    return held
