// Made by "flask classwaves types" from the application's events: make it anew instead of changing it.
//
//     const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io({ auth: { token } });
//
// An ack may be left out. Where it never is, say Socket<ServerToClientEvents, AckedEvents>: emitWithAck() then knows
// what each ack has, which TypeScript cannot tell of an argument that may be missing.

/** What Socket.IO carries as it is: ArrayBuffer, Uint8Array, Buffer. */
export type Binary = ArrayBuffer | ArrayBufferView;

export type ErrorCode =
  | "AUTH_REQUIRED"
  | "INVALID_TOKEN"
  | "TOKEN_EXPIRED"
  | "TOKEN_REVOKED"
  | "SESSION_EXPIRED"
  | "INVALID_CREDENTIALS"
  | "INVALID_PAYLOAD"
  | "UNKNOWN_EVENT"
  | "NOT_IN_SESSION"
  | "SESSION_NOT_FOUND"
  | "SESSION_ACCESS_DENIED"
  | "SESSION_NOT_ACTIVE"
  | "SESSION_ENDED"
  | "SESSION_FULL"
  | "FORBIDDEN"
  | "GROUP_NOT_FOUND"
  | "GROUP_FULL"
  | "CONFLICT"
  | "MESSAGE_NOT_FOUND"
  | "ACTIVITY_NOT_FOUND"
  | "FILE_NOT_FOUND"
  | "FILE_REJECTED"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "PAYLOAD_TOO_LARGE"
  | "RATE_LIMIT"
  | "CONNECTION_LIMIT"
  | "PEER_UNAVAILABLE"
  | "SERVICE_UNAVAILABLE"
  | "INTERNAL_ERROR";

export interface ActivityProgressEvent {
  sessionCode: string;
  activityId: string;
  responded: number;
  participants: number;
}

export interface ActivityResponseEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  userId: string;
  displayName: string;
  data: unknown;
  activityId: string;
  clientId: string;
}

export interface ActivityUpdateEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  activityId: string;
  activityType: string;
  status: "started" | "paused" | "completed";
  data?: Record<string, unknown>;
  version: number;
  updatedBy: string;
}

export interface AddReactionAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface AddReactionPayload {
  sessionCode: string;
  clientMessageId?: string;
  messageId: string;
  emoji: string;
}

export interface AdmitParticipantAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface AdmitParticipantPayload {
  sessionCode: string;
  clientMessageId?: string;
  userId: string;
  admitted: boolean;
}

export interface AssignGroupsAck {
  ok: true;
  seq?: number;
  timestamp?: string;
  groupId?: string;
}

export interface AssignGroupsPayload {
  sessionCode: string;
  clientMessageId?: string;
  count?: number;
  size?: number;
  strategy: "random" | "roundRobin";
}

export interface AuthExpiringEvent {
  expiresAt: string;
}

export interface Caption {
  sessionCode: string;
  speakerId: string;
  text: string;
  confidence: number | null;
  segmentId: string;
  revision: number;
  isFinal: boolean;
  startMs: number;
  endMs: number;
  groupId?: string;
  streamId?: string;
  language?: string;
  timestamp: string;
  seq?: number;
}

export interface ConnectionReadyEvent {
  userId: string;
  role: "teacher" | "student" | "admin";
  serverTime: string;
  expiresAt: string;
  limits: Limits;
}

export interface CreateGroupAck {
  ok: true;
  seq?: number;
  timestamp?: string;
  groupId?: string;
}

export interface CreateGroupPayload {
  sessionCode: string;
  clientMessageId?: string;
  name: string;
  leaderId?: string | null;
  memberIds?: string[];
  maxSize?: number | null;
}

export interface CurrentActivity {
  activityId: string;
  activityType: string;
  status: "started" | "paused" | "completed";
  data?: Record<string, unknown>;
  version: number;
  updatedBy: string;
  responded: number;
  participants: number;
  responses?: GivenResponse[];
  responsesComplete?: boolean;
  response?: unknown;
}

