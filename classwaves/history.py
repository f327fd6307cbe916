"""Pages of a session's messages, read from the log backwards.

Imports models, live and store.
"""

from __future__ import annotations

from typing import Any

from .live import LiveSession
from .models import Entry, Principal
from .store import Store

#: How many entries are read at once, of which some are no messages, or for others.
PAGE = 200


def messages(store: Store, live: LiveSession, who: Principal, before: int | None, limit: int) -> dict[str, Any]:
    """The newest messages with ``seq < before`` that were addressed to a user.

    :returns: ``{messages, hasMore, nextBeforeSeq}``, newest last, in the shape in which they were received.
    """
    staff, code = live.is_staff(who), live.record.code
    found: list[Entry] = []
    position = before or live.replica.seq + 1
    while len(found) <= limit:
        entries = store.read_back(live.id, position, PAGE)
        found += [e for e in entries if e.draft.event == "messageReceived" and e.is_for(who.user_id, staff)]
        if len(entries) < PAGE:
            break
        position = entries[-1].seq
    page = found[:limit]
    more = len(found) > limit
    return {
        "messages": [entry.payload(code) for entry in reversed(page)],
        "hasMore": more,
        "nextBeforeSeq": page[-1].seq if more else None,
    }
