"""What is done in a process when it begins to serve, and before it ends: applications register it,
and gunicorn's worker calls it.

Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable

#: Each is called with the time, by ``time.monotonic``, until when.
DRAINS: list[Callable[[float], None]] = []

#: Each is called once when the worker begins to serve, and must not wait.
STARTS: list[Callable[[], None]] = []
