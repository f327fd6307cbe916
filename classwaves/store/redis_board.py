"""The board on Redis: a hash of all workers. Imports the codec, the parts' base and the shape of a posting."""

from __future__ import annotations

from typing import Any, cast

from .. import codec
from .base import CONTROL
from .board import Posting
from .redis_base import LUA, RedisPart, dump, guarded
from .redis_servers import Servers


class RedisBoard(RedisPart):
    """See :class:`~classwaves.store.board.Board`. Each report begins with its time, by the clock of Redis."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        super().__init__(servers, prefix)
        self._post = servers.script((LUA / "post.lua").read_text())
        self._board = self._key("workers", "stats")

    @guarded
    def post(self, worker: str, report: dict[str, Any], seconds: float) -> None:
        self._post([self._board], [worker, codec.dumps(report), int(seconds * 1000)])

    @guarded
    def unpost(self, worker: str) -> None:
        self._redis.hdel(self._board, worker)

    @guarded
    def postings(self, keep: float) -> list[Posting]:
        kept, now = cast("dict[bytes, bytes]", self._redis.hgetall(self._board)), self._now()
        found = [_posting(name, text, now) for name, text in sorted(kept.items())]
        if old := [posting.worker for posting in found if posting.seconds > keep]:
            self._redis.hdel(self._board, *old)
        return [posting for posting in found if posting.worker not in old]

    @guarded
    def announce(self, message: dict[str, Any]) -> None:
        self._redis.publish(self._key(CONTROL), dump(message))


def _posting(name: bytes, text: bytes, now: int) -> Posting:
    when, _, report = text.partition(b" ")
    return Posting(name.decode(), max(0.0, (now - int(when)) / 1000), codec.loads(report))
