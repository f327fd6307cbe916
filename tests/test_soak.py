"""A school comes, goes and misbehaves, and in the end the server holds what it held at the beginning.

Two workers, Redis, and many clients at once: see :mod:`tests.soak.__main__` for what they do. The beginning is after a
warm-up with the same load, when caches and the allocator's arenas are filled. ``make soak`` is the long one, a quarter
of an hour with a thousand clients: ``SOAK_SECONDS``, ``SOAK_CLIENTS``, ``SOAK_SEED``.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from classwaves.windows import FEW
from tests.soak.fleet import WORKERS, School, Worker
from tests.soak.verdict import LISTS, at_rest, forgotten, growth, kept, more, more_lasting, table, used
from tests.support.prometheus import Scrape, scrape
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

LONG = float(os.environ.get("SOAK_SECONDS") or 0)
SECONDS = LONG or 3.0
CLIENTS = int(os.environ.get("SOAK_CLIENTS") or (1000 if LONG else 40))
SEED = int(os.environ.get("SOAK_SEED") or (random.SystemRandom().randrange(2**32) if LONG else 2026))
TEACHERS = max(2, CLIENTS // 25)
PAUSE = 10.0 if LONG else 0.4
"""Seconds between two things that a client does, on the average; what ends by itself ends by that, too."""
WARM = max(2.0, SECONDS / 3)
"""With as many clients: the most that a worker ever held at once is behind it before anything is compared."""
SCRAPED = 5.0 if LONG else 0.5
"""Seconds between two scrapes."""
SETTLED = 30 * PAUSE
"""Seconds until everything has ended that ends by itself."""
GROWTH = 0.3 if LONG else 0.5
"""What the memory of a worker may grow by: nearly all of it is that pages are less well filled after a peak.

In rounds of the same load it grew by 13%, 1%, 2% and 0%, and objects by less than 0.5% after the first. So a leak is
found by what is in use: :data:`KEPT`, and :data:`USED`.
"""
USED = 0.1 if LONG else 0.5
"""What may be in use more than before of the C library's memory: SQLite's pages and dictionaries do not shrink."""
CACHES, KEPT = 5000, 2
"""How many of Python's small objects more a worker may hold after the long one: caches take three thousand, and so many
for each visit, of which a leak would have more.
"""
SERIES = 2000
"""Of ``/metrics``: what there is for each event, outcome and bucket."""

pytestmark = pytest.mark.timeout(2 * (WARM + SECONDS + 2 * SETTLED) + 120)


@pytest.fixture
def school(redis_server: RedisServer, tmp_path: Path) -> Iterator[School]:
    with School(redis_server, PAUSE, tmp_path) as school:
        school.add_teachers(TEACHERS)
        yield school


def test_a_school_leaves_nothing_behind(school: School, capsys: pytest.CaptureFixture[str]) -> None:
    warm = load(school, WARM, SEED)
    before, keys_before = settled(school), school.in_redis()
    soak = load(school, SECONDS, SEED + 1)
    after = settled(school, before)
    with suppress(AssertionError):  # whose connection broke last is absent for a while, and then swept
        eventually(lambda: not more_lasting(keys_before, school.in_redis()), SETTLED, "no more in Redis than before")
    keys = school.in_redis()
    with capsys.disabled():
        tell(f"seed {SEED}, {CLIENTS} clients, {WARM:g} s and {SECONDS:g} s; seen: {soak.seen}")
        tell(table(before, after, keys_before, keys))
        tell(soak.curve())
        tell(f"before that, in the warm-up: {warm.seen} {warm.wrong}")
        tell(str(Counter(line.split("]", 1)[-1][:70] for line in school.log().splitlines()).most_common(25)))
    for one in (warm, soak):
        assert (one.wrong, one.left, one.failed) == ({}, 0, [])
    assert "Traceback" not in school.log(), school.log_tail(100)
    assert at_rest(before) and at_rest(after)
    assert not more(before, after)
    assert not more_lasting(keys_before, keys)
    assert keys.lasting.get(LISTS, 0) <= TEACHERS
    assert not LONG or only_lasting(school)
    assert keys.items["cw:workers"] == WORKERS, "leases"
    assert growth(before, after) < GROWTH
    assert used(before, after) < USED
    assert not LONG or kept(before, after) < CACHES + KEPT * soak.seen["visits"]
    assert max(one.limits["most"] for one in after.values()) <= 2 * FEW
    assert max(one.value("connections") for one in soak.scrapes) > CLIENTS / 4
    # the other worker's numbers are as old as its last second, or older where its process was kept waiting
    eventually(lambda: scrape(school.url).value("connections") == 0, what="no connections in the metrics")
    assert max(one.series for one in soak.scrapes) < SERIES


def tell(what: str) -> None:
    """Print for who has asked for the long one."""
    if LONG:
        print(what)


@dataclass(frozen=True)
class Load:
    """What happened while people came and went."""

    seen: dict[str, int]
    wrong: dict[str, int]
    left: int
    failed: list[str]
    scrapes: list[Scrape]
    resident: list[list[int]]
    """Of each worker, at each scrape."""

    def curve(self) -> str:
        """The numbers of the long run at twenty moments."""
        lines = ["connections, sessions, series, and the memory of the workers in MB:"]
        for at in range(0, len(self.scrapes), max(1, len(self.scrapes) // 20)):
            one = self.scrapes[at]
            numbers = [int(one.value("connections")), int(one.value("sessions")), one.series]
            lines.append(" ".join(f"{number:8}" for number in [*numbers, *(size >> 20 for size in self.resident[at])]))
        return "\n".join(lines)


def load(school: School, seconds: float, seed: int) -> Load:
    """Let everybody come and go, and look meanwhile."""
    scrapes, resident = [], []
    with school.crowd(CLIENTS, TEACHERS, seconds, PAUSE, seed) as crowd:
        while crowd.running:
            with suppress(OSError):  # of a machine that has too much to do; enough are asked for below
                scrapes.append(scrape(school.url))
                resident.append(school.resident())
            time.sleep(SCRAPED)  # the pace of Prometheus, not something that is waited for
        found = Load(**crowd.report(), scrapes=scrapes, resident=resident)
    school.end_lessons(TEACHERS)
    return found


def settled(school: School, before: dict[int, Worker] | None = None) -> dict[int, Worker]:
    """Wait until nobody is there any more, and all that ends by itself has ended; return what is held then.

    Who asks looks whether it is so: first comes the table.

    :param before: there should be no more than that
    """
    with suppress(AssertionError):
        eventually(lambda: at_rest(school.holdings()), SETTLED, "nobody there", pause=0.5)
    if LONG:
        with suppress(AssertionError):
            eventually(lambda: only_lasting(school), SETTLED, "only what lasts", pause=1)
        with suppress(AssertionError):
            eventually(lambda: forgotten(school.holdings()), SETTLED, "no limit that counts somebody", pause=1)
    if before:
        with suppress(AssertionError):
            eventually(lambda: not more(before, school.holdings()), SETTLED / 2, "no more than before", pause=0.5)
    return school.holdings()


def only_lasting(school: School) -> bool:
    """Whether all keys in Redis, and all files, are such as last.

    But for what is forgotten after hours: of the limits, and the names of acts that may be repeated.
    """
    found = school.in_redis()
    left = {name for name, count in found.kinds.items() if count > found.lasting.get(name, 0)}
    assert left <= {"cw:limit:*", "cw:noted:*:*:*"}, left
    assert not found.files
    return True
