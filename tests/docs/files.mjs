const { assert, guest, heard, joined, lesson, url: server } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);
import { createHash } from "node:crypto";

const { sessionCode } = await lesson();
const { accessToken: token } = await guest(sessionCode);
const socket = await joined(token, sessionCode);
const bytes = Buffer.alloc(300_000, "chunks ");
const file = new File([bytes], "notes.txt", { type: "text/plain" });
const sha256 = createHash("sha256").update(bytes).digest("hex");
const shared = heard(socket, "fileShared");
const link = {};

async function ask(event, payload) {
  const ack = await socket.emitWithAck(event, payload);
  if (!ack.ok) throw new Error(JSON.stringify(ack.error));
  if (event === "fileComplete") fileOf.id = (await shared).fileId; // it may come after the ack
  return ack;
}

const fileName = file.name;
// `url` is that of fileShared, which comes between the two blocks of the page
const url = { toString: () => `${server}/api/v1/files/${fileOf.id}` };
const fileOf = {};

// the page

assert.equal(link.download, "notes.txt");
assert.deepEqual(Buffer.from(await (await fetch(link.href)).arrayBuffer()), bytes);
