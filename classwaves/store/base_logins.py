"""What a store must be able to do with logins and accounts; a part of :class:`classwaves.store.base.Store`.

Imports models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..models import AuthSession

#: How long a role that was just given counts for logins that begin, in seconds: one that was under way may have read
#: the role before.
FRESH_ROLE = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """What was decided about a user beside their logins. ``role``: the one they were just given, if they were."""

    blocked: bool = False
    role: str | None = None


class Logins(Protocol):
    """Auth sessions, and the accounts of the built-in authenticator."""

    def save_auth(self, auth: AuthSession, refresh_id: str, seconds: float) -> None: ...

    def save_guest(self, auth: AuthSession, seconds: float, most: int) -> bool:
        """Keep a guest's auth session; ``False`` if their session has ``most`` of them already."""

    def auth(self, auth_id: str) -> AuthSession | None: ...

    def rotate_refresh(self, auth_id: str, old: str, new: str, seconds: float) -> bool:
        """Exchange the refresh token's id; a wrong ``old`` ends the auth session and is ``False``."""

    def end_auth(self, auth_id: str) -> None:
        """End an auth session and tell all workers."""

    def auths(self, auth_ids: Sequence[str]) -> dict[str, AuthSession]:
        """Those of these auth sessions that are there."""

    def auths_of(self, user_id: str) -> list[str]:
        """The ids of a user's auth sessions; some of them may be gone."""

    # what is decided about a user
    def user_standing(self, user_id: str) -> Standing: ...

    def set_blocked(self, user_id: str, blocked: bool) -> None:
        """Keep that a user may not log in, or may again."""

    def set_role(self, user_id: str, role: str) -> int:
        """Give all accounts and auth sessions of a user another role and tell all workers; how many accounts there are.

        Guests and programs that caption keep theirs.
        """

    # accounts
    def save_account(self, username: str, account: Mapping[str, str]) -> bool:
        """Keep a new account; ``False`` if another one has the name."""

    def account(self, username: str) -> dict[str, str] | None: ...

    def drop_accounts(self, user_id: str) -> int:
        """Let go of the accounts of a user; how many there were."""
