"""The plain data of ClassWaves: frozen dataclasses without behaviour of their own beyond reading and writing them.

Imports the trail, because a draft remembers what it was made in.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from .trail import mark

CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6

#: The scope of a token, and the role among participants, of a program that captions and may do nothing else.
TRANSCRIBER = "transcriber"

#: What a session's ``settings`` are when nobody set them.
DEFAULT_SESSION_SETTINGS: dict[str, Any] = {
    "access": "code",
    "rosterUserIds": [],
    "coTeacherIds": [],
    "maxParticipants": 1000,
    "guestsAllowed": True,
    "waitingRoom": False,
    "transcriptAudience": "everyone",
    "fileSharing": True,
}


def new_id(length: int = 16) -> str:
    """An opaque random id of URL-safe characters with ``length`` bytes of randomness."""
    return secrets.token_urlsafe(length)


def new_code() -> str:
    """A random session code: 6 characters without the ones that are easily confused."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def seq_of(entry_id: str) -> int:
    """The seq in an :attr:`Entry.id`; 0 if it is none."""
    digits = entry_id.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0


def normalize_code(text: str) -> str | None:
    """A session code as people type it, made canonical; ``None`` if no session can have it."""
    code = text.strip().upper()
    return code if len(code) == CODE_LENGTH and all(char in CODE_ALPHABET for char in code) else None


def iso(milliseconds: int) -> str:
    """A time in milliseconds since the epoch as ISO 8601 in UTC with milliseconds and ``Z``."""
    return f"{_iso_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@functools.lru_cache(maxsize=4096)  # a second's events share it, and so do all snapshots that hold the same times
def _iso_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Account:
    """A user as an authenticator knows them; ``role`` is ``teacher``, ``student`` or ``admin``."""

    user_id: str
    display_name: str
    role: str


@dataclass(frozen=True, slots=True)
class AuthSession:
    """A login, the claim ``sid`` of its tokens (RFC 7519). ``guest_of`` is the one session that a guest may enter."""

    id: str
    user_id: str
    display_name: str
    role: str
    scopes: tuple[str, ...] = ()
    guest_of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "scopes": list(self.scopes)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AuthSession:
        return cls(**{**data, "scopes": tuple(data["scopes"])})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: an auth session and the moment, in seconds since the epoch, when the token presented ends."""

    auth: AuthSession
    expires_at: float
    # of the auth session, found once: each event asks a dozen times
    user_id: str = field(init=False, repr=False, compare=False)
    role: str = field(init=False, repr=False, compare=False)
    display_name: str = field(init=False, repr=False, compare=False)
    is_transcriber: bool = field(init=False, repr=False, compare=False)
    """A program that captions: whoever's token it has, it may do nothing else."""

    def __post_init__(self) -> None:
        auth, put = self.auth, object.__setattr__  # it is frozen from here on
        put(self, "user_id", auth.user_id)
        put(self, "role", auth.role)
        put(self, "display_name", auth.display_name)
        put(self, "is_transcriber", TRANSCRIBER in auth.scopes)

    @property
    def participant_role(self) -> str:
        """The role that others see: the account's, or :data:`TRANSCRIBER`."""
        return TRANSCRIBER if self.is_transcriber else self.role


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a classroom session is apart from its events. ``created_at`` is in milliseconds since the epoch."""

    id: str
    code: str
    title: str
    owner_id: str
    created_at: int
    status: str = "created"
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULT_SESSION_SETTINGS))

    def is_staff(self, user_id: str, role: str) -> bool:
        """Whether this user is the owner, a co-teacher or an admin. An owner who was made a student is not."""
        owns = user_id == self.owner_id and role != "student"
        return role == "admin" or owns or user_id in self.settings["coTeacherIds"]

    def with_changes(self, **changes: Any) -> SessionRecord:
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SessionRecord:
        return cls(**{**data, "settings": {**DEFAULT_SESSION_SETTINGS, **data["settings"]}})


@dataclass(frozen=True, slots=True)
class Participant:
    """A user who joined over a socket and has neither left nor been removed. ``connected`` is false after the grace."""

    user_id: str
    display_name: str
    role: str
    joined_at: int
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """A durable event before the store gave it a place in the log.

    :param event: the event's name on the wire, or an internal name that clients never see.
    :param data: its payload without ``sessionCode``, ``seq`` and ``timestamp``, which delivery adds.
    :param author: the user who caused it; empty if nobody did.
    :param audience: ``all``, ``staff``, ``user`` (those in ``members``), ``group`` (those in ``members``, and staff),
        ``presence`` (a fact about its author that the others hear of as ``presenceUpdated``) or ``none``.
    :param members: the user ids that ``user`` and ``group`` mean, as they were when it happened.
    :param bumps: the fences that this event moves.
    :param id_field: the payload key under which delivery adds the entry's id, such as ``messageId``.
    :param trace: the mark of the event or request that it was made in (:mod:`classwaves.trail`), for logs and traces
        alone: no client gets it, and the archive does not keep it.
    """

    event: str
    data: Mapping[str, Any]
    author: str = ""
    audience: str = "all"
    members: tuple[str, ...] = ()
    bumps: tuple[str, ...] = ()
    id_field: str = ""
    trace: str = field(default_factory=mark, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A durable event in its place: ``seq`` in the numbering ``epoch``, ``time`` in milliseconds since the epoch.

    ``size`` is what its draft takes in the log, in bytes.
    """

    seq: int
    epoch: str
    time: int
    draft: Draft
    size: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        """The opaque id that every worker derives alike, so that a repeated request gets the first answer."""
        return f"{self.epoch}-{self.seq}"

    def payload(self, code: str) -> dict[str, Any]:
        """The event's payload as clients receive it."""
        draft = self.draft
        body = {"sessionCode": code, **draft.data, "seq": self.seq, "timestamp": iso(self.time)}
        if draft.id_field:
            body[draft.id_field] = self.id
        return body

    def is_for(self, user_id: str, staff: bool) -> bool:
        """Whether this entry was addressed to a user, who was or was not staff."""
        return addressed(self.draft.audience, self.draft.members, user_id, staff)


def addressed(audience: str, members: Sequence[str], user_id: str, staff: bool) -> bool:
    """Whether an audience of :class:`Draft` has a user in it, who is or is not staff."""
    match audience:
        case "all":
            return True
        case "staff":
            return staff
        case "group":
            return staff or user_id in members
        case "user":
            return user_id in members
        case _:
            return False
