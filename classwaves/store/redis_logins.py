"""Logins and accounts. An auth session is a key that ends by itself; whose it is, is in a set of the user's.

Imports models, the store's base and what the parts of the store on Redis share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from ..models import AuthSession
from .base import CONTROL
from .base_logins import FRESH_ROLE, Standing
from .redis_base import LUA, RedisPart, dump, guarded
from .redis_servers import Servers


class RedisLogins(RedisPart):
    """The :class:`~classwaves.store.base.Logins` on Redis."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        super().__init__(servers, prefix)
        self._login, self._rotate, self._role, self._swap = (
            servers.script((LUA / f"{name}.lua").read_text()) for name in ("login", "rotate", "role", "swap")
        )

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
        return _auth(*cast("list[bytes | None]", self._redis.hmget(self._key("auth", auth_id), *FIELDS)))

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
    def auths(self, auth_ids: Sequence[str]) -> dict[str, AuthSession]:
        with self._redis.pipeline(transaction=False) as pipe:
            for auth_id in auth_ids:
                pipe.hmget(self._key("auth", auth_id), *FIELDS)
            found = pipe.execute()
        return {auth_id: auth for auth_id, kept in zip(auth_ids, found, strict=True) if (auth := _auth(*kept))}

    @guarded
    def auths_of(self, user_id: str) -> list[str]:
        found = cast("list[bytes]", self._redis.zrange(self._key("auths", user_id), 0, -1))
        return [auth_id.decode() for auth_id in found]

    # what is decided about a user

    @guarded
    def user_standing(self, user_id: str) -> Standing:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(self._key("blocked", user_id))
            pipe.get(self._key("role", user_id))
            blocked, role = pipe.execute()
        return Standing(bool(blocked), self._text(role))

    @guarded
    def set_blocked(self, user_id: str, blocked: bool) -> None:
        key = self._key("blocked", user_id)
        if blocked:
            self._redis.set(key, "1")
        else:
            self._redis.delete(key)

    @guarded
    def set_role(self, user_id: str, role: str) -> int:
        # first, so that a login which begins now and is not found below takes it from here
        self._redis.set(self._key("role", user_id), role, ex=FRESH_ROLE)
        accounts = sum(self._set_account_role(name, user_id, role) for name in self._names_of(user_id))
        for auth_id, auth in self.auths(self.auths_of(user_id)).items():
            if auth.guest_of is None:
                self._role([self._key("auth", auth_id)], [role])
        self._redis.publish(self._key(CONTROL), dump({"roleChanged": [user_id, role]}))
        return accounts

    def _set_account_role(self, username: str, user_id: str, role: str) -> bool:
        key = self._key("account", username)
        while text := self._text(self._redis.get(key)):
            account = json.loads(text)
            if account.get("userId") != user_id:
                return False
            if account["role"] == role or self._swap([key], [text, dump({**account, "role": role})]):
                return True
        return False

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
        index, named = self._key("accounts-of", user_id), self._names_of(user_id)
        theirs = [name for name in named if (kept := self.account(name)) and kept.get("userId") == user_id]
        for username in theirs:
            self._redis.delete(self._key("account", username))
        self._redis.delete(index)
        return len(theirs)

    def _names_of(self, user_id: str) -> list[str]:
        """The names of a user's accounts, and maybe of some that are others'."""
        return [name.decode() for name in cast("set[bytes]", self._redis.smembers(self._key("accounts-of", user_id)))]


#: Of an auth session: what it was saved as, and the role that it was given since.
FIELDS = ("auth", "role")


def _auth(text: bytes | None, role: bytes | None) -> AuthSession | None:
    if text is None:
        return None
    auth = AuthSession.from_dict(json.loads(text))
    return replace(auth, role=role.decode()) if role else auth
