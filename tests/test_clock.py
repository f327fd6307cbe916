"""An application's clock, put forward: what was to be done later is done, and tokens have ended."""

import threading

import pytest
from flask import Flask

from classwaves.clock import AppClock
from classwaves.errors import ClassWavesError
from classwaves.scheduler import Scheduler
from tests.support.apps import AppFactory, sign_in, state_of


def test_what_is_due_by_the_clock_is_done() -> None:
    clock, done = AppClock(), list[str]()
    scheduler = Scheduler(clock=clock)
    scheduler.after(100, lambda: scheduler.after(50, lambda: done.append("after that")))
    scheduler.after(200, lambda: done.append("later"))
    assert scheduler.settle(0)
    for ahead, expected in {99: [], 101: [], 152: ["after that"], 201: ["after that", "later"]}.items():
        clock.ahead = ahead
        assert scheduler.settle(5)
        assert done == expected
    scheduler.close()
    assert scheduler.settle(0)


def test_a_scheduler_that_rested_goes_on_with_the_next_task() -> None:
    done: list[str] = []
    scheduler = Scheduler()
    scheduler.rest()
    scheduler.after(0, lambda: done.append("first"))
    assert scheduler.settle(5)
    scheduler.rest()
    before = threading.active_count()
    scheduler.after(0, lambda: done.append("second"))
    assert threading.active_count() == before + 1
    assert scheduler.settle(5)
    scheduler.close()
    assert done == ["first", "second"]


def check(app: Flask, token: str) -> str:
    """Return who a token speaks for, or why it speaks for nobody."""
    with app.app_context():
        try:
            return state_of(app).tokens.check(token).user_id
        except ClassWavesError as error:
            return error.code


@pytest.mark.parametrize("ahead", [0, 86_400])
def test_tokens_live_by_the_clock_of_their_application(make_app: AppFactory, ahead: int) -> None:
    app, other = make_app(), make_app()
    clock = state_of(app).hub.clock
    clock.ahead = ahead
    pair, elsewhere = sign_in(app, "Ada"), sign_in(other, "Ada")
    clock.ahead += 3600 - 60
    assert check(app, pair.access) == "ada"
    clock.ahead += 120
    assert check(app, pair.access) == "TOKEN_EXPIRED"
    assert check(other, elsewhere.access) == "ada"
    with app.app_context():
        assert check(app, state_of(app).tokens.refresh(pair.refresh or "").access) == "ada"
        clock.ahead += 31 * 86_400
        with pytest.raises(ClassWavesError, match="expired"):
            state_of(app).tokens.refresh(pair.refresh or "")
