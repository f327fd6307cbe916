"""What both stores promise of logins and accounts."""

from classwaves.store import MemoryStore
from classwaves.store.base_logins import FRESH_ROLE, Standing
from classwaves.testing.suites.store_auth import LoginsContract
from tests.support.stores import LIMITS, EveryStore, ManualClock, login


class TestLogins(EveryStore, LoginsContract):
    """Every kind of store keeps them."""


def test_a_refresh_prolongs_a_login_to_the_second() -> None:
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    auth = login()
    store.save_auth(auth, "r1", 60)
    clock.forward(59)
    assert store.rotate_refresh(auth.id, "r1", "r2", 60)
    clock.forward(59)
    assert store.auth(auth.id) == auth
    clock.forward(1)
    assert store.auth(auth.id) is None


def test_a_role_that_was_just_given_is_known_for_logins_under_way() -> None:
    clock = ManualClock()
    store = MemoryStore(LIMITS, clock)
    assert store.user_standing("ann") == Standing()
    store.set_role("ann", "teacher")
    assert store.user_standing("ann") == Standing(role="teacher")
    clock.forward(FRESH_ROLE)
    assert store.user_standing("ann") == Standing()
