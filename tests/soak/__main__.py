"""A program: everybody of the soak, each in a greenlet. Its arguments: port, clients, teachers, seconds, pause, seed.

It prints what has been seen, and what must not happen, as JSON, when all have gone.
"""

# ruff: noqa: E402 - the patch comes first
from gevent import monkey

monkey.patch_all()

import json
import resource
import sys
from collections.abc import Callable

import gevent

from tests.soak import pupils, rascals
from tests.soak.client import Polling
from tests.soak.teachers import teach
from tests.soak.world import Lesson, World
from tests.support.wires import Closed

Visit = Callable[[World, Lesson], None]

VISITS: dict[Visit, int] = {
    pupils.pupil: 60,
    pupils.resumer: 4,
    pupils.logs_out: 4,
    pupils.uploader: 4,
    pupils.reader: 4,
    rascals.flooder: 3,
    rascals.stranger: 4,
    rascals.vandal: 6,
    rascals.sloth: 3,
    rascals.loiterer: 8,
}
"""What a client does next, and how often."""
LIFE = 8.0
"""How long a lesson takes, in pauses of a client, on the average."""
END = 150.0
"""Seconds that everybody has to go: a server that has too much to do takes a while to end the last lessons."""


def come_and_go(world: World) -> None:
    """Be one client after the other, until all is over."""
    world.over.wait(world.chance.uniform(0, 3 * world.pause))
    kinds, weights = list(VISITS), list(VISITS.values())
    while not world.over.is_set():
        if not world.lessons:
            world.over.wait(0.1)
            continue
        (visit,) = world.chance.choices(kinds, weights)
        try:
            visit(world, world.chance.choice(world.lessons))
            world.seen["visits"] += 1
        except (Closed, OSError) as error:
            world.seen[f"ended: {visit.__name__}"] += 1
            if isinstance(error, TimeoutError):
                world.seen["silence"] += 1
        except Exception as error:  # reported, and the others go on
            world.wrong[f"{visit.__name__}: {error!r}"[:300]] += 1
        world.over.wait(world.chance.uniform(0, world.pause / 5))


def main(port: int, clients: int, teachers: int, seconds: float, pause: float, seed: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    world, Polling.breath = World(port, seed, pause), pause / 8
    everybody: list[gevent.Greenlet[..., None]] = [gevent.spawn(come_and_go, world) for _ in range(clients)]
    for number in range(teachers):  # not all at once: to check a password takes a processor a while
        everybody.append(gevent.spawn_later(number * pause / 20, teach, world, f"teacher{number}", LIFE * pause))
    gevent.sleep(seconds)
    world.over.set()
    gevent.joinall(everybody, timeout=END)
    left = sum(not one.ready() for one in everybody)
    failed = [repr(one.exception) for one in everybody if one.exception]
    print(json.dumps({"seen": world.seen, "wrong": world.wrong, "left": left, "failed": failed}))


if __name__ == "__main__":
    port, clients, teachers, seconds, pause, seed = sys.argv[1:]
    main(int(port), int(clients), int(teachers), float(seconds), float(pause), int(seed))
