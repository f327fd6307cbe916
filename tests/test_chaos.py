"""Everything breaks while a class talks: workers, machines, Redis, the way to it, the clients' connections.

Sixty real clients on two machines with three workers, behind a load balancer without stickiness. At the end each of
them has seen everything that was acknowledged to anyone, once and in order; nobody is shown as missing; and when all
have gone, the workers hold what they held at the beginning.

``CHAOS_SEED`` repeats a schedule (the machine's timing decides the rest), ``CHAOS_SECONDS`` makes a longer one,
``CHAOS_MESSAGES`` and ``CHAOS_CLIENTS`` another class, ``CHAOS_RUNS`` several, with the seeds that follow. It is what
``make chaos`` runs.
"""

import os
import random
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.fleet import Fleet, Holding
from tests.chaos.lesson import student_plan, teacher_plan
from tests.chaos.people import Crowd, NodeCrowd, Person, PythonCrowd, State, Witness, settled
from tests.chaos.schedule import Breaker, make_schedule
from tests.chaos.verdict import Verdict, last_for, read_log
from tests.support.apps import API
from tests.support.clients import Api, RawClient
from tests.support.gunicorn_server import ROOT
from tests.support.view import View
from tests.support.waiting import eventually

ROUND = 30.0
"""Seconds in which each thing breaks once."""
SECONDS = float(os.environ.get("CHAOS_SECONDS") or ROUND)
CLIENTS = int(os.environ.get("CHAOS_CLIENTS") or 60)
MESSAGES = int(os.environ.get("CHAOS_MESSAGES") or (2000 if SECONDS <= ROUND else 5000))
RUNS = int(os.environ.get("CHAOS_RUNS") or 1)
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))

HEALED = 60.0
"""Seconds after the last fault until everything has to be right: a slow machine has much to make up for."""

KINDS = [
    ("node", "polling"),
    ("insider", "websocket"),
    ("threads", "upgrade"),
    ("node", "websocket"),
    ("asyncio", "polling"),
    ("node", "upgrade"),
    ("raw", "polling"),
    ("insider", "upgrade"),
    ("threads", "websocket"),
    ("node", "polling"),
    ("asyncio", "upgrade"),
    ("node", "websocket"),
    ("insider", "polling"),
    ("raw", "websocket"),
    ("threads", "polling"),
    ("node", "upgrade"),
    ("asyncio", "websocket"),
    ("node", "polling"),
    ("insider", "upgrade"),
    ("node", "websocket"),
]
"""Whoever is the teacher is so by chance."""
ON_NODE = ("node", "insider")

survived: Counter[str] = Counter()
"""Faults of all runs."""


@pytest.fixture(scope="module", autouse=True)
def tally() -> Iterator[None]:
    """Say at the end of all runs what the class has survived."""
    yield
    print(f"\n{sum(survived.values())} faults survived: {dict(sorted(survived.items()))}")


def node() -> str | None:
    """Node, if it is there with the client; without it all clients are Python's."""
    there = (ROOT / "node_modules/socket.io-client/package.json").exists()
    return shutil.which("node") if there else None


