"""Pages of a session's log, read backwards: those entries of one event that were addressed to a user.

Imports models, live and store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .live import LiveSession
from .models import Entry, Principal
from .payloads import LATEST
from .store import Store

#: How many entries are read at once, and how many are looked at for one page, of which some are for others.
READ, LOOKED_AT = 500, 5_000

Shown = Callable[[Entry], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the log: ``after < seq < before``, at most ``limit`` items, of one group if it is given."""

    before: int | None = None
    after: int = 0
    limit: int = 50
    group_id: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Window:
        """The window that a payload or a query asks for."""
        return cls(data.get("beforeSeq"), data.get("afterSeq", 0), data["limit"], data.get("groupId"))


def page(
    store: Store, live: LiveSession, who: Principal, name: str, event: str, window: Window, shown: Shown
) -> dict[str, Any]:
    """The newest items of a window.

    A page may have fewer than ``limit`` of them, or none, while there are more: where many entries are something else.

    :param shown: an entry as an item; ``None`` if it is not to be shown.
    :returns: ``{name: [...], hasMore, nextBeforeSeq}``, newest last.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    position = window.before or LATEST  # the log may be ahead of this worker
    looked_at, more = 0, True
    while more and len(found) <= window.limit and looked_at < LOOKED_AT:
        entries = store.read_back(live.id, position, READ)
        entries = [entry for entry in entries if entry.seq > window.after]
        for entry in entries:
            if _is_wanted(live, who, event, window, entry) and (item := shown(entry)) is not None:
                found.append((entry.seq, item))
        more = len(entries) == READ
        looked_at += len(entries)
        position = entries[-1].seq if entries else position
    if len(found) > window.limit:
        found, more = found[: window.limit], True
        position = found[-1][0]
    return {name: [item for _, item in reversed(found)], "hasMore": more, "nextBeforeSeq": position if more else None}


def _is_wanted(live: LiveSession, who: Principal, event: str, window: Window, entry: Entry) -> bool:
    if entry.draft.event != event or not entry.is_for(who.user_id, live.is_staff(who)):
        return False
    return window.group_id in (None, entry.draft.data.get("groupId"))


def everything(store: Store, session_id: str) -> Iterator[Entry]:
    """All entries that the log has, oldest first, read as they are asked for."""
    position = 0
    while entries := store.read(session_id, position, READ):
        yield from entries
        position = entries[-1].seq