export interface DeleteGroupAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface DeleteGroupPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId: string;
  expectedVersion?: number;
}

export interface DeleteMessageAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface DeleteMessagePayload {
  sessionCode: string;
  clientMessageId?: string;
  messageId: string;
}

export interface ErrorEvent {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
  retryAfterMs?: number;
  event?: string;
}

export interface FetchHistoryAck {
  ok: true;
  hasMore: boolean;
  nextBeforeSeq: number | null;
  messages: KeptMessage[];
}

export interface FetchHistoryPayload {
  sessionCode: string;
  beforeSeq?: number;
  afterSeq?: number;
  limit?: number;
  groupId?: string;
}

export interface FetchTranscriptAck {
  ok: true;
  hasMore: boolean;
  nextBeforeSeq: number | null;
  segments: Caption[];
}

export interface FetchTranscriptPayload {
  sessionCode: string;
  beforeSeq?: number;
  afterSeq?: number;
  limit?: number;
  groupId?: string;
}

export interface FileCancelAck {
  ok: true;
}

export interface FileCancelPayload {
  fileId: string;
}

export interface FileChunkAck {
  ok: true;
  nextIndex: number;
}

export interface FileChunkPayload {
  fileId: string;
  index: number;
  data: Binary;
}

export interface FileCompleteAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface FileCompletePayload {
  fileId: string;
  clientMessageId?: string;
}

export interface FileRemovedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  fileId: string;
  removedBy: string;
}

export interface FileSharedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  fileId: string;
  userId: string;
  clientFileId: string;
  fileName: string;
  mimeType: string;
  size: number;
  sha256: string;
  url: string;
}

export interface FileStartAck {
  ok: true;
  nextIndex: number;
  fileId: string;
  chunkSize: number;
  complete: boolean;
}

export interface FileStartPayload {
  sessionCode: string;
  clientMessageId?: string;
  clientFileId: string;
  fileName: string;
  mimeType: string;
  size: number;
  sha256: string;
}

export interface GivenResponse {
  userId: string;
  displayName: string;
  data: unknown;
}

export interface Group {
  groupId: string;
  groupName: string;
  members: string[];
  leaderId: string | null;
  isReady: boolean;
  maxSize: number | null;
  version: number;
}

export interface GroupUpdateEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  groupId: string;
  groupName: string;
  members: string[];
  leaderId: string | null;
  isReady: boolean;
  maxSize: number | null;
  version: number;
  action: "created" | "updated" | "deleted";
  updatedBy: string;
}

export interface HandStatusChangedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  userId: string;
  raised: boolean;
  position: number | null;
}

export interface JoinGroupAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface JoinGroupPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId: string;
}

export interface JoinRequestedEvent {
  sessionCode: string;
  userId: string;
  displayName: string;
}

export interface JoinSessionAck {
  ok: true;
  seq?: number;
  epoch?: string;
  recovered?: boolean;
  waiting?: boolean;
}

export type JoinSessionPayload = [string, Resume | null];

export interface JoinWithdrawnEvent {
  sessionCode: string;
  userId: string;
}

export interface Joiner {
  userId?: string;
  displayName?: string;
  role?: "teacher" | "student" | "admin" | "transcriber";
  status?: "active" | "idle" | "away" | "disconnected";
  joinedAt?: string;
  staff: boolean;
  muted: boolean;
}

export interface KeptMessage {
  sessionCode: string;
  seq: number;
  timestamp: string;
  messageId: string;
  userId: string;
  displayName: string;
  message: string;
  type: "text" | "system" | "action";
  clientMessageId?: string;
  groupId?: string;
  replyTo?: string;
  reactions?: Record<string, number>;
}

export interface LeaveGroupAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface LeaveGroupPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId: string;
}

export interface LeaveSessionAck {
  ok: true;
}

export type LeaveSessionPayload = [string];

