"""One session on this worker: its replica is kept at the log's end, whatever the feed brings, or does not.

Imports errors, clock, models, replica, delivery and store. The rule that keeps it free of deadlocks: nothing asks the
store for anything while it holds ``lock``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .clock import AppClock
from .connections import Emitter
from .delivery import PAGE, Delivery
from .errors import ClassWavesError, StoreUnavailable
from .models import Entry
from .replica import FOLD_VERSION, Replica
from .settings import Settings
from .store.base import Appended, Checkpoint, Loaded, Store, cursor_news
from .tally import add
from .trail import DELIVER, Trail

logger = logging.getLogger(__name__)

Follower = Callable[["LiveSession", Entry], None]
#: event -> what a worker does once it has delivered one
FOLLOWERS: dict[str, list[Follower]] = {}

#: what a worker does once it has loaded a session, also if it has loaded it anew
ADOPTERS: list[Callable[[LiveSession], None]] = []

Hearer = Callable[["LiveSession", dict[str, Any]], None]
#: kind -> what a worker does with a message without a seq, as :meth:`classwaves.events.Context.signal` sent it
HEARERS: dict[str, Hearer] = {}


def follows(event: str) -> Callable[[Follower], Follower]:
    """Register what each worker does after it has delivered an event, with the session's lock held."""

    def register(function: Follower) -> Follower:
        FOLLOWERS.setdefault(event, []).append(function)
        return function

    return register


def adopts(function: Callable[[LiveSession], None]) -> Callable[[LiveSession], None]:
    """Register what a worker does when it has loaded a session, with the session's lock held."""
    ADOPTERS.append(function)
    return function


def hears(kind: str) -> Callable[[Hearer], Hearer]:
    """Register what each worker does with a signal of this kind, with the session's lock held.

    :raises RuntimeError: the kind is taken.
    """

    def register(function: Hearer) -> Hearer:
        if kind in HEARERS:
            raise RuntimeError(f"{kind} is heard already; choose another kind")
        HEARERS[kind] = function
        return function

    return register


