"""Logins and accounts, in this process.

Imports models, the store's base and what the parts of the store in memory share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..models import AuthSession
from .base import Clock
from .base_logins import FRESH_ROLE, Standing
from .memory_base import MemoryPart


class MemoryLogins(MemoryPart):
    """The :class:`~classwaves.store.base.Logins` in memory."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._auths: dict[str, tuple[AuthSession, str, float]] = {}
        self._accounts: dict[str, dict[str, str]] = {}
        self._blocked: set[str] = set()
        self._roles: dict[str, tuple[str, float]] = {}

    def save_auth(self, auth: AuthSession, refresh_id: str, seconds: float) -> None:
        with self._lock:
            now = self._clock()
            for auth_id in [key for key, (_, _, until) in self._auths.items() if until <= now]:
                del self._auths[auth_id]
            self._auths[auth.id] = (auth, refresh_id, now + seconds)

    def auth(self, auth_id: str) -> AuthSession | None:
        with self._lock:
            kept = self._auths.get(auth_id)
            return kept[0] if kept and kept[2] > self._clock() else None

    def rotate_refresh(self, auth_id: str, old: str, new: str, seconds: float) -> bool:
        with self._lock:
            auth = self.auth(auth_id)
            if auth is None:
                return False
            if self._auths[auth_id][1] not in (old, new):
                self.end_auth(auth_id)
                return False
            self._auths[auth_id] = (auth, new, self._clock() + seconds)
            return True

    def end_auth(self, auth_id: str) -> None:
        with self._lock:
            self._auths.pop(auth_id, None)
        if self._feed:
            self._feed.on_control({"authEnded": auth_id})

    def auths(self, auth_ids: Sequence[str]) -> dict[str, AuthSession]:
        return {auth_id: auth for auth_id in auth_ids if (auth := self.auth(auth_id))}

    def auths_of(self, user_id: str) -> list[str]:
        with self._lock:
            return [auth.id for auth, _, _ in self._auths.values() if auth.user_id == user_id]

    # what is decided about a user

    def user_standing(self, user_id: str) -> Standing:
        with self._lock:
            role, until = self._roles.get(user_id, (None, 0.0))
            return Standing(user_id in self._blocked, role if until > self._clock() else None)

    def set_blocked(self, user_id: str, blocked: bool) -> None:
        with self._lock:
            (self._blocked.add if blocked else self._blocked.discard)(user_id)

    def set_role(self, user_id: str, role: str) -> int:
        with self._lock:
            now = self._clock()
            self._roles = {key: kept for key, kept in self._roles.items() if kept[1] > now}
            self._roles[user_id] = (role, now + FRESH_ROLE)
            theirs = [account for account in self._accounts.values() if account.get("userId") == user_id]
            for account in theirs:
                account["role"] = role
            for auth_id, (auth, refresh_id, until) in self._auths.items():
                if auth.user_id == user_id and auth.guest_of is None:
                    self._auths[auth_id] = (replace(auth, role=role), refresh_id, until)
        if self._feed:
            self._feed.on_control({"roleChanged": [user_id, role]})
        return len(theirs)

    # accounts

    def save_account(self, username: str, account: Mapping[str, str]) -> bool:
        with self._lock:
            return self._accounts.setdefault(username, dict(account)) == account

    def account(self, username: str) -> dict[str, str] | None:
        with self._lock:
            kept = self._accounts.get(username)
            return dict(kept) if kept is not None else None

    def drop_accounts(self, user_id: str) -> int:
        with self._lock:
            theirs = [name for name, kept in self._accounts.items() if kept.get("userId") == user_id]
            for name in theirs:
                del self._accounts[name]
            return len(theirs)
