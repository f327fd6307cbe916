// What a front end may write with the JavaScript client, and, marked as errors, what it may not.
import { io } from "socket.io-client";
import { Classroom, ClassWavesError, type MessageReceivedEvent } from "classwaves";

const room = new Classroom({ url: "https://school.example", code: "ABC234", token: "…", io });
new Classroom({ code: "ABC234", refresh: async () => "…", storage: sessionStorage, options: { path: "/live" } });
// @ts-expect-error: which session?
new Classroom({ token: "…" });

// what it hears

const stop: () => void = room.on("messageReceived", ({ message, seq }) => `${message.trim()} ${seq.toFixed()}`);
stop();
room.on("snapshot", ({ participants, hands }) => [participants[0]?.displayName, hands.length]);
room.on("resumed", ({ participants }) => participants.length);
room.on("state", (state, error) => (state === "refused" && error instanceof ClassWavesError ? error.code : null));
room.on("*", (event, data) => [event.length, data]);
// @ts-expect-error: no such event
room.on("mesageReceived", () => 0);
// @ts-expect-error: no such field
room.on("messageReceived", ({ colour }) => colour);
// @ts-expect-error: it comes as snapshot or resumed
room.on("sessionJoined", () => 0);
// @ts-expect-error: no such state
room.on("state", (state) => state === "asleep");

// what it sends

async function talk(): Promise<string | undefined> {
  const { participants, seq } = await room.join();
  const first: string | undefined = participants[0]?.userId;
  const answer = await room.send("sendMessage", { message: "hello" });
  const id: string | undefined = answer.messageId;
  await room.send("sendMessage", { message: "hello", clientMessageId: "1", groupId: "g" });
  await room.send("raiseHand");
  const { messages, hasMore } = await room.send("fetchHistory", { beforeSeq: seq + 1, limit: 100 });
  const last: MessageReceivedEvent | undefined = messages.at(-1);
  await room.send("fileChunk", { fileId: "f", index: 0, data: new Uint8Array(3) });
  room.emit("typing", { isTyping: true });
  // @ts-expect-error: no such event
  await room.send("sendMesage", { message: "hello" });
  // @ts-expect-error: a field is missing
  await room.send("sendMessage", {});
  // @ts-expect-error: so it is
  await room.send("sendMessage");
  // @ts-expect-error: no such field
  await room.send("sendMessage", { message: "hello", colour: "red" });
  // @ts-expect-error: no answer has this
  answer.colour;
  // @ts-expect-error: what goes wrong is thrown
  answer.error;
  // @ts-expect-error: join() does that
  await room.send("joinSession", "ABC234");
  // @ts-expect-error: this is the server's
  room.emit("messageReceived", {});
  // @ts-expect-error: to be read
  room.seq = 0;
  return hasMore ? first : (last?.messageId ?? id);
}

// what it is told

async function hear(): Promise<string> {
  try {
    await talk();
  } catch (error) {
    if (!(error instanceof ClassWavesError)) throw error;
    // @ts-expect-error: no such code
    if (error.code === "NO_SUCH_CODE") return "";
    return error.code === "RATE_LIMIT" ? `${error.retryAfterMs ?? 0}` : error.message;
  }
  return room.me?.role === "teacher" ? room.state : "";
}
hear();

// a server with an event of its own, which has one name both ways

interface Heard {
  pollAnswered: (payload: { sessionCode: string; seq: number; choice: string }) => void;
}
interface Said {
  pollAnswered: (
    ...args:
      | [payload: { sessionCode: string; clientMessageId?: string; choice: string }]
      | [payload: { sessionCode: string; clientMessageId?: string; choice: string }, ack: (answer: { ok: true; seq: number } | { ok: false }) => void]
  ) => void;
}
const own = new Classroom<Heard, Said>({ code: "ABC234" });
own.on("pollAnswered", ({ choice }) => choice.length);
own.send("pollAnswered", { choice: "yes" }).then(({ seq }) => seq.toFixed());
// @ts-expect-error: a number is no text
own.send("pollAnswered", { choice: 7 });
