// A shop's own namespaces through socket.io-client, while the transport may be going over from polling to WebSocket.
// Given: {url, way, token}. Everything is under way in both directions when the upgrade happens.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

const given = JSON.parse(process.argv[2]);
const TRANSPORTS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };
const COUNT = 200;
const range = (count) => Array.from({ length: count }, (_, number) => number);
const done = (step) => console.log(JSON.stringify({ step }));

process.on("unhandledRejection", (error) => {
  console.error(error?.stack ?? error);
  process.exit(1);
});

async function until(condition, what) {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const options = { transports: TRANSPORTS[given.way], extraHeaders: { "X-Shop": "node" }, ackTimeout: 15_000, retries: 0 };
const shop = io(`${given.url}/shop`, { ...options, forceNew: true, auth: { name: "Ann" } });
const custom = shop.io.socket("/custom", { auth: { name: "Bob" } });
const main = shop.io.socket("/", { auth: { token: given.token } });
const refusing = shop.io.socket("/refusing", { auth: { a: 1 } });
const random = shop.io.socket("/random", {});
const refusals = {};
for (const socket of [refusing, random]) {
  socket.on("connect_error", (error) => (refusals[socket.nsp] = [error.message, error.data]));
  socket.connect();
}
for (const socket of [custom, main]) socket.connect();
let upgrades = 0;
shop.io.engine.on("upgrade", () => (upgrades += 1));
const broken = [];
for (const socket of [shop, custom, main]) socket.on("disconnect", (reason) => broken.push(reason));

// before the connection stands: kept by the client, sent as soon as it does, in order
const numbers = [];
const echoes = [];
const pictures = [];
shop.on("number", (number, data) => numbers.push([number, data.equals(Buffer.from([1, 2, 3]))]));
shop.on("message-back", (number) => echoes.push(number));
custom.on("message-back", (number, data) => pictures.push([number, data.length]));
shop.emit("numbers", COUNT, 0.001, Buffer.from([1, 2, 3]));
const acks = Promise.all(range(COUNT).map((number) => shop.emitWithAck("message-with-ack", number, "é")));
for (const number of range(COUNT)) shop.emit("message", number);
for (const number of range(20)) custom.emit("message", number, Buffer.alloc(number * 100 + 1, 7));

await until(() => shop.connected && custom.connected && main.connected, "the connections");
assert.equal(new Set([shop.id, custom.id, main.id, shop.io.engine.id]).size, 4);
done("connect");

const later = Promise.all(range(COUNT).map((number) => custom.emitWithAck("message-with-ack", Buffer.from([number]))));
assert.deepEqual(await acks, range(COUNT));
assert.deepEqual((await later).map((data) => data[0]), range(COUNT));
await until(() => numbers.length === COUNT && echoes.length === COUNT && pictures.length === 20, "all events");
assert.deepEqual(numbers, range(COUNT).map((number) => [number, true]));
assert.deepEqual(echoes, range(COUNT));
assert.deepEqual(pictures, range(20).map((number) => [number, number * 100 + 1]));
done("events");

await until(() => Object.keys(refusals).length === 2, "the refusals");
assert.deepEqual(refusals["/refusing"], ["Not authorized", { code: "NO_MONEY", auth: { a: 1 } }]);
assert.deepEqual(refusals["/random"], ["Invalid namespace", undefined]);
done("refusals");

const way = { websocket: ["websocket", 0], polling: ["polling", 0], upgrade: ["websocket", 1] }[given.way];
await until(() => shop.io.engine.transport.name === way[0], "the upgrade");
assert.equal(upgrades, way[1]);
const seen = await shop.emitWithAck("whoami");
assert.deepEqual([seen.sid, seen.namespace, seen.auth, seen.header], [shop.id, "/shop", { name: "Ann" }, "node"]);
assert.deepEqual((await custom.emitWithAck("whoami")).auth, { name: "Bob" });
assert.equal((await main.emitWithAck("no such event", {})).error.code, "UNKNOWN_EVENT");
done("handshake");

const answers = [];
shop.on("question", (text, data, ack) => ack(`${text}!`, Buffer.from(data).reverse()));
shop.on("answered", (text, data) => answers.push([text, [...data]]));
for (const number of range(20)) shop.emit("ask", `${number}`, Buffer.from([1, 2, number]));
await until(() => answers.length === 20, "the answers");
assert.deepEqual(answers, range(20).map((number) => [`${number}!`, [number, 2, 1]]));
const picture = await shop.emitWithAck("picture", 70_000);
assert.ok(picture.equals(Buffer.from(range(70_000).map((number) => number % 256))));
done("binary");

await shop.emitWithAck("join", `room of ${shop.id}`);
const told = [];
shop.on("told", (...args) => told.push(args));
shop.emit("tell", `room of ${shop.id}`, true, { deep: [Buffer.from("é")] }, null);
await until(() => told.length === 1, "the room");
assert.deepEqual(told, [[{ deep: [Buffer.from("é")] }, null]]);
done("rooms");

assert.deepEqual(broken, []);
custom.emit("throw me out");
await until(() => broken.length === 1, "the server's disconnect");
assert.deepEqual(broken, ["io server disconnect"]);
main.disconnect();
assert.equal(await shop.emitWithAck("message-with-ack", "still here"), "still here");
const id = shop.id;
shop.emit("close");
await until(() => broken.length === 3, "the end of the transport");
assert.ok(["transport close", "transport error"].includes(broken[2]), broken[2]);
await until(() => shop.connected && shop.id !== id, "the return");
assert.equal(await shop.emitWithAck("message-with-ack", "back"), "back");
shop.io._close();
done("end");
