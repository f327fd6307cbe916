"""What an archive must be able to do, and the shapes that it shares with those who ask it.

Imports models. Methods raise :class:`~classwaves.errors.ArchiveUnavailable` when the database does not answer; whatever
is repeated after that, with the same arguments, takes effect once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..models import Entry, SessionRecord
from ..store.acts import Noted


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest entry of a session that the archive has; ``seq`` is 0 if it has none."""

    seq: int = 0
    epoch: str = ""
    time: int = 0

    @classmethod
    def of(cls, entry: Entry) -> Tip:
        return cls(entry.seq, entry.epoch, entry.time)


@dataclass(frozen=True, slots=True)
class Past:
    """A session as the archive knows it; ``until``: when the last thing happened, in milliseconds since the epoch."""

    record: SessionRecord
    until: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries of one event a page is of: ``after < seq < before``, addressed to a user, of a group if given."""

    event: str
    before: int
    after: int
    limit: int
    user_id: str
    staff: bool
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """An archived entry, and how often each emoji was a reaction to it in the end."""

    entry: Entry
    reactions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """An entry with a user's name or texts, and the session that it is in."""

    session_id: str
    code: str
    entry: Entry


class Archive(Protocol):
    """All sessions, in SQL."""

    # what the archiver asks
    def tip(self, session_id: str) -> Tip: ...

    def positions(self, session_ids: Sequence[str]) -> dict[str, int]:
        """The seq of the newest entry of each session that the archive has."""

    def tips_back(self, session_id: str, before: int, limit: int) -> list[Tip]:
        """The newest entries with ``seq < before``, newest first."""

    def write(self, session_id: str, record: SessionRecord | None, entries: Sequence[Entry], after: int = 0) -> bool:
        """Keep entries that follow each other, and where the session stands then; what is there already stays.

        :param record: the session's record, if it may have changed.
        :param after: the seq up to which the archive should have the session.
        :returns: ``False`` if it has less, because the database has lost what it had: then nothing was kept.
        """

    def rewind(self, session_id: str, to: Tip) -> None:
        """The store has lost what came after this entry: it is kept, and shown to nobody any more."""

    # reading
    def find(self, code: str) -> Past | None:
        """The newest session that had this code."""

    def known(self, session_id: str) -> Past | None:
        """The session with this id."""

    def page(self, session_id: str, asked: Asked) -> list[Kept]:
        """The newest entries that were asked for, newest first, without messages that were deleted."""

    def facts(self, session_id: str) -> list[Entry]:
        """What says who was there and how the session was set up, in order: enough for an attendance sheet."""

    def entries(
        self, session_id: str, before: int | None = None, event: str | None = None, after: int = 0
    ) -> Iterator[Entry]:
        """All entries with ``after < seq < before`` in order, or those of one event, read as they are asked for."""

    def of_user(self, user_id: str) -> Iterator[Said]:
        """All entries with names or texts of a user, session by session, read as they are asked for."""

    # the audit stream
    def write_acts(self, found: Sequence[Noted]) -> None:
        """Keep acts; what is there already stays."""

    def acts(self, before: str, limit: int) -> list[Noted]:
        """See :meth:`classwaves.store.acts.Acts.acts`."""

    def acts_after(self, after: str, limit: int) -> list[Noted]:
        """See :meth:`classwaves.store.acts.Acts.acts_after`."""

    def drop_acts(self, moment: int) -> None:
        """Delete those of before this time, in milliseconds since the epoch."""

    # letting go
    def erase(self, user_id: str, moment: int | None = None) -> int:
        """Take a user's names and texts out of all entries. How many had any is returned; again, it is none.

        :param moment: what is of before this comes without them later, too; by the clock that entries are dated by, in
            milliseconds since the epoch. Now by the clock here, if it is not given.
        """

    def older_than(self, moment: int, limit: int) -> list[str]:
        """Sessions in which nothing happened since then, in milliseconds since the epoch; the oldest first."""

    def drop(self, session_id: str) -> None:
        """Delete a session."""

    def close(self) -> None: ...
