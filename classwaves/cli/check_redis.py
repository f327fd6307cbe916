"""What can be said of the Redis behind the store. Imports settings, the store's report and the findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import StoreUnavailable
from ..settings import Settings
from ..store import open_store
from .findings import Finding, error, ok, warning

#: The oldest Redis that has what the scripts use.
OLDEST = (6, 2)
#: A median round trip, and a difference of clocks, that somebody notices, in seconds.
SLOW, APART = 0.005, 2.0
#: How full Redis may be, of what it may have.
FULL, FULLISH = 0.9, 0.75
#: Connections of a worker to Redis beside its pool.
BESIDE = 4


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Ask all servers of ``REDIS_URL``, and try to write."""
    if settings.store_kind != "redis":
        return
    from ..store.redis_report import report  # only who uses Redis pays for importing it

    found = report(settings.redis_url, settings.redis_timeout)
    for place, why in found.away.items():
        yield error("Redis", f"{place} {why}: start it, open the way to it, or mend REDIS_URL.")
    if found.cluster:
        yield from _cluster(found.cluster)
    if found.watch:
        yield from _sentinel(found.watch)
    for server in found.servers:
        name = f"Redis {server.place}" if len(found.servers) > 1 else "Redis"
        yield from _version(name, server.info)
        yield from _role(name, server.info)
        yield from _persistence(name, server.info, server.save)
        yield from _memory(name, server.info)
        yield from _connections(name, server.info, settings)
        yield from _times(name, server.round_trip, server.ahead)
    if found.servers:
        yield from _writes(settings)


def _cluster(state: dict[str, Any]) -> Iterator[Finding]:
    if state.get("cluster_state") == "ok":
        yield ok("cluster", f"ok, {state.get('cluster_size')} masters")
    else:
        yield error("cluster", "is down: look at `redis-cli --cluster check`, and mend it with `--cluster fix`.")
    if int(state.get("cluster_slots_fail", 0)) or int(state.get("cluster_slots_pfail", 0)):
        yield error("cluster", "some slots have no master that answers: start it, or let a replica take over.")


def _sentinel(state: dict[str, Any]) -> Iterator[Finding]:
    if not state.get("num-slaves"):
        yield warning("sentinel", "the master has no replica, so nothing can take over: add one.")
    if int(state.get("num-other-sentinels", 0)) < 2:
        yield warning("sentinel", "there are fewer than three sentinels: with one lost they cannot agree. Add some.")
    if state.get("is_odown") or state.get("is_sdown"):
        yield error("sentinel", "the sentinels hold the master for down: start it, or see why no replica took over.")


def _version(name: str, info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info.get("redis_version", "0"))
    shown = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        yield error(name, f"is {shown}: install 6.2 or newer.")
    else:
        yield ok(name, f"answers, {shown}")


def _role(name: str, info: dict[str, Any]) -> Iterator[Finding]:
    if info.get("role") == "slave":
        yield error(name, "is a replica and takes no writes: name its master in REDIS_URL, or the sentinels.")


def _persistence(name: str, info: dict[str, Any], save: str | None) -> Iterator[Finding]:
    if info.get("aof_enabled"):
        if info.get("aof_last_write_status", "ok") != "ok":
            yield error(name, "could not write its append-only file, so it takes no writes: see to its disk.")
        else:
            yield ok(name, "keeps every write in its append-only file")
    elif save == "":
        yield warning(name, "keeps nothing on disk: sessions and accounts end with it. Set `appendonly yes`.")
    else:
        yield warning(name, "saves a snapshot now and then, and loses what came after it: set `appendonly yes`.")
    if save and info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield error(name, "could not save its last snapshot, and may take no writes: see to its disk and memory.")


def _memory(name: str, info: dict[str, Any]) -> Iterator[Finding]:
    policy, used, limit = info.get("maxmemory_policy", "noeviction"), info["used_memory"], info.get("maxmemory", 0)
    if policy != "noeviction":
        when = "when it is full it throws" if limit else "with a memory limit it would throw"
        yield error(name, f"{when} away parts of sessions (maxmemory-policy {policy}): set it to noeviction.")
    else:
        yield ok(name, "throws nothing away when it is full (noeviction)")
    most = limit or info.get("total_system_memory", 0)
    if most and used > FULLISH * most:
        shown = f"uses {used / 1e6:.0f} of {most / 1e6:.0f} MB, and takes no writes when it is full: give it more."
        yield (error if used > FULL * most else warning)(name, shown)


def _connections(name: str, info: dict[str, Any], settings: Settings) -> Iterator[Finding]:
    most = int(info.get("maxclients", 0))
    wanted = settings.workers * (settings.redis_connections + BESIDE)
    if most and wanted > most:
        yield warning(
            name,
            f"takes {most} connections, and {settings.workers} workers may want {wanted}: raise its maxclients, "
            "or lower CLASSWAVES_REDIS_CONNECTIONS.",
        )


def _times(name: str, round_trip: float, ahead: float) -> Iterator[Finding]:
    shown = f"a round trip takes {round_trip * 1000:.1f} ms"
    if round_trip > SLOW:
        yield warning(name, f"{shown}, and each event waits for one: bring workers and Redis nearer to each other.")
    else:
        yield ok(name, shown)
    if abs(ahead) > APART:
        yield warning(
            name,
            f"its clock and this machine's are {abs(ahead):.0f} s apart: timestamps are by one, tokens by the other. "
            "Run NTP on both.",
        )


def _writes(settings: Settings) -> Iterator[Finding]:
    store = open_store(settings)
    try:
        store.ping(writes=True)
    except StoreUnavailable as problem:
        # the words of Redis have no secrets in them, and the first one says which kind of error it is
        words = str(problem.__cause__).split(".")[0][:120]
        yield error("Redis", f"does not take writes: {words}.")
    finally:
        store.close()
