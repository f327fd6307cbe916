// What connect_error says, and that the client then stays away. Given: {url, way, cases: [[auth, code, message]], student}.
import assert from "node:assert/strict";
import { connected, done, end, given, open, rest, until, waitFor } from "./school.mjs";

for (const [auth, code, message] of given.cases) {
  const socket = open(auth);
  const error = await new Promise((resolve) => socket.once("connect_error", resolve));
  assert.equal(error.message, message);
  assert.equal(error.data.code, code);
  assert.equal(typeof error.data.message, "string");
  assert.equal(socket.active, false);
  done(code);
}

const socket = await connected(given.student);
const reason = new Promise((resolve) => socket.once("disconnect", resolve));
await rest("POST", "/auth/logout", given.student);
assert.equal(await reason, "io server disconnect");
assert.equal((await waitFor(socket, "error")).code, "SESSION_EXPIRED");
assert.equal(socket.active, false);
const again = new Promise((resolve) => socket.once("connect_error", resolve));
socket.connect();
assert.deepEqual([(await again).message, (await again).data.code], ["Session expired", "SESSION_EXPIRED"]);
await until(() => !socket.active, "an end of the attempts");
end();
