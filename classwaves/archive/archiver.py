"""What brings the log into the archive: a thread (a greenlet under gevent) of each worker that serves sessions.

Imports errors, models, settings, scheduler, store and the archive's base. It keeps no entries: which sessions have
something new is all it remembers, and the rest is read from the store when the database is there to take it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from ..errors import ArchiveUnavailable, StoreUnavailable
from ..models import Entry, SessionRecord, new_id
from ..settings import Settings
from ..store.base import Store
from .base import Archive, Tip

logger = logging.getLogger(__name__)

#: How long entries are gathered, how many are written in one transaction.
PAUSE, BATCH = 1.0, 200
#: For how long a worker has the task of archiving a session, and when others look whether it still does.
CLAIM, LOOK_AGAIN = 3.0, 1.0
#: How often somebody looks for sessions that nobody serves, and for those that were kept long enough.
SWEEP, RETENTION = 30.0, 3600.0
#: How long after the database was found away, or something went wrong, it is tried again: at first and at the most.
RETRY, MOST_RETRY = 0.5, 10.0
#: How often the sessions of the store are kept from being let go of, while the database is away; at the least.
KEEP = 1800.0
#: How many sessions are looked at in one step, and how many tips are remembered.
PAGE, TIPS = 500, 10_000

#: What changes a session's record.
_OF_RECORD = frozenset(("sessionCreated", "sessionChanged", "sessionStatusChanged"))


class Archiver:
    """Archives the sessions it is told of, and at intervals those that nobody serves.

    :param on_dropped: called with the ids of sessions that the archive has let go of.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        settings: Settings,
        on_dropped: Callable[[Sequence[str]], None] = lambda session_ids: None,
    ) -> None:
        self.archive = archive
        self.on_dropped = on_dropped
        self._store = store
        self._settings = settings
        self._name = new_id(9)
        self._new: set[str] = set()
        self._later: dict[str, float] = {}
        self._tips: dict[str, Tip] = {}
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._hurry = False
        self._retry = RETRY
        self._kept_at = -KEEP
        self._due = {self._audit: 0.0, self._sweep: 0.0, self._retain: time.monotonic() + PAUSE}

    @property
    def backlog(self) -> int:
        """How many sessions have something that is not in the archive, as far as this worker knows."""
        return len(self._new) + len(self._later)

    # told by the worker

    def note(self, session_id: str) -> None:
        """A session has something new. Called for every entry, so it does next to nothing."""
        if session_id in self._new:
            return
        self._new.add(session_id)
        if self._thread is None:
            self.start()
        self._wake.set()

    def start(self) -> None:
        """Begin, also to look for what others have left; not before a fork."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="classwaves-archiver", daemon=True)
                self._thread.start()

    def finish(self, until: float) -> None:
        """The worker ends: write what it knows of. :param until: by ``time.monotonic``."""
        if self._thread is None:
            return
        self._hurry = True
        while (self.backlog or not self._idle.is_set()) and time.monotonic() < until:
            self._wake.set()
            time.sleep(0.02)

    def close(self) -> None:
        """Write what there is, if that is quick, and end."""
        self.finish(time.monotonic() + PAUSE)
        self._closed = True
        self._wake.set()
        thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join(timeout=5)
        self.archive.close()

    # the thread

    def _run(self) -> None:
        while not self._closed:
            self._idle.set()
            self._wake.wait(SWEEP if not self._later else LOOK_AGAIN)
            self._wake.clear()
            self._idle.clear()
            if not self._hurry:
                time.sleep(PAUSE)
            try:
                self._turn()
                self._retry = RETRY
            except StoreUnavailable as error:
                self._store.tally.archive_errors += 1
                self._rest(isinstance(error, ArchiveUnavailable))
            except Exception:
                logger.exception("the archiver failed")
                self._store.tally.archive_errors += 1
                self._rest()

    def _rest(self, keep: bool = False) -> None:
        """The database or the store is away: nothing is lost but time.

        :param keep: it is the database, so the store must not let go of what is to be archived.
        """
        if keep:
            with contextlib.suppress(StoreUnavailable):
                self.keep_all()
        wait, self._retry = self._retry, min(self._retry * 2, MOST_RETRY)
        if not self._closed:
            time.sleep(min(wait, 0.1) if self._hurry else wait)
        self._wake.set()

    def _turn(self) -> None:
        """Archive what is new, and what is due."""
        now = time.monotonic()
        due = {session_id for session_id, moment in self._later.items() if moment <= now or self._hurry}
        for session_id in self._new | due:
            self._one(session_id)
        if not self._hurry:
            for task, moment in list(self._due.items()):
                if moment <= now:
                    self._due[task] = now + (RETENTION if task == self._retain else SWEEP)
                    task()

    def _one(self, session_id: str) -> None:
        self._later.pop(session_id, None)
        self._new.discard(session_id)  # first: what comes from now on is new again
        try:
            if self._store.claim(f"archive:{session_id}", self._name, CLAIM):
                self.bring(session_id)
            else:  # another worker does it, if it is alive
                self._tips.pop(session_id, None)
                self._later[session_id] = time.monotonic() + LOOK_AGAIN
        except StoreUnavailable:
            self._new.add(session_id)
            raise
        except Exception as error:  # one bad session must not stop the others
            logger.error("a session could not be archived: %s", type(error).__name__)
            self._store.tally.archive_errors += 1
            self._later[session_id] = time.monotonic() + SWEEP

    # one session

    def bring(self, session_id: str) -> None:
        """Write all that the log has and the archive has not. Two may do it at once.

        :raises StoreUnavailable: the store or the database is away.
        """
        tip = self._tips.pop(session_id, None) or self.archive.tip(session_id)
        sure = bool(tip.seq)  # of the record that the archive has
        while True:
            page = self._store.read(session_id, max(tip.seq - 1, 0), BATCH + 1)
            if not self._follows(session_id, tip, page):
                found = self._common(session_id, tip)
                if found is None:
                    return  # the store has let the session go
                self.archive.rewind(session_id, found)
                tip, sure = found, False
                continue
            if new := [entry for entry in page if entry.seq > tip.seq]:
                record = self._record(session_id, new, sure)
                if not self.archive.write(session_id, record, new, after=tip.seq):
                    tip, sure = self.archive.tip(session_id), False  # a replica took over, or a backup was put back
                    continue
                self._note_gap(tip, new[0])
                self._store.tally.archive_lag.observe(max(0.0, time.time() - new[0].time / 1000))
                tip, sure = Tip.of(new[-1]), True
                if not self._store.archived(session_id, new[-1]):
                    continue  # lost meanwhile, or let go
            if len(page) <= BATCH:
                break
            time.sleep(0)  # others have their turn
        while len(self._tips) >= TIPS:
            self._tips.pop(next(iter(self._tips)))
        self._tips[session_id] = tip

    @staticmethod
    def _follows(session_id: str, tip: Tip, page: list[Entry]) -> bool:
        """Whether the archive's newest entry is still the log's: else the store has lost it."""
        if not tip.seq:
            return True
        return bool(page) and (page[0].seq > tip.seq or Tip.of(page[0]) == tip)

    def _note_gap(self, tip: Tip, first: Entry) -> None:
        if first.seq > tip.seq + 1:
            self._store.tally.archive_gaps += 1
            logger.error("%d entries of a session were let go of before the archive had them", first.seq - tip.seq - 1)

    def _record(self, session_id: str, new: list[Entry], sure: bool) -> SessionRecord | None:
        """The session's record, where these entries may have changed it, or it may be another one already."""
        events = {entry.draft.event for entry in new}
        if sure and not events & _OF_RECORD:
            return None
        record = self._store.record(session_id)
        if record is None and "sessionCreated" in events:  # let go of at this moment
            record = SessionRecord.from_dict(new[0].draft.data["record"])
        return record

    def _common(self, session_id: str, tip: Tip) -> Tip | None:
        """The newest entry that the archive and the log share."""
        position = self._store.positions([session_id]).get(session_id)
        if position is None:
            return None
        before = min(tip.seq, position) + 1
        while True:
            ours = self.archive.tips_back(session_id, before, PAGE)
            theirs = {entry.seq: Tip.of(entry) for entry in self._store.read_back(session_id, before, PAGE)}
            if not theirs:
                return ours[0] if ours else Tip()  # the log begins later: what was trimmed was not lost
            for tip in ours:
                if theirs.get(tip.seq) == tip:
                    return tip
            if not ours:
                return Tip()
            before = ours[-1].seq

    # all sessions

    def _sweep(self) -> None:
        """Find the sessions that nobody serves and that have something new; one worker does it at a time."""
        if self._store.claim("archive-sweep", self._name, SWEEP * 0.9):
            self._new |= self.behind()
            if self._new:
                self._wake.set()

    def _audit(self) -> None:
        if self._store.claim("archive-acts", self._name, SWEEP * 0.9):
            self._bring_acts()

    def _bring_acts(self) -> None:
        """Write what is new in the audit stream, and let go of what is too old."""
        newest = self.archive.acts("", 1)
        after = newest[0].id if newest else ""
        while page := self._store.acts_after(after, PAGE):
            self.archive.write_acts(page)
            after = page[-1].id
        if days := self._settings.audit_days:
            self.archive.drop_acts(int((time.time() - days * 86_400) * 1000))

    def bring_all(self) -> int:
        """Archive what the store holds now; how many sessions had something new."""
        self._bring_acts()
        found = self.behind()
        for session_id in found:
            self.bring(session_id)
        return len(found)

    def behind(self) -> set[str]:
        """The sessions of the store of which the archive has not all."""
        found: set[str] = set()
        for session_ids in self._pages():
            here, there = self._store.positions(session_ids), self.archive.positions(session_ids)
            found |= {session_id for session_id, seq in here.items() if seq != there.get(session_id, 0)}
        for session_id in found:
            self._tips.pop(session_id, None)  # the database may have lost something
        return found

    def _pages(self) -> list[list[str]]:
        pages: list[list[str]] = []
        while records := self._store.list_sessions(None, len(pages) * PAGE, PAGE):
            pages.append([record.id for record in records])
        return pages

    def keep_all(self) -> None:
        """The database is away: no session is let go of before it is back."""
        settings, now = self._settings, time.monotonic()
        often = min(KEEP, settings.store_seconds("ended") / 3)
        if self._kept_at + often > now or not self._store.claim("archive-keeping", self._name, often * 0.9):
            return
        self._kept_at = now
        for session_ids in self._pages():
            for session_id in session_ids:
                if record := self._store.record(session_id):
                    self._store.expire(record, settings.store_seconds(record.status))

    def _retain(self) -> None:
        """Let go of sessions that were kept long enough, and are not in the store any more."""
        days = self._settings.archive_days
        if not days or not self._store.claim("archive-retention", self._name, RETENTION * 0.9):
            return
        moment = int((time.time() - days * 86_400) * 1000)
        while old := self.archive.older_than(moment, PAGE):
            live = self._store.positions(old)
            gone = [session_id for session_id in old if session_id not in live]
            for session_id in gone:
                self.archive.drop(session_id)
                time.sleep(0)
            self.on_dropped(gone)
            if len(old) < PAGE or not gone:
                return
