"""What a store must be able to do: the protocol that ``memory`` and ``redis`` fulfil, and the shapes they share.

Imports errors, models, tally, trail and looks. Methods raise :class:`~classwaves.errors.StoreUnavailable` when the
store does not answer; whatever is repeated after that, with the same arguments, takes effect once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .. import codec
from ..errors import ClassWavesError
from ..models import Draft, Entry, SessionRecord
from ..tally import Tally
from ..trail import marked
from .acts import Acts
from .base_logins import Logins
from .board import Board
from .looks import Looks

#: The channel that all workers hear: auth sessions that ended, users whose role is another one.
CONTROL = "control"

# A status is the most present of a user's connections; a user without any is disconnected.
STATUSES = ("active", "idle", "away")


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an append put its last entry. ``duplicate``: its dedupe key was known, and this is the first result."""

    seq: int
    epoch: str
    time: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a session the store keeps.

    ``archived``: what the archive does not have yet is kept beyond that, up to :data:`ARREARS` times as much.
    """

    log_entries: int
    log_bytes: int
    dedupe_keys: int
    archived: bool = False


#: How many times its bounds a log may grow to while the archive's database is away.
ARREARS = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A replica as text, at ``seq`` of ``epoch``, made by the fold of ``version``.

    ``time``: that of the entry at ``seq``, by which the store knows that it is its own; 0 if nobody knows.
    """

    version: int
    epoch: str
    seq: int
    body: str
    time: int = 0


@dataclass(slots=True)
class Loaded:
    """A session as the store holds it: the newest usable checkpoint, the entries after it, the roster's statuses.

    ``cursors``: user id -> the id of the message up to which they have read. ``newest``: the entry at ``seq``, if the
    log has it. ``doubtful``: the store was started anew, maybe without some of it, and nobody has vouched for it since.
    """

    epoch: str
    seq: int
    checkpoint: str | None
    tail: list[Entry]
    statuses: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    newest: Entry | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """How a session's log is rewritten, see :meth:`Store.rewrite`.

    :param entry: what is to be in an entry's place: another draft, or the same object.
    :param checkpoint: the same for the text of a checkpoint of the fold ``version``; those of other folds are dropped.
    :param forget: dedupe keys that begin with this are forgotten.
    """

    entry: Callable[[Entry], Entry]
    checkpoint: Callable[[str], str]
    version: int
    forget: str


@dataclass(frozen=True, slots=True)
class Seat:
    """One connection of a user in a session; ``connection`` is ``worker:socket`` and unique among all workers."""

    user_id: str
    connection: str


