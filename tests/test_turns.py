"""The greenlets that handle what clients send, between two tasks."""

import contextvars
import weakref

import gevent

from classwaves.transport.turns import Turns

WHO: contextvars.ContextVar["Backlog | None"] = contextvars.ContextVar("WHO", default=None)


class Backlog:
    """What a client that has gone still had coming."""


def test_a_greenlet_that_waits_for_work_keeps_nothing_of_the_last_client() -> None:
    turns, backlog = Turns(), Backlog()
    seen: list[object] = []

    def task(of: Backlog = backlog) -> None:
        WHO.set(of)
        seen.append("a client")

    gone = weakref.ref(backlog)
    turns.run(task)
    gevent.sleep(0)
    gevent.sleep(0)
    assert seen == ["a client"]
    assert len(turns._parked) == 1
    del task, backlog
    assert gone() is None
    turns.run(lambda: seen.append(WHO.get()))
    gevent.sleep(0)
    gevent.sleep(0)
    assert seen == ["a client", None], "the same greenlet, in nobody's context"
    assert len(turns._parked) == 1