export interface Limits {
  maxMessageLength: number;
  maxEventBytes: number;
  maxPacketBytes: number;
  maxResponseBytes: number;
  maxFileBytes: number;
  maxFileChunkBytes: number;
  fileTypes: string[];
  eventRates: Rate[];
  singleEventRates: Record<string, Rate[]>;
  fileChunkRates: Rate[];
  signalRates: Rate[];
}

export interface LowerHandAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface LowerHandPayload {
  sessionCode: string;
  clientMessageId?: string;
  userId?: string;
}

export interface MarkReadAck {
  ok: true;
  messageId: string;
}

export interface MarkReadPayload {
  sessionCode: string;
  clientMessageId?: string;
  messageId: string;
}

export interface MessageDeletedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  messageId: string;
  deletedBy: string;
}

export interface MessageReceivedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  messageId: string;
  userId: string;
  displayName: string;
  message: string;
  type: "text" | "system" | "action";
  clientMessageId?: string;
  groupId?: string;
  replyTo?: string;
}

export interface MissedEvent {
  event: string;
  data: Record<string, unknown>;
}

export interface MuteParticipantAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface MuteParticipantPayload {
  sessionCode: string;
  clientMessageId?: string;
  userId: string;
  muted: boolean;
}

export interface Participant {
  userId: string;
  displayName: string;
  role: "teacher" | "student" | "admin" | "transcriber";
  status: "active" | "idle" | "away" | "disconnected";
  joinedAt: string;
}

export interface ParticipantAdmittedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  userId: string;
  admitted: boolean;
  admittedBy: string;
}

export interface ParticipantMutedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  userId: string;
  muted: boolean;
  mutedBy: string;
}

export interface ParticipantRemovedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  userId: string;
  removedBy: string;
}

export interface PresenceUpdatedEvent {
  sessionCode: string;
  userId: string;
  status: "active" | "idle" | "away" | "disconnected" | "left";
  displayName: string;
  role: string;
  timestamp: string;
}

export interface PublishTranscriptionAck {
  ok: true;
  seq?: number;
  timestamp?: string;
  stale?: boolean;
}

export interface PublishTranscriptionPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId?: string;
  streamId?: string;
  segmentId: string;
  revision: number;
  text: string;
  isFinal: boolean;
  startMs: number;
  endMs: number;
  speakerId?: string;
  confidence?: number;
  language?: string;
}

export interface RaiseHandAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface RaiseHandPayload {
  sessionCode: string;
  clientMessageId?: string;
}

export interface RaisedHand {
  userId: string;
  position: number;
  raisedAt: string;
}

export interface Rate {
  count: number;
  seconds: number;
}

export interface ReactionUpdatedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  messageId: string;
  userId: string;
  emoji: string;
  action: "added" | "removed";
  count: number;
}

export interface ReadReceiptUpdatedEvent {
  sessionCode: string;
  userId: string;
  messageId: string;
}

export interface ReconnectAdvisedEvent {
  delayMs: number;
  reason: string;
}

export interface RefreshAuthAck {
  ok: true;
  expiresAt: string;
  role: "teacher" | "student" | "admin";
}

export interface RefreshAuthPayload {
  token: string;
}

export interface RemoveFileAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface RemoveFilePayload {
  sessionCode: string;
  clientMessageId?: string;
  fileId: string;
}

export interface RemoveParticipantAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface RemoveParticipantPayload {
  sessionCode: string;
  clientMessageId?: string;
  userId: string;
}

export interface RemoveReactionAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface RemoveReactionPayload {
  sessionCode: string;
  clientMessageId?: string;
  messageId: string;
  emoji: string;
}

export interface Resume {
  sinceSeq: number;
  epoch: string;
}

export interface RoleChangedEvent {
  role: "teacher" | "student" | "admin";
}

export interface SendMessageAck {
  ok: true;
  seq?: number;
  timestamp?: string;
  messageId?: string;
}

export interface SendMessagePayload {
  sessionCode: string;
  clientMessageId?: string;
  message: string;
  groupId?: string;
  replyTo?: string;
}

export interface SessionEndedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  reason: string;
}

