"""Pages of a session's log, read backwards: those entries of one event that were addressed to a user.

Imports models, live, past, store and the archive's base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .archive.base import Archive, Asked
from .live import LiveSession
from .models import Entry, Principal, iso
from .past import PastSession
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


@dataclass(frozen=True, slots=True)
class Log:
    """Where entries are read: the store, and what it has let go of from the archive, if there is one."""

    store: Store
    archive: Archive | None = None

    def everything(self, session_id: str, event: str | None = None) -> Iterator[Entry]:
        """All entries, or those of one event, oldest first, read as they are asked for.

        The store may let go of some, or of the session, meanwhile: what it has not any more is in the archive.
        """
        position, entries = 0, self.store.read(session_id, 0, READ)
        while entries:
            if self.archive and entries[0].seq > position + 1:
                yield from self.archive.entries(session_id, entries[0].seq, event, position)
            yield from (entry for entry in entries if event in (None, entry.draft.event))
            position = entries[-1].seq
            entries = self.store.read(session_id, position, READ)
        if self.archive and not self.store.positions([session_id]):
            yield from self.archive.entries(session_id, None, event, position)


def line(entry: Entry) -> dict[str, Any]:
    """An entry as an export shows it, whoever it was for."""
    draft = entry.draft
    shown = {"seq": entry.seq, "epoch": entry.epoch, "timestamp": iso(entry.time), "event": draft.event}
    shown |= {"userId": draft.author, "audience": draft.audience, "data": draft.data}
    if draft.members:
        shown["members"] = draft.members
    if draft.id_field:
        shown[draft.id_field] = entry.id
    return shown


def page(
    log: Log, live: LiveSession, who: Principal, name: str, event: str, window: Window, shown: Shown
) -> dict[str, Any]:
    """The newest items of a window.

    A page may have fewer than ``limit`` of them, or none, while there are more: where many entries are something else.

    :param shown: an entry as an item; ``None`` if it is not to be shown.
    :returns: ``{name: [...], hasMore, nextBeforeSeq}``, newest last.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    position = window.before or LATEST  # the log may be ahead of this worker
    looked_at, more = 0, not isinstance(live, PastSession)
    while more and len(found) <= window.limit and looked_at < LOOKED_AT:
        entries = log.store.read_back(live.id, position, READ)
        position = entries[-1].seq if entries else position
        more = len(entries) == READ and position > window.after + 1
        entries = [entry for entry in entries if entry.seq > window.after]
        for entry in entries:
            if _is_wanted(live, who, event, window, entry) and (item := shown(entry)) is not None:
                found.append((entry.seq, item))
        looked_at += len(entries)
    if log.archive and not more and len(found) <= window.limit and position > window.after + 1:
        left = window.limit + 1 - len(found)
        asked = Asked(event, position, window.after, left, who.user_id, live.is_staff(who), window.group_id)
        older = _archived(log.archive, live, asked, shown)
        more = len(older) == left
        position = older[-1][0] if older else position
        found += [(seq, item) for seq, item in older if item is not None]
    if len(found) > window.limit:
        found, more = found[: window.limit], True
        position = found[-1][0]
    return {name: [item for _, item in reversed(found)], "hasMore": more, "nextBeforeSeq": position if more else None}


def _archived(
    archive: Archive, live: LiveSession, asked: Asked, shown: Shown
) -> list[tuple[int, dict[str, Any] | None]]:
    """Items of what the store has let go of, newest first."""
    items: list[tuple[int, dict[str, Any] | None]] = []
    for kept in archive.page(live.id, asked):
        item = shown(kept.entry)
        if item is not None and kept.reactions:
            item = {"reactions": kept.reactions, **item}  # a live session knows better
        items.append((kept.entry.seq, item))
    return items


def _is_wanted(live: LiveSession, who: Principal, event: str, window: Window, entry: Entry) -> bool:
    if entry.draft.event != event or not entry.is_for(who.user_id, live.is_staff(who)):
        return False
    return window.group_id in (None, entry.draft.data.get("groupId"))
