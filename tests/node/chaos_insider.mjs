// Somebody in the chaos test's class who leaves all that is hard to the JavaScript client. What they testify is what it told
// them: what it held back for having come before is not in it.
import { io } from "socket.io-client";
import { Classroom } from "../../clients/js/classwaves.js";
import { Person } from "./chaos_person.mjs";
import { given } from "./school.mjs";

const WAYS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };

export class Insider extends Person {
  constructor({ name, token, way, plan }) {
    super({ name, token, plan, way: `clients/js, ${way}` });
    this.unanswered = new Set();
    this.loads = 0;
    this.loading = false;
    this.missed = []; // what follows "resumed"
    this.missedUpTo = 0;
    const options = { transports: WAYS[way], reconnectionDelay: 100, reconnectionDelayMax: 1000 };
    this.room = new Classroom({ url: given.url, code: given.code, token, options, io: (...how) => this.connect(...how) });
    this.room.on("*", (event, data, error) => this.onEvent(event, data, error));
    this.room.join();
  }

  connect(url, options) { // the library's own, with an eye on it
    const socket = io(url, options);
    socket.on("connect", () => {
      this.events.push(["connect", { at: Date.now() }]);
      socket.io.engine.once("upgrade", () => this.events.push(["upgrade", {}]));
    });
    socket.on("disconnect", (reason) => this.events.push(["disconnect", { reason, at: Date.now() }]));
    return socket;
  }

  onEvent(event, data, error) {
    if (event === "state") return data === "refused" && this.fault(`refused: ${error.code} ${error.message}`);
    if (event === "connectionReady") this.testimony.connections++;
    if (event === "error") this.refused(data);
    if (event === "snapshot" || event === "resumed") return this.onJoined(event, data);
    this.learn(event, data);
    if (data.seq <= this.missedUpTo) this.missed.push({ event, data });
    else this.events.push([event, data]);
  }

  onJoined(event, data) {
    this.testimony.userId = this.room.me.userId;
    this.learn("sessionJoined", data);
    this.missed = [];
    this.events.push(["sessionJoined", { ...data, recovered: event === "resumed", missed: this.missed }]);
    this.missedUpTo = event === "resumed" ? data.seq : 0;
    const failed = ({ code, message }) => code === "CLOSED" || this.fault(`no history: ${code} ${message}`);
    if (event === "snapshot") this.loadHistory(data.seq + 1).catch(failed);
  }

  async loadHistory(beforeSeq) { // the messages up to the snapshot; what comes after it comes by itself
    const load = ++this.loads;
    let messages = [];
    this.loading = true;
    for (let page = { hasMore: true, nextBeforeSeq: beforeSeq }; page.hasMore; ) {
      page = await this.room.send("fetchHistory", { beforeSeq: page.nextBeforeSeq, limit: 100 });
      messages = [...page.messages, ...messages];
    }
    if (load !== this.loads) return;
    this.events.push(["history", { messages }]);
    this.loading = false;
  }

  async do(event, fields) {
    const { testimony } = this, id = `${this.name} ${Object.keys(testimony.sent).length}`;
    testimony.sent[id] = event;
    this.unanswered.add(id);
    try {
      testimony.acks[id] = await this.room.send(event, { clientMessageId: id, ...fields });
    } catch ({ code, message, details }) {
      testimony.rejected[id] = { code, message, details };
    }
    this.unanswered.delete(id);
  }

  get state() {
    const ready = this.room.state === "joined" && !this.loading;
    return { name: this.name, ready, left: this.plan.length, unacked: [...this.unanswered], seq: this.room.seq, more: this.room.state };
  }

  leave() {
    this.loads++;
    this.room.close();
  }
}
