// One classroom session over socket.io-client, with what every front end otherwise has to get right by itself: each event
// once and in the order of its seq, live or missed; back after a lost connection without a hole, or told to start again
// from a snapshot; what is sent is repeated with the same id until it is answered, and so is stored once; new tokens in time.
const PATIENCE = 30_000; // ms: who is not answered by then asks again. A line that is dead is found by its heartbeat
const PASSING = ["RATE_LIMIT", "CONNECTION_LIMIT", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR", "NO_ANSWER"];
const LOGIN = ["AUTH_REQUIRED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SESSION_EXPIRED"];
// Every event has a sessionCode and takes a clientMessageId, but these. Without one they may be repeated all the same.
const WITHOUT_CODE = ["fileChunk", "fileComplete", "fileCancel"];
const WITHOUT_ID = ["fetchHistory", "fetchTranscript", "fileCancel", "fileChunk", "signal", "syncSession", "typing", "updatePresence"];
const NO_ANSWER = { ok: false, error: { code: "NO_ANSWER", message: "The connection was lost before the answer came" } };
const CLOSED = { code: "CLOSED", message: "The classroom is closed; join() opens it" };
const DEFAULTS = { transports: ["websocket", "polling"], tryAllTransports: true, reconnectionDelay: 500, reconnectionDelayMax: 10_000 };
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const after = (ms, then) => setTimeout(then, ms * (1 + Math.random() / 2)); // a class should not come back in one moment
const delay = ({ code, retryAfterMs }) => retryAfterMs ?? (code === "NO_ANSWER" ? 0 : 1000);

export class ClassWavesError extends Error {
  constructor({ message, ...more }) { Object.assign(super(message ?? more.code), more, { name: "ClassWavesError" }); }
}
export class Classroom {
  state = "closed"; // connecting, waiting, joined, reconnecting, refused
  socket = null;
  me = null; // {userId, role, ...}
  seq = 0; // the highest that was seen in an event or in sessionJoined; never from an answer, which may overtake events
  epoch = null; // the numbering it belongs to; null: there is nothing to resume
  #listeners = { __proto__: null };
  #outbox = new Set(); // what has no answer yet, in the order of the calls
  #entry = null; // {promise, resolve, reject} of join(), until the end
  #shown = null; // the token of the last attempt to connect
  #renewing = null; // the one request for a token
  #renewed = false; // since the server last took a token of ours
  constructor({ url = globalThis.location?.origin, code, token = null, refresh, io, storage, options }) {
    Object.assign(this, { url, code: code.trim().toUpperCase(), token, given: { refresh, io, storage, options } });
  }
  on(event, listener) { // an event of the server, or "snapshot", "resumed", "state", "*"; returns what ends it
    (this.#listeners[event] ??= new Set()).add(listener);
    return () => this.#listeners[event].delete(listener);
  }
  join() { // resolves in the session, however long that takes; rejects when the server says no for good
    if (this.#entry) return this.#entry.promise;
    const entry = (this.#entry = {});
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    entry.promise.catch(() => {}); // who does not wait for it is told by "state"
    this.#renewed = false;
    this.#say("connecting");
    this.#open(entry).catch((error) => entry === this.#entry && this.#end("refused", error));
    return entry.promise;
  }
  send(event, payload = {}) { // waits for the session, and repeats until there is an answer for good
    if (!this.#entry) return Promise.reject(new ClassWavesError(CLOSED));
    const body = this.#body(event, { ...(!WITHOUT_ID.includes(event) && { clientMessageId: newId() }), ...payload });
    return new Promise((resolve, reject) => {
      this.#outbox.add({ event, body, resolve, reject, tries: 0, sent: false });
      this.#flush();
    });
  }
  emit(event, payload) { if (this.state === "joined") this.socket.emit(event, this.#body(event, payload)); } // what may get lost
  async leave() { // the others see it at once, if there is a connection to say it by
    this.socket?.offAny();
    await this.#ask("leaveSession", this.code);
    Object.assign(this, { seq: 0, epoch: null }).#keepPosition();
    this.close();
  }
  close() { this.#end("closed", new ClassWavesError(CLOSED)); } // as if the connection were lost: join() comes back and resumes
  // ---- the connection, and the login behind it
  async #open(entry) {
    const { io = globalThis.io ?? (await import("socket.io-client")).io, refresh, options } = this.given;
    if (!this.token && refresh) await this.#renew();
    if (entry !== this.#entry) return; // closed meanwhile
    const auth = (show) => show({ token: (this.#shown = this.token) }); // asked for at each attempt: always the newest
    const socket = (this.socket = io(this.url, { ...DEFAULTS, ...options, auth, forceNew: true }));
    socket.onAny((event, ...args) => this.#hear(event, ...args));
    socket.on("connect_error", (error) => socket.active || this.#loginLost({ message: error.message, ...error.data }));
    socket.on("disconnect", (reason) => { // it comes back by itself, but not when the server has disconnected it
      this.#say("reconnecting");
      if (reason === "io server disconnect") after(1000, () => socket === this.socket && socket.connect());
    });
  }
  async #loginLost(error) { // without another token there is no use in trying again
    const { socket } = this, expired = error.code === "TOKEN_EXPIRED" && this.given.refresh;
    if (!expired || this.#renewed) return this.#end("refused", new ClassWavesError(error));
    socket.disconnect();
    try {
      if (this.token === this.#shown) await this.#renew().then(() => (this.#renewed = true));
      if (socket === this.socket) socket.connect();
    } catch (failed) {
      if (socket !== this.socket) return; // closed meanwhile
      if (LOGIN.includes(failed?.code)) return this.#end("refused", failed);
      this.#say("reconnecting", failed); // a network that is away, a server that is busy
      after(2000, () => socket === this.socket && this.#loginLost(error));
    }
  }
  async #renew() { // never twice at a time: a refresh token works once
    this.#renewing ??= (async () => this.given.refresh())().finally(() => (this.#renewing = null));
    return (this.token = (await this.#renewing) || this.token);
  }
  async #refreshAuth(old) { if ((await this.#renew()) !== old) await this.#ask("refreshAuth", { token: this.token }); }
  async #ask(event, ...args) { // only while connected: Socket.IO has an outbox of its own, which knows nothing of joining
    return this.socket?.connected ? this.socket.timeout(PATIENCE).emitWithAck(event, ...args).catch(() => NO_ANSWER) : NO_ANSWER;
  }
  // ---- what comes, and the way into the session
  #hear(event, data, ...more) {
    if (data?.sessionCode && data.sessionCode !== this.code) return;
    if (event === "sessionJoined") return this.#entered(data);
    if (event === "connectionReady") this.#ready(data);
    if (event === "roleChanged") this.me = { ...this.me, role: data.role };
    if (event === "authExpiring" && this.given.refresh) this.#refreshAuth(this.token).catch((error) => this.#say(this.state, error));
    this.#deliver(event, data, ...more);
    if (!this.socket) return; // a listener has closed it
    if (event === "error" && !data.event && LOGIN.includes(data.code)) this.#loginLost(data); // the server disconnects now
    if (event === "error" && data.event === "joinSession" && this.state === "waiting") this.#notIn(data); // turned away
    if (event === "sessionLeft") this.#enter(); // removed, or it is gone: asked again, the server says which
  }
  #ready({ userId, role }) { // the first event of a connection
    const { storage } = this.given, other = this.me?.userId !== userId;
    this.#renewed = false;
    this.me = other ? { userId, role } : { ...this.me, role };
    if (other) Object.assign(this, { seq: 0, epoch: null }, JSON.parse(storage?.getItem(this.#key) ?? "{}"));
    this.#enter();
  }
  async #enter() {
    if (this.state === "joined") this.#say("reconnecting");
    const { id } = this.socket, position = this.epoch === null ? [] : [{ sinceSeq: this.seq, epoch: this.epoch }];
    const ack = await this.#ask("joinSession", this.code, ...position);
    if (this.socket?.id !== id || this.state === "joined") return; // another connection asks for itself
    if (ack.waiting) this.#say("waiting");
    else if (!ack.ok) this.#notIn(ack.error);
  }
  #notIn(error) {
    const { id } = this.socket;
    if (LOGIN.includes(error.code)) return this.#loginLost(error);
    if (!PASSING.includes(error.code)) return this.#end("refused", new ClassWavesError(error));
    after(delay(error), () => this.socket?.id === id && this.state !== "joined" && this.#enter());
  }
  #entered(data) {
    const resumed = data.recovered && data.epoch === this.epoch;
    if (!resumed) Object.assign(this, { seq: data.seq, epoch: data.epoch });
    this.me = { ...this.me, ...data.self };
    this.#say("joined");
    this.#tell(resumed ? "resumed" : "snapshot", data);
    for (const item of resumed ? data.missed : []) this.#deliver(item.event, item.data);
    this.seq = Math.max(this.seq, data.seq); // also past what was for others
    this.#keepPosition();
    this.#entry?.resolve(data);
    this.#flush();
  }
  #deliver(event, data, ...more) {
    const numbered = typeof data?.seq === "number" && data.sessionCode === this.code;
    if (numbered && data.seq <= this.seq) return; // seen: what was under way may come twice
    if (numbered) this.seq = data.seq;
    this.#tell(event, data, ...more);
    if (numbered) this.#keepPosition(); // after the listeners: never ahead of what they have kept
  }
  // ---- what goes
  #flush() { // what is stored goes one after the other: nothing overtakes what has to be repeated. All else goes at once
    let before = false;
    for (const one of this.#outbox) {
      const stored = "clientMessageId" in one.body;
      if (this.state === "joined" && !one.sent && !(stored && before)) this.#transmit(one);
      before ||= stored;
    }
  }
  async #transmit(one) {
    Object.assign(one, { sent: true, tries: one.tries + 1 });
    const ack = await this.#ask(one.event, one.body), { code, retryAfterMs } = ack.error ?? {};
    one.sent = false;
    if (!this.#outbox.has(one) || (code === "NOT_IN_SESSION" && this.state !== "joined")) return; // closed, or put out
    if (LOGIN.includes(code)) return this.#loginLost(ack.error);
    const enough = { RATE_LIMIT: retryAfterMs > 10_000, INTERNAL_ERROR: one.tries > 4, NO_ANSWER: one.event === "signal" }[code];
    if (!PASSING.includes(code) || enough) { // a signal is of the moment, and may be wrong in the next
      this.#outbox.delete(one);
      ack.ok ? one.resolve(ack) : one.reject(new ClassWavesError(ack.error));
      return this.#flush();
    }
    one.sent = true; // until it is tried again
    after(delay(ack.error), () => { one.sent = false; this.#flush(); });
  }
  #body = (event, payload) => (WITHOUT_CODE.includes(event) ? payload : { sessionCode: this.code, ...payload });
  get #key() { return `classwaves ${this.code} ${this.me?.userId}`; } // another user has seen other events
  #keepPosition() {
    const { storage } = this.given, { seq, epoch } = this;
    epoch === null ? storage?.removeItem(this.#key) : storage?.setItem(this.#key, JSON.stringify({ seq, epoch }));
  }
  #say(state, error) { if (state !== this.state || error) this.#tell("state", (this.state = state), error); }
  #tell(event, ...args) {
    for (const listener of [...(this.#listeners[event] ?? [])]) {
      try { listener(...args); } catch (error) { setTimeout(() => { throw error; }); } // the page's mistake; the others go on
    }
    if (event !== "*") this.#tell("*", event, ...args);
  }
  #end(state, error) {
    const { socket } = this, entry = this.#entry, open = [...this.#outbox];
    this.socket = this.#entry = null;
    this.#outbox.clear();
    socket?.off().offAny().disconnect();
    for (const one of entry ? [...open, entry] : open) one.reject(error);
    if (entry) this.#say(state, state === "refused" ? error : undefined);
  }
}
