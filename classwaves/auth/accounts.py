"""Accounts: the small protocol that a shop replaces, and the built-in one that keeps them in the store.

Imports errors, models, names and store.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from werkzeug.security import check_password_hash, generate_password_hash

from ..errors import ClassWavesError
from ..models import Account, new_id
from ..names import canonical, is_username, shown
from ..store import Store

ROLES = ("teacher", "student", "admin")
MIN_PASSWORD = 8
#: What a login may be as long as, in characters; nobody needs more, and hashing takes its time.
MAX_USERNAME, MAX_PASSWORD = 200, 1000

#: Checked when the user does not exist, so that the answer takes as long as for one who does.
_NOBODY = generate_password_hash(new_id())

T = TypeVar("T")


class Authenticator(Protocol):
    """What a shop implements to log its own users in."""

    def authenticate(self, username: str, password: str) -> Account | None:
        """The account that these credentials belong to; ``None`` for any that are wrong, in about the same time."""


Check = Callable[[str, str], Account | None]
#: What a shop gives: an authenticator, what makes one of the application's store, or a function that is all of it.
Given = Authenticator | Callable[[Store], Authenticator] | Check


class _Function:
    """A function of a user name and a password as an authenticator."""

    def __init__(self, check: Check) -> None:
        self.authenticate = check


def authenticator_of(given: Any, store: Store) -> Authenticator:
    """The authenticator that a shop means.

    :raises TypeError: it is none, and what to do about it.
    """
    if not isinstance(given, type) and hasattr(given, "authenticate"):
        found = given
    elif callable(given) and _takes(given, store):
        found = given(store)
    elif callable(given) and _takes(given, "", ""):
        found = _Function(given)
    else:
        found = None
    if not callable(getattr(found, "authenticate", None)):
        raise TypeError(
            f"authenticator={given!r} logs nobody in; give an object with authenticate(username, password), a function "
            "of both, or a class that is made with the store"
        )
    if inspect.iscoroutinefunction(found.authenticate):  # what it returns would not be looked at
        raise TypeError(f"authenticator={given!r} cannot be async; have it return an Account or None")
    authenticator: Authenticator = found
    return authenticator


def _takes(function: Callable[..., Any], *args: Any) -> bool:
    try:
        inspect.signature(function).bind(*args)
    except (TypeError, ValueError):
        return False
    return True


def offload(function: Callable[..., T], *args: Any) -> T:
    """Run a computation that takes long in a native thread, so that under gevent the loop goes on."""
    try:
        from gevent import get_hub
        from gevent.monkey import is_module_patched
    except ImportError:  # pragma: no cover - gevent is a dependency, yet nothing else here needs it
        return function(*args)
    if not is_module_patched("socket"):
        return function(*args)
    result: T = _pool(get_hub()).apply(function, args)
    return result


@functools.cache
def _pool(hub: Any) -> Any:
    """A few threads for this alone: logins keep neither gevent's own, which look up names, nor the loop's core busy."""
    from gevent.threadpool import ThreadPool

    return ThreadPool(min(4, os.cpu_count() or 1), hub)


class StoreAuthenticator:
    """Accounts in the store, with werkzeug's scrypt hashes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def authenticate(self, username: str, password: str) -> Account | None:
        kept = self._store.account(canonical(username))
        # asked whatever the password is, so that how long it takes tells nobody of a block
        blocked = self._store.user_standing(kept["userId"] if kept else "").blocked
        right = offload(check_password_hash, kept["password"] if kept else _NOBODY, password)
        if kept is None or blocked or not right:
            return None
        return Account(kept["userId"], kept["displayName"], kept["role"])

    def create(self, username: str, password: str, display_name: str, role: str) -> Account:
        """Keep a new account.

        :raises ClassWavesError: ``CONFLICT``: the name is taken; ``INVALID_PAYLOAD``: an unknown role, no name or
            one that cannot be read, a password below 8 characters, or one of them too long to log in with.
        """
        if role not in ROLES:
            raise ClassWavesError("INVALID_PAYLOAD", f"The role must be one of {', '.join(ROLES)}")
        if not username.strip() or len(password) < MIN_PASSWORD:
            raise ClassWavesError("INVALID_PAYLOAD", f"Give a name and a password of {MIN_PASSWORD} characters or more")
        if len(username) > MAX_USERNAME or len(password) > MAX_PASSWORD:
            longest = f"a name of {MAX_USERNAME} characters and a password of {MAX_PASSWORD} characters at the most"
            raise ClassWavesError("INVALID_PAYLOAD", f"Give {longest}")
        name = shown(display_name)
        if not is_username(username) or name is None:
            raise ClassWavesError("INVALID_PAYLOAD", "Give names that can be read, without invisible characters")
        account = Account(new_id(), name, role)
        kept = {
            "userId": account.user_id,
            "displayName": name,
            "role": role,
            "password": generate_password_hash(password),
        }
        if not self._store.save_account(canonical(username), kept):
            raise ClassWavesError("CONFLICT", "This user name is taken")
        return account


#: The users of demo mode. They are never stored, so no production start can meet them.
DEMO_ACCOUNTS = {
    "teacher": Account("demo-teacher", "Demo Teacher", "teacher"),
    "student": Account("demo-student", "Demo Student", "student"),
}
DEMO_PASSWORD = "classwaves"  # noqa: S105 - the public password of demo mode


class DemoAuthenticator:
    """The demo users, before those of another authenticator."""

    def __init__(self, others: Authenticator) -> None:
        self._others = others
        self._hash = generate_password_hash(DEMO_PASSWORD)

    def authenticate(self, username: str, password: str) -> Account | None:
        demo = DEMO_ACCOUNTS.get(canonical(username))
        if demo is None:
            return self._others.authenticate(username, password)
        return demo if offload(check_password_hash, self._hash, password) else None
