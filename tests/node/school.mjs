// What the scripts here share: sockets that note what they hear, REST, and reporting.
// A script is started with one argument, JSON: {url, way, teacher, ...}. It prints a JSON line a step, and ends with 1
// and a message when something is not as it should be.
import { io } from "socket.io-client";

export const given = JSON.parse(process.argv[2]);

const WAYS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };
const PATIENCE = 10_000;
const opened = [];

process.on("unhandledRejection", (error) => fail(error));
process.on("uncaughtException", (error) => fail(error));

function fail(error) {
  console.error(error?.stack ?? error);
  process.exit(1);
}

export function done(step) {
  console.log(JSON.stringify({ step }));
}

// A socket; its `heard` are [event, payload] pairs in the order of reception.
export function open(auth, options = {}) {
  const socket = io(given.url, {
    auth,
    transports: WAYS[given.way],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    ackTimeout: PATIENCE,
    retries: 0,
    ...options,
  });
  socket.heard = [];
  socket.onAny((event, ...args) => {
    if (args.length !== 1) fail(`${event} has ${args.length} arguments`);
    socket.heard.push([event, args[0]]);
  });
  opened.push(socket);
  return socket;
}

export async function connected(token) {
  const socket = open({ token });
  await until(() => socket.connected, "a connection");
  return socket;
}

export function ask(socket, event, ...args) {
  return socket.timeout(PATIENCE).emitWithAck(event, ...args);
}

export function payloads(socket, event) {
  return socket.heard.filter(([name]) => name === event).map(([, data]) => data);
}

export async function waitFor(socket, event, fields = {}) {
  const matches = (data) => Object.entries(fields).every(([name, value]) => data[name] === value);
  return until(() => payloads(socket, event).findLast(matches), `${event} ${JSON.stringify(fields)}`);
}

export async function until(condition, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function rest(method, path, token) {
  const answer = await fetch(`${given.url}/api/v1${path}`, { method, headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

export function end() {
  for (const socket of opened) socket.close();
  done("end");
  process.exitCode = 0;
}
