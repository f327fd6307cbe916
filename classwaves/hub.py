"""All sessions on this worker: opened with the first participant here, dropped after the last, kept right meanwhile.

Imports errors, clock, models, gate, store, files, live and scheduler. It is the feed's listener and the worker's voice
among the others: its lease, the departures of its sockets, the settling of what dead workers left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .archive.archiver import Archiver
from .archive.base import Archive
from .audit import Audit
from .clock import AppClock
from .connections import Connection, Emitter, Silence
from .errors import ClassWavesError, StaleFence, StoreUnavailable
from .files import Files, shared
from .gate import Gate
from .live import LiveSession
from .models import Entry, SessionRecord, new_id, normalize_code
from .past import PastSession
from .scheduler import Scheduler
from .settings import Settings
from .signals import Herald, participant_left
from .storage import Storage
from .store import Store
from .store.base import Seat
from .tally import add
from .trail import about
from .watch import Entrance, Watch

logger = logging.getLogger(__name__)


#: When to look again for a connection whose event is being handled: the scheduler, which renews the lease, waits for
#: no client. In seconds.
BUSY = 0.05
#: How long a session waits for a worker that knows whether the store has lost some of it: that worker's feed comes
#: back within a second, and then it looks at its sessions one after the other. And how often to look. In seconds.
WITNESS, LOOK_AGAIN = 5.0, 0.25


#: How long the ends of sockets are gathered before the store is told of them, in seconds.
GATHER = 0.05
#: How often a seat is tried to be taken again when its user was muted or removed meanwhile.
TRIES = 5


class _Slot:
    """A session's place in the hub. Loading and dropping exclude each other by ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.live: LiveSession | None = None