export interface SessionJoinedEvent {
  sessionCode: string;
  title: string;
  participants: Participant[];
  status: "created" | "active" | "paused" | "ended";
  mode: "open" | "focus" | "quiz";
  muted: string[];
  seq: number;
  epoch: string;
  self: Joiner;
  groups: Group[];
  activity: CurrentActivity | null;
  hands: RaisedHand[];
  transcription: Streams;
  files: SharedFile[];
  readReceipts: Record<string, string>;
  settings: SessionSettings;
  waiting?: WaitingGuest[];
  recovered: boolean;
  missed: MissedEvent[];
}

export interface SessionLeftEvent {
  sessionCode: string;
}

export interface SessionModeChangedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  mode: "open" | "focus" | "quiz";
  previousMode: "open" | "focus" | "quiz";
  updatedBy: string;
}

export interface SessionSettings {
  access: "code" | "roster";
  rosterUserIds?: string[];
  coTeacherIds: string[];
  maxParticipants: number;
  guestsAllowed: boolean;
  waitingRoom: boolean;
  transcriptAudience: "everyone" | "ownGroup";
  fileSharing: boolean;
}

export interface SessionStatusChangedEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  status: "created" | "active" | "paused" | "ended";
  previousStatus: "created" | "active" | "paused" | "ended";
}

export interface SetGroupReadyAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface SetGroupReadyPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId: string;
  ready: boolean;
}

export interface SetSessionModeAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface SetSessionModePayload {
  sessionCode: string;
  clientMessageId?: string;
  mode: "open" | "focus" | "quiz";
}

export interface SharedFile {
  fileId: string;
  userId: string;
  clientFileId: string;
  fileName: string;
  mimeType: string;
  size: number;
  sha256: string;
  url: string;
  seq: number;
  timestamp: string;
}

export interface SignalAck {
  ok: true;
}

export interface SignalPayload {
  sessionCode: string;
  targetUserId: string;
  callId: string;
  type: "offer" | "answer" | "candidate" | "hangup";
  payload?: unknown;
}

export interface SignalReceivedEvent {
  sessionCode: string;
  fromUserId: string;
  callId: string;
  type: "offer" | "answer" | "candidate" | "hangup";
  payload: unknown;
}

export interface StartTranscriptionAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface StartTranscriptionPayload {
  sessionCode: string;
  clientMessageId?: string;
  streamId: string;
}

export interface StopTranscriptionAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface StopTranscriptionPayload {
  sessionCode: string;
  clientMessageId?: string;
  streamId: string;
  failed?: boolean;
  reason?: string;
}

export interface Stream {
  streamId: string;
  status: "started" | "stopped" | "stalled" | "failed";
}

export interface Streams {
  streams: Stream[];
}

export interface SubmitActivityResponseAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface SubmitActivityResponsePayload {
  sessionCode: string;
  clientMessageId?: string;
  activityId: string;
  data: unknown;
  clientId: string;
}

export interface SyncSessionAck {
  ok: true;
  sessionCode: string;
  title: string;
  participants: Participant[];
  status: "created" | "active" | "paused" | "ended";
  mode: "open" | "focus" | "quiz";
  muted: string[];
  seq: number;
  epoch: string;
  self: Joiner;
  groups: Group[];
  activity: CurrentActivity | null;
  hands: RaisedHand[];
  transcription: Streams;
  files: SharedFile[];
  readReceipts: Record<string, string>;
  settings: SessionSettings;
  waiting?: WaitingGuest[];
  recovered: boolean;
  missed: MissedEvent[];
}

export interface SyncSessionPayload {
  sinceSeq: number;
  epoch: string;
  sessionCode: string;
}

export interface TranscriptionStatusEvent {
  sessionCode: string;
  seq: number;
  timestamp: string;
  streamId: string;
  status: "started" | "stopped" | "stalled" | "failed";
  reason?: string;
}

