"""What is done in a process before it ends: applications register it, and gunicorn's worker calls it.

Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable

#: Each is called with the time, by ``time.monotonic``, until when.
DRAINS: list[Callable[[float], None]] = []
