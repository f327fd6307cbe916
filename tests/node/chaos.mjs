// The part of the chaos test's class that runs on Node: participants who resume and repeat as the example page does, and
// those who leave that to the JavaScript client (chaos_insider.mjs).
// Commands come as lines on standard input (talk, state, dump, leave), and each is answered with a line of JSON.
// What they do is tests/chaos/lesson.py in JavaScript.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { Insider } from "./chaos_insider.mjs";
import { Person, pause } from "./chaos_person.mjs";
import { given } from "./school.mjs";

const WAYS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };
const PATIENCE = 10_000;
const RETRYABLE = ["RATE_LIMIT", "CONNECTION_LIMIT", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR", "TIMEOUT"];

class Participant extends Person {
  constructor({ name, token, way, plan }) {
    super({ name, token, plan, way: `Node, ${way}` });
    this.outbox = new Map(); // clientMessageId -> what is not acked
    this.joined = this.loading = this.leaving = false;
    this.seq = 0;
    this.epoch = null;
    this.socket = io(given.url, { auth: { token }, transports: WAYS[way], forceNew: true,
                                  reconnectionDelay: 100, reconnectionDelayMax: 1000 });
    this.socket.on("connect", () => {
      this.testimony.connections++;
      this.events.push(["connect", { at: Date.now() }]);
      this.socket.io.engine.once("upgrade", () => this.events.push(["upgrade", {}]));
      this.join();
    });
    this.socket.on("disconnect", (reason) => {
      this.events.push(["disconnect", { reason, at: Date.now() }]);
      this.joined = false;
      if (!this.socket.active && !this.leaving) this.fault(`disconnected for good: ${reason}`);
    });
    this.socket.on("connect_error", (error) => {
      if (!this.socket.active) this.fault(`refused for good: ${error.message} ${JSON.stringify(error.data)}`);
    });
    this.socket.onAny((event, data) => this.onEvent(event, data));
  }

  // never rejects; only called while connected
  async request(event, ...args) {
    if (!this.socket.connected) return { ok: false, offline: true, error: { code: "UNREACHABLE" } };
    try {
      return await this.socket.timeout(PATIENCE).emitWithAck(event, ...args);
    } catch {
      return { ok: false, offline: !this.socket.connected, error: { code: "TIMEOUT" } };
    }
  }

  // the session

  async join() {
    if (!this.socket.connected) return; // "connect" calls again
    this.events.push(["join", {}]);
    const connection = this.testimony.connections;
    const resume = this.epoch === null ? [] : [{ sinceSeq: this.seq, epoch: this.epoch }];
    const ack = await this.request("joinSession", given.code, ...resume);
    if (ack.ok || ack.offline || connection !== this.testimony.connections) return;
    const ms = this.refused(ack.error);
    if (!RETRYABLE.includes(ack.error.code)) return this.fault(`not let in: ${JSON.stringify(ack.error)}`);
    await pause(ms);
    if (connection === this.testimony.connections && !this.joined) this.join();
  }

  onEvent(event, data) {
    this.events.push([event, data]);
    if (event === "sessionJoined") return this.onJoined(data);
    if (event === "sessionLeft" && !this.leaving) {
      this.joined = false;
      return this.join();
    }
    if (typeof data.seq === "number") this.seq = Math.max(this.seq, data.seq);
    this.learn(event, data);
  }

  onJoined(data) {
    const again = !data.recovered;
    this.testimony.userId = data.self.userId;
    this.learn("sessionJoined", data);
    for (const item of data.missed) this.learn(item.event, item.data);
    this.seq = again ? data.seq : Math.max(this.seq, data.seq);
    this.epoch = data.epoch;
    if (again) this.loadHistory();
    if (this.joined) return;
    this.joined = true;
    for (const id of this.outbox.keys()) this.transmit(id);
  }

  async loadHistory() {
    const load = (this.load = (this.load ?? 0) + 1);
    this.loading = true;
    for (;;) {
      try {
        const messages = await this.history();
        if (load !== this.load) return;
        this.events.push(["history", { messages }]);
        this.loading = false;
        return;
      } catch {
        await pause(300);
      }
    }
  }

  async history() {
    let found = [], before = "";
    for (;;) {
      const path = `/api/v1/sessions/${given.code}/messages?limit=100${before}`;
      const answer = await fetch(given.url + path, { headers: { Authorization: `Bearer ${this.token}` } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const page = await answer.json();
      found = [...page.messages, ...found];
      if (!page.hasMore) return found;
      before = `&beforeSeq=${page.nextBeforeSeq}`;
    }
  }

  // what it sends

  do(event, fields) {
    const id = `${this.name} ${Object.keys(this.testimony.sent).length}`;
    this.testimony.sent[id] = event;
    this.outbox.set(id, { event, fields, attempt: 0 });
    this.transmit(id);
  }

  async transmit(id) {
    const entry = this.outbox.get(id);
    if (!entry || !this.joined) return; // sessionJoined calls again
    clearTimeout(entry.timer);
    const attempt = ++entry.attempt;
    const ack = await this.request(entry.event, { sessionCode: given.code, clientMessageId: id, ...entry.fields });
    if (this.outbox.get(id) !== entry || entry.attempt !== attempt || ack.offline) return;
    if (!ack.ok) {
      const ms = this.refused(ack.error);
      if (RETRYABLE.includes(ack.error.code)) return (entry.timer = setTimeout(() => this.transmit(id), ms));
      this.testimony.rejected[id] = ack.error;
    } else this.testimony.acks[id] = ack;
    this.outbox.delete(id);
  }

  get state() {
    const ready = this.joined && !this.loading && this.socket.connected;
    return { name: this.name, ready, left: this.plan.length, unacked: [...this.outbox.keys()], seq: this.seq };
  }

  leave() {
    this.leaving = true;
    this.load = -1;
    this.socket.disconnect();
  }
}

const kinds = { node: Participant, insider: Insider };
const people = JSON.parse(readFileSync(given.people)).map((one) => new kinds[one.kind](one));
const commands = {
  talk: () => people.forEach((one) => one.talk()),
  state: () => people.map((one) => one.state),
  dump: () => writeFileSync(given.testimony, people.map((one) => JSON.stringify(one.testimony) + "\n").join("")),
  leave: () => people.forEach((one) => one.leave()),
};
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(commands[line]() ?? null));
}
process.exit(0);
