"""What an operator asks of Redis. Imports the parts' base and the shapes of the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from .looks import Lease
from .redis_base import RedisPart, guarded


class RedisLooks(RedisPart):
    """See :class:`~classwaves.store.looks.Looks`."""

    @guarded
    def leases(self) -> list[Lease]:
        ends = cast("list[tuple[bytes, float]]", self._redis.zrange(self._key("workers"), 0, -1, withscores=True))
        now, names = self._now(), [(name.decode(), end) for name, end in ends]
        with self._redis.pipeline(transaction=False) as pipe:
            for name, _ in names:
                pipe.smembers(self._key("worker", name))
            served: list[set[bytes]] = pipe.execute()
        return sorted(
            (
                Lease(name, (end - now) / 1000, tuple(sorted(one.decode() for one in sessions)))
                for (name, end), sessions in zip(names, served, strict=True)
            ),
            key=lambda lease: lease.worker,
        )

    @guarded
    def connected(self, session_ids: Sequence[str]) -> dict[str, int]:
        with self._redis.pipeline(transaction=False) as pipe:
            for session_id in session_ids:
                pipe.hvals(self._of(session_id, "roster")[0])
            rosters: list[Any] = pipe.execute()
        counts = [sum(bool(json.loads(user)["c"]) for user in roster) for roster in rosters]
        return dict(zip(session_ids, counts, strict=True))
