// Uses the modules of docs/recovery.md and docs/presence.md, which lie beside it, on a demo server: SERVER.
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { openSession } from "./resume.mjs";
import { roster } from "./roster.mjs";
import { follow } from "./visible.mjs";

const server = process.env.SERVER;

async function post(path, body, token) {
  const answer = await fetch(`${server}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

async function until(condition, what) {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const { accessToken } = await post("/auth/login", { username: "teacher", password: "classwaves" });
const { sessionCode: code } = await post("/sessions", { title: "Recovery" }, accessToken);

function enter(token) {
  const seen = new Map(), notes = { cleared: 0, refused: [] };
  const session = openSession({
    server, code, token: () => token,
    show: (message) => seen.set(message.seq, message.message),
    clear: () => { notes.cleared += 1; seen.clear(); },
    refuse: (error) => notes.refused.push(error.code),
  });
  return { ...session, session, seen, notes, texts: () => [...seen].sort(([a], [b]) => a - b).map(([, text]) => text) };
}

const teacher = enter(accessToken);
await until(() => teacher.notes.cleared === 1, "the teacher's join");
teacher.say("before");
const guest = await post(`/sessions/${code}/join`, { displayName: "Ada" });
const ada = enter(guest.accessToken);
await until(() => ada.texts().includes("before"), "the history");
const people = roster(teacher.socket, code, () => {});
teacher.socket.emit("joinSession", code);
await until(() => people.size === 2, "the roster");

ada.socket.io.engine.close(); // as a lost network does
await until(() => !ada.socket.connected, "the loss");
ada.say("typed while away");
teacher.say("missed");
await until(() => teacher.texts().includes("missed"), "the message");
await until(() => teacher.texts().includes("typed while away") && ada.texts().includes("typed while away"), "the return");
for (const one of [teacher, ada]) {
  await until(() => one.session.waiting === 0, "the acks");
  assert.deepEqual(one.texts(), ["before", "missed", "typed while away"]);
}
assert.deepEqual([ada.notes.cleared, ada.notes.refused], [1, []], "it resumed, and did not start again");
await post(`/sessions/${code}/end`, {}, accessToken);
ada.say("too late");
await until(() => ada.notes.refused.includes("SESSION_ENDED"), "the refusal");
assert.equal(ada.session.waiting, 0);
console.log("recovery");

const lesson = await post("/sessions", { title: "Presence" }, accessToken);
const page = Object.assign(new EventTarget(), { hidden: true });
const statuses = [];
const names = roster(teacher.socket, lesson.sessionCode, () => {});
teacher.socket.emit("joinSession", lesson.sessionCode);
await until(() => names.size === 1, "the teacher alone");
const { accessToken: eve } = await post(`/sessions/${lesson.sessionCode}/join`, { displayName: "Eve" });
const socket = io(server, { auth: { token: eve }, forceNew: true });
follow(page, socket, lesson.sessionCode, (status) => statuses.push(status));
socket.emit("joinSession", lesson.sessionCode);
await until(() => [...names.values()].some((one) => one.displayName === "Eve" && one.status === "away"), "away");
page.hidden = false;
page.dispatchEvent(new Event("visibilitychange"));
await until(() => [...names.values()].some((one) => one.displayName === "Eve" && one.status === "active"), "active");
assert.deepEqual(statuses, ["away", "active"]);
socket.emit("leaveSession", lesson.sessionCode);
await until(() => names.size === 1, "the end");
console.log("presence");
process.exit(0);
