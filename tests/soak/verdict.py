"""What the server holds after the soak, compared with what it held before."""

from collections.abc import Mapping

from tests.soak.fleet import Keys, Worker

MB = 1 << 20


def at_rest(workers: Mapping[int, Worker]) -> bool:
    """Whether nobody is there, and nothing is left of who was. :raises AssertionError: something is."""
    for worker in workers.values():
        left = {name: count for name, count in worker.counts.items() if count and name in NOBODY}
        assert not left, left
        assert worker.counts["tasks"] <= ROUTINE, worker.counts
    return True


NOBODY = frozenset(
    [
        *("transports", "outboxes", "environs", "half packets", "connecting", "disconnecting", "callbacks"),
        *("connections", "by transport", "slots", "codes", "members", "statuses"),
        *(
            "ring",
            "users connected",
            "addresses connected",
            "logins",
            "downloads",
            "tokens to end",
            "seats to give up",
            "live sessions",
        ),
    ]
)
"""What there is nothing of when nobody is there."""
ROUTINE = 6
"""Tasks of a worker that come again and again: see :meth:`classwaves.hub.Hub.start`."""


def more(before: Mapping[int, Worker], after: Mapping[int, Worker]) -> dict[str, tuple[int, int]]:
    """What there is more of than before, on any worker, and how much."""
    assert before.keys() == after.keys(), "a worker has ended"
    found: dict[str, tuple[int, int]] = {}
    for pid, old in before.items():
        new = after[pid]
        was, now = {**old.counts, "descriptors": old.files}, {**new.counts, "descriptors": new.files}
        found |= {f"{name} of {pid}": (was[name], now[name]) for name in now if now[name] > was[name]}
    return found


LISTS = "cw:owner:*"


def more_lasting(old: Keys, new: Keys) -> dict[str, tuple[int, int]]:
    """What there is more of in Redis that does not end by itself.

    But for the lists of a teacher's sessions: there is one while a session that has expired was not weeded out.
    """
    was, now = ({**keys.lasting, LISTS: 0, "seats": keys.seats} for keys in (old, new))
    return {name: (was.get(name, 0), count) for name, count in now.items() if count > was.get(name, 0)}


def growth(before: Mapping[int, Worker], after: Mapping[int, Worker]) -> float:
    """By how much the memory of the worker whose memory has grown most has, as a part of what it was."""
    return max(after[pid].proportional / old.proportional for pid, old in before.items()) - 1


def used(before: Mapping[int, Worker], after: Mapping[int, Worker]) -> float:
    """The same of what is in use of the C library's memory, however its pages are filled."""
    return max(after[pid].allocated / old.allocated for pid, old in before.items()) - 1


def kept(before: Mapping[int, Worker], after: Mapping[int, Worker]) -> int:
    """How many small objects more there are at the worker that has most more."""
    return max(after[pid].blocks - old.blocks for pid, old in before.items())


def forgotten(workers: Mapping[int, Worker]) -> bool:
    """Whether the limits count nobody any more. :raises AssertionError: they do."""
    left = {pid: worker.limits["running"] for pid, worker in workers.items() if worker.limits["running"]}
    assert not left, left
    return True


def table(before: Mapping[int, Worker], after: Mapping[int, Worker], old: Keys, new: Keys) -> str:
    """Before and after, for people."""
    lines = [f"{'':34}{'before':>12}{'after':>12}"]
    for number, pid in enumerate(before):
        was, now = before[pid], after[pid]
        sizes = {"resident": "resident", "resident, trimmed": "trimmed", "proportional": "proportional"}
        rows = {
            f"{name}, MB": (round(getattr(was, field) / MB, 1), round(getattr(now, field) / MB, 1))
            for name, field in sizes.items()
        }
        rows |= {"in use of malloc, MB": (round(was.allocated / MB, 1), round(now.allocated / MB, 1))}
        rows |= {"small objects": (was.blocks, now.blocks)}
        rows |= {"descriptors": (was.files, now.files), "connections to Redis": (was.redis, now.redis)}
        rows |= {name: (was.counts[name], now.counts[name]) for name in was.counts}
        rows |= {f"limits: {name}": (was.limits[name], now.limits[name]) for name in was.limits}
        rows |= {"objects": (sum(was.types.values()), sum(now.types.values()))}
        lines += _rows(f"worker {number + 1}: ", rows)
        grown = {name: now.types[name] - was.types.get(name, 0) for name in now.types}
        most = sorted(grown.items(), key=lambda item: -item[1])[:8]
        greenlets = {name: (was.types.get(name, 0), now.types.get(name, 0)) for name in {**was.types, **now.types}}
        lines += _rows(
            "  ", {name: pair for name, pair in greenlets.items() if name.startswith(("greenlet in", "thread "))}
        )
        lines.append(f"  grown most: {', '.join(f'{name} {count:+}' for name, count in most)}")
    kinds = sorted({*old.kinds, *new.kinds})
    lines += _rows("Redis: keys ", {name: (old.kinds.get(name, 0), new.kinds.get(name, 0)) for name in kinds})
    items = sorted({*old.items, *new.items})
    lines += _rows("Redis: in ", {name: (old.items.get(name, 0), new.items.get(name, 0)) for name in items})
    lines += _rows("Redis: ", {"seats": (old.seats, new.seats), "bytes": (old.memory, new.memory)})
    lines += _rows("disk: ", {"files": (old.files, new.files)})
    return "\n".join(lines)


def _rows(what: str, rows: Mapping[str, tuple[float, float]]) -> list[str]:
    return [f"{what + name:34}{was:>12}{now:>12}" for name, (was, now) in rows.items()]
