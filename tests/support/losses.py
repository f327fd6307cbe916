"""A Redis that loses what it has acknowledged."""

import time

import redis

from classwaves.models import SessionRecord
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually


class Backup:
    """What a Redis holds of a session now. :meth:`restore` goes back to it, as a failover to a late replica does."""

    def __init__(self, server: RedisServer, session: SessionRecord) -> None:
        self._server, self._pattern = server, f"*{{{session.id}}}*"
        with self._client() as client:
            self._kept = {key: client.dump(key) for key in client.keys(self._pattern)}

    def _client(self) -> redis.Redis:
        return redis.Redis(port=self._server.port)

    def restore(self) -> None:
        with self._client() as client, client.pipeline() as step:
            step.delete(*client.keys(self._pattern))
            for key, value in self._kept.items():
                assert isinstance(value, bytes)
                step.restore(key, 0, value)
            step.execute()
        lost_at = time.time() + 0.001  # by their time entries differ that are the same else
        eventually(lambda: time.time() > lost_at, what="another millisecond", pause=0.001)