export interface TranscriptionUpdateEvent {
  sessionCode: string;
  speakerId: string;
  text: string;
  confidence: number | null;
  segmentId: string;
  revision: number;
  isFinal: boolean;
  startMs: number;
  endMs: number;
  groupId?: string;
  streamId?: string;
  language?: string;
  timestamp: string;
  seq?: number;
}

export interface TypingAck {
  ok: true;
}

export interface TypingPayload {
  sessionCode: string;
  isTyping: boolean;
  groupId?: string;
}

export interface TypingUpdatedEvent {
  sessionCode: string;
  userId: string;
  isTyping: boolean;
  groupId?: string;
}

export interface UpdateActivityAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface UpdateActivityPayload {
  sessionCode: string;
  clientMessageId?: string;
  activityId: string;
  activityType: string;
  status: "started" | "paused" | "completed";
  data?: Record<string, unknown>;
  expectedVersion?: number;
}

export interface UpdateGroupAck {
  ok: true;
  seq?: number;
  timestamp?: string;
}

export interface UpdateGroupPayload {
  sessionCode: string;
  clientMessageId?: string;
  groupId: string;
  name?: string;
  leaderId?: string | null;
  memberIds?: string[];
  maxSize?: number | null;
  expectedVersion?: number;
}

export interface UpdatePresenceAck {
  ok: true;
  status: "active" | "idle" | "away";
}

export interface UpdatePresencePayload {
  sessionCode: string;
  status: "active" | "idle" | "away";
}

export interface WaitingGuest {
  userId: string;
  displayName: string;
  requestedAt: string;
}

export interface Refused {
  ok: false;
  error: {
    code: ErrorCode;
    message: string;
    details?: Record<string, unknown>;
    retryAfterMs?: number;
  };
}

/** The answer to a client event: narrow it by ok. */
export type Ack<Answer extends { ok: true }> = Answer | Refused;

type OnAck<Answer extends { ok: true }> = (answer: Ack<Answer>) => void;
type Sends<Payload, Answer extends { ok: true }> = (
  ...args: [payload: Payload] | [payload: Payload, ack: OnAck<Answer>]
) => void;

export interface ServerToClientEvents {
  /** To each socket, first of all. */
  connectionReady: (payload: ConnectionReadyEvent) => void;
  /** To a socket whose token ends within a minute. */
  authExpiring: (payload: AuthExpiringEvent) => void;
  /** To the sockets of a user who was given another role. */
  roleChanged: (payload: RoleChangedEvent) => void;
  /** To each socket of a server that ends. */
  reconnectAdvised: (payload: ReconnectAdvisedEvent) => void;
  /** To the socket that caused it. */
  error: (payload: ErrorEvent) => void;
  /** To the joiner; everyone in the session when the epoch changed. */
  sessionJoined: (payload: SessionJoinedEvent) => void;
  /** To the socket that left. */
  sessionLeft: (payload: SessionLeftEvent) => void;
  /** To everyone in the session but the participant it is about. */
  presenceUpdated: (payload: PresenceUpdatedEvent) => void;
  /** To everyone in the session. */
  sessionStatusChanged: (payload: SessionStatusChangedEvent) => void;
  /** To everyone in the session. */
  sessionEnded: (payload: SessionEndedEvent) => void;
  /** To everyone in the session, the sender too; a group's: that group and staff. */
  messageReceived: (payload: MessageReceivedEvent) => void;
  /** To whom the message was for. */
  reactionUpdated: (payload: ReactionUpdatedEvent) => void;
  /** To everyone in the session; with groupId: that group and staff. */
  typingUpdated: (payload: TypingUpdatedEvent) => void;
  /** To everyone in the session. */
  readReceiptUpdated: (payload: ReadReceiptUpdatedEvent) => void;
  /** To everyone in the session. */
  groupUpdate: (payload: GroupUpdateEvent) => void;
  /** To everyone in the session; data.staffOnly is staff's alone. */
  activityUpdate: (payload: ActivityUpdateEvent) => void;
  /** To staff. */
  activityResponse: (payload: ActivityResponseEvent) => void;
  /** To everyone in the session. */
  activityProgress: (payload: ActivityProgressEvent) => void;
  /** To everyone in the session. */
  handStatusChanged: (payload: HandStatusChangedEvent) => void;
  /** To everyone in the session; a group's: that group and staff. */
  transcriptionUpdate: (payload: TranscriptionUpdateEvent) => void;
  /** To everyone in the session. */
  transcriptionStatus: (payload: TranscriptionStatusEvent) => void;
  /** To everyone in the session. */
  fileShared: (payload: FileSharedEvent) => void;
  /** To everyone in the session. */
  fileRemoved: (payload: FileRemovedEvent) => void;
  /** To the user it was sent to. */
  signalReceived: (payload: SignalReceivedEvent) => void;
  /** To whom the message was for. */
  messageDeleted: (payload: MessageDeletedEvent) => void;
  /** To everyone in the session, the removed too. */
  participantRemoved: (payload: ParticipantRemovedEvent) => void;
  /** To everyone in the session. */
  participantMuted: (payload: ParticipantMutedEvent) => void;
  /** To everyone in the session. */
  sessionModeChanged: (payload: SessionModeChangedEvent) => void;
  /** To staff. */
  joinRequested: (payload: JoinRequestedEvent) => void;
  /** To staff. */
  joinWithdrawn: (payload: JoinWithdrawnEvent) => void;
  /** To staff. */
  participantAdmitted: (payload: ParticipantAdmittedEvent) => void;
}

