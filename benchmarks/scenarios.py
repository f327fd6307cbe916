"""What is measured: one scenario a row of the targets."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.crowd import Crowd, Room, make_rooms
from benchmarks.fleet import FIRST, fleet
from benchmarks.load import Figures, Load, Pace
from benchmarks.servers import KINDS, Measured

WARM_ROOMS = 10
"""Rooms of 30 that come first, so that no server is measured cold; they stay."""


@dataclass(frozen=True)
class Scenario:
    """A load, and what is read from it.

    :param title: in the tables
    :param measure: what is done once everything is warm
    :param compared: the figures that ratios are made of, each with its name for readers
    :param rooms: how many, of ``size`` clients each
    :param rate: messages a second in all; 0: always four in flight in each room
    :param goals: by figure and kind: our figure divided by that kind's is to be no more than this
    :param bounds: by figure: ours is to be no more than this
    :param growth: our figure divided by ours in the scenario ``rooms`` is to be no more than this; 0: not compared
    :param kinds: who takes part
    """

    title: str
    measure: "Callable[[Run], Figures]"
    compared: Mapping[str, str]
    rooms: int = 10
    size: int = 30
    rate: float = 0
    goals: Mapping[tuple[str, str], float] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
    growth: float = 0
    kinds: tuple[str, ...] = tuple(KINDS)


@dataclass
class Run:
    """One scenario on one server that has just been started."""

    scenario: Scenario
    server: Measured
    crowd: Crowd
    rooms: list[Room]
    pace: Pace


def run(scenario: Scenario, server: Measured, pace: Pace) -> Figures:
    """Run a scenario on a running server.

    :raises Broken: when the run is not valid
    """
    crowd = Crowd(server.port)
    try:
        rooms = make_rooms(server, scenario.rooms, scenario.size)
        _warm(server, crowd)
        return scenario.measure(Run(scenario, server, crowd, rooms, replace(pace, rate=scenario.rate)))
    finally:
        # the server first, so that what its end leaves in TIME_WAIT is on its port and takes none of ours
        server.close()
        crowd.close()


def _warm(server: Measured, crowd: Crowd) -> None:
    rooms = make_rooms(server, WARM_ROOMS, 30, "WARM")
    crowd.enter(rooms)
    Load(server, crowd, rooms, Pace(1)).run()


def chat(run: Run) -> Figures:
    """Everybody is in; messages go round. A second of it is not counted."""
    run.crowd.enter(run.rooms)
    run.crowd.settle(1)
    Load(run.server, run.crowd, run.rooms, replace(run.pace, seconds=1)).run()
    return Load(run.server, run.crowd, run.rooms, run.pace).run()


def bell(run: Run) -> Figures:
    """Everybody comes at the same time."""
    cpu, start = run.server.cpu(), time.perf_counter()
    run.crowd.enter(run.rooms, at_once=run.scenario.rooms * run.scenario.size)
    took = time.perf_counter() - start
    run.crowd.settle(1)  # presence that is still going round belongs to it
    used = run.server.cpu() - cpu
    return {"us each": used / (run.scenario.rooms * run.scenario.size) * 1e6, "s in all": took}


def idle(run: Run) -> Figures:
    """Everybody is in and nobody says anything."""
    run.crowd.settle(2)
    before = sum(run.server.resident())
    run.crowd.enter(run.rooms)
    run.crowd.settle(5)
    after = run.server.resident()
    clients = run.scenario.rooms * run.scenario.size
    return {"KiB each": (sum(after) - before) / 1024 / clients, "MB in the largest process": max(after) / 1e6}


DELIVERY = {"us each": "CPU of a delivery"}
MEMORY = {"KiB each": "memory of a connection"}

SCENARIOS = {
    "rooms": Scenario(
        "10 rooms of 30, 4 messages in flight in each",
        chat,
        DELIVERY,
        goals={
            ("us each", "flask"): 0.30,
            ("us each", "node"): 0.85,
            ("us each", "flask-redis"): 0.15,
            ("us each", "node-redis"): 0.75,
        },
    ),
    "paced": Scenario(
        "10 rooms of 30, 50 messages a second in all",
        chat,
        DELIVERY | {"p99 ms": "99th percentile of the latency"},
        rate=50,
        goals={
            ("us each", "flask"): 0.6,
            ("us each", "node"): 1.1,
            ("us each", "flask-redis"): 0.4,
            ("us each", "node-redis"): 0.9,
            ("p99 ms", "node"): 1.0,
            ("p99 ms", "node-redis"): 1.0,
        },
    ),
    "lecture": Scenario("1 room of 1,000, 4 in flight", chat, DELIVERY, rooms=1, size=1000, growth=1.25),
    "campus": Scenario("100 rooms of 30, 4 in flight in each", chat, DELIVERY, rooms=100, growth=1.25),
    "bell": Scenario(
        "300 connect, authenticate and join at once",
        bell,
        {"us each": "CPU of a client", "s in all": "time until all are in"},
        goals={("us each", "node"): 1.0, ("s in all", "node"): 1.0},
    ),
    "idle": Scenario(
        "4,000 joined and idle",
        idle,
        MEMORY,
        rooms=100,
        size=40,
        bounds={"KiB each": 20},
        kinds=("ours", "flask", "node"),
    ),
    "idle10k": Scenario(
        "10,000 joined and idle",
        idle,
        MEMORY,
        rooms=250,
        size=40,
        bounds={"MB in the largest process": 300},
        kinds=("ours",),
    ),
    "fleet": Scenario(
        f"10 rooms of 30, 50 messages a second in all; the rest of the fleet has {FIRST}, {FIRST * 3}, {FIRST * 10}",
        fleet,
        {},
        rate=50,
        bounds={"10x / 1x": 1.1},
        kinds=("ours-redis", "flask-redis"),
    ),
}
