"""Logins and accounts. An auth session is a key that ends by itself; whose it is, is in a set of the user's.

Imports models, the store's base and what the parts of the store on Redis share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from ..models import AuthSession
from .base import CONTROL
from .redis_base import LUA, RedisPart, dump, guarded
from .redis_servers import Servers


class RedisLogins(RedisPart):
    """The :class:`~classwaves.store.base.Logins` on Redis."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        super().__init__(servers, prefix)
        self._login, self._rotate = (servers.script((LUA / f"{name}.lua").read_text()) for name in ("login", "rotate"))

    @guarded
    def save_auth(self, auth: AuthSession, refresh_id: str, seconds: float) -> None:
        args = [dump(auth.to_dict()), refresh_id, int(seconds * 1000)]
        self._login([self._key("auth", auth.id)], args)
        self._note_auth(auth.id, auth.user_id, seconds)

    def _note_auth(self, auth_id: str, user_id: str, seconds: float) -> None:
        """Keep whose auth session it is, as long as the newest of theirs may last."""
        mine, now = self._key("auths", user_id), self._now()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(mine, "-inf", now)
            pipe.zadd(mine, {auth_id: now + int(seconds * 1000)}, gt=True)
            pipe.zrange(mine, -1, -1, withscores=True)
            last = pipe.execute()[-1]
        self._redis.pexpireat(mine, int(last[0][1]) + 1)

    @guarded
    def auth(self, auth_id: str) -> AuthSession | None:
        text = cast("bytes | None", self._redis.hget(self._key("auth", auth_id), "auth"))
        return AuthSession.from_dict(json.loads(text)) if text else None

    @guarded
    def rotate_refresh(self, auth_id: str, old: str, new: str, seconds: float) -> bool:
        answer = self._rotate([self._key("auth", auth_id)], [old, new, int(seconds * 1000)])
        if answer == b"reused":
            self.end_auth(auth_id)
        elif answer == b"ok" and (auth := self.auth(auth_id)):
            self._note_auth(auth_id, auth.user_id, seconds)
        return bool(answer == b"ok")

    @guarded
    def end_auth(self, auth_id: str) -> None:
        self._redis.delete(self._key("auth", auth_id))
        self._redis.publish(self._key(CONTROL), dump({"authEnded": auth_id}))

    @guarded
    def missing_auths(self, auth_ids: Sequence[str]) -> set[str]:
        with self._redis.pipeline(transaction=False) as pipe:
            for auth_id in auth_ids:
                pipe.exists(self._key("auth", auth_id))
            found = pipe.execute()
        return {auth_id for auth_id, there in zip(auth_ids, found, strict=True) if not there}

    @guarded
    def auths_of(self, user_id: str) -> list[str]:
        found = cast("list[bytes]", self._redis.zrange(self._key("auths", user_id), 0, -1))
        return [auth_id.decode() for auth_id in found]

    # accounts

    @guarded
    def save_account(self, username: str, account: Mapping[str, str]) -> bool:
        key, text = self._key("account", username), dump(dict(account))
        # first, so that there is no account without it; that it names others' accounts too does no harm
        self._redis.sadd(self._key("accounts-of", account.get("userId", "")), username)
        return bool(self._redis.set(key, text, nx=True)) or self._text(self._redis.get(key)) == text

    @guarded
    def account(self, username: str) -> dict[str, str] | None:
        text = cast("bytes | None", self._redis.get(self._key("account", username)))
        return json.loads(text) if text else None

    @guarded
    def drop_accounts(self, user_id: str) -> int:
        index = self._key("accounts-of", user_id)
        named = [name.decode() for name in cast("set[bytes]", self._redis.smembers(index))]
        theirs = [name for name in named if (kept := self.account(name)) and kept.get("userId") == user_id]
        for username in theirs:
            self._redis.delete(self._key("account", username))
        self._redis.delete(index)
        return len(theirs)
