"""What time it is for one application: the machine's time, which a test may put forward.

Imports nothing of the package. In a server nobody puts it forward: it is the machine's time and nothing else. What is
measured, and what waits for other machines, asks the machine itself.
"""

from __future__ import annotations

import time


class AppClock:
    """The time of one application, and of no other in the same process."""

    def __init__(self) -> None:
        #: By how many seconds it is ahead of the machine's; never less than it was.
        self.ahead = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds, never backwards."""
        return time.monotonic() + self.ahead