class LiveSession(Delivery):
    """A session that sockets of this worker have joined, or are joining.

    :param session_id: the internal id, which names the rooms.
    :param store: read when the feed has left a gap.
    :param emitter: the sockets.
    :param on_loss: called, while ``lock`` is held, when the store has begun another numbering.
    :param later: called with seconds and a task, which it runs then, without ``lock``.
    :param clock: the one by which it counts those seconds.
    """

    def __init__(
        self,
        session_id: str,
        store: Store,
        emitter: Emitter,
        settings: Settings,
        on_loss: Callable[[], None] = lambda: None,
        later: Callable[[float, Callable[[], Any]], Any] = lambda seconds, task: None,
        clock: AppClock | None = None,
    ) -> None:
        super().__init__(session_id, store, emitter, settings, later, clock)
        self._on_loss = on_loss
        #: held by events that read what they change, so that those of one worker take turns instead of colliding
        self.turn = threading.Lock()
        #: what features keep that is in no log, under their own names
        self.transient: dict[str, Any] = {}
        self.closed = False
        self._is_gone = False  # from the store
        self._named = {"session_id": session_id}  # for lines of the log
        self._repair = threading.RLock()  # one reader of the log at a time, the first load too
        self._holding = True  # until the first load, and while the log is read
        self._held: list[Entry] = []
        #: this worker knows more of the session than the store says; until it is open here it does not
        self.vouches = False
        self._newest: Entry | None = None  # the entry at the replica's seq, if the log still had it
        self._doubts = 0  # how often the feed was taken up anew, maybe from a store that has lost something
        self._checking = self._settled = 0  # the doubts that a look at the store settles now, and has settled
        self._news: deque[dict[str, Any]] = deque()  # statuses that follow entries still to come
        self._waiting: list[tuple[int, threading.Event]] = []
        self._repairing: set[str] = set()
        self._again: set[str] = set()
        self._checkpoint_seq = 0
        self._checkpoint_size = 0
        self._tail_bytes = 0  # of the entries since the checkpoint
        self._epoch = ""  # the newest heard of

    # the way from the store to the replica

    def load(self) -> bool:
        """Take the session from the store, whole, and then what the feed brought meanwhile.

        :returns: whether that is doubtful, see :class:`~classwaves.store.base.Loaded`.
        :raises ClassWavesError: ``SESSION_NOT_FOUND``.
        """
        with self._repair:
            self._hold()
            try:
                loaded = self.store.load(self.id, FOLD_VERSION)
                if loaded is None:
                    raise ClassWavesError("SESSION_NOT_FOUND")
                replica = folded(loaded)
            except BaseException:
                self._stop_holding()
                raise
            self._adopt(replica, loaded)
            return loaded.doubtful

    def _adopt(self, replica: Replica, loaded: Loaded) -> None:
        with self.lock:
            before, self.replica, self._newest = self.replica, replica, None
            self.statuses, self.cursors = loaded.statuses, loaded.cursors
            self._ring.clear()
            newest = [loaded.newest] if loaded.newest and loaded.newest.seq == replica.seq else []
            for entry in loaded.tail or newest:
                self._ring.add(entry)
                self._newest = entry
            self._checkpoint_seq = loaded.tail[0].seq - 1 if loaded.tail else loaded.seq
            self._checkpoint_size = len(loaded.checkpoint or "")
            self._tail_bytes = sum(entry.size for entry in loaded.tail)
            if before.epoch not in ("", replica.epoch):
                self._news.clear()  # of the old numbering, and so is what waits
                self._throttle.clear()
                if self.vouches:
                    self._on_loss()
            if before.epoch != replica.epoch or before.seq != replica.seq:
                self._start_again()
            for adopter in ADOPTERS:
                adopter(self)
            self._tell_news()
            self._release_held()

    def _start_again(self) -> None:
        self.crowd.sort(self.is_staff)
        for user_id in self.replica.removed:
            self._turn_out(user_id)
        participants = self.participants()
        for sid, member in self.members.items():
            self.crowd.tell([sid], "sessionJoined", self.snapshot(member.principal, participants=participants))

    def doubt(self) -> None:
        """The feed is taken up anew, maybe from a store that has lost entries and has given their numbers to others.

        Nothing of it is applied before the store was asked for the newest entry of this replica; see :meth:`verify`.
        """
        with self.lock:
            self._doubts += 1
            self._held.clear()

    @property
    def _is_unsure(self) -> bool:
        return self._settled != self._doubts

    def _hold(self) -> None:
        with self.lock:
            self._holding, self._checking = True, self._doubts

    def _stop_holding(self) -> None:
        """The log could not be read: what was held comes again from the log, with the next wake-up."""
        with self.lock:
            self._held, self._holding = [], False

    def _release_held(self) -> None:
        """The replica is what the store had after the doubts that there were when the look at it began."""
        self._settled = self._checking
        held, self._held, self._holding = self._held, [], False
        for entry in held:
            self.on_entry(entry)

    def on_entry(self, entry: Entry) -> None:
        """An entry came along the feed: the next one, one known already, or one beyond a gap."""
        with self.lock:
            if self._holding:
                self._held.append(entry)
            elif self._settled != self._doubts:
                pass  # it comes again from the log
            elif entry.epoch != self.replica.epoch and self._ring.get(entry.seq) != entry:
                self._renumbered(entry.epoch)
            elif entry.seq == self.replica.seq + 1:
                self._advance(entry)
            elif entry.seq > self.replica.seq:
                self._in_background(self.catch_up)
            elif (known := self._ring.get(entry.seq)) and known != entry:
                self._in_background(self.verify)  # the store has numbered anew what it had lost

    def heard(self, appended: Appended) -> None:
        """An append of this worker was answered: with a number that has another entry here, the store has lost that."""
        newest = self._newest
        if newest is not None and newest.seq == appended.seq and newest.time == appended.time:
            return  # nearly always, in memory: it is what was delivered last, and no lock is needed to see that
        with self.lock:
            known = self._ring.get(appended.seq)
            if known and not appended.duplicate and appended.epoch == known.epoch and appended.time != known.time:
                self._in_background(self.verify)

    def _in_background(self, task: Callable[[], None]) -> None:
        """Run a repair, which asks the store, in a thread of its own; one of a kind at a time.

        Asked for while it runs, it runs once more: it may have been past what is wrong now.
        """
        name = task.__name__
        add(self.store.tally.repairs, (name.replace("_", " "), "asked for"))
        with self.lock:
            if name in self._repairing:
                self._again.add(name)
                return
            self._repairing.add(name)

        def run() -> None:
            try:
                task()
            except ClassWavesError as error:
                logger.warning("a session could not be repaired: %s", error.code, extra=self._named)
                add(self.store.tally.repairs, (name.replace("_", " "), "failed"))
            finally:
                with self.lock:
                    self._repairing.discard(name)
                    again = name in self._again
                    self._again.discard(name)
            if again:
                self._in_background(task)

        threading.Thread(target=run, name="classwaves-repair", daemon=True).start()

    def _advance(self, entry: Entry) -> None:
        draft = entry.draft
        with Trail(DELIVER, draft.event, draft.author, self.id, draft.trace):
            self.replica.apply(entry)
            self._newest = entry
            self._ring.add(entry)
            self._tail_bytes += entry.size
            self._deliver(entry)
            lag = self.clock.time() - entry.time / 1000
            self.store.tally.feed_lag.observe(lag if lag > 0 else 0.0)  # by two clocks
            for follower in FOLLOWERS.get(draft.event, ()):
                follower(self, entry)
            if self._news:
                self._tell_news()
            if self._waiting:
                self._wake(entry.seq)
            if logger.isEnabledFor(logging.DEBUG):
                recipients = self.crowd.count(draft.audience, draft.members, draft.author)
                logger.debug("delivered", extra={"seq": entry.seq, "recipients": recipients})

    def _wake(self, now: int) -> None:
        """Let those go on who wait until the replica is at this seq, or before it."""
        for seq, event in [waiter for waiter in self._waiting if waiter[0] <= now]:
            self._waiting.remove((seq, event))
            event.set()

    def catch_up(self) -> None:
        """Read from the log what the replica lacks, and deliver it in order.

        The log is read from the replica's newest entry on: what follows another one is not applied, but another
        numbering starts.

        :raises StoreUnavailable: the log could not be read; the next wake-up tries again.
        :raises ClassWavesError: ``SESSION_NOT_FOUND``: the store has lost the session itself.
        """
        with self._repair:
            self._hold()
            try:
                while not self._read_page():
                    pass
            except BaseException:
                self._stop_holding()
                raise

    def _read_page(self) -> bool:
        """Apply one page of the log; true when the replica is at its end."""
        at = self.replica.seq
        page = self.store.read(self.id, max(at - 1, 0), PAGE + 1)
        if self._is_lost(at, page):
            self.begin_anew()
            logger.error("the store has lost acknowledged events of a session", extra=self._named)
            return True
        entries = [entry for entry in page if entry.seq > at]
        if entries and (entries[0].seq != at + 1 or entries[-1].epoch != self.replica.epoch):
            self._load_anew()  # trimmed or numbered anew meanwhile: start again from the checkpoint
            return True
        with self.lock:
            for entry in entries:
                self._advance(entry)
            if len(entries) >= PAGE:
                return False
            self._held = [entry for entry in self._held if entry.seq > self.replica.seq]
            if self._held and self._held[0].seq != self.replica.seq + 1:
                if entries:
                    return False
                self._held.clear()  # not even the log has what is before them: the store has lost it
            self._release_held()
            return True

    def _is_lost(self, seq: int, page: list[Entry]) -> bool:
        """Whether the store has lost the newest entry of this replica, which is at ``seq``, where the page begins."""
        if page and page[0].seq == seq:
            return self._newest is not None and page[0] != self._newest
        if page and page[0].seq > seq:
            return False  # it is trimmed, if there ever was one
        return self.store.positions([self.id]).get(self.id, 0) < seq

    def begin_anew(self) -> None:
        """The store has lost, or may have lost, what it had acknowledged: start another numbering, if nobody else has.

        :raises ClassWavesError: ``SESSION_NOT_FOUND``: it has lost the session itself, and everybody is out of it.
        """
        try:
            self._epoch = self.store.new_epoch(self.id, self.replica.epoch)
            logger.warning("a new epoch of a session starts", extra=self._named)
            self.store.tally.epochs += 1
            self.reload()
        except ClassWavesError as error:
            if error.code == "SESSION_NOT_FOUND":
                self._turn_out_all(error)
            raise

    def reach(self, seq: int) -> None:
        """Return when the replica is at ``seq``: the feed brings it, and if it does not, the log is read."""
        if self._is_unsure:
            with self._repair:  # one of those who come now looks for all
                if self._is_unsure:
                    self.catch_up()
        with self.lock:
            if self.replica.seq >= seq:
                return
            event = threading.Event()
            self._waiting.append((seq, event))
        if not event.wait(0.25):
            with self.lock:
                self._waiting = [waiter for waiter in self._waiting if waiter[1] is not event]
            self.catch_up()

    def verify(self) -> None:
        """After the store was away: does it still have what this replica saw? If not, another numbering starts.

        If so, other workers are to know it, who have not seen it: see :meth:`~classwaves.store.base.Store.vouch`.
        """
        try:
            self.catch_up()
            self._refresh_statuses()
            if self.vouches and self._newest:
                with contextlib.suppress(
                    StoreUnavailable
                ):  # it reads and does not write: whoever is in doubt asks again
                    self.store.vouch(self.id, self.replica.epoch, self._newest)
        except ClassWavesError as error:
            if error.code != "SESSION_NOT_FOUND":
                raise

    def _turn_out_all(self, error: ClassWavesError) -> None:
        """The store has lost the session itself: nobody is left waiting in it."""
        with self.lock:
            if not self._is_gone and self.replica.record and self.replica.record.status == "ended":
                logger.info("the data of an ended session has expired", extra=self._named)  # as it is meant to
            elif not self._is_gone:
                self.store.tally.lost_sessions += 1
                logger.error("the store has lost a session that is served here", extra=self._named)
            self._is_gone = True
            for sid in list(self.members):
                self.crowd.remove(sid)
                self.crowd.tell([sid], "error", error.to_dict())
                self.crowd.tell([sid], "sessionLeft", {"sessionCode": self.record.code})
            self.lobby.turn_all_away(error)

    def _refresh_statuses(self) -> None:
        """What was said of statuses and of reading while the feed was away was missed."""
        seen = dict(self.statuses)
        loaded = self.store.load(self.id, FOLD_VERSION)
        if loaded:
            self._renumbered(loaded.epoch)  # another replica may have found a loss
        with self.lock:
            before = {user_id: self.status_of(user_id) for user_id in self.replica.participants}
            newer = {user_id: status for user_id, status in self.statuses.items() if seen.get(user_id) != status}
            self.statuses = {**(loaded.statuses if loaded else {}), **newer}
            for user_id, message_id in (loaded.cursors if loaded else {}).items():
                self.on_ephemeral(cursor_news(user_id, message_id))
            for user_id, status in before.items():
                if self.status_of(user_id) != status:
                    self.announce(user_id, self.status_of(user_id), int(time.time() * 1000))

    def _renumbered(self, epoch: str) -> None:
        if epoch != self.replica.epoch:
            self._epoch = epoch
            self._in_background(self.reload)

    def reload(self) -> None:
        """Start again from the store, and tell every socket to start again from the snapshot; once an epoch."""
        with self._repair:
            if self._epoch != self.replica.epoch:
                self._load_anew()

    def look_again(self) -> None:
        """Start again from the store, whose numbering is another one now: this worker wants to be the first to know."""
        with self._repair:
            self._load_anew()

    def _load_anew(self) -> None:
        if self.load() and self.vouches:
            self.begin_anew()  # what this worker could have vouched by it has not any more

    def close(self) -> None:
        """Deliver nothing more: a repair may still be to come."""
        with self.lock:
            self.closed = True
            self.crowd.silence()

    def on_ephemeral(self, message: dict[str, Any]) -> None:
        """Something without a seq came along the feed."""
        if "reset" in message:
            self._renumbered(message["reset"])
        elif "doubt" in message:
            if self.vouches:
                self._in_background(self.verify)
        elif "presence" in message:
            with self.lock:
                self._news.append(message)
                self._tell_news()
        elif hearer := HEARERS.get(message.get("kind", "")):
            with self.lock, Trail(DELIVER, message["kind"], message.get("user", ""), self.id, message.get("t", "")):
                if self.replica.record is None:
                    return
                if self._is_late(message):
                    self.store.tally.late_signals += 1
                else:
                    hearer(self, message)
                    logger.debug("delivered")

    def _is_late(self, message: dict[str, Any]) -> bool:
        """Whether what the sender's permission relied on had changed before its message was on its way."""
        return any(self.replica.fence(name) > value for name, value in message.get("fences", {}).items())

    def _tell_news(self) -> None:
        """Statuses in their place among the entries: who is idle since joining is not active again by the joining."""
        while self._news and self._news[0]["seq"] <= self.replica.seq:
            message = self._news.popleft()
            with Trail(DELIVER, "presenceUpdated", message["userId"], self.id, message.get("t", "")):
                self.statuses[message["userId"]] = message["presence"]
                self.announce(message["userId"], message["presence"], message["time"])
                logger.debug("delivered")

    # checkpoints

    def claim_checkpoint(self) -> bool:
        """Whether the tail is as long as half of what is folded; if so, the caller writes the checkpoint."""
        if self.replica.seq - self._checkpoint_seq < self.settings.checkpoint_entries:
            return False  # nearly always; if another one moves these numbers now, the next entry comes by soon
        with self.lock:
            entries = self.replica.seq - self._checkpoint_seq
            if entries < self.settings.checkpoint_entries or self._tail_bytes * 2 < self._checkpoint_size:
                return False
            self._checkpoint_seq, self._tail_bytes = self.replica.seq, 0
            return True

    def write_checkpoint(self) -> None:
        with self.lock:
            replica = self.replica
            moment = self._newest.time if self._newest else 0
            checkpoint = Checkpoint(FOLD_VERSION, replica.epoch, replica.seq, replica.dump(), moment)
            self._checkpoint_seq, self._checkpoint_size, self._tail_bytes = replica.seq, len(checkpoint.body), 0
        try:
            self.store.save_checkpoint(self.id, checkpoint)
        except StoreUnavailable:
            with self.lock:
                self._checkpoint_seq = self._checkpoint_size = 0  # the next entry claims it again


def folded(loaded: Loaded) -> Replica:
    """The replica that a store's checkpoint and tail make."""
    replica = Replica.load(loaded.checkpoint) if loaded.checkpoint else Replica()
    replica.epoch = loaded.epoch
    if loaded.tail and loaded.tail[0].seq > replica.seq + 1:
        replica.seq = loaded.tail[0].seq - 1  # a log trimmed without a checkpoint of this fold: take what there is
    for entry in loaded.tail:
        replica.apply(entry)
    return replica
