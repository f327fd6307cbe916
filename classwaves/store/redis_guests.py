"""Logins on Redis, with those of guests, who take a place in their session. Its places are one sorted set.

Imports models, and what the parts of the store on Redis share.
"""

from __future__ import annotations

from ..models import AuthSession
from .redis_base import LUA, guarded
from .redis_logins import RedisLogins
from .redis_servers import Servers


class RedisGuests(RedisLogins):
    """The :class:`~classwaves.store.base.Logins` on Redis, whole."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        super().__init__(servers, prefix)
        self._place = servers.script((LUA / "guest.lua").read_text())

    @guarded
    def save_guest(self, auth: AuthSession, seconds: float, most: int) -> bool:
        # first the place, which ends by itself if no login follows
        if self._place(self._places(auth), [auth.id, int(seconds * 1000), most]) != b"ok":
            return False
        self.save_auth(auth, "", seconds)
        return True

    @guarded
    def end_auth(self, auth_id: str) -> None:
        auth = self.auth(auth_id)
        super().end_auth(auth_id)
        if auth and auth.guest_of is not None:
            self._redis.zrem(self._places(auth)[0], auth_id)

    def _places(self, auth: AuthSession) -> list[str]:
        return self._of(auth.guest_of or "", "guests")