class Lesson:
    """One run: the fleet, the class, and what breaks.

    :param directory: for what Node reads and writes
    """

    def __init__(self, fleet: Fleet, seed: int, directory: Path, stack: ExitStack) -> None:
        self.fleet = fleet
        self.chance = random.Random(seed)
        self.api = Api(fleet.url)
        self.teacher = self.api.token("teacher")
        self.teacher_id = self.api.ok("GET", "/auth/me", self.teacher)["userId"]
        self.code = self.api.new_session(self.teacher)
        self.api.step(self.teacher, self.code, "start")
        kinds = KINDS[seed % len(KINDS) :] + KINDS[: seed % len(KINDS)]
        self.people = [self._person(number, *kinds[number % len(kinds)]) for number in range(CLIENTS)]
        self.before = fleet.holdings()
        self.crowds = self._crowds(directory, stack)
        self.schedule = make_schedule(random.Random(seed), SECONDS, ROUND)

    def _person(self, number: int, kind: str, way: str) -> Person:
        if kind in ON_NODE and not node():
            kind = "raw"
        share = MESSAGES // CLIENTS + (number < MESSAGES % CLIENTS)
        if number == 0:
            return Person("teacher", self.teacher, kind, way, teacher_plan(self.chance, SECONDS, share))
        name = f"student {number}"
        token = self.api.guest(self.code, name)
        return Person(name, token, kind, way, student_plan(self.chance, name, SECONDS, share))

    def _crowds(self, directory: Path, stack: ExitStack) -> list[Crowd]:
        on_node = [person for person in self.people if person.kind in ON_NODE]
        others = [person for person in self.people if person.kind not in ON_NODE]
        crowds: list[Crowd] = []
        if found := node():
            crowds.append(NodeCrowd(found, self.fleet.url, self.code, on_node, directory))
            stack.callback(crowds[-1].close)
        crowds.append(PythonCrowd(self.fleet.url, self.code, others))
        stack.callback(crowds[-1].close)
        return crowds

    def gathered(self) -> None:
        """Wait until everybody is in the session."""
        eventually(lambda: all(state.ready for state in self.states()), 30, "everybody in the session")

    def states(self) -> list[State]:
        return [state for crowd in self.crowds for state in crowd.states()]

    def export(self) -> str:
        """The whole log as the server exports it."""
        request = urllib.request.Request(
            f"{self.fleet.url}{API}/sessions/{self.code}/export", headers={"Authorization": f"Bearer {self.teacher}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())

    def participants(self) -> dict[str, str]:
        """Who is there, by the server."""
        found = self.api.ok("GET", f"/sessions/{self.code}/participants?limit=100", self.teacher)
        return {one["userId"]: one["status"] for one in found["participants"]}

    def attendance(self) -> dict[str, str]:
        found = self.api.ok("GET", f"/sessions/{self.code}/attendance?limit=100", self.teacher)
        return {one["userId"]: one["status"] for one in found["attendance"]}

    def snapshot(self, token: str) -> dict[str, Any]:
        """What somebody who joins now, and leaves at once, is told; as :meth:`View.facts` has it."""
        client = RawClient(self.fleet.url, token)
        try:
            view = View(self.code, [("sessionJoined", client.join(self.code))])
            return {**view.facts(), "participants": view.participants}
        finally:
            client.close()

    def witnesses(self) -> list[Witness]:
        return [one for crowd in self.crowds for one in crowd.witnesses()]


def break_things(lesson: Lesson) -> Breaker:
    """Carry out the schedule while the class talks, and mend everything."""
    breaker = Breaker(lesson.fleet, lesson.schedule)
    try:
        while breaker.step():
            time.sleep(0.02)
    finally:
        breaker.mend_everything()
    return breaker


def everybody_is_there(lesson: Lesson) -> bool:
    present, attending = Counter(lesson.participants().values()), Counter(lesson.attendance().values())
    assert present == {"active": CLIENTS}, f"participants: {present}"
    assert attending == {"present": CLIENTS}, f"attendance: {attending}"
    return True


def judged(lesson: Lesson, breaker: Breaker) -> Verdict:
    """Compare what everybody saw with the log. :raises AssertionError: with all complaints."""
    log = read_log(lesson.export(), lesson.code)
    verdict = Verdict(log, lesson.code, {lesson.teacher_id})
    witnesses = lesson.witnesses()
    for witness in witnesses:
        for fault in witness.faults:
            verdict.complain(f"{witness.name}: {fault}")
    verdict.look_at_log(1 + breaker.done["kill Redis"])
    verdict.look_at_acks(witnesses)
    for witness in witnesses:
        verdict.look_at_stream(witness)
    truths = {True: lesson.snapshot(lesson.teacher), False: lesson.snapshot(lesson.people[-1].token)}
    history = lesson.api.messages(lesson.teacher, lesson.code)
    for witness in witnesses:
        verdict.look_at_view(witness, truths[witness.userId == lesson.teacher_id], history)
    assert not verdict.complaints, "\n".join([f"{len(verdict.complaints)} complaints:", *verdict.complaints[:40]])
    return verdict


def up_to_date(lesson: Lesson) -> bool:
    """Whether everybody has the newest entry that was for them."""
    log = read_log(lesson.export(), lesson.code)
    last = {staff: last_for(log, lesson.teacher_id if staff else "", staff) for staff in (True, False)}
    behind = [state for state in lesson.states() if state.seq < last[state.name == "teacher"]]
    assert not behind, f"behind {last}: {behind[:5]}"
    return True


#: what a worker may hold more of when everybody has gone than at the beginning, when it had never had a client
SLACK = {"greenlets": 20, "threads": 12, "timers": 4, "tasks": 12}
SLACK_FILES = 6
MOST_TO_REDIS = 40
SLACK_MEMORY = 64 << 20


def nothing_is_kept(lesson: Lesson) -> bool:
    """Whether the workers hold what they held at the beginning, and Redis knows of them and of nothing else."""
    before = list(lesson.before.values())
    for pid, now in lesson.fleet.holdings().items():
        assert_clean(pid, before, now)
    assert lesson.fleet.channels() == []
    leases, serving = lesson.fleet.leases()
    assert len(leases) <= len(lesson.fleet.workers()), f"leases: {leases}"
    assert not serving, f"sets of sessions: {serving}"
    return True


def assert_clean(pid: int, before: list[Holding], now: Holding) -> None:
    def most(of: Callable[[Holding], int]) -> int:
        return max(of(one) for one in before)

    for name, count in now.counts.items():
        limit = most(lambda one, name=name: one.counts[name]) + SLACK.get(name, 0)  # type: ignore[misc]
        assert count <= limit, f"worker {pid} has {count} {name}, at the beginning at most {limit}: {now}"
    assert now.files <= most(lambda one: one.files) + SLACK_FILES, f"worker {pid}: {now}, before: {before}"
    assert now.redis <= MOST_TO_REDIS, f"worker {pid}: {now}"
    assert now.memory <= most(lambda one: one.memory) + SLACK_MEMORY, f"worker {pid}: {now}, before: {before}"


@pytest.mark.timeout(400 + 3 * SECONDS)
# python-socketio leaves the sockets of connections that fail to be collected
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")
# and on asyncio the answers that were an error
@pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in.*Connection.__del__:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("run", range(RUNS))
def test_a_class_survives(run: int, tmp_path: Path) -> None:
    """Nothing acked is lost or doubled, nobody is missing, nothing is left behind."""
    seed = SEED + run
    print(f"\nCHAOS_SEED={seed} CHAOS_SECONDS={SECONDS:g} CHAOS_CLIENTS={CLIENTS} CHAOS_MESSAGES={MESSAGES}")
    watch = Stopwatch()
    with Fleet() as fleet, ExitStack() as stack:
        breaker: Breaker | None = None
        try:
            lesson = Lesson(fleet, seed, tmp_path, stack)
            lesson.gathered()
            watch.lap("start")
            for crowd in lesson.crowds:
                crowd.talk()
            breaker = break_things(lesson)
            watch.lap("chaos")
            eventually(fleet.is_whole, HEALED, "all workers are back")
            settled(lesson.crowds, HEALED)
            watch.lap("all acked")
            eventually(lambda: everybody_is_there(lesson), HEALED, "everybody is there", pause=0.2)
            eventually(lambda: up_to_date(lesson), HEALED, "everybody is up to date", pause=0.2)
            watch.lap("all right")
            verdict = eventually(lambda: judged(lesson, breaker), 10, "everybody agrees", pause=1)
            watch.lap("judged")
            for crowd in lesson.crowds:
                crowd.leave()
            eventually(lambda: nothing_is_kept(lesson), HEALED, "nothing is kept", pause=0.5)
            watch.lap("all gone")
            print(report(lesson, verdict, breaker), watch, sep="\n")
            survived.update(breaker.done)
        except BaseException:
            print("the schedule:", *(breaker.log if breaker else ["(not begun)"]), sep="\n  ")
            print(watch, fleet.logs(), sep="\n")
            raise


def report(lesson: Lesson, verdict: Verdict, breaker: Breaker) -> str:
    """What has happened, in some lines."""
    witnesses = lesson.witnesses()
    connections = sum(one.connections for one in witnesses)
    refusals = sum((Counter(one.refusals) for one in witnesses), Counter())
    reasons = Counter(data["reason"] for one in witnesses for name, data in one.events if name == "disconnect")
    rejected = Counter(error["code"] for one in witnesses for error in one.rejected.values())
    return "\n".join(
        [
            f"{len(verdict.log)} events in the log: {dict(Counter(line.event for line in verdict.log))}",
            f"{verdict.heard} heard by {len(witnesses)} clients on {connections} connections",
            f"epochs: {len(verdict.epochs)}; connections ended by: {dict(reasons)}",
            f"started again from the snapshot: { {name: count for name, count in verdict.restarts.items() if count} }",
            f"told to try again: {dict(refusals - rejected)}; refused for good: {dict(rejected)}",
            *(f"{count} times in the logs: {whole}" for count, whole in lesson.fleet.tracebacks().values()),
            *(f"  {line}" for line in breaker.log),
            f"{sum(breaker.done.values())} faults survived",
        ]
    )


class Stopwatch:
    """How long each part of a run took."""

    def __init__(self) -> None:
        self._laps: list[str] = []
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self._laps.append(f"{name} {now - self._since:.1f} s")
        self._since = now

    def __str__(self) -> str:
        return ", ".join(self._laps)
