// The whole seed flow. Given: {url, way, code, teacher, student} (tokens).
import assert from "node:assert/strict";
import { ask, connected, done, end, given, payloads, rest, waitFor } from "./school.mjs";

const { code } = given;
const teacher = await connected(given.teacher);
const student = await connected(given.student);
done("connect");

assert.equal((await ask(teacher, "joinSession", code)).ok, true);
const position = await ask(student, "joinSession", code.toLowerCase());
assert.equal(position.ok, true);
const joined = await waitFor(student, "sessionJoined");
assert.deepEqual(student.heard.slice(0, 2).map(([event]) => event), ["connectionReady", "sessionJoined"]);
assert.deepEqual(
  joined.participants.map((one) => [one.displayName, one.role, one.status]),
  [["Demo Teacher", "teacher", "active"], ["Ann", "student", "active"]],
);
assert.equal(joined.sessionCode, code);
assert.equal(joined.seq, position.seq);
assert.equal(joined.epoch, position.epoch);
assert.equal(joined.self.displayName, "Ann");
assert.equal(joined.recovered, false);
for (const name of ["groups", "hands", "missed"]) assert.deepEqual(joined[name], []);
assert.equal(joined.activity, null);
assert.equal(typeof joined.settings, "object");
const arrival = await waitFor(teacher, "presenceUpdated");
assert.deepEqual([arrival.displayName, arrival.status], ["Ann", "active"]);
done("join");

const said = { sessionCode: code, message: "Good morning ✓ 😀", clientMessageId: "m1" };
const sent = await ask(teacher, "sendMessage", said);
assert.equal(sent.ok, true);
assert.deepEqual(await ask(teacher, "sendMessage", said), sent);
for (const socket of [teacher, student]) {
  const message = await waitFor(socket, "messageReceived", { messageId: sent.messageId });
  assert.deepEqual([message.message, message.seq, message.clientMessageId, message.type], [said.message, sent.seq, "m1", "text"]);
  assert.match(message.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
}
student.emit("sendMessage", { sessionCode: code, message: "without an ack" });
await waitFor(teacher, "messageReceived", { message: "without an ack" });
done("message");

assert.equal((await ask(student, "updatePresence", { sessionCode: code, status: "away" })).ok, true);
await waitFor(teacher, "presenceUpdated", { status: "away" });
done("presence");

for (const [event, args, expected] of [
  ["noSuchEvent", [{}], "UNKNOWN_EVENT"],
  ["__proto__", [], "UNKNOWN_EVENT"],
  ["error", ["mine"], "UNKNOWN_EVENT"],
  ["sendMessage", [{ sessionCode: code, message: Buffer.from("binary") }], "INVALID_PAYLOAD"],
  ["sendMessage", [{ sessionCode: code, message: "x", more: 1 }], "INVALID_PAYLOAD"],
  ["sendMessage", [{ sessionCode: code, message: "x".repeat(70_000) }], "PAYLOAD_TOO_LARGE"],
  ["joinSession", ["ZZZZZZ"], "SESSION_NOT_FOUND"],
]) {
  const before = payloads(student, "error").length;
  const ack = await ask(student, event, ...args);
  assert.deepEqual([ack.ok, ack.error.code], [false, expected]);
  const errors = payloads(student, "error").slice(before);
  assert.deepEqual(errors, [{ ...ack.error, event }]);
}
assert.equal(payloads(teacher, "error").length, 0);
done("errors");

const texts = Array.from({ length: 200 }, (_, number) => `at once ${number}`);
const acks = await Promise.all(texts.map((message) => ask(student, "sendMessage", { sessionCode: code, message })));
for (const socket of [student, teacher]) {
  await waitFor(socket, "messageReceived", { message: texts.at(-1) });
  const heard = payloads(socket, "messageReceived").slice(-200);
  assert.deepEqual(heard.map((data) => data.message), texts);
  assert.deepEqual(heard.map((data) => data.seq), acks.map((ack) => ack.seq));
}
done("order");

const last = acks.at(-1).seq;
assert.deepEqual(await ask(student, "leaveSession", code), { ok: true });
assert.deepEqual(await waitFor(student, "sessionLeft"), { sessionCode: code });
await waitFor(teacher, "presenceUpdated", { status: "left" });
await ask(teacher, "sendMessage", { sessionCode: code, message: "missed" });
assert.equal((await ask(student, "sendMessage", said)).error.code, "NOT_IN_SESSION");
assert.equal((await ask(student, "joinSession", code, { sinceSeq: last, epoch: position.epoch })).recovered, true);
const back = await waitFor(student, "sessionJoined", { recovered: true });
assert.deepEqual(back.missed.map((item) => [item.event, item.data.message]), [["messageReceived", "missed"]]);
assert.deepEqual(back.missed[0].data, payloads(teacher, "messageReceived").at(-1));
done("resume");

await rest("POST", `/sessions/${code}/start`, given.teacher);
await rest("POST", `/sessions/${code}/end`, given.teacher);
for (const socket of [teacher, student]) {
  await waitFor(socket, "sessionEnded", { sessionCode: code });
  const steps = payloads(socket, "sessionStatusChanged").map((data) => data.status);
  assert.deepEqual(steps, ["active", "ended"]);
}
assert.equal((await ask(student, "sendMessage", { ...said, clientMessageId: "m2" })).error.code, "SESSION_ENDED");
assert.equal(payloads(student, "presenceUpdated").length, 0);
end();
