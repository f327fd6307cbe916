// One classroom session over socket.io-client, with what every front end otherwise has to get right by itself: each event
// once and in the order of its seq, live or missed; back after a lost connection without a hole, or told to start again
// from a snapshot; what is sent is repeated with the same id until it is answered, and so is stored once; new tokens in time.
const PATIENCE = 30_000; // ms: who is not answered by then asks again. A line that is dead is found by its heartbeat
const PASSING = ["RATE_LIMIT", "CONNECTION_LIMIT", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR", "NO_ANSWER"];
const LOGIN = ["AUTH_REQUIRED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SESSION_EXPIRED"];
// Every event has a sessionCode and takes a clientMessageId, but these. Without one they may be repeated all the same.
const WITHOUT_CODE = ["fileChunk", "fileComplete", "fileCancel"];
const WITHOUT_ID = ["fetchHistory", "fetchTranscript", "fileCancel", "fileChunk", "signal", "syncSession", "typing", "updatePresence"];
const FILES = ["fileStart", ...WITHOUT_CODE]; // have their order from their answers, and do not wait for what is said
const NO_ANSWER = { ok: false, error: { code: "NO_ANSWER", message: "The connection was lost before the answer came" } };
const CLOSED = { code: "CLOSED", message: "The classroom is closed; join() opens it" };
const DEFAULTS = { transports: ["websocket", "polling"], tryAllTransports: true, reconnectionDelay: 500, reconnectionDelayMax: 10_000 };
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const after = (ms, then) => setTimeout(then, ms * (1 + Math.random() / 2)); // a class should not come back in one moment
const unfit = ({ message }) => ({ ok: false, error: { code: "INVALID_PAYLOAD", message } }); // it cannot be put on the wire
const attempt = (act) => { try { return act(); } catch { return null; } };
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
  #renewing = null; // the one request for a token, until there is one
  #freshUntil = 0; // a token that was got just now, and is refused, is not worth another one
  constructor({ url = globalThis.location?.origin, code, token = null, refresh, io, storage, options }) {
    Object.assign(this, { url, code: code.trim().toUpperCase(), given: { refresh, io, storage, options } });
    Object.defineProperty(this, "token", { value: token, writable: true }); // not shown where a classroom is logged
  }
  on(event, listener) { // an event of the server, or "snapshot", "resumed", "state", "*"; returns what ends it
    (this.#listeners[event] ??= new Set()).add(listener);
    return () => this.#listeners[event].delete(listener);
  }
  join() { // resolves in the session, however long that takes; rejects when the server says no for good
    if (this.#entry) return this.#entry.promise;
    const entry = (this.#entry = {});
    (entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject })))
      .catch(() => {}); // who does not wait for it is told by "state"
    this.#freshUntil = 0;
    this.#say("connecting");
    this.#open(entry).catch((error) => entry === this.#entry && this.#end("refused", error));
    return entry.promise;
  }
  send(event, payload = {}) { // waits for the session, and repeats until there is an answer for good
    if (!this.#entry) return Promise.reject(new ClassWavesError(CLOSED));
    const id = WITHOUT_ID.includes(event) ? {} : { clientMessageId: payload.clientMessageId ?? newId() };
    const body = this.#body(event, { ...payload, ...id });
    const inTurn = !WITHOUT_ID.includes(event) && !FILES.includes(event), one = { event, body, inTurn, tries: 0, losses: 0, sent: false };
    return new Promise((resolve, reject) => this.#outbox.add(Object.assign(one, { resolve, reject })) && this.#flush());
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
    socket.on("connect_error", (error) => (socket.active ? this.#trouble(error) : this.#loginLost({ message: error.message, ...error.data })));
    socket.on("disconnect", () => this.#say("reconnecting")); // it does so by itself, but not when the server has ended it
    socket.on("disconnect", (why) => why === "io server disconnect" && after(1000, () => socket === this.socket && socket.connect()));
  }
  #trouble(error) { this.#say(this.socket?.connected ? this.state : "reconnecting", error); } // told, and tried again
  #loginLost(error) { // without another token there is no use in trying again
    const { socket } = this, still = (then) => socket === this.socket && then(); // not closed meanwhile
    if (!this.given.refresh || Date.now() < this.#freshUntil) return this.#end("refused", new ClassWavesError(error));
    socket.disconnect();
    const renewed = this.token === this.#shown && this.#renew().then(() => (this.#freshUntil = Date.now() + 60_000));
    Promise.resolve(renewed).then(() => still(() => socket.connect()), (failed) => still(() => this.#end("refused", failed)));
  }
  #renew() { // never twice at a time: a refresh token works once
    const ask = async () => (this.token = (await this.given.refresh()) || this.token);
    const again = async (error) => { // unless that was an answer: a network may be away, a server busy
      if (LOGIN.includes(error?.code) || !this.#entry) throw error;
      this.#trouble(error);
      return new Promise((then) => after(2000, then)).then(ask).catch(again);
    };
    return (this.#renewing ??= ask().catch(again).finally(() => (this.#renewing = null)));
  }
  async #refreshAuth(old) { if ((await this.#renew()) !== old) await this.#ask("refreshAuth", { token: this.token }); }
  async #ask(event, ...args) { // only while connected: Socket.IO has an outbox of its own, which knows nothing of joining
    if (!this.socket?.connected) return NO_ANSWER;
    return new Promise((then) => this.socket.timeout(PATIENCE).emit(event, ...args, (error, ack) => then(error ? NO_ANSWER : ack)));
  }
  // ---- what comes, and the way into the session
  #hear(event, data, ...more) {
    if (data?.sessionCode && data.sessionCode !== this.code) return;
    if (event === "sessionJoined") return this.#entered(data);
    if (event === "connectionReady") this.#ready(data);
    if (event === "roleChanged") this.me = { ...this.me, role: data.role };
    if (event === "authExpiring" && this.given.refresh) this.#refreshAuth(this.token).catch((error) => this.#trouble(error));
    this.#deliver(event, data, ...more);
    if (!this.socket) return; // a listener has closed it
    if (event === "error" && data && !data.event && LOGIN.includes(data.code)) this.#loginLost(data); // the server disconnects now
    if (event === "error" && data?.event === "joinSession" && this.state === "waiting") this.#notIn(data); // turned away
    if (event === "sessionLeft") this.#enter(); // removed, or it is gone: asked again, the server says which
  }
  #ready({ userId, role }) { // the first event of a connection
    const other = this.me?.userId !== userId;
    Object.assign(this, { me: other ? { userId, role } : { ...this.me, role } }).#freshUntil = 0;
    if (other) Object.assign(this, { seq: 0, epoch: null }, attempt(() => JSON.parse(this.given.storage.getItem(this.#key))));
    this.#enter();
  }
  async #enter() {
    if (this.state === "joined") this.#say("reconnecting");
    const { id } = this.socket, position = this.epoch === null ? [] : [{ sinceSeq: this.seq, epoch: this.epoch }];
    const ack = await this.#ask("joinSession", this.code, ...position);
    if (this.socket?.id !== id || this.state === "joined") return; // another connection asks for itself
    ack.waiting ? this.#say("waiting") : ack.ok || this.#notIn(ack.error);
  }
  #notIn(error) {
    const { id } = this.socket;
    if (LOGIN.includes(error.code)) return this.#loginLost(error);
    if (!PASSING.includes(error.code)) return this.#end("refused", new ClassWavesError(error));
    after(delay(error), () => this.socket?.id === id && this.state !== "joined" && this.#enter());
  }
  #entered(data) {
    const { socket } = this, resumed = data.recovered && data.epoch === this.epoch;
    if (!resumed) Object.assign(this, { seq: data.seq, epoch: data.epoch });
    this.me = { ...this.me, ...data.self };
    this.#say("joined");
    this.#tell(resumed ? "resumed" : "snapshot", data);
    for (const item of resumed ? data.missed : []) if (socket === this.socket) this.#deliver(item.event, item.data);
    if (socket !== this.socket) return this.#keepPosition(); // a listener has closed it: the rest is missed still
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
      if (this.state === "joined" && !one.sent && !(one.inTurn && before)) this.#transmit(one);
      before ||= one.inTurn;
    }
  }
  async #transmit(one) {
    Object.assign(one, { sent: true, tries: one.tries + 1 });
    const ack = await this.#ask(one.event, one.body).catch(unfit), { code, retryAfterMs } = ack?.error ?? {};
    one.sent = PASSING.includes(code); // until it is tried again
    one.losses = code === "NO_ANSWER" ? one.losses + 1 : 0; // in a row: of a packet too large, the connection ends each time
    if (!this.#outbox.has(one)) return; // closed
    if (code === "NOT_IN_SESSION" && one.tries < 5) return this.state === "joined" ? this.#enter() : undefined; // put out
    if (LOGIN.includes(code)) return this.#loginLost(ack.error);
    const enough = { RATE_LIMIT: retryAfterMs > 10_000, INTERNAL_ERROR: one.tries > 4, NO_ANSWER: one.event === "signal" || one.losses > 7 };
    if (!PASSING.includes(code) || enough[code]) { // a signal is of the moment, and may be wrong in the next
      this.#outbox.delete(one);
      code ? one.reject(new ClassWavesError(ack.error)) : one.resolve(ack);
      return this.#flush();
    }
    after(delay(ack.error), () => { one.sent = false; this.#flush(); });
  }
  #body = (event, payload) => (WITHOUT_CODE.includes(event) ? payload : { sessionCode: this.code, ...payload });
  get #key() { return `classwaves ${this.code} ${this.me?.userId}`; } // another user has seen other events
  #keepPosition() { // where the storage is full, an old one must not stay: what was shown would be told again
    const { storage } = this.given, { seq, epoch } = this;
    attempt(() => storage?.removeItem(this.#key));
    if (epoch !== null) attempt(() => storage?.setItem(this.#key, JSON.stringify({ seq, epoch })));
  }
  #say(state, error) { if (state !== this.state || error) this.#tell("state", (this.state = state), error); }
  #tell(event, ...args) {
    for (const listener of [...(this.#listeners[event] ?? [])])
      try { listener(...args); } catch (error) { setTimeout(() => { throw error; }); } // the page's mistake; the others go on
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
