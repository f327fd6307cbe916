"""The log never shows what its own prefix forbids, however fast students send while a teacher forbids and allows.

A teacher on one worker mutes, changes the mode, pauses, removes somebody and at last ends the session, all at random;
students on both workers do whatever they can, several requests in flight each. Then a model of the contract's rules
walks the log from its start. ``CHAOS_SEED`` repeats what everybody chooses.
"""

import json
import os
import random
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.lesson import STORED
from tests.chaos.rules import Rules
from tests.chaos.verdict import Line, read_log
from tests.support.apps import API
from tests.support.bystanders import Student, event
from tests.support.clients import RawClient
from tests.support.pair import STEADY, Pair, open_pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer
from tests.support.school import School

SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
SECONDS = 3.0
"""How long the teacher forbids and allows."""
STUDENTS = 10
WINDOW = 6
"""Requests in flight, at the most."""
AFTER = 12
"""Requests of who has been removed, until they give up."""

Payload = dict[str, Any]


@pytest.fixture(scope="module")
def pair(redis: RedisServer) -> Iterator[Pair]:
    with open_pair(redis.url, STEADY) as pair:
        yield pair


@dataclass
class Request:
    """What somebody asked for, and what they were told.

    :param before: the highest seq that its sender had seen when it was sent: the worker has seen that too
    :param after: the log's end when the answer was there: the worker cannot have seen more
    """

    user: str
    event: str
    data: Payload
    before: int
    ack: Payload | None = None
    after: int = 0

    @property
    def told(self) -> tuple[str, str | None]:
        assert self.ack is not None, f"no answer to {self}"
        if self.ack["ok"]:
            return "ok", None
        error = self.ack["error"]
        return error["code"], error.get("details", {}).get("reason")

    def __str__(self) -> str:
        return f"{self.user} {self.event} {self.data} between {self.before} and {self.after}: {self.ack}"


class Clock:
    """Where the log ends, by Redis itself."""

    def __init__(self, redis: RedisServer, code: str) -> None:
        self._client = redis.client()
        session_id = str(self._client.get(f"cw:code:{code}"))
        self._key = f"cw:{{{session_id}}}:meta"

    def __call__(self) -> int:
        return int(self._client.hget(self._key, "seq") or 0)

    def close(self) -> None:
        self._client.close()


class Pupil:
    """A student who asks for anything, without waiting for answers."""

    def __init__(self, school: School, code: str, name: str, clock: Clock, chance: random.Random) -> None:
        self.student = Student(school, code, name)
        self.user: str = self.student.joined["self"]["userId"]
        self.requests: list[Request] = []
        self._code, self._clock, self._chance = code, clock, chance
        self._seen: int = self.student.joined["seq"]
        self._messages: deque[str] = deque(maxlen=5)
        self._groups: list[str] = [group["groupId"] for group in self.student.joined["groups"]]
        self._activity = "none yet"
        self._open: dict[int, Request] = {}
        self._left = AFTER
        self._over = False

    def run(self) -> None:
        """Ask until the session has ended, or until one has been removed."""
        while not self._over or self._open:
            while not self._over and len(self._open) < self._chance.randint(1, WINDOW):
                self._ask(*self._choose())
            for packet in self.student.pull():
                self._take(packet)

    def _choose(self) -> tuple[str, Payload]:
        what = self._chance.choices(
            ["say", "say to group", "react", "unreact", "hand", "answer", "group", "leave", "forbid"],
            [30, 8, 8, 3, 5, 12, 6, 3, 1],
        )[0]
        message = self._chance.choice(self._messages) if self._messages else "none"
        group = self._chance.choice(self._groups)
        match what:
            case "say to group":
                return "sendMessage", {"message": "psst", "groupId": group}
            case "react" | "unreact":
                return ("addReaction" if what == "react" else "removeReaction"), {"messageId": message, "emoji": "🌱"}
            case "hand":
                return self._chance.choice(["raiseHand", "lowerHand"]), {}
            case "answer":
                data = {"activityId": self._activity, "data": 1, "clientId": str(len(self.requests))}
                return "submitActivityResponse", data
            case "group" | "leave":
                return ("joinGroup" if what == "group" else "leaveGroup"), {"groupId": group}
            case "forbid":
                return "setSessionMode", {"mode": "open"}
        return "sendMessage", {"message": "hello"}

    def _ask(self, name: str, data: Payload) -> None:
        number = len(self.requests)
        request = Request(self.user, name, data, self._seen)
        self.requests.append(request)
        self._open[number] = request
        whole = {"sessionCode": self._code, "clientMessageId": str(number), **data}
        self.student.send(event(name, *([self._code] if name == "joinSession" else [whole]), ack=number))

    def _take(self, packet: bytes) -> None:
        if packet.startswith(b"43"):
            start = packet.index(b"[")
            self._answered(int(packet[2:start]), json.loads(packet[start:])[0])
        elif packet.startswith(b"42"):
            self._heard(*json.loads(packet[2:]))

    def _answered(self, number: int, ack: Payload) -> None:
        request = self._open.pop(number)
        request.ack, request.after = ack, self._clock()
        code, _ = request.told
        if code == "SESSION_ENDED":
            self._over = True
        elif code == "NOT_IN_SESSION" and not self._over:
            self._left -= 1
            self._over = self._left <= 0
            if self._left == AFTER // 2:
                self._ask("joinSession", {})

    def _heard(self, name: str, data: Payload) -> None:
        if "seq" not in data:
            return
        assert data["seq"] > self._seen, f"{self.user}: {name} {data['seq']} after {self._seen}"
        self._seen = data["seq"]
        if name == "messageReceived":
            self._messages.append(data["messageId"])
        elif name == "activityUpdate":
            self._activity = data["activityId"]


