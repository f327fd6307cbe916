"""The constants of the capacity model, measured on a worker and a Redis that have just been started, and its check.

CPU is the kernel's count for the worker's processes and Redis's own for itself, so another busy program disturbs less
than it would with a clock. Loads are paced, as in a school, and not as fast as can be: there everything is cheaper.
"""

import itertools
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import redis

from benchmarks.crowd import Room, make_rooms
from benchmarks.fleet import TEXT
from benchmarks.model import Constants, Load, Steps
from benchmarks.scene import Scene, Use, appender, scene, stir, talk
from benchmarks.servers import split_cores
from benchmarks.wire import Client, event
from classwaves.models import Draft, SessionRecord, new_code, new_id
from classwaves.settings import Settings
from classwaves.store import Store, open_store
from classwaves.store.base import Seat
from tests.support import processes
from tests.support.redis_server import RedisServer


def each(use: Use, idle: Use, count: float, name: str) -> float:
    """Return what one of them used: microseconds of CPU, commands or bytes."""
    return (use[name] - idle[name] * use["seconds"]) / count * (1e6 if name in ("worker", "redis") else 1)


def measure_idle(core: int) -> tuple[Use, float]:
    """Return what a second of nothing uses, and the memory of the server."""
    with scene(core) as at:
        at.rooms(1, 1)
        use = at.used(lambda: at.read_for(20))
        return {name: value / use["seconds"] for name, value in use.items()}, at.memory()[0]


QUIET, BUSY = 25, 500
"""Events a second."""


def measure_events(core: int, idle: Use, rate: float) -> Use:
    """Messages into rooms of 30 and of 5, and what other workers append; both so that the worker is as busy."""
    found: Use = {}
    count = round(rate * 16)
    for size in (30, 5):
        with scene(core) as at:
            rooms = at.rooms(10, size)
            at.expect(at.steadily(rate, 3, talk(rooms)) * size)  # warm
            before, say, change = at.delivered, talk(rooms), stir(rooms)
            use = at.used(lambda: at.steadily(rate, 16, say))  # noqa: B023 - called at once
            at.expect(before + count * size)
            found[f"us {size}"] = each(use, idle, count, "worker")
            if size == 30:
                found |= {name: each(use, idle, count, name) for name in ("redis", "commands", "in", "out")}
                found |= {f"{name} busy": use[name] / use["seconds"] for name in ("worker", "redis")}
                found["frame"] = _frame(at, rooms[0])
                use = at.used(lambda: at.steadily(rate, 16, change))  # noqa: B023
                found |= {f"presence {name}": each(use, idle, count, name) for name in ("worker", "redis", "commands")}
    found["us feed"] = measure_feed(core, idle, QUIET if rate == QUIET else rate * 4)
    return found


def measure_feed(core: int, idle: Use, rate: float) -> float:
    """What comes from elsewhere into rooms with one participant here, who gets it: microseconds of each."""
    with scene(core) as at:
        rooms, store = at.rooms(30, 1), open_store(Settings(redis_url=at.redis.url, store="redis"))
        append = appender(store, [str(store.session_id(room.code)) for room in rooms])
        at.steadily(rate, 3, append)
        use = at.used(lambda: at.steadily(rate, 16, append))
        store.close()
        tell(f"feed at {rate:g}/s", {name: use[name] / use["seconds"] for name in ("worker", "redis")} | use)
        return each(use, idle, rate * 16, "worker")


def _frame(at: Scene, room: Room) -> float:
    at.read_for(0.5)
    room.clients[-1].send(event("sendMessage", {"sessionCode": room.code, "message": TEXT}))
    _wait_for(room.clients[0])
    return float(len(room.clients[0].read()))


def measure_redis(pause: float) -> Use:
    """Redis alone: an append with 1 and with 17 subscribers, a change of presence, the memory of a message.

    :param pause: seconds between two of them; 0: one after the other
    """
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        store = open_store(Settings(redis_url=server.url, store="redis"))
        record = SessionRecord(new_id(), new_code(), "A lesson", "teacher", 0)
        store.create_session(record, Draft("sessionCreated", {"record": record.to_dict()}, "teacher", "none"))
        append = appender(store, [record.id])
        found: Use = {}

        def run(name: str, act: Callable[[], object], sockets: list[socket.socket], count: int = 1500) -> None:
            before, start = client.info(), time.perf_counter()
            for number in range(1, count + 1):
                act()
                for one in sockets:
                    one.recv(65536)
                if pause:
                    time.sleep(max(0.0, start + number * pause - time.perf_counter()))
            after, took = client.info(), time.perf_counter() - start
            cpu = sum(after[f"used_cpu_{kind}"] - before[f"used_cpu_{kind}"] for kind in ("user", "sys"))
            found[f"us {name}"], found[f"busy {name}"] = cpu / count * 1e6, cpu / took
            found[f"out {name}"] = (after["total_net_output_bytes"] - before["total_net_output_bytes"]) / count
            found[f"memory {name}"] = (after["used_memory"] - before["used_memory"]) / count

        run("alone", append, [], 3000)
        for subscribers in (1, 17):
            sockets = [_subscriber(server.port, f"cw:{{{record.id}}}:feed") for _ in range(subscribers)]
            run(str(subscribers), append, sockets)
            if subscribers == 1:
                run("presence", status_changer(store, record.id, sockets[0]), sockets)
            for one in sockets:
                one.close()
        store.close()
        return found


