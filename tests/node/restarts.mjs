// A class goes on while its workers are replaced: clients do nothing but what the library does by itself.
// Given: {url, code, tokens, messages}. Reports "joined", then, when the line "done" has come on its input, "end".
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { done, end, given, open, until } from "./school.mjs";

const WAYS = [["websocket"], ["polling"], ["polling", "websocket"]];

function student(token, number) {
  const socket = open({ token }, { transports: WAYS[number % 3], reconnectionDelay: 200, reconnectionDelayMax: 1000 });
  Object.assign(socket, { seqs: [], epoch: null, acked: 0, ready: false, faults: [], ends: [] });
  const note = (data) => {
    if (data.seq <= (socket.seqs.at(-1) ?? 0)) socket.faults.push(`${data.seq} after ${socket.seqs.at(-1)}`);
    socket.seqs.push(data.seq);
  };
  socket.on("connect", () => {
    const resume = socket.epoch ? [{ sinceSeq: socket.position, epoch: socket.epoch }] : [];
    socket.emit("joinSession", given.code, ...resume, (_, ack) => ack?.ok !== false || socket.faults.push(JSON.stringify(ack)));
  });
  socket.on("sessionJoined", (data) => {
    if (socket.epoch && !data.recovered) socket.faults.push("not recovered");
    for (const item of data.missed ?? []) if (item.event === "messageReceived") note(item.data);
    Object.assign(socket, { position: data.seq, epoch: data.epoch, ready: true });
  });
  socket.on("messageReceived", (data) => { note(data); socket.position = data.seq; });
  socket.on("disconnect", (reason) => { socket.ready = false; socket.ends.push(reason); });
  socket.on("connect_error", (error) => socket.active || socket.faults.push(error.message));
  return socket;
}

// Say something until it is acked.
async function say(socket, number) {
  for (;;) {
    await until(() => socket.ready, "a session");
    try {
      const message = { sessionCode: given.code, message: `${number}`, clientMessageId: `${number}` };
      const ack = await socket.timeout(3000).emitWithAck("sendMessage", message);
      if (ack.ok) return;
    } catch { /* its connection ended first */ }
  }
}

const students = given.tokens.map(student);
await until(() => students.every((one) => one.ready), "everybody in the session");
done("joined");
let over = false;
createInterface({ input: process.stdin }).on("line", () => { over = true; });
let said = 0;
while (!over) {
  await Promise.all(students.map((one, number) => (number % 3 === said % 3 ? say(one, `${said}-${number}`) : null)));
  said += 1;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await until(() => new Set(students.map((one) => one.seqs.length)).size === 1, "the same number of messages");
for (const one of students) {
  assert.deepEqual(one.faults, []);
  assert.deepEqual(one.seqs, students[0].seqs);
  assert.ok(one.heard.filter(([event]) => event === "reconnectAdvised").length >= given.advised);
  assert.ok(one.ends.every((reason) => reason === "transport close" || reason === "transport error"), one.ends);
}
done(`messages ${students[0].seqs.length}`);
end();
process.exit(0);
