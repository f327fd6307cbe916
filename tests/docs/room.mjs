// What the JavaScript of the docs takes for given: a server, a lesson, people in it.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

export { assert, io };
export const url = process.env.CLASSWAVES_URL;

export async function rest(path, token, body, method = "POST") {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
  });
  const said = await answer.json();
  assert(answer.ok, JSON.stringify(said));
  return said;
}

export const login = (username = "teacher") => rest("/auth/login", null, { username, password: "classwaves" });

/** A session that has started: its code, and a token of its teacher. */
export async function lesson(settings = {}) {
  const teacher = (await login()).accessToken;
  const { sessionCode } = await rest("/sessions", teacher, { title: "Docs", settings });
  await rest(`/sessions/${sessionCode}/start`, teacher);
  return { sessionCode, teacher };
}

export const guest = (code, displayName = "Ann") => rest(`/sessions/${code}/join`, null, { displayName });

export async function connected(token) {
  const socket = io(url, { auth: { token }, forceNew: true });
  await heard(socket, "connect");
  return socket;
}

export async function joined(token, code) {
  const socket = await connected(token);
  assert((await socket.emitWithAck("joinSession", code)).ok);
  return socket;
}

/** The first payload of an event from now on. */
export const heard = (socket, event) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), 10000);
    socket.once(event, (payload) => {
      clearTimeout(timer);
      resolve(payload);
    });
  });

export async function until(condition) {
  const end = Date.now() + 10000;
  while (!(await condition())) {
    assert(Date.now() < end, `never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