class Hub:
    """The sessions of one worker.

    :param store: the log and the roster.
    :param emitter: the worker's sockets.
    :param entrance: the sockets that are open here, and how they are put out.
    :param archiver: what brings the log into the archive, if there is one.
    :param gate: what the shop says about who comes in.
    :param storage: where shared files are, if not where the settings say.
    :param herald: tells the shop what has happened.
    :param clock: of the application; the store in memory goes by it, too.
    """

    def __init__(
        self,
        store: Store,
        emitter: Emitter,
        settings: Settings,
        *,
        entrance: Entrance,
        archiver: Archiver | None = None,
        gate: Gate | None = None,
        clock: AppClock | None = None,
        storage: Storage | None = None,
        herald: Herald | None = None,
    ) -> None:
        self.store = store
        self.tally = store.tally
        self.emitter = emitter
        self.settings = settings
        self.clock = clock or AppClock()
        self.scheduler = Scheduler(on_failure=lambda: self.tally.fail("scheduler"), clock=self.clock)
        self.files = Files(store, settings, storage)
        self.worker = new_id(9)
        self.watch = Watch(store, emitter, settings, self.scheduler, entrance)
        self._connections = entrance.open_connections
        self.archiver = archiver
        self.gate = gate or Gate()
        self.herald = herald or Herald()
        self.audit = Audit(store, settings.audit_days * 86400, self.archive)
        if archiver:
            self.files.kept = self._archived_files
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._codes: dict[str, str] = {}
        self._started = False
        self._lost = False
        self._trouble_at = time.monotonic()
        self._mail_readers: list[Callable[[], None]] = []
        #: Called with all that is said to all workers, by who reads what comes and must not wait.
        self.control_readers: list[Callable[[dict[str, Any]], None]] = []
        #: This worker ends: seats are no longer given up, but kept for whoever comes back on another one.
        self.draining = False
        #: An operator drains this worker, which lives on: it is not ready, and seats are kept for longer.
        self.leaving = False
        self._retiring: dict[str, list[Seat]] = {}

    def start(self) -> None:
        """Begin to listen and to renew; the first socket calls it, so that no thread exists before a fork."""
        with self._lock:
            if self._started:
                return
            self._started = True
        self.store.start(self)
        if self.archiver:
            self.archiver.start()
        settings = self.settings
        self.scheduler.after(0, self._renew)
        self.scheduler.every(settings.renew, self._renew)
        self.scheduler.every(settings.renew, self._compare_positions)
        self.scheduler.every(settings.renew, self._settle_others)
        self.watch.start()
        self.scheduler.every(3600, self._touch)
        self.files.start(self.scheduler)

    @property
    def archive(self) -> Archive | None:
        return self.archiver.archive if self.archiver else None

    def _archived_files(self, session_id: str) -> Collection[str] | None:
        past = self.archive.known(session_id) if self.archive else None
        if past is None or self.archive is None:
            return None
        return shared(PastSession(past, self.archive, self.store, self.settings).fold())

    def close(self) -> None:
        self.scheduler.close()
        self.files.close()
        if self.archiver:
            self.archiver.close()
        self.store.close()

    # mail between workers

    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        """Take what other workers send to this name; see :class:`classwaves.transport.mail.Post`."""
        self.start()  # or nobody would tell of a loss
        self._mail_readers.append(on_lost)
        self.store.open_mailbox(name, on_mail)

    def send_mail(self, name: str, data: bytes) -> bool:
        return self.store.send_mail(name, data)

    # sessions

    def find(self, code: str) -> str:
        """The id of the session with this code; no round trip if it is served here.

        :raises ClassWavesError: ``SESSION_NOT_FOUND``.
        """
        session_id = self._codes.get(code)  # nearly always: it is served here, and is as we have shown it
        if session_id is None:
            canonical = normalize_code(code)
            if canonical is not None:
                session_id = self._codes.get(canonical) or self.store.session_id(canonical)
            if session_id is None:
                raise ClassWavesError("SESSION_NOT_FOUND")
        about(session_id)
        return session_id

    @contextmanager
    def serving(self, session_id: str) -> Iterator[LiveSession]:
        """The live session, kept at least until the block ends."""
        live = self.acquire(session_id)
        try:
            yield live
        finally:
            self.release(session_id)

    def acquire(self, session_id: str) -> LiveSession:
        """The live session, opened if need be, until :meth:`release` is called as often.

        :raises ClassWavesError: ``SESSION_NOT_FOUND``, ``SERVICE_UNAVAILABLE``.
        """
        with self._lock:
            slot = self._slots.setdefault(session_id, _Slot())
            slot.users += 1
        try:
            with slot.lock:
                if slot.live is None:
                    self._open(session_id, slot)
                assert slot.live is not None  # noqa: S101 - for the type checker
                return slot.live
        except BaseException:
            self.release(session_id)
            raise

    def _open(self, session_id: str, slot: _Slot) -> None:
        self.start()
        live = slot.live = LiveSession(
            session_id, self.store, self.emitter, self.settings, self._on_loss, self.scheduler.after, self.clock
        )
        try:
            self.store.subscribe(session_id)
            if live.load():
                self._find_witness(live)
            live.vouches = True
            self.store.serve(self.worker, session_id)
            self._codes[live.record.code] = session_id
        except BaseException:
            slot.live = None
            self._close(session_id, None)
            raise

    def _find_witness(self, live: LiveSession) -> None:
        """The store was started anew, and may have lost some of a session that nobody here knows.

        Another worker may have seen that it has not, or is about to. If there is none, another numbering starts.
        """
        logger.warning("the store was started anew since a session was known to be whole")
        until = time.monotonic() + WITNESS
        self.store.publish(live.id, {"doubt": True})
        while time.monotonic() < until and self.store.is_served_by_another(self.worker, live.id):
            time.sleep(LOOK_AGAIN)
            if not live.load():
                return
        live.begin_anew()

    def release(self, session_id: str) -> None:
        with self._lock:
            slot = self._slots[session_id]
            slot.users -= 1
            if slot.users:
                return
        self._drop(session_id, slot)

    def _drop(self, session_id: str, slot: _Slot) -> None:
        with slot.lock:
            with self._lock:
                if slot.users or self._slots.get(session_id) is not slot:
                    return  # somebody came meanwhile
            live, slot.live = slot.live, None
            if live:
                live.close()
                self._close(session_id, live)
            with self._lock:
                if not slot.users:
                    del self._slots[session_id]

    def _close(self, session_id: str, live: LiveSession | None) -> None:
        self.store.unsubscribe(session_id)
        record = live.replica.record if live else None
        if record:
            self._codes.pop(record.code, None)
        try:
            self.store.unserve(self.worker, session_id)
            if record:
                self.touch(record)
        except StoreUnavailable:
            logger.info("a session was dropped while the store was away; its lease settles it")

    def touch(self, record: SessionRecord) -> None:
        """Let a session's data live on, for a while after its end, or as long as it may lie idle; and archive it."""
        self.store.expire(record, self.settings.store_seconds(record.status))
        if self.archiver:
            self.archiver.note(record.id)

    def look_again(self, session_id: str) -> None:
        """Somebody here has rewritten a session: who asks this worker from now on is told what it is now."""
        if live := self._live(session_id):
            live.look_again()

    def view(self, session_id: str) -> LiveSession:
        """The session for reading: the live one, or one loaded for the moment in one round trip."""
        slot = self._slots.get(session_id)
        if slot and (live := slot.live) and live.replica.record:
            return live
        live = LiveSession(session_id, self.store, Silence(), self.settings)
        live.load()
        return live

    def record(self, session_id: str) -> SessionRecord:
        """The session's record; no round trip if it is served here, and no log is read.

        :raises ClassWavesError: ``SESSION_NOT_FOUND``.
        """
        live = self._live(session_id)
        record = live.replica.record if live else None
        record = record or self.store.record(session_id)
        if record is None:
            raise ClassWavesError("SESSION_NOT_FOUND")
        return record

    def refresh(self, live: LiveSession) -> None:
        """Before another try: what :meth:`view` gave may be behind."""
        if self._live(live.id) is live:
            live.catch_up()

    def live_sessions(self) -> list[LiveSession]:
        with self._lock:
            slots = list(self._slots.values())
        return [slot.live for slot in slots if slot.live]

    # departures

    def depart(self, connection: Connection, live: LiveSession, grace: float) -> None:
        """A socket ended by itself, or did not get in: after the grace its seat goes, and this use of the session.

        A socket that has meanwhile taken the seat again keeps it. If this worker ends, the seat is kept, and the use.
        """
        if self.draining:
            return self._retire(connection, live)
        if self.leaving:
            grace = max(grace, self.settings.drain_grace)

        self.scheduler.after(grace, partial(self._settle, connection, live, time.monotonic()))

    def _settle(self, connection: Connection, live: LiveSession, ended: float) -> None:
        if not connection.lock.acquire(blocking=False):
            self.scheduler.after(BUSY, partial(self._settle, connection, live, ended))
            return
        try:
            if self.draining and live.id not in connection.seats:  # meanwhile
                return self._retire(connection, live)
            seat, ago = self.seat(connection), time.monotonic() - ended
            if live.id not in connection.seats and self.store.vanish(live.id, seat, ago):
                self.herald.tell(participant_left, session=live.record, user_id=seat.user_id, reason="left")
        finally:
            connection.lock.release()
        self.release(live.id)

    def _retire(self, connection: Connection, live: LiveSession) -> None:
        with self._lock:
            if not self._retiring:
                self.scheduler.after(GATHER, self._retire_all)
            self._retiring.setdefault(live.id, []).append(self.seat(connection))

    def _retire_all(self) -> None:
        """Tell the store of the seats of sockets that have ended, in one step a session."""
        with self._lock:
            retiring, self._retiring = self._retiring, {}
        for session_id, seats in retiring.items():
            try:
                self.store.retire(session_id, seats)
            except StoreUnavailable:
                logger.info("the store is away; the seats of this worker end with its lease")

    def hand_on(self, until: float) -> None:
        """The last thing a worker does: its seats are kept for the grace, and then settled by others.

        :param until: how long to wait for what is under way, by ``time.monotonic``.
        """
        if not self._started:
            return
        done = threading.Event()
        # behind the ends of sockets that wait for their turn, and what those gather
        self.scheduler.after(0, lambda: self.scheduler.after(2 * GATHER, done.set))
        done.wait(until - time.monotonic())
        try:
            self.store.renew(self.worker, self._lease())
        except StoreUnavailable:
            logger.info("the store is away; others settle the seats of this worker when its lease has run out")
        if self.archiver:
            self.archiver.finish(until)

    def seat(self, connection: Connection) -> Seat:
        """A socket's place in the rosters, unlike any other on any worker."""
        return Seat(connection.principal.user_id, f"{self.worker}:{connection.sid}")

    # the feed

    def on_entry(self, session_id: str, entry: Entry) -> None:
        if self.archiver:
            self.archiver.note(session_id)
        if live := self._live(session_id):
            live.on_entry(entry)
            if live.claim_checkpoint():
                self.scheduler.after(0, live.write_checkpoint)

    def on_ephemeral(self, session_id: str, message: dict[str, Any]) -> None:
        if live := self._live(session_id):
            live.on_ephemeral(message)

    def _live(self, session_id: str) -> LiveSession | None:
        slot = self._slots.get(session_id)
        return slot.live if slot else None

    def on_control(self, message: dict[str, Any]) -> None:
        self.watch.on_control(message)
        for read in self.control_readers:
            read(message)

    def on_new_connection(self) -> None:
        """Before anything comes of it: the store may have lost what the sessions here have."""
        for live in self.live_sessions():
            live.doubt()

    def on_reconnect(self) -> None:
        """The feed was away. First the lease, so that nobody takes this worker for dead; then every session."""
        self._trouble_at = time.monotonic()
        self.tally.reconnects += 1
        self.scheduler.after(0, self._renew)
        for live in self.live_sessions():
            add(self.tally.repairs, ("verify", "asked for"))
            self.scheduler.after(0, live.verify)
        self.watch.on_reconnect()
        self.scheduler.after(0, self._reclaim)
        for on_lost in self._mail_readers:
            on_lost()

    # housekeeping

    def _renew(self) -> None:
        try:
            held = self.store.renew(self.worker, self._lease())
        except StoreUnavailable:
            self._trouble_at = time.monotonic()
            raise
        if not held:  # others took this worker for dead, or it is new
            self.scheduler.after(0, self._reclaim)

    def _lease(self) -> float:
        return max(self.settings.lease, self.settings.drain_grace if self.draining else 0.0)

    def _on_loss(self) -> None:
        if not self._lost:
            self._lost = True
            self.scheduler.after(0, self._reclaim)

    def _reclaim(self) -> None:
        """Have in the store what it may have lost or given away: the sessions served here and the seats of the sockets.

        If it lost something, this worker takes another name: seats that the store still has of sockets that are gone
        end with the lease of the old one.
        """
        if self._lost:
            name = new_id(9)
            self._serve_as(name)  # before a seat is taken in this name, which nobody could settle else
            self._lost, self.worker = False, name
        self._serve_as(self.worker)
        for connection in self._connections():
            self._take_seats_again(connection)

    def _take_seats_again(self, connection: Connection) -> None:
        if not connection.lock.acquire(blocking=False):
            self.scheduler.after(BUSY, lambda: self._take_seats_again(connection))
            return
        try:
            for live in connection.seats.values():
                if connection.sid in live.members:
                    self._sit_down(connection, live)
        finally:
            connection.lock.release()

    def _serve_as(self, name: str) -> None:
        self.store.renew(name, self._lease())
        for live in self.live_sessions():
            if live.vouches:  # one that is being opened here is no witness yet
                self.store.serve(name, live.id)

    def _sit_down(self, connection: Connection, live: LiveSession) -> None:
        """Take a seat that was held before, unless its user was removed meanwhile, here or elsewhere."""
        who = connection.principal
        name, role, fence = who.display_name, who.participant_role, f"user:{who.user_id}"
        for _ in range(TRIES):
            with live.lock:
                if connection.sid not in live.members:
                    return
                fences = {fence: live.replica.fence(fence)}
            try:
                seat = self.seat(connection)
                self.store.join(live.id, seat, display_name=name, role=role, fences=fences, capacity=None)
            except StaleFence:
                live.catch_up()
            except StoreUnavailable:
                raise
            except ClassWavesError:
                logger.info("a session that is served here is gone")
                return
            else:
                return

    def _compare_positions(self) -> None:
        """A wake-up may get lost; one pipelined read finds out."""
        lives = [(live, live.replica.seq) for live in self.live_sessions()]
        if not lives:
            return
        positions = self.store.positions([live.id for live, _ in lives])
        for live, before in lives:
            seq = positions.get(live.id, 0)
            if seq < before:
                live.verify()  # lost without a lost connection
            elif seq > live.replica.seq:
                live.catch_up()

    def _settle_others(self) -> None:
        """What workers left that died, and who has been away for so long that they have left."""
        if time.monotonic() - self._trouble_at > self.settings.lease:
            self.store.sweep()
        for session_id in self.store.due_absences(self.settings.left_after):
            left = self.store.expire_absent(session_id, self.settings.left_after)
            if left and participant_left.receivers and (record := self.store.record(session_id)):
                told = [{"session": record, "user_id": user_id, "reason": "absent"} for user_id in left]
                self.herald.tell_aside(participant_left, told)

    def _touch(self) -> None:
        for live in self.live_sessions():
            if live.replica.record:
                self.touch(live.replica.record)
