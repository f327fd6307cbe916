"""Wait for what becomes true by itself, never for a fixed time.

Imports nothing of the package.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 10, what: str = "the condition", pause: float = 0.02) -> T:
    """Call ``condition`` until it returns something true, and return that.

    An :exc:`AssertionError` inside it counts as "not yet"; any other exception passes through.

    :param timeout: in seconds, from now
    :param what: what is waited for, in words for the failure
    :param pause: seconds between two calls
    :raises AssertionError: with the last value, or from the last failed assertion, when the time is over
    """
    deadline = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except AssertionError as error:
            failure = last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {timeout:g} s; last seen: {last!r}") from failure
        time.sleep(pause)
