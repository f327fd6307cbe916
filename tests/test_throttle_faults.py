"""A throttle whose tasks fail, or are to run no more: the others have their turn all the same."""

import time
from collections.abc import Hashable

import pytest

from classwaves.throttle import Throttle
from tests.support.waiting import eventually

WINDOW = 0.01


class Bench:
    """A throttle, what it has run, and how often it has asked to be called: a test calls it."""

    def __init__(self) -> None:
        self.asked = 0
        self.ran: list[str] = []
        self.throttle = Throttle(WINDOW, self._later)

    def _later(self, seconds: float) -> None:
        self.asked += 1

    def run(self, key: Hashable, *names: str) -> None:
        for name in names:
            self.throttle.run(key, lambda name=name: self.ran.append(name))  # type: ignore[misc]

    def fail(self, key: Hashable) -> None:
        def task() -> None:
            raise RuntimeError("no luck")

        self.throttle.run(key, task)

    def end_window(self) -> None:
        """Let all windows pass that have begun by now, and call the throttle as it has asked."""
        until = time.monotonic() + WINDOW
        eventually(lambda: time.monotonic() > until, what="the end of the window", pause=0.001)
        self.throttle.flush()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_task_that_fails_keeps_no_other_from_running(bench: Bench) -> None:
    bench.run("a", "a1")
    bench.run("b", "b1", "b2")
    bench.run("c", "c1", "c2")
    bench.fail("a")
    asked = bench.asked
    with pytest.raises(RuntimeError, match="no luck"):
        bench.end_window()
    assert bench.asked == asked + 1, "it is called for those that have not had their turn"
    bench.end_window()
    assert bench.ran == ["a1", "b1", "c1", "b2", "c2"]


def test_several_that_fail_keep_no_other_from_running(bench: Bench) -> None:
    for key in "abc":
        bench.run(key, f"{key}1")
        bench.fail(key)
    bench.run("d", "d1", "d2")
    for _ in "abc":
        with pytest.raises(RuntimeError, match="no luck"):
            bench.end_window()
    bench.end_window()
    assert bench.ran == ["a1", "b1", "c1", "d1", "d2"]


def test_after_a_failure_the_throttle_goes_on(bench: Bench) -> None:
    bench.run("a", "a1")
    bench.fail("a")
    with pytest.raises(RuntimeError, match="no luck"):
        bench.end_window()
    asked = bench.asked
    bench.run("a", "a2", "a3")
    assert bench.ran == ["a1", "a2"]
    assert bench.asked == asked + 1
    bench.end_window()
    assert bench.ran == ["a1", "a2", "a3"]


def test_the_first_task_of_a_key_may_fail(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="no luck"):
        bench.fail("a")
    bench.run("a", "a1", "a2")
    bench.end_window()
    assert bench.ran == ["a1", "a2"]


def test_what_was_cleared_does_not_run_and_the_windows_go_on(bench: Bench) -> None:
    bench.run("a", "a1", "a2")
    bench.run("b", "b1", "b2")
    bench.throttle.clear()
    bench.run("a", "a3")
    assert bench.ran == ["a1", "b1"]
    bench.end_window()
    assert bench.ran == ["a1", "b1", "a3"]
    bench.end_window()
    bench.run("b", "b3")
    assert bench.ran == ["a1", "b1", "a3", "b3"]
