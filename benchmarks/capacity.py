"""How much a fleet needs: the tables of docs/scaling.md, from constants that were measured on one machine.

``python -m benchmarks.capacity`` prints the tables from ``capacity.json``, ``--measure`` measures here and writes that
file, ``--docs`` writes the tables into docs/scaling.md; a test keeps the three alike.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import model
from benchmarks.model import MOST_BUSY, Constants, Load
from benchmarks.report import number, table

ROOT = Path(__file__).resolve().parents[1]
KEPT, PAGE = Path(__file__).with_name("capacity.json"), ROOT / "docs" / "scaling.md"

STEPS = {
    "accept_us": "an event is accepted: token, rate, schema, permission, append, ack; µs",
    "feed_us": "it comes along the feed, on each worker that serves the session, µs",
    "delivery_us": "it goes to one participant, µs",
    "presence_us": "a change of presence in a room of 30, all told, µs",
    "worker_busy": "while the worker was busy, %",
    "redis_event_us": "Redis: an event, with one subscribed worker, µs",
    "redis_subscriber_us": "Redis: each further subscribed worker, µs",
    "redis_presence_us": "Redis: a change of presence, µs",
    "redis_busy": "while Redis was busy, %",
}
OTHERS = {
    "join_us": "connect and join, in a room of 30, all told, µs",
    "heartbeat_us": "a heartbeat, ping and pong, µs",
    "look_us": "comparing the position of one session, µs",
    "auth_us": "looking up one login, µs",
    "idle_us": "a second of an idle worker, µs",
    "redis_join_us": "Redis: connect and join, µs",
    "redis_look_us": "Redis: a position, µs",
    "redis_auth_us": "Redis: a login, µs",
    "redis_idle_us": "Redis: a second of doing nothing, µs",
    "commands_event": "commands of an event (1 request, the rest inside its script)",
    "commands_presence": "commands of a change of presence (1 request)",
    "commands_join": "commands of connect and join (3 requests where the session is served already)",
    "event_in": "bytes that Redis reads for an event",
    "event_out": "bytes that Redis writes for an event, with one subscribed worker",
    "subscriber_out": "bytes for each further one",
    "frame": "bytes of a message of 60 characters to one participant",
    "worker_memory": "memory of a worker with nobody, with gunicorn's master, MB",
    "connection_memory": "memory of a connection that has joined, KB",
    "session_memory": "memory of a live session, KB",
    "redis_message_memory": "Redis: memory of a message of 60 characters, bytes",
    "redis_participant_memory": "Redis: memory of a guest (login, place, arrival), bytes",
    "redis_session_memory": "Redis: memory of a session, bytes",
}
UNITS = {"worker_memory": 1e6, "connection_memory": 1e3, "session_memory": 1e3, "worker_busy": 0.01, "redis_busy": 0.01}

SIZES = (1_000, 100_000, 1_000_000)


def constants_table(of: Constants) -> str:
    """Return all constants."""

    def shown(value: Any, name: str) -> str:
        return number(value / UNITS.get(name, 1))

    steps = ([words, *(shown(getattr(at, name), name) for at in (of.quiet, of.busy))] for name, words in STEPS.items())
    others = ([words, shown(getattr(of, name), name)] for name, words in OTHERS.items())
    return table(["an event", "quiet", "busy"], steps) + "\n" + table(["everything else", "measured"], others)


def short(value: float) -> str:
    """Return a number as people read it."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def predictions_table(of: Constants) -> str:
    """Return what the sizes need, a row for each, with and without a proxy that routes by session."""
    loads = [model.sized(size, of, routed=routed) for size in SIZES for routed in (False, True)]
    heads = ["", *(f"{load.participants:,}{', by session' if load.routed else ''}" for load in loads)]
    return table(heads, _prediction_rows(loads, of))


