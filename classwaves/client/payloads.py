"""The payloads of the contract, typed. Made by scripts/docs.py from the declarations; change them there."""

from typing import Any, Literal, NotRequired, TypedDict

ErrorCode = Literal[
    "AUTH_REQUIRED",
    "INVALID_TOKEN",
    "TOKEN_EXPIRED",
    "TOKEN_REVOKED",
    "SESSION_EXPIRED",
    "INVALID_CREDENTIALS",
    "INVALID_PAYLOAD",
    "UNKNOWN_EVENT",
    "NOT_IN_SESSION",
    "SESSION_NOT_FOUND",
    "SESSION_ACCESS_DENIED",
    "SESSION_NOT_ACTIVE",
    "SESSION_ENDED",
    "SESSION_FULL",
    "FORBIDDEN",
    "GROUP_NOT_FOUND",
    "GROUP_FULL",
    "CONFLICT",
    "MESSAGE_NOT_FOUND",
    "ACTIVITY_NOT_FOUND",
    "FILE_NOT_FOUND",
    "FILE_REJECTED",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE",
    "RATE_LIMIT",
    "CONNECTION_LIMIT",
    "PEER_UNAVAILABLE",
    "SERVICE_UNAVAILABLE",
    "INTERNAL_ERROR",
]


class ActivityProgressEvent(TypedDict):
    sessionCode: str
    activityId: str
    responded: int
    participants: int


class ActivityResponseEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    userId: str
    displayName: str
    data: Any
    activityId: str
    clientId: str


class ActivityUpdateEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    activityId: str
    activityType: str
    status: Literal["started", "paused", "completed"]
    data: NotRequired[dict[str, Any]]
    version: int
    updatedBy: str


class AddReactionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class AddReactionPayload(TypedDict):
    messageId: str
    emoji: str


class AdmitParticipantAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class AdmitParticipantPayload(TypedDict):
    userId: str
    admitted: bool


class AssignGroupsAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]
    groupId: NotRequired[str]


class AssignGroupsPayload(TypedDict):
    count: NotRequired[int]
    size: NotRequired[int]
    strategy: Literal["random", "roundRobin"]


class AuthExpiringEvent(TypedDict):
    expiresAt: str


class Caption(TypedDict):
    sessionCode: str
    speakerId: str
    text: str
    confidence: float | None
    segmentId: str
    revision: int
    isFinal: bool
    startMs: int
    endMs: int
    groupId: NotRequired[str]
    streamId: NotRequired[str]
    language: NotRequired[str]
    timestamp: str
    seq: NotRequired[int]


class ConnectionReadyEvent(TypedDict):
    userId: str
    role: Literal["teacher", "student", "admin"]
    serverTime: str
    expiresAt: str
    limits: "Limits"


class CreateGroupAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]
    groupId: NotRequired[str]


class CreateGroupPayload(TypedDict):
    name: str
    leaderId: NotRequired[str | None]
    memberIds: NotRequired[list[str]]
    maxSize: NotRequired[int | None]


class CurrentActivity(TypedDict):
    activityId: str
    activityType: str
    status: Literal["started", "paused", "completed"]
    data: NotRequired[dict[str, Any]]
    version: int
    updatedBy: str
    responded: int
    participants: int
    responses: NotRequired[list["GivenResponse"]]
    responsesComplete: NotRequired[bool]
    response: NotRequired[Any]


class DeleteGroupAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class DeleteGroupPayload(TypedDict):
    groupId: str
    expectedVersion: NotRequired[int]


class DeleteMessageAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class DeleteMessagePayload(TypedDict):
    messageId: str


class ErrorEvent(TypedDict):
    code: ErrorCode
    message: str
    details: NotRequired[dict[str, Any]]
    retryAfterMs: NotRequired[int]
    event: NotRequired[str]


class FetchHistoryAck(TypedDict):
    ok: Literal[True]
    hasMore: bool
    nextBeforeSeq: int | None
    messages: list["KeptMessage"]


class FetchHistoryPayload(TypedDict):
    beforeSeq: NotRequired[int]
    afterSeq: NotRequired[int]
    limit: NotRequired[int]
    groupId: NotRequired[str]


