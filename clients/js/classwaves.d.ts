// The types of classwaves.js, over those of the contract. A server with events of its own prints its contract with
// "flask classwaves types": then it is Classroom<ServerToClientEvents, ClientToServerEvents> with those of that file.
import type { ManagerOptions, Socket, SocketOptions } from "socket.io-client";
import type { ClientToServerEvents, ErrorCode, Joiner, ServerToClientEvents, SessionJoinedEvent } from "./contract.js";

export type * from "./contract.js";

/** connecting: join() was called. waiting: for staff, in the waiting room. refused: for good, with the reason. */
export type ClassroomState = "closed" | "connecting" | "waiting" | "joined" | "reconnecting" | "refused";

/** CLOSED: by close() or leave(), or never joined. NO_ANSWER: it may or may not have arrived; see send(). */
export type ClassWavesErrorCode = ErrorCode | "CLOSED" | "NO_ANSWER";

/** What the server refused. */
export class ClassWavesError extends Error {
  constructor(error: { code: ClassWavesErrorCode; message?: string; details?: Record<string, unknown>; retryAfterMs?: number });
  readonly code: ClassWavesErrorCode;
  readonly details?: Record<string, unknown>;
  readonly retryAfterMs?: number;
}

export interface ClassroomOptions {
  /** Where the server is; the page's own origin if it is not given. */
  url?: string;
  /** The session's code, in any case. */
  code: string;
  /** An access token; without one, refresh is asked for the first. */
  token?: string | null;
  /**
   * Gives the next access token: when the server warns that the old one ends, and when it was refused. To say that the
   * login is gone, give nothing, or throw an error with a code of the login (SESSION_EXPIRED, ...); after any other error it is
   * asked again.
   */
  refresh?: () => Promise<string | null | undefined> | string | null | undefined;
  /** io of socket.io-client; else the one that a script has put into the window, else the package is imported. */
  io?: (url: string, options: Partial<ManagerOptions & SocketOptions>) => unknown;
  /** Keeps the position over a reload, e.g. sessionStorage: only if what the page shows is kept over it too. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** More options of socket.io-client. */
  options?: Partial<ManagerOptions & SocketOptions>;
}

/** What the classroom tells itself, beside the server's events. */
export interface ClassroomEvents {
  /** Start from this, and forget what was before: at the first join, and whenever there is no way to resume. */
  snapshot: (session: SessionJoinedEvent) => void;
  /** Back without a hole. What was missed follows as events; presence is not among them: take participants from here. */
  resumed: (session: SessionJoinedEvent) => void;
  /** With an error: why it was refused, or what goes wrong at the moment. */
  state: (state: ClassroomState, error?: Error) => void;
  /** Everything, after its own listeners. */
  "*": (event: string, data?: unknown, ...more: unknown[]) => void;
}

type Arguments<Send> = Send extends (...args: infer Args) => void ? Args : never;
type First<Args> = Args extends [infer Payload, ...unknown[]] ? Payload : never;
type AnswerIn<Args> = Args extends [unknown, (answer: infer Answer) => void] ? Extract<Answer, { ok: true }> : never;

/** The events that send() and emit() take. */
export type Sendable<Client> = Exclude<keyof Client & string, "joinSession" | "leaveSession" | "refreshAuth">;
/** What is given with an event: its payload without the sessionCode, which is added, as is a clientMessageId. */
export type Sent<Client, Name extends keyof Client> = Omit<First<Arguments<Client[Name]>>, "sessionCode">;
/** How an event is answered. */
export type Answer<Client, Name extends keyof Client> = AnswerIn<Arguments<Client[Name]>>;
/** The payload, which may be left out where nothing in it is required. */
export type Given<Client, Name extends keyof Client> =
  {} extends Sent<Client, Name> ? [payload?: Sent<Client, Name>] : [payload: Sent<Client, Name>];
/** What on() takes. sessionJoined is not among it: it comes as snapshot or resumed. */
export type Heard<Server> = Omit<Server, "sessionJoined" | keyof ClassroomEvents> & ClassroomEvents;

export class Classroom<Server = ServerToClientEvents, Client = ClientToServerEvents> {
  constructor(options: ClassroomOptions);
  readonly url: string;
  readonly code: string;
  /** The newest access token, also for REST. */
  readonly token: string | null;
  readonly state: ClassroomState;
  /** From the first connection on: who one is, and in the session also one's name, staff and muted. */
  readonly me: ({ userId: string; role: NonNullable<Joiner["role"]> } & Partial<Joiner>) | null;
  /** Up to where everything has been seen, in the numbering of epoch. */
  readonly seq: number;
  readonly epoch: string | null;
  readonly socket: Socket | null;
  /** Listen; the answer is a function that ends it. */
  on<Name extends keyof Heard<Server>>(event: Name, listener: Heard<Server>[Name]): () => void;
  /** Come in. Resolves in the session; rejects when refused for good, or closed. Called again, it is the same promise. */
  join(): Promise<SessionJoinedEvent>;
  /**
   * Send an event until it has an answer; what is stored in the session, one after the other. Rejects with a
   * ClassWavesError: NO_ANSWER for a signal whose connection was lost, and for what the connection was lost with eight
   * times in a row, as it is too large for one packet.
   */
  send<Name extends Sendable<Client>>(event: Name, ...payload: Given<Client, Name>): Promise<Answer<Client, Name>>;
  /** Send what may get lost. */
  emit<Name extends Sendable<Client>>(event: Name, ...payload: Given<Client, Name>): void;
  /** Leave the session. */
  leave(): Promise<void>;
  /** End the connection, and stay a participant for a while. */
  close(): void;
}
