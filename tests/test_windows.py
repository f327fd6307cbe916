"""What one process counts: windows of time by a clock that the test moves, and places."""

import math

import pytest

from classwaves.addresses import source
from classwaves.errors import ClassWavesError, StoreUnavailable
from classwaves.limits import LOCAL, SHARED, RateLimits
from classwaves.settings import Settings
from classwaves.windows import FEW, Places, Windows
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.hubs import settings_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(windows: Windows, tries: int, key: str = "ann") -> list[float]:
    return [windows.take(key) for _ in range(tries)]


def test_so_many_and_no_more_until_the_window_ends(clock: Clock) -> None:
    windows = Windows([(3, 10)], clock)
    assert taken(windows, 3) == [0.0] * 3
    clock.now += 4
    assert taken(windows, 2) == [6.0] * 2, "from now, not from the start of the window"
    assert windows.take("bob") == 0.0
    clock.now += 5.999
    assert 0 < windows.take("ann") < 0.01
    clock.now += 0.001
    assert taken(windows, 4) == [0.0] * 3 + [10.0], "who waited as told is let in, and has all of the window"


def test_several_rules_hold_together_and_the_longest_wait_is_told(clock: Clock) -> None:
    windows = Windows([(100, 60), (2, 1)], clock)
    for _ in range(50):
        clock.now += 1
        assert taken(windows, 2) == [0.0, 0.0]
        assert windows.take("ann") >= 1
    assert windows.take("ann") == 11.0, "what was refused by one was not counted by the other"
    assert windows.wait("ann") == 11.0
    clock.now += 11
    assert windows.take("ann") == 0.0


def test_looking_does_not_count(clock: Clock) -> None:
    windows = Windows([(1, 10)], clock)
    assert [windows.wait("ann") for _ in range(3)] == [0.0] * 3
    assert len(windows) == 0
    assert windows.take("ann") == 0.0
    assert windows.wait("ann") == 10.0


def test_what_is_worth_more_than_a_window_is_let_in_alone(clock: Clock) -> None:
    windows = Windows([(3, 10)], clock)
    assert windows.take("ann", 5) == 0.0
    assert windows.take("ann", 5) == windows.take("ann") == 10.0
    clock.now += 10
    assert windows.take("ann", 5) == 0.0


def test_users_who_have_gone_do_not_fill_the_memory(clock: Clock) -> None:
    windows = Windows([(3, 10), (9, 60)], clock)
    for number in range(FEW * 20):
        windows.take(number)
        clock.now += 1
    assert len(windows) <= FEW


def test_a_class_that_has_gone_is_forgotten_when_the_next_one_comes(clock: Clock) -> None:
    windows = Windows([(9, 1), (100, 60)], clock)
    for number in range(30):
        windows.take(number)
    clock.now += 59
    windows.take("late")
    assert len(windows) == 31, "they still count"
    clock.now += 2
    windows.take("next")
    assert len(windows) == 2
    clock.now += 58
    windows.take("ann")
    assert len(windows) == 3, "not looked for again before the longest window has passed"
    clock.now += 3
    windows.take("bob")
    assert len(windows) == 2, "late and next are forgotten"


def test_who_is_over_a_limit_is_not_forgotten_by_a_crowd(clock: Clock) -> None:
    windows = Windows([(1, 10)], clock)
    windows.take("ann")
    for number in range(FEW * 4):
        windows.take(number)
    assert windows.take("ann") == 10.0


def test_places() -> None:
    places = Places(2)
    assert [places.take("ann") for _ in range(3)] == [True, True, False]
    assert places.take("bob")
    places.leave("ann")
    assert places.take("ann")
    for key in ("ann", "ann", "bob", "bob"):
        places.leave(key)
    assert len(places) == 0
    assert all(Places(math.inf).take("ann") for _ in range(9))


def test_a_client_that_waits_as_told_is_let_in(clock: Clock) -> None:
    limits = RateLimits(settings_of(RATELIMIT_ENABLED=True, EVENT_RATE="5/second;20/minute"), clock=clock)
    sent, began = 0, clock.now
    while sent < 60:
        try:
            limits.hit("event", "ann")
            sent += 1
        except ClassWavesError as error:
            assert error.retry_after_ms
            clock.now += error.retry_after_ms / 1000
            limits.hit("event", "ann")
            sent += 1
    assert clock.now - began <= 124
    assert limits._tally.rate_limited["event"] > 0


def test_events_are_counted_while_redis_is_away_and_logins_are_not_let_in() -> None:
    settings = Settings.load({**TEST_KEYS, "REDIS_URL": "redis://127.0.0.1:1/0", "CLASSWAVES_REDIS_TIMEOUT": 0.1}, {})
    limits = RateLimits(settings)
    for name in LOCAL:
        limits.hit(name, "ann")
    limits.hit_event("raiseHand", "ann")
    limits.check_here("guess", "ann")
    for name in SHARED:
        with pytest.raises(StoreUnavailable):
            limits.hit(name, "ann")
    limits.close()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        (" 198.51.100.7 ", "198.51.100.7"),
        ("198.51.100.7:51234", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::2]:443", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", "unknown"),
        ("x" * 999, "x" * 64),
        ("198.51.100.007", "198.51.100.007"),
    ],
)
def test_whose_an_address_is(address: str, counted: str) -> None:
    assert source(address) == counted