class FetchTranscriptAck(TypedDict):
    ok: Literal[True]
    hasMore: bool
    nextBeforeSeq: int | None
    segments: list["Caption"]


class FetchTranscriptPayload(TypedDict):
    beforeSeq: NotRequired[int]
    afterSeq: NotRequired[int]
    limit: NotRequired[int]
    groupId: NotRequired[str]


class FileCancelAck(TypedDict):
    ok: Literal[True]


class FileCancelPayload(TypedDict):
    fileId: str


class FileChunkAck(TypedDict):
    ok: Literal[True]
    nextIndex: int


class FileChunkPayload(TypedDict):
    fileId: str
    index: int
    data: bytes


class FileCompleteAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class FileCompletePayload(TypedDict):
    fileId: str


class FileRemovedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    fileId: str
    removedBy: str


class FileSharedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    fileId: str
    userId: str
    clientFileId: str
    fileName: str
    mimeType: str
    size: int
    sha256: str
    url: str


class FileStartAck(TypedDict):
    ok: Literal[True]
    nextIndex: int
    fileId: str
    chunkSize: int
    complete: bool


class FileStartPayload(TypedDict):
    clientFileId: str
    fileName: str
    mimeType: str
    size: int
    sha256: str


class GivenResponse(TypedDict):
    userId: str
    displayName: str
    data: Any


class Group(TypedDict):
    groupId: str
    groupName: str
    members: list[str]
    leaderId: str | None
    isReady: bool
    maxSize: int | None
    version: int


class GroupUpdateEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    groupId: str
    groupName: str
    members: list[str]
    leaderId: str | None
    isReady: bool
    maxSize: int | None
    version: int
    action: Literal["created", "updated", "deleted"]
    updatedBy: str


class HandStatusChangedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    userId: str
    raised: bool
    position: int | None


class JoinGroupAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class JoinGroupPayload(TypedDict):
    groupId: str


class JoinRequestedEvent(TypedDict):
    sessionCode: str
    userId: str
    displayName: str


class JoinSessionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    epoch: NotRequired[str]
    recovered: NotRequired[bool]
    waiting: NotRequired[bool]


class JoinWithdrawnEvent(TypedDict):
    sessionCode: str
    userId: str


class Joiner(TypedDict):
    userId: NotRequired[str]
    displayName: NotRequired[str]
    role: NotRequired[Literal["teacher", "student", "admin", "transcriber"]]
    status: NotRequired[Literal["active", "idle", "away", "disconnected"]]
    joinedAt: NotRequired[str]
    staff: bool
    muted: bool


class KeptMessage(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    messageId: str
    userId: str
    displayName: str
    message: str
    type: Literal["text", "system", "action"]
    clientMessageId: NotRequired[str]
    groupId: NotRequired[str]
    replyTo: NotRequired[str]
    reactions: NotRequired[dict[str, int]]


class LeaveGroupAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class LeaveGroupPayload(TypedDict):
    groupId: str


class LeaveSessionAck(TypedDict):
    ok: Literal[True]


class Limits(TypedDict):
    maxMessageLength: int
    maxEventBytes: int
    maxPacketBytes: int
    maxResponseBytes: int
    maxFileBytes: int
    maxFileChunkBytes: int
    fileTypes: list[str]
    eventRates: list["Rate"]
    singleEventRates: dict[str, list["Rate"]]
    fileChunkRates: list["Rate"]
    signalRates: list["Rate"]


class LowerHandAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class LowerHandPayload(TypedDict):
    userId: NotRequired[str]


class MarkReadAck(TypedDict):
    ok: Literal[True]
    messageId: str


class MarkReadPayload(TypedDict):
    messageId: str


class MessageDeletedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    messageId: str
    deletedBy: str


class MessageReceivedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    messageId: str
    userId: str
    displayName: str
    message: str
    type: Literal["text", "system", "action"]
    clientMessageId: NotRequired[str]
    groupId: NotRequired[str]
    replyTo: NotRequired[str]


class MissedEvent(TypedDict):
    event: str
    data: dict[str, Any]


class MuteParticipantAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class MuteParticipantPayload(TypedDict):
    userId: str
    muted: bool


class Participant(TypedDict):
    userId: str
    displayName: str
    role: Literal["teacher", "student", "admin", "transcriber"]
    status: Literal["active", "idle", "away", "disconnected"]
    joinedAt: str


class ParticipantAdmittedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    userId: str
    admitted: bool
    admittedBy: str


class ParticipantMutedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    userId: str
    muted: bool
    mutedBy: str


class ParticipantRemovedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    userId: str
    removedBy: str


class PresenceUpdatedEvent(TypedDict):
    sessionCode: str
    userId: str
    status: Literal["active", "idle", "away", "disconnected", "left"]
    displayName: str
    role: str
    timestamp: str


class PublishTranscriptionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]
    stale: NotRequired[bool]