class Teacher:
    """Forbids and allows, one thing after the other."""

    def __init__(self, pair: Pair, code: str, clock: Clock, chance: random.Random) -> None:
        self.client: RawClient = pair.watch(code, pair.a)
        self.user: str = self.client.inbox[0][1]["self"]["userId"]
        self.requests: list[Request] = []
        self._pair, self._code, self._clock, self._chance = pair, code, clock, chance
        self._status, self._activities, self._messages = "active", 0, list[str]()

    def group(self, name: str, size: int) -> str:
        """Make a group and return its id."""
        return str(self._ask("createGroup", {"name": name, "maxSize": size})["groupId"])

    def run(self, students: list[str]) -> None:
        until, victim = time.monotonic() + SECONDS, self._chance.choice(students)
        half = time.monotonic() + SECONDS / 2
        while time.monotonic() < until:
            if victim and time.monotonic() > half:
                self._ask("removeParticipant", {"userId": victim})
                victim = ""
            self._do(self._chance.choice(students))
            time.sleep(self._chance.uniform(0, 0.02))
        self._step("end")

    def _do(self, student: str) -> None:
        what = self._chance.choices(["mute", "mode", "status", "activity", "delete", "say"], [8, 8, 3, 6, 3, 2])[0]
        match what:
            case "mute":
                self._ask("muteParticipant", {"userId": student, "muted": self._chance.random() < 0.5})
            case "mode":
                self._ask("setSessionMode", {"mode": self._chance.choice(["open", "open", "focus", "quiz"])})
            case "status":
                self._step("pause" if self._status == "active" else "resume")
            case "activity":
                status = self._chance.choice(["started", "started", "paused", "completed"])
                made = {"activityId": f"activity {self._activities}", "activityType": "poll", "status": status}
                self._activities += self._ask("updateActivity", made)["ok"] and status == "completed"
            case "delete" if self._messages:
                self._ask("deleteMessage", {"messageId": self._chance.choice(self._messages)})
            case _:
                self._ask("sendMessage", {"message": "listen"})

    def _ask(self, name: str, data: Payload) -> Payload:
        request = Request(self.user, name, data, self._noted())
        self.requests.append(request)
        request.ack = self.client.ask(name, {"sessionCode": self._code, **data})
        request.after = self._clock()
        return request.ack

    def _noted(self) -> int:
        """The highest seq heard of; and the newest messages, which may be deleted."""
        seen = [data for _, data in self.client.take() if "seq" in data]
        self._messages = [data["messageId"] for data in seen if "messageId" in data][-5:] or self._messages
        self._seen = max((data["seq"] for data in seen), default=getattr(self, "_seen", 0))
        return self._seen

    def _step(self, name: str) -> None:
        self._pair.a.api.step(self._pair.a.teacher, self._code, name)
        self._status = {"pause": "paused", "resume": "active", "end": "ended"}[name]


