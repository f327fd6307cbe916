"""What the server itself sends, whatever features an application has: about the connection, and where a session stands.

``sessionJoined`` is put together of what the features tell a joiner.
"""

from __future__ import annotations

from marshmallow import fields

from ..declared import InSession, Numbered, Shape, an_object, flag, many, moment, one, string, texts, whole
from ..errors import ERROR_CODES
from ..events import Feature
from ..models import TRANSCRIBER
from ..store.base import STATUSES
from .activities import CurrentActivityShape
from .files import SharedFileShape
from .groups import GroupShape
from .hands import RaisedHandShape
from .membership import membership
from .moderation import MODES
from .transcription import StreamsShape

#: It has no events of its own, and is there always.
core = Feature("core")

LIFE = ("created", "active", "paused", "ended")
ROLES = ("teacher", "student", "admin")


# the connection


class RateShape(Shape):
    count = whole()
    seconds = whole()


class LimitsShape(Shape):
    maxMessageLength = whole()
    maxEventBytes = whole()
    maxPacketBytes = whole()
    maxResponseBytes = whole()
    maxFileBytes = whole()
    maxFileChunkBytes = whole()
    fileTypes = texts()
    eventRates = many(RateShape)
    singleEventRates = an_object(values=fields.List(fields.Nested(RateShape)))
    fileChunkRates = many(RateShape)
    signalRates = many(RateShape)


class ReadyShape(Shape):
    userId = string()
    role = string(*ROLES)
    serverTime = moment()
    expiresAt = moment()
    limits = one(LimitsShape)


class ExpiringShape(Shape):
    expiresAt = moment()


class RoleShape(Shape):
    role = string(*ROLES)


class AdviceShape(Shape):
    delayMs = whole()
    reason = string()


class ErrorShape(Shape):
    """What went wrong, with the event that it is about, if it is about one."""

    code = string(*ERROR_CODES)
    message = string()
    details = an_object(required=False)
    retryAfterMs = whole(required=False)
    event = string(required=False)


core.sends("connectionReady", ReadyShape, "each socket, first of all")
core.sends("authExpiring", ExpiringShape, "a socket whose token ends within a minute")
core.sends("roleChanged", RoleShape, "the sockets of a user who was given another role")
core.sends("reconnectAdvised", AdviceShape, "each socket of a server that ends")
core.sends("error", ErrorShape, "the socket that caused it")


# a session


class ParticipantShape(Shape):
    userId = string()
    displayName = string()
    role = string(*ROLES, TRANSCRIBER)
    status = string(*STATUSES, "disconnected")
    joinedAt = moment()


class JoinerShape(Shape):
    """The joiner, as a participant, if it is in the roster."""

    userId = string(required=False)
    displayName = string(required=False)
    role = string(*ROLES, TRANSCRIBER, required=False)
    status = string(*STATUSES, "disconnected", required=False)
    joinedAt = moment(required=False)
    staff = flag()
    muted = flag()


class SessionSettingsShape(Shape):
    """The session's settings; ``rosterUserIds`` is for staff."""

    access = string("code", "roster")
    rosterUserIds = fields.List(fields.String())
    coTeacherIds = texts()
    maxParticipants = whole()
    guestsAllowed = flag()
    waitingRoom = flag()
    transcriptAudience = string("everyone", "ownGroup")
    fileSharing = flag()


class WaitingGuestShape(Shape):
    userId = string()
    displayName = string()
    requestedAt = moment()


class MissedEventShape(Shape):
    """An event that was missed, with its payload as it was sent."""

    event = string()
    data = an_object()


class JoinedShape(InSession):
    title = string()
    participants = many(ParticipantShape)
    status = string(*LIFE)
    mode = string(*MODES)
    muted = texts()
    seq = whole()
    epoch = string()
    self = one(JoinerShape)
    groups = many(GroupShape)
    activity = one(CurrentActivityShape, allow_none=True)
    hands = many(RaisedHandShape)
    transcription = one(StreamsShape)
    files = many(SharedFileShape)
    readReceipts = an_object(values=fields.String())
    settings = one(SessionSettingsShape)
    waiting = many(WaitingGuestShape, required=False)
    recovered = flag()
    missed = many(MissedEventShape)


class PresenceShape(InSession):
    userId = string()
    status = string(*STATUSES, "disconnected", "left")
    displayName = string()
    role = string()
    timestamp = moment()


class StatusChangedShape(Numbered):
    status = string(*LIFE)
    previousStatus = string(*LIFE)


class EndedShape(Numbered):
    reason = string()


core.sends("sessionJoined", JoinedShape, "the joiner; everyone in the session when the epoch changed")
core.sends("sessionLeft", InSession, "the socket that left")
core.sends("presenceUpdated", PresenceShape, "everyone in the session but the participant it is about")
core.sends("sessionStatusChanged", StatusChangedShape)
core.sends("sessionEnded", EndedShape)
membership.answers(JoinedShape, "syncSession")
