// A client whose transport breaks comes back by itself and resumes. Given: {url, way, code, teacher, student}.
import assert from "node:assert/strict";
import { ask, connected, done, end, given, payloads, until, waitFor } from "./school.mjs";

const { code } = given;
const teacher = await connected(given.teacher);
const student = await connected(given.student);
await ask(teacher, "joinSession", code);
await ask(student, "joinSession", code);
const { epoch } = await waitFor(student, "sessionJoined");

const seen = [];
const newest = () => Math.max(...student.heard.map(([, data]) => data.seq ?? 0));
student.on("messageReceived", (data) => seen.push(data.message));
student.on("sessionJoined", (data) => {
  assert.equal(data.recovered, true);
  for (const item of data.missed) seen.push(item.data.message);
});

const wanted = [];
for (let round = 0; round < 5; round += 1) {
  const id = student.id;
  student.io.engine.close();
  await until(() => !student.connected, "the break");
  for (const part of ["a", "b"]) {
    wanted.push(`${round}${part}`);
    await ask(teacher, "sendMessage", { sessionCode: code, message: wanted.at(-1) });
  }
  await until(() => student.connected && student.id !== id, "the return");
  const position = newest();
  assert.equal((await ask(student, "joinSession", code, { sinceSeq: position, epoch })).ok, true);
  wanted.push(`${round}c`);
  await ask(teacher, "sendMessage", { sessionCode: code, message: wanted.at(-1) });
  await waitFor(student, "messageReceived", { message: wanted.at(-1) });
  assert.deepEqual(seen, wanted);
  done(`round ${round}`);
}
assert.deepEqual(payloads(teacher, "presenceUpdated").map((data) => data.status), ["active"]);
end();