class PublishTranscriptionPayload(TypedDict):
    groupId: NotRequired[str]
    streamId: NotRequired[str]
    segmentId: str
    revision: int
    text: str
    isFinal: bool
    startMs: int
    endMs: int
    speakerId: NotRequired[str]
    confidence: NotRequired[float]
    language: NotRequired[str]


class RaiseHandAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class RaiseHandPayload(TypedDict):
    pass


class RaisedHand(TypedDict):
    userId: str
    position: int
    raisedAt: str


class Rate(TypedDict):
    count: int
    seconds: int


class ReactionUpdatedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    messageId: str
    userId: str
    emoji: str
    action: Literal["added", "removed"]
    count: int


class ReadReceiptUpdatedEvent(TypedDict):
    sessionCode: str
    userId: str
    messageId: str


class ReconnectAdvisedEvent(TypedDict):
    delayMs: int
    reason: str


class RefreshAuthAck(TypedDict):
    ok: Literal[True]
    expiresAt: str
    role: Literal["teacher", "student", "admin"]


class RefreshAuthPayload(TypedDict):
    token: str


class RemoveFileAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class RemoveFilePayload(TypedDict):
    fileId: str


class RemoveParticipantAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class RemoveParticipantPayload(TypedDict):
    userId: str


class RemoveReactionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class RemoveReactionPayload(TypedDict):
    messageId: str
    emoji: str


class Resume(TypedDict):
    sinceSeq: int
    epoch: str


class RoleChangedEvent(TypedDict):
    role: Literal["teacher", "student", "admin"]


class SendMessageAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]
    messageId: NotRequired[str]


class SendMessagePayload(TypedDict):
    message: str
    groupId: NotRequired[str]
    replyTo: NotRequired[str]


class SessionEndedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    reason: str


class SessionJoinedEvent(TypedDict):
    sessionCode: str
    title: str
    participants: list["Participant"]
    status: Literal["created", "active", "paused", "ended"]
    mode: Literal["open", "focus", "quiz"]
    muted: list[str]
    seq: int
    epoch: str
    self: "Joiner"
    groups: list["Group"]
    activity: "CurrentActivity | None"
    hands: list["RaisedHand"]
    transcription: "Streams"
    files: list["SharedFile"]
    readReceipts: dict[str, str]
    settings: "SessionSettings"
    waiting: NotRequired[list["WaitingGuest"]]
    recovered: bool
    missed: list["MissedEvent"]


class SessionLeftEvent(TypedDict):
    sessionCode: str


class SessionModeChangedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    mode: Literal["open", "focus", "quiz"]
    previousMode: Literal["open", "focus", "quiz"]
    updatedBy: str


class SessionSettings(TypedDict):
    access: Literal["code", "roster"]
    rosterUserIds: NotRequired[list[str]]
    coTeacherIds: list[str]
    maxParticipants: int
    guestsAllowed: bool
    waitingRoom: bool
    transcriptAudience: Literal["everyone", "ownGroup"]
    fileSharing: bool


class SessionStatusChangedEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    status: Literal["created", "active", "paused", "ended"]
    previousStatus: Literal["created", "active", "paused", "ended"]


class SetGroupReadyAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class SetGroupReadyPayload(TypedDict):
    groupId: str
    ready: bool


class SetSessionModeAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class SetSessionModePayload(TypedDict):
    mode: Literal["open", "focus", "quiz"]


class SharedFile(TypedDict):
    fileId: str
    userId: str
    clientFileId: str
    fileName: str
    mimeType: str
    size: int
    sha256: str
    url: str
    seq: int
    timestamp: str


