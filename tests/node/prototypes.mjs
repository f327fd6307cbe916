// Keys that mean something to JavaScript, as data in an activity. Given: {url, way, code, teacher, student} (tokens).
import assert from "node:assert/strict";
import { ask, connected, done, end, given, waitFor } from "./school.mjs";

const { code } = given;
const teacher = await connected(given.teacher);
const student = await connected(given.student);
for (const socket of [teacher, student]) assert.equal((await ask(socket, "joinSession", code)).ok, true);
done("join");

const text = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "hasOwnProperty": 1}';
const data = JSON.parse(text);
const started = { sessionCode: code, activityId: "__proto__", activityType: "poll", status: "started", data };
assert.equal((await ask(teacher, "updateActivity", started)).ok, true);
for (const socket of [teacher, student]) {
  const update = await waitFor(socket, "activityUpdate");
  assert.equal(JSON.stringify(update.data), JSON.stringify(data));
  assert.equal(update.polluted, undefined);
}
assert.equal({}.polluted, undefined);
assert.equal(Object.prototype.polluted, undefined);
done("data");

student.emit("sendMessage", JSON.parse(`{"sessionCode": "${code}", "message": "x", "__proto__": {"isAdmin": true}}`));
const error = await waitFor(student, "error");
assert.equal(error.code, "INVALID_PAYLOAD");
assert.deepEqual(Object.keys(error.details), ["__proto__"]);
assert.equal({}.isAdmin, undefined);
done("fields");

end();
