"""What an operator or a shop decides about a user: their role, the end of their logins, a block.

Imports errors, auth, rest, state and store. All of it reaches the user's sockets on all workers at once, by the store's
control channel.
"""

from __future__ import annotations

from typing import Any

from .auth.accounts import ROLES
from .errors import ClassWavesError
from .models import Account
from .rest.auth import tokens
from .signals import login_ended
from .state import current_state
from .store import Store


class Users:
    """Decisions about users, by their ids, whoever keeps their accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def end_logins(self, user_id: str) -> int:
        """End all auth sessions of a user: tokens are worth nothing, sockets are disconnected. How many there were."""
        auths = self._store.auths(self._store.auths_of(user_id))
        for auth_id in auths:
            self._store.end_auth(auth_id)
        return len(auths)

    def block(self, user_id: str) -> int:
        """Let a user log in no more, and end all logins; how many there were."""
        self._store.set_blocked(user_id, True)  # first: a login that is under way sees it, or is ended
        return self.end_logins(user_id)

    def unblock(self, user_id: str) -> None:
        """Let a user log in again."""
        self._store.set_blocked(user_id, False)

    def set_role(self, user_id: str, role: str) -> int:
        """Give a user another role, in all logins too; how many accounts of the built-in authenticator there are.

        :raises ClassWavesError: ``INVALID_PAYLOAD``: there is no such role.
        """
        if role not in ROLES:
            raise ClassWavesError("INVALID_PAYLOAD", f"The role must be one of {', '.join(ROLES)}")
        return self._store.set_role(user_id, role)


class DecidesAboutUsers:
    """The same as methods of the extension, for a shop that keeps accounts itself. They need an application context."""

    def log_in(self, account: Account) -> dict[str, Any]:
        """Begin a login of a user whom the shop has authenticated itself: what ``POST /auth/login`` answers.

        :raises ClassWavesError: ``INVALID_CREDENTIALS``: the user is blocked.
        """
        return tokens(current_state().tokens.login(account))

    def end_logins(self, user_id: str) -> int:
        """See :meth:`Users.end_logins`."""
        ended = Users(current_state().store).end_logins(user_id)
        current_state().hub.audit.note("user.logins", target=user_id)
        _tell(user_id, ended)
        return ended

    def block(self, user_id: str) -> int:
        """See :meth:`Users.block`."""
        ended = Users(current_state().store).block(user_id)
        current_state().hub.audit.note("user.blocked", target=user_id)
        _tell(user_id, ended)
        return ended

    def unblock(self, user_id: str) -> None:
        """See :meth:`Users.unblock`."""
        Users(current_state().store).unblock(user_id)
        current_state().hub.audit.note("user.unblocked", target=user_id)

    def set_role(self, user_id: str, role: str) -> int:
        """See :meth:`Users.set_role`."""
        accounts = Users(current_state().store).set_role(user_id, role)
        current_state().hub.audit.note("user.role", target=user_id, details={"role": role})
        return accounts


def _tell(user_id: str, ended: int) -> None:
    for _ in range(ended):
        current_state().hub.herald.tell(login_ended, user_id=user_id)