def status_changer(store: Store, session_id: str, heard: socket.socket) -> Callable[[], object]:
    """Let somebody join and return what changes their status."""
    seat, statuses = Seat("ann", "w:1"), itertools.cycle(("idle", "active"))
    store.join(session_id, seat, display_name="Ann", role="student", fences={}, capacity=None)
    heard.recv(65536)
    fences = {"session": 0, "user:ann": 0}
    return lambda: store.set_status(session_id, seat, next(statuses), fences)


def _subscriber(port: int, channel: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(f"SUBSCRIBE {channel}\r\n".encode())
    one.recv(4096)
    return one


def measure_people(core: int, idle: Use) -> Use:
    """Coming, being there, and the memory of it: 3,000 in rooms of 30, and 600 in rooms of one."""
    found: Use = {}
    quick = {"CLASSWAVES_PING_INTERVAL": "2", "CLASSWAVES_PING_TIMEOUT": "20"}
    for count, size in ((100, 30), (600, 1)):
        with scene(core) as at:
            first = at.memory()
            rooms = make_rooms(at.server, count, size)
            between, last = at.memory()[0], len(rooms) // 5
            at.crowd.enter(rooms[last:], at_once=30)
            use = at.used(lambda: at.crowd.enter(rooms[:last], at_once=10))  # noqa: B023 - called at once
            at.read_for(1)
            after = at.memory()
            found |= {f"memory {size}": after[0] - between, f"redis memory {size}": after[1] - first[1]}
            if size == 30:
                for name in ("worker", "redis", "commands"):
                    found[f"join {name}"] = each(use, idle, last * size, name)
    with scene(core, **quick) as at:
        at.rooms(50, 30)
        at.read_for(3)
        use = at.used(lambda: at.read_for(16))
        found["heartbeat"] = each(use, idle, 1500 * use["seconds"] / 2, "worker")
    return found


def measure_housekeeping(core: int, idle: Use) -> Use:
    """Positions of sessions and logins of sockets, looked up far more often than by default."""
    found: Use = {}
    for name, every in (("look", "CLASSWAVES_RENEW"), ("auth", "CLASSWAVES_AUTH_CHECK")):
        with scene(core, **{every: "0.5", "CLASSWAVES_PING_INTERVAL": "300"}) as at:
            at.rooms(600, 1)
            at.read_for(2)
            use = at.used(lambda: at.read_for(10))
            for kind in ("worker", "redis"):
                found[f"{name} {kind}"] = each(use, idle, 600 * use["seconds"] / 0.5, kind)
    return found


def steps(events: Use, alone: Use, there: str) -> Steps:
    """Return the costs of events. ``there``: whether Redis's own come from the worker's run or from Redis alone."""
    delivery = (events["us 30"] - events["us 5"]) / 25
    feed = events["us feed"] - delivery
    served = there == "worker"
    return Steps(
        accept_us=events["us 5"] - 5 * delivery - feed,
        feed_us=feed,
        delivery_us=delivery,
        presence_us=events["presence worker"],
        worker_busy=events["worker busy"],
        redis_event_us=events["redis"] if served else alone["us 1"],
        redis_subscriber_us=(alone["us 17"] - alone["us 1"]) / 16,
        redis_presence_us=events["presence redis"] if served else alone["us presence"],
        redis_busy=events["redis busy"] if served else alone["busy 1"],
    )


def constants(core: int) -> Constants:
    """Measure all of them."""
    idle, memory = measure_idle(core)
    tell("idle", idle)
    quiet, busy = (measure_events(core, idle, rate) for rate in (QUIET, BUSY))
    tell("quiet", quiet)
    tell("busy", busy)
    alone, pressed = measure_redis(1 / 150), measure_redis(0)
    tell("Redis", alone)
    tell("Redis, busy", pressed)
    people = measure_people(core, idle)
    tell("people", people)
    house = measure_housekeeping(core, idle)
    tell("housekeeping", house)
    session = (people["memory 1"] - people["memory 30"] / 5) / (600 - 20)
    redis_session = (people["redis memory 1"] - people["redis memory 30"] / 5) / (600 - 20)
    return Constants(
        quiet=steps(quiet, alone, "worker"),
        busy=steps(busy, pressed, "alone"),
        join_us=people["join worker"],
        heartbeat_us=people["heartbeat"],
        look_us=house["look worker"],
        auth_us=house["auth worker"],
        idle_us=idle["worker"] * 1e6,
        redis_join_us=people["join redis"],
        redis_look_us=house["look redis"],
        redis_auth_us=house["auth redis"],
        redis_idle_us=idle["redis"] * 1e6,
        commands_event=quiet["commands"],
        commands_presence=quiet["presence commands"],
        commands_join=people["join commands"],
        event_in=quiet["in"],
        event_out=quiet["out"],
        subscriber_out=(alone["out 17"] - alone["out 1"]) / 16,
        frame=quiet["frame"],
        worker_memory=memory,
        connection_memory=(people["memory 30"] - 100 * session) / 3000,
        session_memory=session,
        redis_message_memory=alone["memory alone"],
        redis_participant_memory=(people["redis memory 30"] - 100 * redis_session) / 3000,
        redis_session_memory=redis_session,
    )


def check(core: int, participants: int, workers: int, event_every: float = Load.event_every) -> dict[str, float]:
    """The traffic of the model, for real: what the workers and Redis use in a second."""
    with scene(core, WEB_CONCURRENCY=str(workers)) as at:
        load = Load(participants, workers, event_every=event_every)
        rooms = at.rooms(participants // load.room, load.room)
        speak, change = talk(rooms), stir(rooms)
        rate, period = load.events + load.presence, round((load.events + load.presence) / load.presence)
        at.steadily(rate, 10, speak, change, period=period)
        use = at.used(lambda: at.steadily(rate, 60, speak, change, period=period))
        found = {name: use[name] / use["seconds"] for name in ("worker", "redis", "commands")}
        found |= {"worker": found["worker"] * 1e3, "redis": found["redis"] * 1e3}
        return {"participants": participants, "workers": workers, "event_every": event_every, **found}


def measure_lecture(core: int) -> Use:
    """One room of 1,000 on one worker: coming, which all others hear of, an event, and what a joiner is sent."""
    with scene(core) as at:
        (room,) = make_rooms(at.server, 1, 1000)
        late = room.tokens.pop()
        at.crowd.enter([room], at_once=50)
        at.expect(at.steadily(5, 2, talk([room])) * 999)
        speak = talk([room])
        said = at.used(lambda: at.steadily(5, 20, speak))
        snapshot = _snapshot(Client(at.server.port, room.code, late))
    with scene(core) as at:
        (room,) = make_rooms(at.server, 1, 1000)

        def come() -> None:
            at.crowd.enter([room], at_once=50)
            at.read_for(1)

        came = at.used(come)
    return {
        "join_us": came["worker"] / 1000 * 1e6,
        "redis_join_us": came["redis"] / 1000 * 1e6,
        "event_us": said["worker"] / 100 * 1e6,
        "snapshot": snapshot,
    }


def _wait_for(client: Client) -> None:
    waiting = select.poll()  # select() knows no descriptors above 1,023
    waiting.register(client.socket, select.POLLIN)
    waiting.poll(5000)


def _snapshot(client: Client) -> float:
    """Join, and return the bytes that come with it."""
    size = 0
    while True:
        _wait_for(client)
        peeked = client.socket.recv(1 << 20, socket.MSG_PEEK)
        size += len(peeked)
        if client.advance():
            return float(size)


CHECKS = ((300, 1), (3000, 1), (3000, 2), (3000, 1, 12.0), (3000, 2, 12.0))
"""The last two: as many events as ten times the participants have."""


def tell(what: str, found: Use) -> None:
    """Say how far it is."""
    print(what, {name: round(value, 7) for name, value in found.items()}, file=sys.stderr, flush=True)


def everything() -> dict[str, Any]:
    """Return what ``capacity.json`` holds."""
    processes.forget_server_settings()
    processes.mark_this_process()
    try:
        core = split_cores()
        of = constants(core)
        lecture = measure_lecture(core)
        checks = [check(core, *size) for size in CHECKS]
    finally:
        processes.dismiss_reaper()
    found: dict[str, Any] = rounded({"constants": asdict(of), "lecture": lecture, "checks": checks})
    return found


def rounded(value: Any) -> Any:
    """Return the same with four digits of each number."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    print(json.dumps(everything(), indent=2))
