"""What breaks, and when: a plan that a seed makes, and what carries it out, logs it and counts it."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.chaos.fleet import Fleet, Machine

Undo = tuple[float, str, Callable[[], object]]
"""In how many seconds, what is done then, in words, and how."""


@dataclass(frozen=True)
class Fault:
    """One thing that breaks.

    :param at: seconds from the beginning
    :param pick: chooses among the workers or machines that there are then
    :param extent: how long it lasts, or how much it concerns, from 0 to 1
    """

    at: float
    kind: str
    pick: int
    extent: float

    def __str__(self) -> str:
        return f"{self.at:6.2f} {self.kind} (pick {self.pick}, extent {self.extent:.2f})"


class Breaker:
    """Carries out a schedule on a fleet; :meth:`step` is to be called often, by one thread."""

    def __init__(self, fleet: Fleet, plan: list[Fault]) -> None:
        self.fleet = fleet
        self.done: Counter[str] = Counter()
        """How often each kind of fault has happened."""
        self.log: list[str] = []
        self._plan = list(plan)
        self._undo: list[Undo] = []
        self._swallowing = False
        self._begun = time.monotonic()

    def step(self) -> bool:
        """Break what is due, and mend what is due; false when nothing is left to do."""
        for undo in sorted([undo for undo in self._undo if undo[0] <= self._now()], key=lambda undo: undo[0]):
            self._mend(undo)
        while self._plan and self._plan[0].at <= self._now():
            fault = self._plan.pop(0)
            KINDS[fault.kind](self, fault)
        self._look_for_swallowed()
        return bool(self._plan or self._undo)

    def mend_everything(self) -> None:
        """Mend what is still broken, whether its time has come or not."""
        self._plan.clear()
        self._look_for_swallowed()
        while self._undo:
            self._mend(self._undo[0])
        self.fleet.redis.resume()
        for server in (self.fleet.redis, *self.fleet.machines):
            if not server.running:
                server.start(wait=False)

    def _mend(self, undo: Undo) -> None:
        self._undo.remove(undo)
        self._note(undo[1])
        undo[2]()

    def _now(self) -> float:
        return time.monotonic() - self._begun

    def _note(self, text: str) -> None:
        self.log.append(f"{self._now():6.2f} {text}")

    def _happened(self, fault: Fault, text: str) -> None:
        self.done[fault.kind] += 1
        self._note(text)

    def _later(self, seconds: float, text: str, action: Callable[[], object]) -> None:
        self._undo.append((self._now() + seconds, text, action))

    # workers and machines

    def _worker(self, fault: Fault) -> tuple[psutil.Process, str] | None:
        """The worker that a fault picks, and what it is called in the log; none if there is none at the moment."""
        workers = sorted(self.fleet.workers().items(), key=lambda one: (one[1].label, one[0]))
        if not workers:
            self._note(f"nobody to {fault.kind}")
            return None
        pid, machine = workers[fault.pick % len(workers)]
        return psutil.Process(pid), f"worker {pid} of machine {machine.label}"

    def _signal(self, process: psutil.Process, number: int) -> None:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            self._note(f"{process.pid} is gone already")

    def kill_worker(self, fault: Fault) -> None:
        if found := self._worker(fault):
            self._happened(fault, f"kill -9 {found[1]}")
            self._signal(found[0], signal.SIGKILL)

    def terminate_worker(self, fault: Fault) -> None:
        if found := self._worker(fault):
            self._happened(fault, f"SIGTERM to {found[1]}")
            self._signal(found[0], signal.SIGTERM)

    def freeze_worker(self, fault: Fault) -> None:
        if found := self._worker(fault):
            process, name = found
            seconds = 1 + 5 * fault.extent
            self._happened(fault, f"SIGSTOP to {name} for {seconds:.1f} s")
            self._signal(process, signal.SIGSTOP)
            self._later(seconds, f"SIGCONT to {name}", lambda: self._signal(process, signal.SIGCONT))

    def _machine(self, fault: Fault) -> Machine | None:
        machine = self.fleet.machines[fault.pick % len(self.fleet.machines)]
        if not machine.running:
            self._note(f"machine {machine.label} is down already")
            return None
        return machine

    def reload_machine(self, fault: Fault) -> None:
        if machine := self._machine(fault):
            self._happened(fault, f"SIGHUP to the master of machine {machine.label}")
            machine.process.send_signal(signal.SIGHUP)

    def lose_machine(self, fault: Fault) -> None:
        if machine := self._machine(fault):
            self._happened(fault, f"kill -9 all of machine {machine.label}")
            machine.kill9()
            self._later(2 * fault.extent, f"start machine {machine.label}", lambda: machine.start(wait=False))

    # Redis and the way to it

    def kill_redis(self, fault: Fault) -> None:
        redis = self.fleet.redis
        if not redis.running:
            return self._note("Redis is down already")
        self._happened(fault, "kill -9 Redis")
        redis.kill()
        self._later(2 * fault.extent, "start Redis", lambda: redis.start(wait=False))

    def freeze_redis(self, fault: Fault) -> None:
        redis = self.fleet.redis
        seconds = 0.5 + 3 * fault.extent
        self._happened(fault, f"SIGSTOP to Redis for {seconds:.1f} s")
        redis.pause()
        self._later(seconds, "SIGCONT to Redis", redis.resume)

    def delay_redis(self, fault: Fault) -> None:
        proxy = self.fleet.proxy
        proxy.delay = 0.02 + 0.18 * fault.extent
        self._happened(fault, f"each answer of Redis comes {1000 * proxy.delay:.0f} ms later, for 2 s")
        self._later(2, "Redis is as fast as it was", lambda: setattr(proxy, "delay", 0.0))

    def swallow_answer(self, fault: Fault) -> None:
        what, mark = [("an append", b"messageReceived"), ("a letter", b"cw:mail:")][fault.pick % 2]
        self._note(f"the answer to {what} is to be swallowed")
        self._swallowing = True
        self.fleet.proxy.swallow_next_reply(mark)

    def _look_for_swallowed(self) -> None:
        """It happens when there is one, and may be cut off by another fault."""
        if self._swallowing and self.fleet.proxy.swallowed.is_set():
            self._swallowing = False
            self.done["swallow an answer"] += 1
            self._note("an answer was swallowed")

    def cut_redis(self, fault: Fault) -> None:
        self._happened(fault, "all connections to Redis are cut")
        self.fleet.proxy.cut()

    # clients

    def cut_clients(self, fault: Fault) -> None:
        share = 0.1 + 0.5 * fault.extent
        self._happened(fault, f"{self.fleet.balancer.cut(share, fault.pick)} connections of clients are cut")

    def cut_all_clients(self, fault: Fault) -> None:
        self._happened(fault, f"all {self.fleet.balancer.cut(1, fault.pick)} connections of clients are cut")


KINDS: dict[str, Callable[[Breaker, Fault], None]] = {
    "kill a worker": Breaker.kill_worker,
    "terminate a worker": Breaker.terminate_worker,
    "freeze a worker": Breaker.freeze_worker,
    "reload a machine": Breaker.reload_machine,
    "lose a machine": Breaker.lose_machine,
    "kill Redis": Breaker.kill_redis,
    "freeze Redis": Breaker.freeze_redis,
    "delay Redis": Breaker.delay_redis,
    "swallow an answer": Breaker.swallow_answer,
    "cut Redis": Breaker.cut_redis,
    "cut clients": Breaker.cut_clients,
    "cut all clients": Breaker.cut_all_clients,
}


def make_schedule(chance: random.Random, seconds: float, round_seconds: float) -> list[Fault]:
    """Each kind of fault once in each round, in any order and overlapping.

    :param seconds: how long there is talk; the last faults come a little before the end
    """
    plan: list[Fault] = []
    rounds = max(1, round(seconds / round_seconds))
    length = seconds / rounds
    for number in range(rounds):
        for kind in chance.sample(sorted(KINDS), len(KINDS)):
            at = number * length + length * chance.uniform(0.05, 0.9)
            plan.append(Fault(at, kind, chance.randrange(1 << 16), chance.random()))
    return sorted(plan, key=lambda fault: fault.at)
