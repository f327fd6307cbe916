"""What a store promises of logins and accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...models import AuthSession
from ...store.base import Store
from ...store.base_logins import Standing
from ..waiting import eventually
from .parts import StoreParts
from .steps import LONG, Listener, at_once, login


def hearing(store: Store, listener: Listener) -> None:
    """Return when the control channel is heard."""

    def heard() -> bool:
        store.end_auth("nobody")
        return bool(listener.control)

    eventually(heard, what="the control channel")
    store.end_auth("the last one")
    eventually(lambda: {"authEnded": "the last one"} in listener.control, what="the control channel")


class LoginsContract(StoreParts):
    """Part of :class:`classwaves.testing.suites.StoreContract`."""

    def test_a_login_comes_back_as_it_was_saved(self, store: Store) -> None:
        for auth in (login("ann"), login("\N{SEEDLING}:{x}")):
            store.save_auth(auth, "r1", LONG)
            assert store.auth(auth.id) == auth
        assert store.auth("nobody") is None

    def test_a_guest_stays_a_guest(self, store: Store) -> None:
        guest = login("guest")
        guest = type(guest)(guest.id, "g", "Guest", "student", guest_of="session")
        store.save_auth(guest, "", LONG)
        assert store.auth(guest.id) == guest

    def test_a_login_ends(self, store: Store) -> None:
        auth, other = login(), login()
        for each in (auth, other):
            store.save_auth(each, "r1", LONG)
        store.end_auth(auth.id)
        store.end_auth(auth.id)
        assert store.auth(auth.id) is None
        assert store.auth(other.id) == other
        assert not store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert store.auth(auth.id) is None, "a refresh does not bring it back"

    def test_a_login_expires(self, store: Store) -> None:
        auth, kept = login(), login()
        store.save_auth(auth, "r1", 0.05)
        store.save_auth(kept, "r1", LONG)
        eventually(lambda: store.auth(auth.id) is None, what="the end of the login")
        assert store.auths([auth.id, kept.id]) == {kept.id: kept}
        assert not store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert store.auth(auth.id) is None

    def test_a_refresh_prolongs_a_login(self, store: Store) -> None:
        auth, witness = login(), login()
        for each in (auth, witness):
            store.save_auth(each, "r1", 0.5)
        assert store.rotate_refresh(auth.id, "r1", "r2", LONG)
        eventually(lambda: store.auth(witness.id) is None, what="the end of the other login")
        assert store.auth(auth.id) == auth

    def test_refresh_tokens_rotate(self, store: Store) -> None:
        auth = login()
        store.save_auth(auth, "r1", LONG)
        assert store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert store.rotate_refresh(auth.id, "r2", "r3", LONG)
        assert store.auth(auth.id) == auth

    def test_a_rotation_may_be_repeated(self, store: Store) -> None:
        """After a lost answer the store repeats the step: the new id that is there already is its own."""
        auth = login()
        store.save_auth(auth, "r1", LONG)
        assert store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert store.rotate_refresh(auth.id, "r2", "r3", LONG)
        assert store.auth(auth.id) == auth

    @pytest.mark.parametrize("used", ["r1", "r0", ""])
    def test_a_reused_refresh_token_ends_the_login(self, store: Store, used: str) -> None:
        listener = Listener()
        store.start(listener)
        auth, other = login(), login()
        for each in (auth, other):
            store.save_auth(each, "r1", LONG)
        assert store.rotate_refresh(auth.id, "r1", "r2", LONG)
        assert not store.rotate_refresh(auth.id, used, "r9", LONG)
        assert store.auth(auth.id) is None
        assert not store.rotate_refresh(auth.id, "r2", "r3", LONG)
        assert store.auth(other.id) == other

    def test_of_two_who_use_a_refresh_token_one_gets_on_and_the_login_ends(self, store: Store) -> None:
        auth = login()
        store.save_auth(auth, "r1", LONG)
        assert sum(at_once(6, lambda number: store.rotate_refresh(auth.id, "r1", f"new{number}", LONG))) == 1
        assert store.auth(auth.id) is None

    def test_many_logins_are_looked_up_at_once(self, store: Store) -> None:
        auths = [login() for _ in range(3)]
        for auth in auths[:2]:
            store.save_auth(auth, "", LONG)
        store.end_auth(auths[0].id)
        assert store.auths([auth.id for auth in auths]) == {auths[1].id: auths[1]}
        assert store.auths([]) == {}

    def test_all_workers_hear_of_a_login_that_ended(self, store: Store) -> None:
        listener = Listener()
        store.start(listener)
        hearing(store, listener)
        ended, reused = login(), login()
        for auth in (ended, reused):
            store.save_auth(auth, "r1", LONG)
        before = len(listener.control)
        store.end_auth(ended.id)
        assert not store.rotate_refresh(reused.id, "wrong", "r2", LONG)
        expected = [{"authEnded": ended.id}, {"authEnded": reused.id}]
        eventually(lambda: listener.control[before:] == expected, what="both messages")

    def test_an_account_is_kept_once(self, store: Store) -> None:
        assert store.account("ann") is None
        account = {"userId": "u1", "displayName": "Ann \N{SEEDLING}", "role": "teacher", "password": "scrypt:1$x"}
        assert store.save_account("ann", account)
        assert not store.save_account("ann", {**account, "password": "mine"})
        assert store.save_account("ann", account), "a repeat after a lost answer"
        assert store.account("ann") == account
        assert store.account("Ann") is None

    def test_of_many_who_want_a_name_one_gets_it(self, store: Store) -> None:
        assert sum(at_once(8, lambda number: store.save_account("ann", {"userId": str(number)}))) == 1

    def test_what_is_done_to_an_account_outside_does_not_change_it(self, store: Store) -> None:
        account = {"userId": "u1", "role": "student"}
        store.save_account("ann", account)
        account["role"] = "admin"
        got = store.account("ann")
        assert got == {"userId": "u1", "role": "student"}
        got["role"] = "admin"
        assert store.account("ann") == {"userId": "u1", "role": "student"}

    def test_a_role_is_another_one_at_once_for_accounts_and_logins(self, store: Store) -> None:
        listener = Listener()
        store.start(listener)
        hearing(store, listener)
        store.save_account("ann", {"userId": "ann", "role": "student"})
        store.save_account("ben", {"userId": "ben", "role": "student"})
        one, two, other = login("ann"), login("ann"), login("ben")
        for auth in (one, two, other):
            store.save_auth(auth, "r1", LONG)
        assert store.set_role("ann", "teacher") == 1
        assert [auth.role for auth in store.auths([one.id, two.id]).values()] == ["teacher", "teacher"]
        assert store.auth(other.id) == other
        assert store.account("ann") == {"userId": "ann", "role": "teacher"}
        assert store.account("ben") == {"userId": "ben", "role": "student"}
        assert store.rotate_refresh(one.id, "r1", "r2", LONG)
        assert store.auth(one.id) == replace(one, role="teacher")
        eventually(lambda: {"roleChanged": ["ann", "teacher"]} in listener.control, what="the message")

    def test_a_guest_stays_a_student(self, store: Store) -> None:
        guest = AuthSession("g", "guest-1", "Guest", "student", guest_of="session")
        store.save_auth(guest, "", LONG)
        assert store.set_role("guest-1", "admin") == 0
        assert store.auth("g") == guest

    def test_a_role_brings_no_login_back(self, store: Store) -> None:
        auth = login("ann")
        store.save_auth(auth, "r1", LONG)
        store.end_auth(auth.id)
        store.set_role("ann", "teacher")
        assert store.auth(auth.id) is None

    def test_a_block_is_kept_until_it_is_taken_back(self, store: Store) -> None:
        store.set_blocked("ann", True)
        store.set_role("ann", "teacher")
        assert store.user_standing("ann") == Standing(True, "teacher")
        assert store.user_standing("ben") == Standing()
        store.set_blocked("ann", False)
        store.set_blocked("ann", False)
        assert not store.user_standing("ann").blocked
