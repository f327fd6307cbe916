"""Events have limits: each user's, some events' own, and one for all students of a session together."""

import pytest

from classwaves import SettingsError
from classwaves.errors import ClassWavesError
from classwaves.limits import RateLimits
from tests.support.apps import AppFactory
from tests.support.hubs import settings_of
from tests.support.tabs import Classroom, Tab, open_classroom


def opened(make_app: AppFactory, **rates: str) -> Classroom:
    named = {f"CLASSWAVES_{name}": rate for name, rate in rates.items()}
    return open_classroom(make_app(CLASSWAVES_RATELIMIT_ENABLED=True, **named))


def said(tab: Tab, room: Classroom) -> str | None:
    """Send a message, and return why it was refused."""
    ack = tab.ask("sendMessage", {"sessionCode": room.code, "message": "hi"})
    tab.take()
    return None if ack["ok"] else str(ack["error"]["code"])


def test_an_event_may_have_a_rate_of_its_own(make_app: AppFactory) -> None:
    room = opened(make_app, EVENT_RATES="sendMessage=2/hour, lowerHand=9/second;20/minute")
    ada, ben = room.joined("Ada"), room.joined("Ben")
    assert [said(ada, room) for _ in range(3)] == [None, None, "RATE_LIMIT"]
    assert said(room.tab("Ada"), room) == "RATE_LIMIT", "in another tab too"
    assert said(ben, room) is None
    assert ada.ask("raiseHand", {"sessionCode": room.code})["ok"], "other events go on"
    refused = ada.ask("sendMessage", {"sessionCode": room.code, "message": "hi"})["error"]
    assert 0 < refused["retryAfterMs"] <= 3_600_000


def test_it_counts_beside_that_of_all_events(make_app: AppFactory) -> None:
    room = opened(make_app, EVENT_RATES="sendMessage=100/second", EVENT_RATE="3/hour")
    ada = room.joined("Ada")
    assert [said(ada, room) for _ in range(3)] == [None, None, "RATE_LIMIT"]


def test_some_have_one_unless_told_otherwise(make_app: AppFactory) -> None:
    def raised(room: Classroom) -> list[bool]:
        ada = room.joined("Ada")
        return [ada.ask("raiseHand", {"sessionCode": room.code})["ok"] for _ in range(8)]

    assert raised(opened(make_app, EVENT_RATES="raiseHand=2/hour")) == [True] * 2 + [False] * 6
    assert raised(opened(make_app, EVENT_RATES="raiseHand=100/second")) == [True] * 8


def test_the_usual_one_of_a_hand_is_five_a_second() -> None:
    """By a clock that stands still: this machine may take a second for eight of them."""
    limits = RateLimits(settings_of(RATELIMIT_ENABLED=True), clock=lambda: 0.0)
    for _ in range(5):
        limits.hit_event("raiseHand", "ada")
    with pytest.raises(ClassWavesError) as refused:
        limits.hit_event("raiseHand", "ada")
    assert (refused.value.code, refused.value.retry_after_ms) == ("RATE_LIMIT", 1000)


def test_joining_again_and_again_has_one_too(make_app: AppFactory) -> None:
    """Each is told the whole session, or as much of what was missed as `syncSession` tells."""
    room = opened(make_app, EVENT_RATE="10000/second")
    ada = room.joined("Ada")
    codes = [ada.ask("joinSession", room.code).get("error", {}).get("code") for _ in range(120)]
    assert set(codes[:19]) == {None}, "tabs that come back together"
    assert "RATE_LIMIT" in codes
    assert room.joined("Ben").connected


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ("sendMesage=1/second", "CLASSWAVES_EVENT_RATES names the event sendMesage.*sendMessage"),
        ("sendMessage", "CLASSWAVES_EVENT_RATES is a list"),
        ("sendMessage=often", "CLASSWAVES_EVENT_RATES is a list"),
        ("=1/second", "CLASSWAVES_EVENT_RATES names no event"),
    ],
)
def test_a_rate_that_would_limit_nothing_is_refused(make_app: AppFactory, rates: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        opened(make_app, EVENT_RATES=rates)


def test_students_of_one_session_together_do_not_keep_its_teacher_out(make_app: AppFactory) -> None:
    room = opened(make_app, SESSION_RATE="4/hour")
    other = open_classroom(room.app)
    grace, tabs = room.teacher(), [room.joined(name) for name in ("Ada", "Ben", "Cyd")]
    assert [said(tabs[number % 3], room) for number in range(6)] == [None] * 4 + ["RATE_LIMIT"] * 2
    assert said(room.joined("Dan"), room) == "RATE_LIMIT", "who comes in may do so, and then waits like all"
    assert [said(grace, room) for _ in range(5)] == [None] * 4 + ["RATE_LIMIT"]
    assert said(other.joined("Ada"), other) is None, "another session"
