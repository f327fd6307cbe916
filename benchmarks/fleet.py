"""What the rest of the fleet costs one worker: its own load stays the same while everybody else's grows tenfold.

The rest is one process of its own (``python -m benchmarks.fleet``), which does to Redis what the other workers would:
it appends to the logs of other sessions through classwaves' store, or emits to other rooms through Flask-SocketIO's
queue.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.load import Figures, Load
from benchmarks.wire import Broken
from classwaves.models import Draft, SessionRecord, new_code, new_id

if TYPE_CHECKING:
    from benchmarks.scenarios import Run

LEVELS = (1, 3, 10, 10, 3, 1)
"""Times as much as the rest writes at first; there and back again, so that what drifts is in all of them."""

FIRST = 300
"""Messages a second of the rest at first, where the worker has 50 itself."""

ELSEWHERE = 100
"""Sessions or rooms that the rest writes to."""

ENOUGH = 0.9
"""The part of its messages that the rest must have written, or the run says nothing."""

TEXT = "x" * 60


def fleet(run: "Run") -> Figures:
    """Everybody is in and chats at a steady rate, whatever the rest does."""
    run.crowd.enter(run.rooms)
    run.crowd.settle(1)
    cpu, deliveries = dict.fromkeys(LEVELS, 0.0), dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        with _rest(run, FIRST * level):
            Load(run.server, run.crowd, run.rooms, replace(run.pace, seconds=0.5)).run()
            load = Load(run.server, run.crowd, run.rooms, run.pace)
            cost = load.run()["us each"]
        cpu[level] += cost * len(load.latencies)
        deliveries[level] += len(load.latencies)
    each = {level: cpu[level] / deliveries[level] for level in sorted(cpu)}
    grown = {f"{level}x / 1x": each[level] / each[1] for level in each if level > 1}
    return {f"us each, {level}x": cost for level, cost in each.items()} | grown


@contextmanager
def _rest(run: "Run", rate: int) -> Iterator[None]:
    """Run the rest of the fleet inside the block. :raises Broken: it did not keep its rate."""
    kind = "log" if run.server.contract else "queue"
    command = [sys.executable, "-m", "benchmarks.fleet", kind, run.server.redis["REDIS_URL"], str(rate)]
    with subprocess.Popen(  # noqa: S603 - this file itself
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        process.stdout.readline()  # it has begun
        start = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - start
            written = process.communicate()[0]  # which ends its input, and with it the process
    if int(written or 0) < ENOUGH * rate * took:
        raise Broken(f"the rest of the fleet wrote {written.strip()} of {rate * took:.0f} messages")


# the process of its own


def log_writer(url: str) -> Callable[[], object]:
    """Return what appends a message to the next of the other sessions."""
    from classwaves.settings import Settings
    from classwaves.store import open_store

    store = open_store(Settings(redis_url=url, store="redis"))
    records = [SessionRecord(new_id(), new_code(), "Elsewhere", "teacher", 0) for _ in range(ELSEWHERE)]
    for record in records:
        created = Draft("sessionCreated", {"record": record.to_dict()}, "teacher", "none", bumps=("session",))
        store.create_session(record, created)
    turns, fences, numbers = itertools.cycle(records), {"session": 1, "user:teacher": 0}, itertools.count()
    data = {"userId": "teacher", "displayName": "Teacher", "message": TEXT, "type": "text"}
    message = Draft("messageReceived", data, "teacher", id_field="messageId")
    return lambda: store.append(next(turns).id, [message], dedupe=f"-{next(numbers)}", fences=fences)


def queue_writer(url: str) -> Callable[[], object]:
    """Return what emits a message to the next of the other rooms."""
    from flask_socketio import SocketIO

    sockets, turns = SocketIO(message_queue=url), itertools.cycle(f"ELSEWHERE {number}" for number in range(ELSEWHERE))

    def write() -> None:
        code = next(turns)
        sockets.emit("messageReceived", {"sessionCode": code, "message": TEXT}, to=code)

    return write


WRITERS = {"log": log_writer, "queue": queue_writer}


def main(kind: str, url: str, rate: str) -> None:
    """Write so many messages a second until standard input ends, and print how many there were."""
    import threading

    write, over, count = WRITERS[kind](url), threading.Event(), 0

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    print("begun", flush=True)
    start = time.monotonic()
    while not over.wait(max(0.0, start + count / float(rate) - time.monotonic())):
        write()
        count += 1
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:4])
