"""The suites for a shop's own parts find what is wrong with them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from classwaves import Account
from classwaves.errors import StaleFence
from classwaves.models import Draft, Entry, SessionRecord, new_id
from classwaves.storage import DiskStorage
from classwaves.store import MemoryStore
from classwaves.store.base import Appended
from classwaves.testing.suites import AuthenticatorContract, StorageContract, StoreContract
from tests.support.stores import LIMITS

Wrong = (AssertionError, StaleFence, pytest.fail.Exception)


class Forgetful(MemoryStore):
    """Takes a repeated key for a new one."""

    def append(self, session_id: str, drafts: Sequence[Draft], *, dedupe: str, **more: Any) -> Appended:
        return super().append(session_id, drafts, dedupe=f"{dedupe}{new_id()}", **more)


class Careless(MemoryStore):
    """Looks at no fences."""

    @staticmethod
    def _check_fences(session: Any, fences: Mapping[str, int]) -> None:
        pass


class Backwards(MemoryStore):
    """Reads the log from its end."""

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        return super().read(session_id, after, limit)[::-1]


class Generous(MemoryStore):
    """Gives a code twice."""

    def create_session(self, record: SessionRecord, draft: Draft) -> Appended | None:
        self._codes.pop(record.code, None)
        return super().create_session(record, draft)


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (Forgetful, "test_a_repeated_key_gets_the_first_result_and_stores_nothing"),
        (Careless, "test_a_stale_fence_stores_nothing"),
        (Careless, "test_nobody_joins_over_a_stale_fence"),
        (Backwards, "test_seqs_start_at_one_and_have_no_gaps"),
        (Generous, "test_a_code_is_given_once"),
    ],
)
def test_a_store_that_is_wrong_fails(store: Callable[..., MemoryStore], test: str) -> None:
    getattr(StoreContract(), test)(MemoryStore(LIMITS))
    with pytest.raises(Wrong):
        getattr(StoreContract(), test)(store(LIMITS))


class Overwriting(DiskStorage):
    """Exchanges what is there."""

    def put(self, session_id: str, file_id: str, index: int, data: bytes) -> None:
        self.delete(session_id, file_id)
        super().put(session_id, file_id, index, data)


def test_a_storage_that_is_wrong_fails(tmp_path: Path) -> None:
    StorageContract().test_what_is_there_is_not_exchanged(DiskStorage(tmp_path / "right"))
    with pytest.raises(AssertionError):
        StorageContract().test_what_is_there_is_not_exchanged(Overwriting(tmp_path / "wrong"))


class Ada(AuthenticatorContract):
    credentials = ("ada", "right horse")


ADA = Account("7", "Ada", "student")


def trims(username: str, password: str) -> Account | None:
    return ADA if (username, password.lower()) == Ada.credentials else None


def numbers(username: str, password: str) -> Account | None:
    number: Any = 7
    return Account(number, "Ada", "student") if (username, password) == Ada.credentials else None


def raises(username: str, password: str) -> Account | None:
    return {Ada.credentials: ADA}[username, password]


@pytest.mark.parametrize(
    ("authenticate", "test"),
    [
        (trims, "test_a_wrong_password_is_nobody"),
        (numbers, "test_who_has_an_account_gets_it"),
        (raises, "test_an_unknown_name_is_nobody"),
        (lambda username, password: ADA, "test_an_unknown_name_is_nobody"),
        (lambda username, password: None, "test_it_is_the_same_each_time"),
    ],
    ids=["trims", "numbers", "raises", "everybody", "nobody"],
)
def test_an_authenticator_that_is_wrong_fails(authenticate: Any, test: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        getattr(Ada(), test)(authenticate)


def test_a_suite_without_its_method_says_what_to_override() -> None:
    for make in (
        lambda: StoreContract().make_store(LIMITS),
        StorageContract().make_storage,
        AuthenticatorContract().make_authenticator,
    ):
        with pytest.raises(NotImplementedError, match="override make_"):
            make()
