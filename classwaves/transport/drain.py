"""What a worker does for its clients before it ends: they are told, closed one by one, and come back elsewhere.

Imports nothing of ours. An application registers with :data:`DRAINS` what it does; gunicorn's worker calls it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

#: What the applications of this process do when it ends, each called with the time, by ``time.monotonic``, until when.
DRAINS: list[Callable[[float], None]] = []


def master_listens(master: int, descriptors: Sequence[int]) -> bool:
    """Whether gunicorn's master still has the sockets that this worker listens at, so that others will accept.

    At the end of the whole server it closes them before it tells the workers. Where that cannot be seen: true.
    """
    try:
        mine = {os.fstat(descriptor).st_ino for descriptor in descriptors}
        theirs = [path.readlink().name for path in Path(f"/proc/{master}/fd").iterdir()]
    except OSError:
        return True
    return any(f"socket:[{inode}]" in theirs for inode in mine)