@dataclass(frozen=True, slots=True)
class PresenceResult:
    """What a presence step left: the user's status over all connections, and the log's seq then.

    ``came``: the user was not there before; false if that is not known, because an answer was lost.
    """

    status: str
    seq: int
    came: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is on its way: what its sender said of it, and how much has come.

    :param client_id: the sender's own id of it.
    :param next_index: the chunk that is to come next.
    :param stage: ``open``; ``sealed``: nothing more comes, it is being looked at; ``checked``: it is as it should be.
    """

    id: str
    user_id: str
    client_id: str
    name: str
    mime_type: str
    size: int
    sha256: str
    next_index: int = 0
    stage: str = "open"


@dataclass(frozen=True, slots=True)
class Room:
    """How many more files, and bytes, a session may have, uploads under way included; and how many uploads at once."""

    files: int
    bytes: int
    uploads: int
    own_uploads: int


class Feed(Protocol):
    """Who hears what a session's feed carries; called in the feed's order, one call at a time per session."""

    def on_entry(self, session_id: str, entry: Entry) -> None:
        """A durable event was appended."""

    def on_ephemeral(self, session_id: str, message: dict[str, Any]) -> None:
        """Something without a seq happened, such as a change of status."""

    def on_control(self, message: dict[str, Any]) -> None:
        """Something for all workers happened."""

    def on_new_connection(self) -> None:
        """The feed was away: what comes from now on, of all sessions, may be of a store that has lost something."""

    def on_reconnect(self) -> None:
        """The feed was away and is back: whatever was sent meanwhile was missed."""


class Uploads(Protocol):
    """Files on their way to the sessions."""

    def begin_upload(self, session_id: str, upload: Upload, room: Room, fences: Mapping[str, int]) -> Upload:
        """Note a file that is to come; if its user has begun one with the same ``client_id``, that one is returned.

        :raises StaleFence: a fence has moved since.
        :raises ClassWavesError: ``FILE_REJECTED``, with ``files``, ``quota`` or ``uploads`` as the reason: there is no
            room; ``SESSION_NOT_FOUND``.
        """

    def upload(self, session_id: str, file_id: str) -> Upload | None: ...

    def uploads(self, session_id: str) -> list[Upload]: ...

    def advance_upload(self, session_id: str, file_id: str, index: int) -> Upload | None:
        """Note that the chunk ``index`` has come, if it is the next one; ``None`` if there is no such upload."""

    def seal_upload(self, session_id: str, file_id: str, stage: str) -> Upload | None:
        """Let nothing more come; ``None`` if there is no such upload."""

    def end_upload(self, session_id: str, file_id: str, *, only_open: bool = False) -> bool:
        """Forget an upload; ``False`` if there is none, or it is sealed and only an open one is to end."""

    def end_idle_uploads(self, session_id: str, older_than: float) -> list[str]:
        """Forget the uploads of which nothing has come for so long, in seconds, and return their ids."""

    def due_uploads(self, older_than: float) -> list[str]:
        """Sessions in which there may be such an upload."""


class Store(Uploads, Logins, Looks, Acts, Board, Protocol):
    """The log, the roster and the logins of all sessions."""

    kind: str
    #: Whether an append waits for another process, so that others may be asked for meanwhile.
    waits: bool
    #: Where it counts its troubles.
    tally: Tally

    # sessions
    def create_session(self, record: SessionRecord, draft: Draft) -> Appended | None:
        """Reserve the record's code and append the first entry; ``None`` if another session holds the code."""

    def session_id(self, code: str) -> str | None:
        """The id of the session that holds this code."""

    def record(self, session_id: str) -> SessionRecord | None: ...

    def standing(self, session_id: str) -> tuple[SessionRecord, int] | None:
        """The record, and the value of the fence ``session`` that an append which relies on it must name."""

    def list_sessions(self, owner_id: str | None, offset: int, limit: int) -> list[SessionRecord]:
        """Newest first; of all owners if ``owner_id`` is ``None``."""

    def expire(self, record: SessionRecord, seconds: float) -> None:
        """Let go of a session's data after this time without another call of :meth:`expire`."""

    # the log
    def append(
        self,
        session_id: str,
        drafts: Sequence[Draft],
        *,
        dedupe: str,
        fences: Mapping[str, int] | None = None,
        record: SessionRecord | None = None,
        unseat: str = "",
    ) -> Appended:
        """Append entries in one atomic step and publish them to the session's feed.

        :param dedupe: a key of this append; known already, nothing is stored and the first result comes back.
        :param fences: the values the caller relied on, see :meth:`classwaves.replica.Replica.fence`.
        :param record: the session's record after these entries, if they change it.
        :param unseat: a user who has no place in the roster any more after these entries.
        :raises StaleFence: a fence has moved since.
        :raises ClassWavesError: ``SESSION_NOT_FOUND``: the store holds no such session.
        """

    def find(self, session_id: str, dedupe: str) -> Entry | None:
        """The entry that an append with this dedupe key stored, if there was one and the log still has it."""

    def read(self, session_id: str, after: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with ``seq > after``, in order."""

    def read_back(self, session_id: str, before: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with ``seq < before``, newest first."""

    def load(self, session_id: str, fold_version: int) -> Loaded | None:
        """Checkpoint, tail and roster in one consistent read; ``None`` if there is no such session."""

    def save_checkpoint(self, session_id: str, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint and trim the log behind it.

        :returns: ``False`` if it is not newer than the stored one, beyond the log's end, of another epoch, or of an
            entry that the log has lost.
        """

    def new_epoch(self, session_id: str, old: str) -> str:
        """Start another numbering if ``old`` is still the current one; the current one is returned."""

    def rewrite(self, session_id: str, edit: Edit) -> int:
        """Put other entries in the places of some, and start another numbering, so that nobody goes on with the old.

        :returns: how many entries are others now, 1 if only a checkpoint is; 0: no such session, or nothing to change.
        """

    def vouch(self, session_id: str, epoch: str, newest: Entry) -> bool:
        """Say that a session is whole, for who knew it before the store was started anew: it has their newest entry.

        :returns: ``False`` if it has not, or if the numbering is another one.
        :raises ClassWavesError: ``SESSION_NOT_FOUND``.
        """

    def set_cursor(self, session_id: str, user_id: str, message_id: str) -> bool:
        """Note up to which message a user has read, and tell the feed; ``False`` if they had read as far already.

        :param message_id: an :attr:`classwaves.models.Entry.id`; only its seq counts.
        :raises ClassWavesError: ``SESSION_NOT_FOUND``.
        """

    def positions(self, session_ids: Sequence[str]) -> dict[str, int]:
        """The newest seq of each session that exists."""

    def archived(self, session_id: str, newest: Entry) -> bool:
        """Note that the archive has the log up to this entry, so that it may be trimmed.

        :returns: ``False`` if the log does not have this entry, so that the archive's is one that was lost.
        """

    def now(self) -> int:
        """The time by the clock that entries are dated by, in milliseconds since the epoch."""

    # tasks
    def claim(self, name: str, owner: str, seconds: float) -> bool:
        """Take, or keep, a task for a while; ``False`` if somebody else has it."""

    # presence
    def join(
        self,
        session_id: str,
        seat: Seat,
        *,
        display_name: str,
        role: str,
        fences: Mapping[str, int],
        capacity: int | None,
    ) -> PresenceResult:
        """Add a connection; append ``joined`` or ``returned`` if the user was not there.

        :param capacity: the most participants there may be, ``None`` for those who always get in.
        :raises StaleFence: a fence has moved since.
        :raises ClassWavesError: ``SESSION_FULL``; ``SESSION_NOT_FOUND``.
        """

    def set_status(self, session_id: str, seat: Seat, status: str, fences: Mapping[str, int]) -> PresenceResult | None:
        """Change a connection's status; ``None`` if the roster does not have it."""

    def leave(self, session_id: str, seat: Seat) -> bool:
        """Take a connection out; append ``left`` if it was the user's last, and say whether that was so."""

    def vanish(self, session_id: str, seat: Seat, ago: float = 0.0) -> bool:
        """Take a connection out that ended by itself; append ``disconnected`` if it was the user's last.

        :param ago: how many seconds ago it ended. Whose other connection has left since then has left, unless they came
            back: that one was the last.
        :returns: whether the user has left.
        """

    def retire(self, session_id: str, seats: Sequence[Seat]) -> None:
        """Keep the seats of sockets whose worker ends until its lease runs out, or their users join elsewhere."""

    def expire_absent(self, session_id: str, older_than: float) -> list[str]:
        """Append ``left`` for everybody disconnected for longer than this, and say who."""

    # workers
    def serve(self, worker: str, session_id: str) -> None:
        """Note that this worker serves the session, so that others can settle it if the worker dies."""

    def unserve(self, worker: str, session_id: str) -> None: ...

    def is_served_by_another(self, worker: str, session_id: str) -> bool:
        """Whether a worker with a lease, other than this one, serves the session."""

    def renew(self, worker: str, seconds: float) -> bool:
        """Renew a worker's lease; ``False`` if there was none, so that nobody or somebody else has its seats now."""

    def sweep(self) -> int:
        """Settle the sessions of workers whose lease has run out; the number of such workers."""

    def due_absences(self, older_than: float) -> list[str]:
        """Sessions in which somebody may have been disconnected for longer than this, in seconds."""

    # feed and life
    def start(self, feed: Feed) -> None:
        """Deliver to ``feed`` from now on."""

    def subscribe(self, session_id: str) -> None:
        """Hear a session's feed; returns when nothing published from then on can be missed."""

    def unsubscribe(self, session_id: str) -> None: ...

    def publish(self, session_id: str, message: dict[str, Any]) -> None:
        """Send something ephemeral along a session's feed."""

    # mail between workers
    def open_mailbox(self, name: str, on_mail: Callable[[bytes], None]) -> None:
        """Hear what is sent to ``name``; returns when nothing sent from then on is missed. Also before :meth:`start`.

        What is sent while the feed is away is lost, which :meth:`Feed.on_reconnect` tells.

        :param on_mail: called in the order of sending, by the reader of the feed, so it must not wait.
        """

    def close_mailbox(self, name: str) -> None: ...

    def send_mail(self, name: str, data: bytes) -> bool:
        """Send to whoever has the mailbox open, anywhere; ``False`` if nobody has.

        If its confirmation is lost it is sent again, so it may arrive twice.
        """

    def ping(self, *, writes: bool = False) -> None:
        """Raise :class:`~classwaves.errors.StoreUnavailable` if the store does not answer.

        :param writes: also if it takes no writes now: one that is full, or not the primary any more.
        """

    def close(self) -> None: ...


def encode_draft(draft: Draft) -> bytes:
    """A draft as the log stores it. The keys are short because every entry of every session carries them."""
    body: dict[str, Any] = {"n": draft.event, "d": draft.data}
    if draft.author:
        body["u"] = draft.author
    if draft.audience != "all":
        body["a"] = draft.audience
    if draft.members:
        body["m"] = draft.members
    if draft.bumps:
        body["f"] = draft.bumps
    if draft.id_field:
        body["i"] = draft.id_field
    if draft.trace:
        body["t"] = draft.trace
    return codec.dumps(body)


def decode_entry(seq: int, epoch: str, time: int, body: str | bytes) -> Entry:
    """The entry that a store holds at ``seq``."""
    data = codec.loads(body)
    draft = Draft(
        event=data["n"],
        data=data["d"],
        author=data.get("u", ""),
        audience=data.get("a", "all"),
        members=tuple(data.get("m", ())),
        bumps=tuple(data.get("f", ())),
        id_field=data.get("i", ""),
        trace=data.get("t", ""),
    )
    return Entry(seq, epoch, time, draft, len(body))


def no_room(reason: str) -> ClassWavesError:
    """The refusal of a file for which there is no room."""
    messages = {
        "files": "The session has as many files as it may have",
        "quota": "The session's files would take more than they may",
        "uploads": "Too many uploads are under way",
    }
    return ClassWavesError("FILE_REJECTED", messages[reason], details={"reason": reason})


def participant_fact(user_id: str, change: str, **data: str) -> Draft:
    """The entry that says a user joined, returned, was disconnected or left."""
    return Draft("participantChanged", {"change": change, **data}, author=user_id, audience="presence")


def cursor_news(user_id: str, message_id: str) -> dict[str, Any]:
    """What the feed brings when a user has read on."""
    return marked({"kind": "read", "user": user_id, "data": {"messageId": message_id}})


def most_present(statuses: Iterable[str]) -> str:
    """The status of a user over their connections."""
    present = set(statuses)
    return next((status for status in STATUSES if status in present), "disconnected")


#: What stands before the connection of a seat that is retired; the names of workers do not begin with it.
RETIRED = "~"

Clock = Callable[[], float]
