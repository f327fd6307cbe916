"""Both stores, step by step: whatever is done to them, they answer alike, keep the same log and tell the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from classwaves.errors import ClassWavesError, StaleFence
from classwaves.models import Draft, Entry, SessionRecord, new_id
from classwaves.store import MemoryStore
from classwaves.store.base import STATUSES, Appended, Checkpoint, Limits, Loaded, Store
from tests.support.redis_server import RedisServer
from tests.support.stores import LONG, ROOM, Listener, created, join, login, message, redis_store, seat, upload
from tests.support.waiting import eventually

LIMITS = Limits(log_entries=6, log_bytes=10_000_000, dedupe_keys=4)

NUMBERS = st.integers(0, 12)
KEYS = st.sampled_from("abcdefgh")
SESSIONS = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2])
USERS = st.sampled_from(["ann", "bob", 'cid"/\N{SEEDLING}'])
FILES = st.builds("{1} of {0}".format, USERS, KEYS)
SEATS = st.builds(seat, USERS, st.sampled_from("12"))
FENCES: st.SearchStrategy[dict[str, int]] = (
    st.just({})
    | st.just({"session": 1})
    | st.dictionaries(st.sampled_from(["session", "user:ann"]), NUMBERS, max_size=2)
)
VALUES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.text(max_size=2), max_size=2)
)
BUMPS = st.sampled_from([(), (), ("session",), ("session", "user:ann")])
NOTES = st.builds(Draft, st.just("note"), st.dictionaries(st.text(max_size=3), VALUES), bumps=BUMPS)
DRAFTS = st.lists(st.builds(message, st.text(max_size=5)) | NOTES, min_size=1, max_size=3)

STEPS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "create": (SESSIONS,),
    "expire": (st.sampled_from([1, 2, 2]), st.sampled_from([0, LONG])),
    "look": (SESSIONS,),
    "list": (st.integers(0, 3), st.integers(1, 4)),
    "append": (SESSIONS, DRAFTS, KEYS, FENCES, st.sampled_from([None, None, "Physics"])),
    "find": (SESSIONS, KEYS),
    "read": (SESSIONS, NUMBERS, st.integers(1, 5)),
    "read_back": (SESSIONS, st.integers(1, 12), st.integers(1, 5)),
    "load": (SESSIONS, st.sampled_from([1, 2])),
    "checkpoint": (SESSIONS, NUMBERS, st.sampled_from([1, 1, 2]), st.booleans()),
    "new_epoch": (SESSIONS, st.booleans()),
    "join": (SESSIONS, SEATS, st.sampled_from([None, 1, 2]), FENCES),
    "set_status": (SESSIONS, SEATS, st.sampled_from(STATUSES), FENCES),
    "leave": (SESSIONS, SEATS),
    "vanish": (SESSIONS, SEATS),
    "expire_absent": (SESSIONS, st.sampled_from([0, LONG])),
    "begin_upload": (SESSIONS, USERS, KEYS, st.sampled_from([0, 40, 400]), FENCES),
    "advance_upload": (SESSIONS, FILES, st.integers(0, 2)),
    "seal_upload": (SESSIONS, FILES, st.sampled_from(["sealed", "checked"])),
    "end_upload": (SESSIONS, FILES, st.booleans()),
    "idle_uploads": (SESSIONS, st.sampled_from([0, LONG])),
    "save_auth": (KEYS,),
    "rotate_refresh": (KEYS, KEYS),
    "end_auth": (),
    "auth": (),
    "account": (KEYS,),
}
# Each alone, so that a short sequence gets somewhere, and all together.
AREAS = {
    "sessions": ("create", "expire", "look", "list", "append"),
    "log": ("append", "append", "append", "find", "read", "read_back", "load"),
    "checkpoints": ("append", "append", "checkpoint", "checkpoint", "new_epoch", "load", "read"),
    "presence": ("join", "join", "set_status", "leave", "vanish", "expire_absent", "load"),
    "uploads": (
        "begin_upload",
        "begin_upload",
        "begin_upload",
        "advance_upload",
        "seal_upload",
        "end_upload",
        "idle_uploads",
    ),
    "logins": ("save_auth", "rotate_refresh", "rotate_refresh", "end_auth", "auth", "account"),
    "all": tuple(STEPS),
}


class World:
    """The names of one example, which no other uses: four sessions, of which two each want the same code."""

    def __init__(self) -> None:
        tag = new_id(6)
        self.owner = f"owner {tag}"
        self.auth = login()
        self.account = f"name {tag}"
        self.sessions = [
            SessionRecord(f"{tag}.{number}", f"{tag}{number % 2}", "Biology", self.owner, number) for number in range(4)
        ]


@dataclass(repr=False)
class Side:
    """One of the two stores. Its epochs, which are random, are counted instead."""

    store: Store
    listener: Listener
    epochs: list[str] = field(default_factory=list)

    def epoch(self, name: str) -> int:
        if name not in self.epochs:
            self.epochs.append(name)
        return self.epochs.index(name)

    def current(self, session: SessionRecord) -> str:
        loaded = self.store.load(session.id, 1)
        return loaded.epoch if loaded else ""

    def plain(self, result: Any) -> Any:
        """A result in a form that can be compared: times differ."""
        match result:
            case Entry():
                return result.seq, self.epoch(result.epoch), result.draft
            case Appended(duplicate=True):
                return result.seq, "duplicate"  # its epoch is not known any more once the entry is trimmed
            case Appended():
                return result.seq, self.epoch(result.epoch)
            case Loaded():
                tail = self.plain(result.tail)
                return self.epoch(result.epoch), result.seq, result.checkpoint, tail, result.statuses
            case list():
                return [self.plain(item) for item in result]
            case _:
                return result

    def take(self, world: World, name: str, arguments: tuple[Any, ...]) -> Any:
        """The result of a step, or how it was refused."""
        try:
            return self.plain(self.step(world, name, *arguments))
        except StaleFence:
            return "stale"
        except ClassWavesError as error:
            return error.code

    def step(self, world: World, name: str, *arguments: Any) -> Any:
        store = self.store
        match name, *arguments:
            case "list", offset, limit:
                store.list_sessions(world.owner, 0, 10)  # Redis finds expired ones in the pages it is asked for
                return store.list_sessions(world.owner, offset, limit)
            case "save_auth", refresh:
                return store.save_auth(world.auth, refresh, LONG)
            case "rotate_refresh", old, new:
                return store.rotate_refresh(world.auth.id, old, new, LONG)
            case "end_auth", *_:
                return store.end_auth(world.auth.id)
            case "auth", *_:
                return store.auth(world.auth.id), store.auths([world.auth.id])
            case "account", key:
                return store.save_account(world.account, {"id": key}), store.account(world.account)
        return self.step_in(world, world.sessions[arguments[0]], name, *arguments[1:])

    def step_in(self, world: World, session: SessionRecord, name: str, *arguments: Any) -> Any:
        store = self.store
        match name, *arguments:
            case "create", *_:
                return store.create_session(session, created(session))
            case "expire", seconds:
                return store.expire(session, seconds)
            case "look", *_:
                positions = store.positions([other.id for other in world.sessions])
                standing = store.standing(session.id)
                return store.record(session.id), standing, store.session_id(session.code), positions
            case "append", drafts, key, fences, title:
                record = session.with_changes(title=title) if title else None
                return store.append(session.id, drafts, dedupe=key, fences=fences, record=record)
            case "checkpoint", seq, version, right:
                epoch = self.current(session) if right else "wrong"
                return store.save_checkpoint(session.id, Checkpoint(version, epoch, seq, f"at {seq}"))
            case "new_epoch", right:
                return self.epoch(store.new_epoch(session.id, self.current(session) if right else "wrong"))
            case "join", *rest:
                return join(store, session, *rest)
            case "begin_upload", user, key, size, fences:
                begun = store.begin_upload(session.id, upload(user, key, size), ROOM, fences)
                return begun, sorted(store.uploads(session.id), key=lambda one: one.id)
            case "end_upload", file_id, only_open:
                return store.end_upload(session.id, file_id, only_open=only_open), store.upload(session.id, file_id)
            case "idle_uploads", older_than:
                return sorted(store.end_idle_uploads(session.id, older_than)), store.uploads(session.id) == []
        return getattr(store, name)(session.id, *arguments)

    def heard(self, session: SessionRecord) -> tuple[list[Any], list[Any]]:
        """All that the feed has brought of a session: entries, and what has no seq."""
        self.store.publish(session.id, {"end": True})
        ended = (session.id, {"end": True})
        eventually(lambda: ended in self.listener.ephemeral, what="the end of the feed", pause=0.001)
        ephemeral = [
            self.epoch(said["reset"]) if "reset" in said else {**said, "time": None}
            for of, said in self.listener.ephemeral
            if of == session.id
        ]
        return self.plain(self.listener.heard(session.id)), ephemeral


@pytest.fixture(scope="module")
def redis_side(redis_process: RedisServer) -> Iterator[Side]:
    redis_process.make_clean()
    store, listener = redis_store(redis_process.url, LIMITS), Listener()
    store.start(listener)
    yield Side(store, listener)
    store.close()


@pytest.mark.parametrize("area", AREAS)
@settings(max_examples=12, deadline=None, phases=[Phase.reuse, Phase.generate])  # shrinking takes minutes
@given(data=st.data())
def test_both_stores_are_one_store(redis_side: Side, area: str, data: st.DataObject) -> None:
    steps = st.one_of(*(st.tuples(st.just(name), st.tuples(*STEPS[name])) for name in AREAS[area]))
    world = World()
    memory, redis = Side(MemoryStore(LIMITS), Listener()), Side(redis_side.store, redis_side.listener)
    memory.store.start(memory.listener)
    for session in world.sessions:
        for side in (memory, redis):
            side.store.subscribe(session.id)
    sequence = data.draw(st.lists(steps, min_size=20, max_size=50), "steps")
    for name, arguments in [("create", (0,)), ("create", (1,)), *sequence]:
        results = [side.take(world, name, arguments) for side in (memory, redis)]
        assert results[0] == results[1], f"{name}{arguments}"
    for session in world.sessions:
        assert memory.heard(session) == redis.heard(session)
        redis.store.unsubscribe(session.id)
    redis.listener.entries.clear()
    redis.listener.ephemeral.clear()
