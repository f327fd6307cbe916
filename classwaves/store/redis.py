"""The store of several workers: Redis. Each step on a session's log is one Lua script over keys of one hash tag.

Imports models, the store's base, the servers, and its parts that have modules of their own. Every step may run twice,
because an answer can be lost: appends have dedupe keys, presence steps are idempotent, and so are the rest.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from ..models import Draft, Entry, SessionRecord, new_id
from ..redis_url import parse_redis_url
from ..trail import mark
from .base import (
    ARREARS,
    CONTROL,
    Appended,
    Checkpoint,
    Edit,
    Feed,
    Limits,
    Loaded,
    PresenceResult,
    Seat,
    cursor_news,
    decode_entry,
    encode_draft,
    most_present,
    participant_fact,
)
from .redis_acts import RedisActs
from .redis_base import LUA, checked, dump, fence_args, guarded, script
from .redis_board import RedisBoard
from .redis_cluster import ClusterServers
from .redis_guests import RedisGuests
from .redis_index import RedisIndex
from .redis_looks import RedisLooks
from .redis_rewrite import Rewriting
from .redis_servers import OneServer, Servers, Terms
from .redis_uploads import RedisUploads


def _servers(url: str, terms: Terms) -> Servers:
    address = parse_redis_url(url)
    return ClusterServers(address, terms) if address.form == "cluster" else OneServer(address, terms)


class RedisStore(RedisUploads, RedisGuests, RedisLooks, RedisIndex, RedisActs, RedisBoard):
    """A :class:`~classwaves.store.base.Store` on Redis (6.2 or newer) or Valkey: one server, Sentinel or a cluster.

    :param url: see :mod:`classwaves.redis_url`; redis-py's options apply to one server, as ``?ssl_cert_reqs=none``.
    :param prefix: the first part of every key.
    :param limits: how much of a session is kept.
    :param timeout: patience with one command, in seconds.
    :param connections: the size of the pool; whoever waits longer than ``timeout`` for one gives up.
    """

    kind = "redis"
    waits = True

    def __init__(self, url: str, *, prefix: str, limits: Limits, timeout: float, connections: int) -> None:
        self._limits = limits
        self._listener: Feed | None = None
        servers = _servers(url, Terms(timeout, connections, self._came_back, self._comes_back))
        super().__init__(servers, prefix)
        lane, pool = servers.lane.script, servers.script
        self._append, self._presence, self._cursor = (lane(script(name)) for name in ("append", "presence", "cursor"))
        self._load, self._checkpoint = pool(script("run", "load")), pool(script("checkpoint"))
        self._epoch, self._vouch = pool(script("run", "epoch")), pool(script("run", "vouch"))
        self._rewrite = pool(script("rewrite"))
        self._create = pool((LUA / "run.lua").read_text() + (LUA / "create.lua").read_text())
        self._archived = pool(script("archived"))
        self._claim = pool((LUA / "claim.lua").read_text())

    def _channel(self, session_id: str) -> str:
        return self._of(session_id, "feed")[0]

    def _checkpoint_keys(self, session_id: str) -> list[str]:
        return self._of(session_id, "checkpoints", "checkpoint-seqs", "checkpoint-times")

    # sessions

    @guarded
    def create_session(self, record: SessionRecord, draft: Draft) -> Appended | None:
        code = self._key("code", record.code)
        # the reservation ends by itself if this worker dies before the session is whole
        if not self._redis.set(code, record.id, nx=True, ex=60) and self._text(self._redis.get(code)) != record.id:
            return None
        self._create(self._of(record.id, "meta"), [dump(record.to_dict()), new_id(6)])
        appended = self.append(record.id, [draft], dedupe=f"create:{record.id}")
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._index(None), {record.id: record.created_at})
            pipe.zadd(self._index(record.owner_id), {record.id: record.created_at})
            pipe.persist(code)
            pipe.execute()
        self._weed(record.owner_id)
        return appended

    @guarded
    def session_id(self, code: str) -> str | None:
        return self._text(self._redis.get(self._key("code", code)))

    @guarded
    def record(self, session_id: str) -> SessionRecord | None:
        text = cast("bytes | None", self._redis.hget(self._of(session_id, "meta")[0], "record"))
        return SessionRecord.from_dict(json.loads(text)) if text else None

    @guarded
    def standing(self, session_id: str) -> tuple[SessionRecord, int] | None:
        meta, fences = self._of(session_id, "meta", "fences")
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(fences, "session")  # first: a record that is newer than its fence makes an append stale
            pipe.hget(meta, "record")
            fence, text = pipe.execute()
        return (SessionRecord.from_dict(json.loads(text)), int(fence or 0)) if text else None

    @guarded
    def expire(self, record: SessionRecord, seconds: float) -> None:
        keys = [
            *self._log_keys(record.id)[:-1],
            *self._checkpoint_keys(record.id),
            *self._of(record.id, "cursors", "uploads"),
        ]
        if self.session_id(record.code) == record.id:  # and not another session's by now
            keys.append(self._key("code", record.code))
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pexpire(key, int(seconds * 1000))
            pipe.execute()

    # the log

    @guarded
    def append(
        self,
        session_id: str,
        drafts: Sequence[Draft],
        *,
        dedupe: str,
        fences: Mapping[str, int] | None = None,
        record: SessionRecord | None = None,
        unseat: str = "",
    ) -> Appended:
        args: list[Any] = [dedupe, self._limits.dedupe_keys, *fence_args(fences)]
        args += (dump(record.to_dict()) if record else "", unseat, len(drafts))
        for draft in drafts:
            args += (encode_draft(draft), len(draft.bumps), *draft.bumps)
        return _appended(checked(self._append(self._log_keys(session_id), args)))

    @guarded
    def find(self, session_id: str, dedupe: str) -> Entry | None:
        log, keys = self._of(session_id, "log", "dedupe")
        seq = self._redis.zscore(keys, dedupe)
        if seq is None:
            return None
        entries = _entries(self._redis.xrange(log, f"{int(seq)}-0", f"{int(seq)}-0"))
        return entries[0] if entries else None

    @guarded
    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        return _entries(self._redis.xrange(self._of(session_id, "log")[0], f"({after}-0", "+", count=limit))

    @guarded
    def read_back(self, session_id: str, before: int, limit: int) -> list[Entry]:
        return _entries(self._redis.xrevrange(self._of(session_id, "log")[0], f"({before}-0", "-", count=limit))

    @guarded
    def load(self, session_id: str, fold_version: int) -> Loaded | None:
        keys = [*self._log_keys(session_id), *self._checkpoint_keys(session_id), *self._of(session_id, "cursors")]
        answer = cast("list[Any]", self._load(keys, [fold_version]))
        if answer[0] == b"gone":
            return None
        _, epoch, seq, checkpoint, tail, roster, cursors, last, doubtful = answer
        statuses = {
            user_id.decode(): most_present(json.loads(user)["c"].values())
            for user_id, user in zip(roster[::2], roster[1::2], strict=True)
        }
        entries, newest = _rows(tail), _rows(last)
        read = {user_id.decode(): at.decode() for user_id, at in zip(cursors[::2], cursors[1::2], strict=True)}
        body = checkpoint.decode() if checkpoint else None
        last_one = newest[0] if newest else None
        return Loaded(epoch.decode(), int(seq or 0), body, entries, statuses, read, last_one, bool(doubtful))

    @guarded
    def save_checkpoint(self, session_id: str, checkpoint: Checkpoint) -> bool:
        keys = self._log_keys(session_id) + self._checkpoint_keys(session_id)
        args: list[Any] = [checkpoint.version, checkpoint.epoch, checkpoint.seq, checkpoint.time, checkpoint.body]
        limits = self._limits
        arrears = ARREARS if limits.archived else 0
        answer = self._checkpoint(keys, [*args, limits.log_entries, limits.log_bytes, arrears])
        return bool(answer[0] == b"ok")

    @guarded
    def new_epoch(self, session_id: str, old: str) -> str:
        keys = self._log_keys(session_id) + self._checkpoint_keys(session_id)
        return str(checked(self._epoch(keys, [old, new_id(6)]))[1].decode())

    @guarded
    def rewrite(self, session_id: str, edit: Edit) -> int:
        keys = self._log_keys(session_id) + self._checkpoint_keys(session_id)

        def run(other: str, args: Sequence[Any]) -> Any:
            return self._rewrite([*keys, *self._of(session_id, other)], args)

        def standing(version: int) -> tuple[str | None, int, str]:
            meta, checkpoints, seqs = self._of(session_id, "meta", "checkpoints", "checkpoint-seqs")
            with self._redis.pipeline() as pipe:
                pipe.hget(meta, "epoch")
                pipe.hget(seqs, str(version))
                pipe.hget(checkpoints, str(version))
                epoch, seq, body = pipe.execute()
            return self._text(epoch), int(seq or 0), self._text(body) or ""

        def drop(other: str) -> None:
            self._redis.delete(*self._of(session_id, other))

        changed = Rewriting(run, functools.partial(self.read, session_id), standing, drop, edit)()
        dedupe = self._of(session_id, "dedupe")[0]
        start = edit.forget.encode()
        if keys := [key for key, _ in self._redis.zscan_iter(dedupe, count=1000) if key.startswith(start)]:
            self._redis.zrem(dedupe, *keys)
        return 0 if changed is None else max(changed, 1)

    @guarded
    def vouch(self, session_id: str, epoch: str, newest: Entry) -> bool:
        answer = self._vouch(self._log_keys(session_id), [epoch, newest.seq, newest.time])
        return bool(checked(answer)[0] == b"ok")

    @guarded
    def set_cursor(self, session_id: str, user_id: str, message_id: str) -> bool:
        keys = [*self._log_keys(session_id), *self._of(session_id, "cursors")]
        args = [user_id, message_id, dump(cursor_news(user_id, message_id))]
        return bool(checked(self._cursor(keys, args))[0] == b"ok")

    @guarded
    def positions(self, session_ids: Sequence[str]) -> dict[str, int]:
        with self._redis.pipeline(transaction=False) as pipe:
            for session_id in session_ids:
                pipe.hget(self._of(session_id, "meta")[0], "seq")
            seqs: list[Any] = pipe.execute()
        return {session_id: int(seq) for session_id, seq in zip(session_ids, seqs, strict=True) if seq is not None}

    @guarded
    def archived(self, session_id: str, newest: Entry) -> bool:
        answer = self._archived(self._log_keys(session_id), [newest.seq, newest.epoch, newest.time])
        return bool(answer[0] == b"ok")

    @guarded
    def now(self) -> int:
        return self._now()

    # tasks

    @guarded
    def claim(self, name: str, owner: str, seconds: float) -> bool:
        return bool(self._claim([self._key("claim", name)], [owner, int(seconds * 1000)]))

    # presence

    @guarded
    def join(
        self,
        session_id: str,
        seat: Seat,
        *,
        display_name: str,
        role: str,
        fences: Mapping[str, int],
        capacity: int | None,
    ) -> PresenceResult:
        fact = encode_draft(participant_fact(seat.user_id, "joined", displayName=display_name, role=role))
        args = ["join", seat.user_id, seat.connection, -1 if capacity is None else capacity, fact]
        answer = checked(self._step(session_id, [*args, *fence_args(fences)]))
        return PresenceResult(answer[1].decode(), int(answer[2]), len(answer) > 3)

    def _step(self, session_id: str, args: Iterable[Any]) -> Any:
        return self._presence(self._log_keys(session_id), [mark(), *args])

    @guarded
    def set_status(self, session_id: str, seat: Seat, status: str, fences: Mapping[str, int]) -> PresenceResult | None:
        args = ["status", seat.user_id, seat.connection, status, *fence_args(fences)]
        answer = checked(self._step(session_id, args))
        return None if answer[0] == b"absent" else PresenceResult(answer[1].decode(), int(answer[2]))

    def leave(self, session_id: str, seat: Seat) -> bool:
        return bool(self._take_out(session_id, ["out", seat.user_id, seat.connection, "left", 0]))

    def vanish(self, session_id: str, seat: Seat, ago: float = 0.0) -> bool:
        return bool(self._take_out(session_id, ["out", seat.user_id, seat.connection, "disconnected", int(ago * 1000)]))

    @guarded
    def retire(self, session_id: str, seats: Sequence[Seat]) -> None:
        pairs = [part for seat in seats for part in (seat.user_id, seat.connection)]
        self._step(session_id, ["retire", len(seats), *pairs])

    @guarded
    def _take_out(self, session_id: str, args: Iterable[Any]) -> list[str]:
        """Run a step, note since when somebody is absent, and return who has left."""
        answer = self._step(session_id, args)
        if since := self._absent_since(answer):
            self._lane.run("ZADD", self._key("absent"), "NX", since, session_id)
        return self._gone(answer)

    @guarded
    def expire_absent(self, session_id: str, older_than: float) -> list[str]:
        step = ["absent", self._now() - int(older_than * 1000)]
        answer = self._step(session_id, step)
        if oldest := self._absent_since(answer):
            self._redis.zadd(self._key("absent"), {session_id: oldest})
            return self._gone(answer)
        self._redis.zrem(self._key("absent"), session_id)
        # who vanished since the first look was noted before the removal
        return self._gone(answer) + self._take_out(session_id, step)

    @staticmethod
    def _gone(answer: Any) -> list[str]:
        return [user_id.decode() for user_id in answer[2:]] if answer[0] == b"ok" else []

    @staticmethod
    def _absent_since(answer: Any) -> int:
        return int(answer[1]) if answer[0] == b"ok" else 0

    # workers

    @guarded
    def serve(self, worker: str, session_id: str) -> None:
        self._redis.sadd(self._key("worker", worker), session_id)

    @guarded
    def unserve(self, worker: str, session_id: str) -> None:
        self._redis.srem(self._key("worker", worker), session_id)

    @guarded
    def renew(self, worker: str, seconds: float) -> bool:
        return not self._redis.zadd(self._key("workers"), {worker: self._now() + int(seconds * 1000)})

    @guarded
    def is_served_by_another(self, worker: str, session_id: str) -> bool:
        alive = cast("list[bytes]", self._redis.zrangebyscore(self._key("workers"), self._now(), "+inf"))
        with self._redis.pipeline(transaction=False) as pipe:
            for other in [name.decode() for name in alive]:
                if other != worker:
                    pipe.sismember(self._key("worker", other), session_id)
            return any(pipe.execute())

    @guarded
    def sweep(self) -> int:
        dead = cast("list[bytes]", self._redis.zrangebyscore(self._key("workers"), "-inf", self._now()))
        for worker in [name.decode() for name in dead]:
            for session_id in cast("set[bytes]", self._redis.smembers(self._key("worker", worker))):
                self._take_out(session_id.decode(), ["sweep", f"{worker}:"])
                self._redis.srem(self._key("worker", worker), session_id)
            self._redis.zrem(self._key("workers"), worker)
        return len(dead)

    @guarded
    def due_absences(self, older_than: float) -> list[str]:
        return self._due("absent", older_than)

    # feed and life

    def start(self, feed: Feed) -> None:
        self._listener = feed
        self._servers.control.subscribe(self._key(CONTROL), lambda data: feed.on_control(json.loads(data)), wait=False)
        self._servers.control.start()
        self._servers.feed.start()

    def _comes_back(self) -> None:
        if self._listener is not None:
            self._listener.on_new_connection()

    def _came_back(self) -> None:
        if self._listener is not None:
            self._listener.on_reconnect()

    def subscribe(self, session_id: str) -> None:
        self._servers.feed.subscribe(self._channel(session_id), functools.partial(self._deliver, session_id))

    def unsubscribe(self, session_id: str) -> None:
        self._servers.feed.unsubscribe(self._channel(session_id))

    def _deliver(self, session_id: str, data: bytes) -> None:
        if self._listener is None:
            return
        if data[:1] == b"D":
            seq, epoch, moment, body = data[1:].split(b" ", 3)
            self._listener.on_entry(session_id, decode_entry(int(seq), epoch.decode(), int(moment), body))
        else:
            self._listener.on_ephemeral(session_id, json.loads(data[1:]))

    @guarded
    def publish(self, session_id: str, message: dict[str, Any]) -> None:
        self._servers.publish(self._channel(session_id), "E" + dump(message))

    # mail between workers

    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None]) -> None:
        self._servers.feed.start()
        self._servers.feed.subscribe(self._mailbox(name), on_mail)

    def close_mailbox(self, name: str) -> None:
        self._servers.feed.unsubscribe(self._mailbox(name))

    @guarded
    def send_mail(self, name: str, data: bytes) -> bool:
        return self._servers.publish(self._mailbox(name), data)

    def _mailbox(self, name: str) -> str:
        return self._key("mail", name)

    @guarded
    def ping(self, *, writes: bool = False) -> None:
        self._servers.ping(self._key("ping") if writes else "")

    def close(self) -> None:
        self._servers.close()


def _appended(answer: Any) -> Appended:
    kind, seq, epoch, time = answer
    return Appended(int(seq), epoch.decode(), int(time), duplicate=kind == b"duplicate")


def _entry(row_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return decode_entry(int(row_id.split(b"-")[0]), fields[b"p"].decode(), int(fields[b"t"]), fields[b"e"])


def _entries(rows: Any) -> list[Entry]:
    return [_entry(row_id, fields) for row_id, fields in rows]


def _rows(rows: Any) -> list[Entry]:
    """Entries as a script returns them: flat."""
    return [_entry(row_id, dict(zip(flat[::2], flat[1::2], strict=True))) for row_id, flat in rows]