export interface ClientToServerEvents {
  /** Take a new access token of the same user, without a reconnect; its role and scopes count from now on. */
  refreshAuth: Sends<RefreshAuthPayload, RefreshAuthAck>;
  /** Let the socket in and tell it where things stand; joining again only tells. Guests may have to wait. */
  joinSession: (
    ...args:
      | [sessionCode: string]
      | [sessionCode: string, ack: OnAck<JoinSessionAck>]
      | [sessionCode: string, resume: Resume | null]
      | [sessionCode: string, resume: Resume | null, ack: OnAck<JoinSessionAck>]
  ) => void;
  /** Tell a socket that is in the session where things stand, and what it has missed: what `sessionJoined` has. */
  syncSession: Sends<SyncSessionPayload, SyncSessionAck>;
  /** Take this socket out of the session. The participant has left when it was their last. */
  leaveSession: (
    ...args:
      | [sessionCode: string]
      | [sessionCode: string, ack: OnAck<LeaveSessionAck>]
  ) => void;
  /** Change this socket's status; the others hear of it if the participant's changed. */
  updatePresence: Sends<UpdatePresencePayload, UpdatePresenceAck>;
  /** Say something to everybody, or with `groupId` to a group and staff. */
  sendMessage: Sends<SendMessagePayload, SendMessageAck>;
  /** React to one of the newest 5,000 messages. Twice is once. */
  addReaction: Sends<AddReactionPayload, AddReactionAck>;
  /** Take a reaction back. */
  removeReaction: Sends<RemoveReactionPayload, RemoveReactionAck>;
  /** Say that one types, or no longer; after 5 s without another word it ends by itself. */
  typing: Sends<TypingPayload, TypingAck>;
  /** Say up to which message one has read. Only forward: what was read before changes nothing. */
  markRead: Sends<MarkReadPayload, MarkReadAck>;
  /** Make a group. Its members leave the groups that they were in. */
  createGroup: Sends<CreateGroupPayload, CreateGroupAck>;
  /** Change what is given of a group. With `expectedVersion`, only if nobody else has changed it meanwhile. */
  updateGroup: Sends<UpdateGroupPayload, UpdateGroupAck>;
  /** Dissolve a group. */
  deleteGroup: Sends<DeleteGroupPayload, DeleteGroupAck>;
  /** Replace all groups by new ones, in one step, in which every participant but staff has a place. */
  assignGroups: Sends<AssignGroupsPayload, AssignGroupsAck>;
  /** Enter a group, and leave the one before. */
  joinGroup: Sends<JoinGroupPayload, JoinGroupAck>;
  /** Leave a group. */
  leaveGroup: Sends<LeaveGroupPayload, LeaveGroupAck>;
  /** Say whether a group is ready. For its leader and staff. */
  setGroupReady: Sends<SetGroupReadyPayload, SetGroupReadyAck>;
  /** Start, pause, go on with, change or complete an activity. There is one at a time. */
  updateActivity: Sends<UpdateActivityPayload, UpdateActivityAck>;
  /** Answer the running activity; another answer with another `clientId` replaces the one before. */
  submitActivityResponse: Sends<SubmitActivityResponsePayload, SubmitActivityResponseAck>;
  /** Raise one's hand. Raised again, it keeps its place. */
  raiseHand: Sends<RaiseHandPayload, RaiseHandAck>;
  /** Lower one's hand; staff also somebody else's, by `userId`. */
  lowerHand: Sends<LowerHandPayload, LowerHandAck>;
  /** Caption: an interim text replaces the one before of its segment, a final one closes the segment and is kept. */
  publishTranscription: Sends<PublishTranscriptionPayload, PublishTranscriptionAck>;
  /** Say that captions come from now on. Said again, it keeps a stream from stalling while nobody speaks. */
  startTranscription: Sends<StartTranscriptionPayload, StartTranscriptionAck>;
  /** Say that no more captions come; with `failed` because something went wrong, which `reason` may tell. */
  stopTranscription: Sends<StopTranscriptionPayload, StopTranscriptionAck>;
  /** Begin to send a file, or go on at `nextIndex`, which the ack says, as it does `fileId` and `chunkSize`. */
  fileStart: Sends<FileStartPayload, FileStartAck>;
  /** Send the next chunk: all but the last have `chunkSize` bytes. The ack says which is wanted then. */
  fileChunk: Sends<FileChunkPayload, FileChunkAck>;
  /** Share a file of which all chunks have come, if its size, SHA-256 and type are what was said of it. */
  fileComplete: Sends<FileCompletePayload, FileCompleteAck>;
  /** Give up a file that one has begun to send. */
  fileCancel: Sends<FileCancelPayload, FileCancelAck>;
  /** Take back a file that one has shared; staff take back any. It cannot be downloaded any more. */
  removeFile: Sends<RemoveFilePayload, RemoveFileAck>;
  /** Tell one participant something about a call: an offer, an answer, an address (`candidate`), or its end. */
  signal: Sends<SignalPayload, SignalAck>;
  /** The newest messages before `beforeSeq` and after `afterSeq`, of everybody or of one group. */
  fetchHistory: Sends<FetchHistoryPayload, FetchHistoryAck>;
  /** The newest final captions before `beforeSeq` and after `afterSeq`. */
  fetchTranscript: Sends<FetchTranscriptPayload, FetchTranscriptAck>;
  /** Take a message back, with its reactions. It is in no page of the history any more. */
  deleteMessage: Sends<DeleteMessagePayload, DeleteMessageAck>;
  /** Put a participant out of this session for good. They stay connected, and are in no group any more. */
  removeParticipant: Sends<RemoveParticipantPayload, RemoveParticipantAck>;
  /** Keep a participant from chat, reactions and typing, or no longer. Their hand they may raise. */
  muteParticipant: Sends<MuteParticipantPayload, MuteParticipantAck>;
  /** `open`; `focus`: only staff chat and react; `quiz`: the same, while responses to an activity go on. */
  setSessionMode: Sends<SetSessionModePayload, SetSessionModeAck>;
  /** Let somebody in who waits, or turn them away, for good. Said again, it changes nothing. */
  admitParticipant: Sends<AdmitParticipantPayload, AdmitParticipantAck>;
}

type WithAck<Arguments> = Arguments extends [...unknown[], (answer: never) => void] ? Arguments : never;

/** The same events, each with its ack. */
export type AckedEvents = {
  [Name in keyof ClientToServerEvents]: (...args: WithAck<Parameters<ClientToServerEvents[Name]>>) => void;
};