class SignalAck(TypedDict):
    ok: Literal[True]


class SignalPayload(TypedDict):
    targetUserId: str
    callId: str
    type: Literal["offer", "answer", "candidate", "hangup"]
    payload: NotRequired[Any]


class SignalReceivedEvent(TypedDict):
    sessionCode: str
    fromUserId: str
    callId: str
    type: Literal["offer", "answer", "candidate", "hangup"]
    payload: Any


class StartTranscriptionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class StartTranscriptionPayload(TypedDict):
    streamId: str


class StopTranscriptionAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class StopTranscriptionPayload(TypedDict):
    streamId: str
    failed: NotRequired[bool]
    reason: NotRequired[str]


class Stream(TypedDict):
    streamId: str
    status: Literal["started", "stopped", "stalled", "failed"]


class Streams(TypedDict):
    streams: list["Stream"]


class SubmitActivityResponseAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class SubmitActivityResponsePayload(TypedDict):
    activityId: str
    data: Any
    clientId: str


class SyncSessionAck(TypedDict):
    ok: Literal[True]
    sessionCode: str
    title: str
    participants: list["Participant"]
    status: Literal["created", "active", "paused", "ended"]
    mode: Literal["open", "focus", "quiz"]
    muted: list[str]
    seq: int
    epoch: str
    self: "Joiner"
    groups: list["Group"]
    activity: "CurrentActivity | None"
    hands: list["RaisedHand"]
    transcription: "Streams"
    files: list["SharedFile"]
    readReceipts: dict[str, str]
    settings: "SessionSettings"
    waiting: NotRequired[list["WaitingGuest"]]
    recovered: bool
    missed: list["MissedEvent"]


class SyncSessionPayload(TypedDict):
    sinceSeq: int
    epoch: str


class TranscriptionStatusEvent(TypedDict):
    sessionCode: str
    seq: int
    timestamp: str
    streamId: str
    status: Literal["started", "stopped", "stalled", "failed"]
    reason: NotRequired[str]


class TranscriptionUpdateEvent(TypedDict):
    sessionCode: str
    speakerId: str
    text: str
    confidence: float | None
    segmentId: str
    revision: int
    isFinal: bool
    startMs: int
    endMs: int
    groupId: NotRequired[str]
    streamId: NotRequired[str]
    language: NotRequired[str]
    timestamp: str
    seq: NotRequired[int]


class TypingAck(TypedDict):
    ok: Literal[True]


class TypingPayload(TypedDict):
    isTyping: bool
    groupId: NotRequired[str]


class TypingUpdatedEvent(TypedDict):
    sessionCode: str
    userId: str
    isTyping: bool
    groupId: NotRequired[str]


class UpdateActivityAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class UpdateActivityPayload(TypedDict):
    activityId: str
    activityType: str
    status: Literal["started", "paused", "completed"]
    data: NotRequired[dict[str, Any]]
    expectedVersion: NotRequired[int]


class UpdateGroupAck(TypedDict):
    ok: Literal[True]
    seq: NotRequired[int]
    timestamp: NotRequired[str]


class UpdateGroupPayload(TypedDict):
    groupId: str
    name: NotRequired[str]
    leaderId: NotRequired[str | None]
    memberIds: NotRequired[list[str]]
    maxSize: NotRequired[int | None]
    expectedVersion: NotRequired[int]


class UpdatePresenceAck(TypedDict):
    ok: Literal[True]
    status: Literal["active", "idle", "away"]


class UpdatePresencePayload(TypedDict):
    status: Literal["active", "idle", "away"]


class WaitingGuest(TypedDict):
    userId: str
    displayName: str
    requestedAt: str


#: Events that take no clientMessageId.
UNKEYED = frozenset(
    {
        "refreshAuth",
        "syncSession",
        "updatePresence",
        "typing",
        "fileChunk",
        "fileCancel",
        "signal",
        "fetchHistory",
        "fetchTranscript",
    }
)

#: Events that are about no session, or say by another id which one it is.
SESSIONLESS = frozenset(
    {
        "refreshAuth",
        "fileChunk",
        "fileComplete",
        "fileCancel",
    }
)
