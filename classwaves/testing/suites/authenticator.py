"""What an authenticator promises: who has the right credentials gets in, and nobody else, whatever they type.

Imports auth and steps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from ...auth.accounts import MAX_PASSWORD, MAX_USERNAME, ROLES, Authenticator
from ...models import Account
from .steps import at_once

#: What an authenticator does.
Login = Callable[[str, str], Account | None]

#: What people and programs type that no account is called by.
STRANGE = ("", "\0", "' OR 1=1 --", "\N{SEEDLING}", "x" * MAX_USERNAME)


class AuthenticatorContract:
    """All that ClassWaves relies on in an :class:`classwaves.Authenticator`."""

    #: Somebody who has an account: their name and password.
    credentials: tuple[str, str]

    def make_authenticator(self) -> Authenticator | Login:
        """Return an authenticator, or a function, that knows :attr:`credentials`; override it."""
        raise NotImplementedError("override make_authenticator(self) and return your authenticator")

    def context(self) -> AbstractContextManager[object]:
        """What is entered for each login, in its own thread, such as ``app.app_context()``; override it if need be."""
        return nullcontext()

    @pytest.fixture
    def authenticator(self) -> Login:
        made = self.make_authenticator()
        return made if callable(made) else made.authenticate

    def log_in(self, authenticate: Login, username: str, password: str) -> Account | None:
        with self.context():
            return authenticate(username, password)

    def test_who_has_an_account_gets_it(self, authenticator: Login) -> None:
        account = self.log_in(authenticator, *self.credentials)
        assert isinstance(account, Account)
        assert type(account.user_id) is str, "the id is a text, also where yours is a number"
        assert account.user_id
        assert account.display_name.strip()
        assert account.role in ROLES

    def test_it_is_the_same_each_time(self, authenticator: Login) -> None:
        first = self.log_in(authenticator, *self.credentials)
        assert first is not None
        assert self.log_in(authenticator, *self.credentials) == first

    def test_a_wrong_password_is_nobody(self, authenticator: Login) -> None:
        name, password = self.credentials
        for wrong in (*STRANGE, password + "x", password.swapcase(), "x" * MAX_PASSWORD):
            if wrong != password:
                assert self.log_in(authenticator, name, wrong) is None, repr(wrong)

    def test_an_unknown_name_is_nobody(self, authenticator: Login) -> None:
        """And no error: that would tell who has an account."""
        name, password = self.credentials
        for unknown in (*STRANGE, f"{name}x", password):
            assert self.log_in(authenticator, unknown, password) is None, repr(unknown)

    def test_many_log_in_at_once(self, authenticator: Login) -> None:
        name, password = self.credentials
        found = at_once(4, lambda number: self.log_in(authenticator, name, password if number % 2 else "wrong"))
        assert [account is not None for account in found] == [False, True] * 2