def export(pair: Pair, code: str) -> list[Line]:
    headers = {"Authorization": f"Bearer {pair.a.teacher}"}
    request = urllib.request.Request(f"{pair.a.url}{API}/sessions/{code}/export", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return read_log(answer.read().decode(), code)


def walk(log: list[Line], teacher: str, requests: list[Request]) -> list[str]:
    """What is wrong: entries that their prefix forbids, and refusals for which there was no reason at the time."""
    rules, complaints = Rules(teacher), list[str]()
    waiting = deque(sorted(requests, key=lambda request: request.before))
    open_ones: list[Request] = []
    for line in [None, *log]:
        if line is not None:
            if reason := rules.forbids(line):
                complaints.append(f"{line.seq} {line.event} of {line.user} {line.payload}: {reason}")
            rules.learn(line)
        while waiting and waiting[0].before <= rules.seq:
            open_ones.append(waiting.popleft())
        open_ones = [one for one in open_ones if rules.answer(one.user, one.event, one.data) != one.told]
        complaints += [f"nothing said so: {one}" for one in open_ones if one.after <= rules.seq]
        open_ones = [one for one in open_ones if one.after > rules.seq]
    return complaints + [f"nothing said so: {one}" for one in [*open_ones, *waiting]]


def compare_acks(log: list[Line], requests: list[Request]) -> list[str]:
    """What is wrong with the acks of one user, in the order in which they sent."""
    complaints, last, earlier = list[str](), 0, ""
    for request in requests:
        assert request.ack is not None
        if request.told[0] != "ok" or "seq" not in request.ack:
            continue
        seq = request.ack["seq"]
        line = log[seq - 1] if seq <= len(log) else None
        if line is None or (line.user, line.event) != (request.user, STORED[request.event]):
            complaints.append(f"{request}, but there is {line}")
        elif not request.before < seq <= request.after:
            complaints.append(f"{request} is not stored in its time")
        elif seq <= last:
            complaints.append(f"{request} is stored before what was sent before it: {earlier}")
        last, earlier = seq, str(request)
    return complaints


def unasked(log: list[Line], requests: list[Request]) -> list[str]:
    """Entries of students that nobody was told of; who changes groups may leave one with the same append."""
    acked = {request.ack["seq"] for request in requests if request.ack and "seq" in request.ack}
    users = {request.user for request in requests}
    quiet = ("participantChanged", "sessionCreated", "groupUpdate")
    return [
        f"nobody was told of {line}"
        for line in log
        if line.user in users and line.event not in quiet and line.seq not in acked
    ]


def test_no_entry_is_in_the_log_that_its_prefix_forbids(pair: Pair, redis: RedisServer) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    code = pair.a.session()
    pair.a.api.step(pair.a.teacher, code, "start")
    clocks = [Clock(redis, code) for _ in range(STUDENTS + 1)]
    teacher = Teacher(pair, code, clocks[0], chance)
    for number in range(3):
        teacher.group(f"Group {number}", 4)
    # most of them on the other worker than the teacher
    schools = [pair.a if number % 5 == 4 else pair.b for number in range(STUDENTS)]
    pupils = [
        Pupil(school, code, f"Student {number}", clocks[number + 1], random.Random(chance.random()))
        for number, school in enumerate(schools)
    ]
    with ThreadPoolExecutor(STUDENTS + 1) as pool:
        tasks = [pool.submit(pupil.run) for pupil in pupils]
        tasks.append(pool.submit(teacher.run, [pupil.user for pupil in pupils]))
        for task in tasks:
            task.result()
    for pupil in pupils:
        pupil.student.drop()
    for clock in clocks:
        clock.close()

    log = export(pair, code)
    asked = [request for pupil in pupils for request in pupil.requests]
    requests = [*teacher.requests, *asked]
    told = Counter(request.told for request in requests)
    print(f"{len(log)} entries, {len(requests)} requests: {dict(told)}")
    complaints = walk(log, teacher.user, requests)
    for pupil in pupils:
        complaints += compare_acks(log, pupil.requests)
    complaints += unasked(log, asked)
    assert not complaints, "\n".join([f"{len(complaints)} complaints, CHAOS_SEED={SEED}:", *complaints[:20]])
    refused = {reason for reason in told if reason[0] != "ok"}
    assert ("SESSION_ENDED", None) in refused
    assert len(refused) >= 5, f"there was little to refuse: {told}"
