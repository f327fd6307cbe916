// What a client may write, and, marked as errors, what it may not. Compiled against the types of an application.
import { io, type Socket } from "socket.io-client";
import type { Ack, AckedEvents, ClientToServerEvents, ErrorCode, SendMessageAck, ServerToClientEvents } from "./classwaves";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io({ auth: { token: "…" } });
const acked: Socket<ServerToClientEvents, AckedEvents> = io();

// what a client sends

socket.emit("joinSession", "ABC234");
socket.emit("joinSession", "ABC234", { sinceSeq: 7, epoch: "e" });
socket.emit("joinSession", "ABC234", (answer) => answer.ok && answer.recovered);
socket.emit("joinSession", "ABC234", { sinceSeq: 7, epoch: "e" }, (answer) => answer.ok);
socket.emit("sendMessage", { sessionCode: "ABC234", message: "hello" });
socket.emit("sendMessage", { sessionCode: "ABC234", message: "hello", clientMessageId: "1" }, (answer) => {
  if (answer.ok) {
    const seq: number | undefined = answer.seq;
    // @ts-expect-error: there is no error in what went well
    answer.error;
    return seq;
  }
  const code: ErrorCode = answer.error.code;
  // @ts-expect-error: no such code
  return code === "NO_SUCH_CODE" || code === "RATE_LIMIT";
});
socket.timeout(5000).emit("raiseHand", { sessionCode: "ABC234" }, (problem: Error, answer) => problem || answer.ok);
socket.emit("fileChunk", { fileId: "f", index: 0, data: new Uint8Array(3) });

// @ts-expect-error: no such event
socket.emit("sendMesage", { sessionCode: "ABC234", message: "hello" });
// @ts-expect-error: a field is missing
socket.emit("sendMessage", { message: "hello" });
// @ts-expect-error: no such field
socket.emit("sendMessage", { sessionCode: "ABC234", message: "hello", colour: "red" });
// @ts-expect-error: a number is no text
socket.emit("sendMessage", { sessionCode: "ABC234", message: 7 });
// @ts-expect-error: no such status
socket.emit("updatePresence", { sessionCode: "ABC234", status: "asleep" });
// @ts-expect-error: the code is an argument, not an object
socket.emit("joinSession", { sessionCode: "ABC234" });
// @ts-expect-error: this is the server's
socket.emit("messageReceived", {});
// @ts-expect-error: a wrong payload
socket.emitWithAck("typing", { sessionCode: "ABC234" });

// what its acks have

async function say(): Promise<number | undefined> {
  const answer: Ack<SendMessageAck> = await acked.emitWithAck("sendMessage", { sessionCode: "ABC234", message: "hello" });
  const joined = await acked.emitWithAck("joinSession", "ABC234");
  // @ts-expect-error: first look whether it went well
  joined.epoch;
  // @ts-expect-error: no ack has this
  return joined.ok && joined.colour ? 0 : answer.ok ? answer.seq : undefined;
}

// what it hears

socket.on("sessionJoined", ({ participants, activity, missed }) => {
  const names: string[] = participants.map((one) => one.displayName);
  const type: string | undefined = activity?.activityType;
  // @ts-expect-error: there may be none
  activity.activityType;
  return [names, type, missed.map((one) => one.event)];
});
socket.on("messageReceived", (message) => {
  const seq: number = message.seq;
  // @ts-expect-error: not everybody has sent one
  const mine: string = message.clientMessageId;
  // @ts-expect-error: no such field
  return [seq, mine, message.colour];
});
socket.on("presenceUpdated", ({ status }) => status === "left");
socket.on("error", ({ code, retryAfterMs }) => code === "RATE_LIMIT" && retryAfterMs);
socket.on("connect_error", (problem) => problem.message);
// @ts-expect-error: no such event
socket.on("messageRecieved", () => {});

export { say };