def _prediction_rows(loads: list[Load], of: Constants) -> Iterable[list[str]]:
    rows: dict[str, Callable[[Load], str]] = {
        "events/s": lambda load: short(load.events),
        "deliveries/s": lambda load: short(load.events * load.room),
        "workers": lambda load: str(load.workers),
        "workers that serve a session": lambda load: f"{load.spread:.1f}",
        "cores, all workers": lambda load: f"{model.worker_cpu(load, of):.2g}",
        "while everybody comes": lambda load: f"{model.worker_peak(load, of):.2g}",
        "memory of a worker": lambda load: short(model.worker_memory(load, of)) + "B",
        "to participants, bytes/s": lambda load: short(model.client_bytes(load, of)),
        "Redis: commands/s": lambda load: short(model.redis_commands(load, of)),
        "Redis: cores": lambda load: f"{model.redis_cpu(load, of):.2g}",
        "Redis: while everybody comes": lambda load: f"{model.redis_peak(load, of):.2g}",
        "Redis: bytes/s": lambda load: short(model.redis_bytes(load, of)),
        "Redis: memory of a day": lambda load: short(model.redis_memory(load, of)) + "B",
        "Redis: shards at 60 %": lambda load: str(math.ceil(model.redis_peak(load, of) / MOST_BUSY)),
    }
    for name, row in rows.items():
        yield [name, *map(row, loads)]


CHECKED: dict[str, tuple[str, Callable[[Load, Constants], float]]] = {
    "worker": ("CPU of the workers, ms/s", lambda load, of: model.worker_cpu(load, of) * 1e3),
    "redis": ("CPU of Redis, ms/s", lambda load, of: model.redis_cpu(load, of) * 1e3),
    "commands": ("commands of Redis, 1/s", model.redis_commands),
}
"""What was measured, by its name in ``capacity.json``: in words, and as the model has it."""


def checks_table(checks: list[dict[str, Any]], of: Constants) -> str:
    """Return what was predicted and what was measured."""
    rows = []
    for check in checks:
        every = check.get("event_every", Load.event_every)
        load = Load(check["participants"], check["workers"], event_every=every)
        for name, (words, predict) in CHECKED.items():
            predicted, measured = predict(load, of), check[name]
            error = f"{(predicted / measured - 1) * 100:+.0f} %"
            where = f"{load.participants:,} on {load.workers} worker{'s' * (load.workers > 1)}"
            where += f", an event each {every:g} s" if every != Load.event_every else ""
            rows.append([where, words, number(predicted), number(measured), error])
    return table(["participants", "figure", "predicted", "measured", "error"], rows)


LECTURE = {
    "join_us": "somebody comes, and all others hear of it: CPU of the worker, ms",
    "redis_join_us": "the same: CPU of Redis, ms",
    "snapshot": "what a joiner is sent when all are there, KB",
    "event_us": "an event to all: CPU of the worker, ms",
}


def lecture_table(lecture: dict[str, float]) -> str:
    """Return what one room of 1,000 costs."""
    return table(["one room of 1,000", ""], ([words, number(lecture[name] / 1e3)] for name, words in LECTURE.items()))


def parts() -> dict[str, str]:
    """Return the tables of docs/scaling.md by the names of their marks, from what was measured last."""
    kept = json.loads(KEPT.read_text())
    of = Constants.of(kept["constants"])
    return {
        "constants": constants_table(of),
        "predictions": predictions_table(of),
        "lecture": lecture_table(kept["lecture"]),
        "checks": checks_table(kept["checks"], of),
    }


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    for name, made in parts().items():
        begin, end = f"<!-- {name}: made by benchmarks/capacity.py -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + "\n" + made + "\n" + end + rest.split(end)[1]
    return text


def main() -> None:
    """Measure, write or print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__.split("\n")[0])
    parser.add_argument("--measure", action="store_true", help="the constants, here; takes five minutes")
    parser.add_argument("--docs", action="store_true", help="write the tables of docs/scaling.md")
    options = parser.parse_args()
    if options.measure:
        from benchmarks.measure import everything

        KEPT.write_text(json.dumps(everything(), indent=2) + "\n")
    if options.docs:
        PAGE.write_text(page(PAGE.read_text()))
    else:
        print("\n".join(parts().values()))


if __name__ == "__main__":
    main()
