"""The acts on Redis: one stream for all workers, whose ids are Redis' own times.

Imports the shapes and what the parts of the store on Redis share.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, cast

from .acts import REPEATED, Act, Noted, place
from .redis_base import RedisPart, guarded


class RedisActs(RedisPart):
    """See :class:`~classwaves.store.acts.Acts`. An act whose answer was lost may be there twice."""

    @guarded
    def note_act(self, act: Act, seconds: float, once: str = "") -> None:
        if once and self._is_known(once):
            return
        oldest = int((time.time() - seconds) * 1000) if seconds else None  # days do not mind another clock
        self._redis.xadd(self._key("audit"), {"a": act.text()}, minid=cast("Any", oldest), approximate=False)

    def _is_known(self, name: str) -> bool:
        key, mine = self._key("noted", name), secrets.token_hex(8)
        # ours if it is the first, or if only the answer was lost
        return not self._redis.set(key, mine, nx=True, ex=REPEATED) and self._text(self._redis.get(key)) != mine

    @guarded
    def acts(self, before: str, limit: int) -> list[Noted]:
        end = f"({_id(before)}" if before else "+"
        return _noted(self._redis.xrevrange(self._key("audit"), end, "-", count=limit))

    @guarded
    def acts_after(self, after: str, limit: int) -> list[Noted]:
        return _noted(self._redis.xrange(self._key("audit"), f"({_id(after)}", "+", count=limit))


def _id(text: str) -> str:
    return "{}-{}".format(*place(text))


def _noted(rows: Any) -> list[Noted]:
    return [Noted(row_id.decode(), Act(**json.loads(fields[b"a"]))) for row_id, fields in rows]
