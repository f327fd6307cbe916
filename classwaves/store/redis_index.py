"""The lists of sessions: all of them, and each owner's. Imports models and the parts' base."""

from __future__ import annotations

import json
import logging
from typing import cast

from ..errors import StoreUnavailable
from ..models import SessionRecord
from .redis_base import RedisPart, guarded

logger = logging.getLogger(__name__)

#: How many sessions of a list are looked at when another one comes.
WEEDED = 4


class RedisIndex(RedisPart):
    """The part of a :class:`~classwaves.store.base.Store` that lists sessions."""

    @guarded
    def list_sessions(self, owner_id: str | None, offset: int, limit: int) -> list[SessionRecord]:
        index = self._index(owner_id)
        records: list[SessionRecord] = []
        while len(records) < limit:
            wanted = limit - len(records)
            ids = cast("list[bytes]", self._redis.zrange(index, offset, offset + wanted - 1, desc=True))
            with self._redis.pipeline(transaction=False) as pipe:
                for session_id in ids:
                    pipe.hget(self._of(session_id.decode(), "meta")[0], "record")
                texts = pipe.execute()
            if gone := [session_id for session_id, text in zip(ids, texts, strict=True) if text is None]:
                self._redis.zrem(index, *gone)  # its data has expired
            records += [SessionRecord.from_dict(json.loads(text)) for text in texts if text is not None]
            offset += wanted - len(gone)
            if len(ids) < wanted:
                break
        return records

    def _index(self, owner_id: str | None) -> str:
        return self._key("sessions") if owner_id is None else self._key("owner", owner_id)

    def _weed(self, owner_id: str) -> None:
        """Take some sessions whose data has expired out of the lists, which nobody may look at for years.

        Each new session brings a look at a few others, whichever they are: so no more than a part of a list is gone.
        """
        try:
            for index in (self._index(None), self._index(owner_id)):
                self._weed_index(index)
        except StoreUnavailable:  # of a cluster it may be another node's trouble, and the session is there
            logger.info("the lists of sessions were not weeded: the store is away")

    @guarded
    def _weed_index(self, index: str) -> None:
        ids = cast("list[bytes]", self._redis.zrandmember(index, WEEDED))
        with self._redis.pipeline(transaction=False) as pipe:
            for session_id in ids:
                pipe.exists(self._of(session_id.decode(), "meta")[0])
            there = pipe.execute()
        if gone := [session_id for session_id, found in zip(ids, there, strict=True) if not found]:
            self._redis.zrem(index, *gone)
