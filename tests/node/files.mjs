// A file of three chunks, its connection cut in the middle. Given: {url, way, code, teacher, student} (tokens).
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { ask, connected, done, end, given, until, waitFor } from "./school.mjs";

const { code } = given;
const teacher = await connected(given.teacher);
const student = await connected(given.student);
for (const socket of [teacher, student]) assert.equal((await ask(socket, "joinSession", code)).ok, true);

const file = randomBytes(600_000);
const sha256 = createHash("sha256").update(file).digest("hex");
const start = () =>
  ask(student, "fileStart", {
    sessionCode: code,
    clientFileId: "f1",
    fileName: "Ünïcode.bin",
    mimeType: "application/octet-stream",
    size: file.length,
    sha256,
  });
const chunk = (begun, index, data) =>
  ask(student, "fileChunk", { fileId: begun.fileId, index, data: data ?? file.subarray(index * begun.chunkSize, (index + 1) * begun.chunkSize) });

const begun = await start();
assert.equal(begun.ok, true);
assert.deepEqual(await chunk(begun, 0), { ok: true, nextIndex: 1 });
assert.equal((await chunk(begun, 1, Buffer.alloc(300_000))).error.code, "PAYLOAD_TOO_LARGE");
assert.equal((await chunk(begun, 1, "text")).error.code, "INVALID_PAYLOAD");
done("chunk");

let joins = 0;
student.on("connect", () => student.emit("joinSession", code, () => joins++));
student.io.engine.close();
await until(() => joins === 1, "another connection");
const again = await start();
assert.deepEqual([again.fileId, again.nextIndex], [begun.fileId, 1]);
assert.deepEqual(await chunk(begun, 1, new Uint8Array(file.subarray(begun.chunkSize, 2 * begun.chunkSize))), { ok: true, nextIndex: 2 });
assert.deepEqual(await chunk(begun, 2), { ok: true, nextIndex: 3 });
assert.equal((await ask(student, "fileComplete", { fileId: begun.fileId })).ok, true);
done("resumed");

const shared = await waitFor(teacher, "fileShared", { fileId: begun.fileId });
assert.deepEqual([shared.fileName, shared.size, shared.sha256], ["Ünïcode.bin", file.length, sha256]);
const headers = { Authorization: `Bearer ${given.teacher}` };
const answer = await fetch(given.url + shared.url, { headers });
assert.equal(answer.status, 200);
assert.ok(file.equals(Buffer.from(await answer.arrayBuffer())));
const part = await fetch(given.url + shared.url, { headers: { ...headers, Range: "bytes=262143-262144" } });
assert.equal(part.status, 206);
assert.ok(file.subarray(262143, 262145).equals(Buffer.from(await part.arrayBuffer())));
done("downloaded");
end();
