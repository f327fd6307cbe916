"""What handlers get, and what calls take. Made by scripts/docs.py from the declarations; change them there."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, overload

from . import payloads as p
from .event import Event

#: An event of a session: compare its name, and a type checker knows its data. (A shop's own are none of
#: them, or it could not: compare str(event.name) with their names, or use handlers.)
RoomEvent = (
    Event[Literal["presenceUpdated"], p.PresenceUpdatedEvent]
    | Event[Literal["sessionStatusChanged"], p.SessionStatusChangedEvent]
    | Event[Literal["sessionEnded"], p.SessionEndedEvent]
    | Event[Literal["messageReceived"], p.MessageReceivedEvent]
    | Event[Literal["reactionUpdated"], p.ReactionUpdatedEvent]
    | Event[Literal["typingUpdated"], p.TypingUpdatedEvent]
    | Event[Literal["readReceiptUpdated"], p.ReadReceiptUpdatedEvent]
    | Event[Literal["groupUpdate"], p.GroupUpdateEvent]
    | Event[Literal["activityUpdate"], p.ActivityUpdateEvent]
    | Event[Literal["activityResponse"], p.ActivityResponseEvent]
    | Event[Literal["activityProgress"], p.ActivityProgressEvent]
    | Event[Literal["handStatusChanged"], p.HandStatusChangedEvent]
    | Event[Literal["transcriptionUpdate"], p.TranscriptionUpdateEvent]
    | Event[Literal["transcriptionStatus"], p.TranscriptionStatusEvent]
    | Event[Literal["fileShared"], p.FileSharedEvent]
    | Event[Literal["fileRemoved"], p.FileRemovedEvent]
    | Event[Literal["signalReceived"], p.SignalReceivedEvent]
    | Event[Literal["messageDeleted"], p.MessageDeletedEvent]
    | Event[Literal["participantRemoved"], p.ParticipantRemovedEvent]
    | Event[Literal["participantMuted"], p.ParticipantMutedEvent]
    | Event[Literal["sessionModeChanged"], p.SessionModeChangedEvent]
    | Event[Literal["joinRequested"], p.JoinRequestedEvent]
    | Event[Literal["joinWithdrawn"], p.JoinWithdrawnEvent]
    | Event[Literal["participantAdmitted"], p.ParticipantAdmittedEvent]
    | Event[Literal["snapshot"], p.SessionJoinedEvent]
    | Event[Literal["resumed"], p.SessionJoinedEvent]
)


#: An event of a connection.
ClientEvent = (
    Event[Literal["connectionReady"], p.ConnectionReadyEvent]
    | Event[Literal["authExpiring"], p.AuthExpiringEvent]
    | Event[Literal["roleChanged"], p.RoleChangedEvent]
    | Event[Literal["reconnectAdvised"], p.ReconnectAdvisedEvent]
    | Event[Literal["error"], p.ErrorEvent]
)


class OnRoom(Protocol):
    @overload
    def __call__(
        self, name: Literal["presenceUpdated"], /
    ) -> Callable[
        [Callable[[Event[Literal["presenceUpdated"], p.PresenceUpdatedEvent]], object]],
        Callable[[Event[Literal["presenceUpdated"], p.PresenceUpdatedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["sessionStatusChanged"], /
    ) -> Callable[
        [Callable[[Event[Literal["sessionStatusChanged"], p.SessionStatusChangedEvent]], object]],
        Callable[[Event[Literal["sessionStatusChanged"], p.SessionStatusChangedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["sessionEnded"], /
    ) -> Callable[
        [Callable[[Event[Literal["sessionEnded"], p.SessionEndedEvent]], object]],
        Callable[[Event[Literal["sessionEnded"], p.SessionEndedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["messageReceived"], /
    ) -> Callable[
        [Callable[[Event[Literal["messageReceived"], p.MessageReceivedEvent]], object]],
        Callable[[Event[Literal["messageReceived"], p.MessageReceivedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["reactionUpdated"], /
    ) -> Callable[
        [Callable[[Event[Literal["reactionUpdated"], p.ReactionUpdatedEvent]], object]],
        Callable[[Event[Literal["reactionUpdated"], p.ReactionUpdatedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["typingUpdated"], /
    ) -> Callable[
        [Callable[[Event[Literal["typingUpdated"], p.TypingUpdatedEvent]], object]],
        Callable[[Event[Literal["typingUpdated"], p.TypingUpdatedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["readReceiptUpdated"], /
    ) -> Callable[
        [Callable[[Event[Literal["readReceiptUpdated"], p.ReadReceiptUpdatedEvent]], object]],
        Callable[[Event[Literal["readReceiptUpdated"], p.ReadReceiptUpdatedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["groupUpdate"], /
    ) -> Callable[
        [Callable[[Event[Literal["groupUpdate"], p.GroupUpdateEvent]], object]],
        Callable[[Event[Literal["groupUpdate"], p.GroupUpdateEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["activityUpdate"], /
    ) -> Callable[
        [Callable[[Event[Literal["activityUpdate"], p.ActivityUpdateEvent]], object]],
        Callable[[Event[Literal["activityUpdate"], p.ActivityUpdateEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["activityResponse"], /
    ) -> Callable[
        [Callable[[Event[Literal["activityResponse"], p.ActivityResponseEvent]], object]],
        Callable[[Event[Literal["activityResponse"], p.ActivityResponseEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["activityProgress"], /
    ) -> Callable[
        [Callable[[Event[Literal["activityProgress"], p.ActivityProgressEvent]], object]],
        Callable[[Event[Literal["activityProgress"], p.ActivityProgressEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["handStatusChanged"], /
    ) -> Callable[
        [Callable[[Event[Literal["handStatusChanged"], p.HandStatusChangedEvent]], object]],
        Callable[[Event[Literal["handStatusChanged"], p.HandStatusChangedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["transcriptionUpdate"], /
    ) -> Callable[
        [Callable[[Event[Literal["transcriptionUpdate"], p.TranscriptionUpdateEvent]], object]],
        Callable[[Event[Literal["transcriptionUpdate"], p.TranscriptionUpdateEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["transcriptionStatus"], /
    ) -> Callable[
        [Callable[[Event[Literal["transcriptionStatus"], p.TranscriptionStatusEvent]], object]],
        Callable[[Event[Literal["transcriptionStatus"], p.TranscriptionStatusEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["fileShared"], /
    ) -> Callable[
        [Callable[[Event[Literal["fileShared"], p.FileSharedEvent]], object]],
        Callable[[Event[Literal["fileShared"], p.FileSharedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["fileRemoved"], /
    ) -> Callable[
        [Callable[[Event[Literal["fileRemoved"], p.FileRemovedEvent]], object]],
        Callable[[Event[Literal["fileRemoved"], p.FileRemovedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["signalReceived"], /
    ) -> Callable[
        [Callable[[Event[Literal["signalReceived"], p.SignalReceivedEvent]], object]],
        Callable[[Event[Literal["signalReceived"], p.SignalReceivedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["messageDeleted"], /
    ) -> Callable[
        [Callable[[Event[Literal["messageDeleted"], p.MessageDeletedEvent]], object]],
        Callable[[Event[Literal["messageDeleted"], p.MessageDeletedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["participantRemoved"], /
    ) -> Callable[
        [Callable[[Event[Literal["participantRemoved"], p.ParticipantRemovedEvent]], object]],
        Callable[[Event[Literal["participantRemoved"], p.ParticipantRemovedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["participantMuted"], /
    ) -> Callable[
        [Callable[[Event[Literal["participantMuted"], p.ParticipantMutedEvent]], object]],
        Callable[[Event[Literal["participantMuted"], p.ParticipantMutedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["sessionModeChanged"], /
    ) -> Callable[
        [Callable[[Event[Literal["sessionModeChanged"], p.SessionModeChangedEvent]], object]],
        Callable[[Event[Literal["sessionModeChanged"], p.SessionModeChangedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["joinRequested"], /
    ) -> Callable[
        [Callable[[Event[Literal["joinRequested"], p.JoinRequestedEvent]], object]],
        Callable[[Event[Literal["joinRequested"], p.JoinRequestedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["joinWithdrawn"], /
    ) -> Callable[
        [Callable[[Event[Literal["joinWithdrawn"], p.JoinWithdrawnEvent]], object]],
        Callable[[Event[Literal["joinWithdrawn"], p.JoinWithdrawnEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["participantAdmitted"], /
    ) -> Callable[
        [Callable[[Event[Literal["participantAdmitted"], p.ParticipantAdmittedEvent]], object]],
        Callable[[Event[Literal["participantAdmitted"], p.ParticipantAdmittedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["snapshot"], /
    ) -> Callable[
        [Callable[[Event[Literal["snapshot"], p.SessionJoinedEvent]], object]],
        Callable[[Event[Literal["snapshot"], p.SessionJoinedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["resumed"], /
    ) -> Callable[
        [Callable[[Event[Literal["resumed"], p.SessionJoinedEvent]], object]],
        Callable[[Event[Literal["resumed"], p.SessionJoinedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: str, /
    ) -> Callable[
        [Callable[[Any], object]],
        Callable[[Any], object],
    ]: ...


class OnClient(Protocol):
    @overload
    def __call__(
        self, name: Literal["connectionReady"], /
    ) -> Callable[
        [Callable[[Event[Literal["connectionReady"], p.ConnectionReadyEvent]], object]],
        Callable[[Event[Literal["connectionReady"], p.ConnectionReadyEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["authExpiring"], /
    ) -> Callable[
        [Callable[[Event[Literal["authExpiring"], p.AuthExpiringEvent]], object]],
        Callable[[Event[Literal["authExpiring"], p.AuthExpiringEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["roleChanged"], /
    ) -> Callable[
        [Callable[[Event[Literal["roleChanged"], p.RoleChangedEvent]], object]],
        Callable[[Event[Literal["roleChanged"], p.RoleChangedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["reconnectAdvised"], /
    ) -> Callable[
        [Callable[[Event[Literal["reconnectAdvised"], p.ReconnectAdvisedEvent]], object]],
        Callable[[Event[Literal["reconnectAdvised"], p.ReconnectAdvisedEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: Literal["error"], /
    ) -> Callable[
        [Callable[[Event[Literal["error"], p.ErrorEvent]], object]],
        Callable[[Event[Literal["error"], p.ErrorEvent]], object],
    ]: ...

    @overload
    def __call__(
        self, name: str, /
    ) -> Callable[
        [Callable[[Any], object]],
        Callable[[Any], object],
    ]: ...


class Calls(Protocol):
    @overload
    def __call__(
        self,
        event: Literal["syncSession"],
        data: p.SyncSessionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SyncSessionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["updatePresence"],
        data: p.UpdatePresencePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdatePresenceAck: ...

    @overload
    def __call__(
        self,
        event: Literal["sendMessage"],
        data: p.SendMessagePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SendMessageAck: ...

    @overload
    def __call__(
        self,
        event: Literal["addReaction"],
        data: p.AddReactionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AddReactionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["removeReaction"],
        data: p.RemoveReactionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveReactionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["typing"],
        data: p.TypingPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.TypingAck: ...

    @overload
    def __call__(
        self,
        event: Literal["markRead"],
        data: p.MarkReadPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.MarkReadAck: ...

    @overload
    def __call__(
        self,
        event: Literal["createGroup"],
        data: p.CreateGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.CreateGroupAck: ...

    @overload
    def __call__(
        self,
        event: Literal["updateGroup"],
        data: p.UpdateGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdateGroupAck: ...

    @overload
    def __call__(
        self,
        event: Literal["deleteGroup"],
        data: p.DeleteGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.DeleteGroupAck: ...

    @overload
    def __call__(
        self,
        event: Literal["assignGroups"],
        data: p.AssignGroupsPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AssignGroupsAck: ...

    @overload
    def __call__(
        self,
        event: Literal["joinGroup"],
        data: p.JoinGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.JoinGroupAck: ...

    @overload
    def __call__(
        self,
        event: Literal["leaveGroup"],
        data: p.LeaveGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.LeaveGroupAck: ...

    @overload
    def __call__(
        self,
        event: Literal["setGroupReady"],
        data: p.SetGroupReadyPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SetGroupReadyAck: ...

    @overload
    def __call__(
        self,
        event: Literal["updateActivity"],
        data: p.UpdateActivityPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdateActivityAck: ...

    @overload
    def __call__(
        self,
        event: Literal["submitActivityResponse"],
        data: p.SubmitActivityResponsePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SubmitActivityResponseAck: ...

    @overload
    def __call__(
        self,
        event: Literal["raiseHand"],
        data: p.RaiseHandPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RaiseHandAck: ...

    @overload
    def __call__(
        self,
        event: Literal["lowerHand"],
        data: p.LowerHandPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.LowerHandAck: ...

    @overload
    def __call__(
        self,
        event: Literal["publishTranscription"],
        data: p.PublishTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.PublishTranscriptionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["startTranscription"],
        data: p.StartTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.StartTranscriptionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["stopTranscription"],
        data: p.StopTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.StopTranscriptionAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fileStart"],
        data: p.FileStartPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileStartAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fileChunk"],
        data: p.FileChunkPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileChunkAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fileComplete"],
        data: p.FileCompletePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileCompleteAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fileCancel"],
        data: p.FileCancelPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileCancelAck: ...

    @overload
    def __call__(
        self,
        event: Literal["removeFile"],
        data: p.RemoveFilePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveFileAck: ...

    @overload
    def __call__(
        self,
        event: Literal["signal"],
        data: p.SignalPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SignalAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fetchHistory"],
        data: p.FetchHistoryPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FetchHistoryAck: ...

    @overload
    def __call__(
        self,
        event: Literal["fetchTranscript"],
        data: p.FetchTranscriptPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FetchTranscriptAck: ...

    @overload
    def __call__(
        self,
        event: Literal["deleteMessage"],
        data: p.DeleteMessagePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.DeleteMessageAck: ...

    @overload
    def __call__(
        self,
        event: Literal["removeParticipant"],
        data: p.RemoveParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveParticipantAck: ...

    @overload
    def __call__(
        self,
        event: Literal["muteParticipant"],
        data: p.MuteParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.MuteParticipantAck: ...

    @overload
    def __call__(
        self,
        event: Literal["setSessionMode"],
        data: p.SetSessionModePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SetSessionModeAck: ...

    @overload
    def __call__(
        self,
        event: Literal["admitParticipant"],
        data: p.AdmitParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AdmitParticipantAck: ...

    @overload
    def __call__(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> Any: ...


class AsyncCalls(Protocol):
    @overload
    async def __call__(
        self,
        event: Literal["syncSession"],
        data: p.SyncSessionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SyncSessionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["updatePresence"],
        data: p.UpdatePresencePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdatePresenceAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["sendMessage"],
        data: p.SendMessagePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SendMessageAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["addReaction"],
        data: p.AddReactionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AddReactionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["removeReaction"],
        data: p.RemoveReactionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveReactionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["typing"],
        data: p.TypingPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.TypingAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["markRead"],
        data: p.MarkReadPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.MarkReadAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["createGroup"],
        data: p.CreateGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.CreateGroupAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["updateGroup"],
        data: p.UpdateGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdateGroupAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["deleteGroup"],
        data: p.DeleteGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.DeleteGroupAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["assignGroups"],
        data: p.AssignGroupsPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AssignGroupsAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["joinGroup"],
        data: p.JoinGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.JoinGroupAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["leaveGroup"],
        data: p.LeaveGroupPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.LeaveGroupAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["setGroupReady"],
        data: p.SetGroupReadyPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SetGroupReadyAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["updateActivity"],
        data: p.UpdateActivityPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.UpdateActivityAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["submitActivityResponse"],
        data: p.SubmitActivityResponsePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SubmitActivityResponseAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["raiseHand"],
        data: p.RaiseHandPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RaiseHandAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["lowerHand"],
        data: p.LowerHandPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.LowerHandAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["publishTranscription"],
        data: p.PublishTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.PublishTranscriptionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["startTranscription"],
        data: p.StartTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.StartTranscriptionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["stopTranscription"],
        data: p.StopTranscriptionPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.StopTranscriptionAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fileStart"],
        data: p.FileStartPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileStartAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fileChunk"],
        data: p.FileChunkPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileChunkAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fileComplete"],
        data: p.FileCompletePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileCompleteAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fileCancel"],
        data: p.FileCancelPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FileCancelAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["removeFile"],
        data: p.RemoveFilePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveFileAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["signal"],
        data: p.SignalPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SignalAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fetchHistory"],
        data: p.FetchHistoryPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FetchHistoryAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["fetchTranscript"],
        data: p.FetchTranscriptPayload | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.FetchTranscriptAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["deleteMessage"],
        data: p.DeleteMessagePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.DeleteMessageAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["removeParticipant"],
        data: p.RemoveParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.RemoveParticipantAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["muteParticipant"],
        data: p.MuteParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.MuteParticipantAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["setSessionMode"],
        data: p.SetSessionModePayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.SetSessionModeAck: ...

    @overload
    async def __call__(
        self,
        event: Literal["admitParticipant"],
        data: p.AdmitParticipantPayload,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> p.AdmitParticipantAck: ...

    @overload
    async def __call__(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        /,
        *,
        timeout: float | None = ...,
        client_message_id: str | None = ...,
    ) -> Any: ...
