// A call between two participants, without a picture of its own: WebRTC, whose offers, answers and addresses go by the
// event `signal`. Voice and video go from browser to browser. The rules are those of docs/calls.md:
//
// - A call has an id, made by who calls, and only who has called makes later offers. So no two collide, and none has to be
//   taken back, after which Chromium may show a frozen picture.
// - Two who call each other at once take the call with the smaller id.
// - Signals are sent one after the other, and heard one after the other.
import { newId } from "../ui.js";

const MOST_WAITING = 500; // signals that wait until somebody answers
const PATIENCE = 5000; // ms until an offer is made again that nobody has answered

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The calls of one page, of which there is one at a time.
 *
 * `changed(call, text)`: call is `{id, peer, kind, stream, remote}` or null; kind is calling, ringing, connecting or
 * connected. The text says what has happened, for people.
 */
export class Calls {
  call = null;
  #hearing = Promise.resolve();

  constructor({ room, me, iceServers, changed }) {
    Object.assign(this, { room, me, iceServers, changed });
    room.on("signalReceived", (data) => {
      this.#inTurn(() => this.#hear(data));
    });
    room.on("presenceUpdated", ({ userId, status }) => userId === this.call?.peer && this.#peerIs(status));
    room.on("participantRemoved", ({ userId }) => userId === this.call?.peer && this.#peerIs("left"));
    for (const back of ["snapshot", "resumed"]) room.on(back, () => this.#backAgain());
    room.on("state", (state) => ["closed", "refused"].includes(state) && this.#end("The connection is closed."));
    globalThis.addEventListener?.("pagehide", () => this.hangUp());
  }

  async start(peer, stream = null) {
    if (this.call) return;
    const mine = this.#begin(newId(), peer, "calling");
    mine.stream = stream;
    this.#is(mine, "calling", `Calling ${this.#name(mine)}…`);
    await this.#withPeer(mine, () => this.#addMedia(mine));
  }

  async answer() {
    const mine = this.call;
    if (mine?.kind !== "ringing") return;
    this.#is(mine, "connecting", `Connecting to ${this.#name(mine)}…`);
    this.#tellMyTabs(mine, "answered");
    await this.#withPeer(mine, () => this.#inTurn(async () => {
      for (const data of mine.waiting.splice(0)) if (mine === this.call) await this.#negotiate(mine, data);
    }));
  }

  /** End the call, or do not take it. */
  hangUp() {
    const mine = this.call;
    if (!mine) return;
    if (mine.kind === "ringing") this.#tellMyTabs(mine);
    this.#end("", true);
  }

  /** Turn one's own microphone ("audio") or camera ("video") off or on; returns whether it is off now. */
  toggle(kind) {
    const tracks = this.tracks(kind);
    for (const track of tracks) track.enabled = !track.enabled;
    return tracks.length > 0 && !tracks[0].enabled;
  }

  tracks = (kind) => this.call?.stream?.getTracks().filter((track) => track.kind === kind) ?? [];

  // one call

  #begin(id, peer, kind) {
    return (this.call = { id, peer, kind, caller: kind === "calling", stream: null, remote: null, waiting: [], sending: Promise.resolve() });
  }

  #name = ({ peer }) => this.me.nameOf(peer);

  #is(mine, kind, text) {
    mine.kind = kind;
    this.changed(mine, text);
  }

  #end(text, tell = false) {
    const mine = this.call;
    if (!mine) return;
    if (tell) this.#signal(mine, "hangup");
    this.#drop();
    this.changed(null, text);
  }

  #drop() {
    const mine = this.call;
    this.call = null;
    mine.peerConnection?.close();
    stop(mine.stream);
  }

  // Signals of a call arrive in the order in which they are sent, and one that could not be sent is repeated before the
  // next one. Of a call that is over only the end is told.
  #signal(mine, type, payload) {
    mine.sending = mine.sending.then(async () => {
      for (let tries = 1; mine === this.call || type === "hangup"; tries++) {
        try {
          return void (await this.room.send("signal", { targetUserId: mine.peer, callId: mine.id, type, payload }));
        } catch (error) {
          if (mine !== this.call) return; // nobody waits for this call any more
          if (tries > 5 || !["NO_ANSWER", "RATE_LIMIT", "SERVICE_UNAVAILABLE"].includes(error.code)) return this.#end(this.#why(error));
          await wait(error.retryAfterMs ?? 500);
        }
      }
    });
    return mine.sending;
  }

  #why = (error) => error.code === "PEER_UNAVAILABLE" ? "They are not connected." : error.details?.reason === "muted" ? "You are muted: only the teacher can be called."
    : error.code === "FORBIDDEN" ? "Only the teacher can be called at the moment." : `The call failed (${error.message ?? error.code}).`;

  #tellMyTabs({ id }, reason) { // they stop ringing
    this.#aside({ targetUserId: this.me.userId, callId: id, type: "hangup", payload: reason ? { reason } : null });
  }

  // What does not belong to the call of this page: if it is lost, somebody's ringing ends a little later.
  #aside = (signal) => void this.room.send("signal", signal).catch((error) => console.debug("a hangup was not sent:", error.code));

  async #withPeer(mine, then) {
    try {
      const [iceServers, stream] = await Promise.all([this.iceServers(), mine.stream ?? media()]);
      if (mine !== this.call) return stop(stream); // hung up meanwhile
      mine.stream = stream;
      this.#connect(mine, iceServers);
      this.changed(mine);
      await then();
    } catch (error) {
      if (mine === this.call) this.#end(this.#why(error), true);
    }
  }

  #connect(mine, iceServers) {
    const connection = (mine.peerConnection = new RTCPeerConnection({ iceServers }));
    connection.ontrack = ({ streams, track }) => {
      mine.remote = streams[0] ?? mine.remote ?? new MediaStream();
      if (!streams[0]) mine.remote.addTrack(track);
      if (mine === this.call) this.changed(mine);
    };
    connection.onicecandidate = ({ candidate }) => {
      if (candidate && mine === this.call) this.#signal(mine, "candidate", candidate.toJSON());
    };
    connection.onnegotiationneeded = () => this.#offer(mine);
    connection.onconnectionstatechange = () => {
      if (mine !== this.call) return;
      const alone = mine.stream ? "" : " There is no microphone and no camera here.";
      if (connection.connectionState === "connected") this.#is(mine, "connected", `In a call with ${this.#name(mine)}.${alone}`);
      if (connection.connectionState === "disconnected") this.#is(mine, "connecting", `The connection to ${this.#name(mine)} is interrupted…`);
      if (connection.connectionState === "failed") connection.restartIce(); // where the call came from, it makes a new offer
    };
  }

  #addMedia(mine) {
    if (mine.added) return;
    mine.added = true;
    for (const kind of ["audio", "video"]) {
      const track = mine.stream?.getTracks().find((one) => one.kind === kind);
      if (track) mine.peerConnection.addTrack(track, mine.stream);
      else if (mine.caller) mine.peerConnection.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  async #offer(mine) {
    const { peerConnection } = mine;
    if (!mine.caller) return;
    mine.making = true;
    try {
      await peerConnection.setLocalDescription();
      this.#signal(mine, "offer", peerConnection.localDescription.toJSON());
    } catch (error) {
      if (mine === this.call) this.#end(this.#why(error), true);
    } finally {
      mine.making = false;
    }
    await wait(PATIENCE); // it, or its answer, may have got lost
    if (mine === this.call && mine.kind !== "calling") this.#offerAgain(mine);
  }

  #offerAgain(mine) {
    if (mine.peerConnection?.signalingState === "have-local-offer") this.#offer(mine);
  }

  // what comes

  #inTurn(task) {
    return (this.#hearing = this.#hearing.then(task).catch((error) => this.#end(`The call failed (${error.name ?? "error"}).`, true)));
  }

  async #hear(data) {
    const { fromUserId, callId, type, payload } = data, { call } = this;
    if (fromUserId === this.me.userId) { // another tab of mine has answered, or declined
      if (call?.id === callId && call.kind === "ringing") this.#end(payload?.reason === "answered" ? "Answered in another window." : "");
      return;
    }
    if (call?.id === callId && call.peer === fromUserId) {
      if (type === "hangup") return this.#end(payload?.reason === "busy" ? `${this.#name(call)} is in another call.` : `${this.#name(call)} has hung up.`);
      if (call.peerConnection && !call.waiting.length) return this.#negotiate(call, data);
      if (call.waiting.length < MOST_WAITING) call.waiting.push(data);
      return;
    }
    if (type !== "offer") return; // of a call that is over
    if (call && call.peer !== fromUserId) return this.#aside({ targetUserId: fromUserId, callId, type: "hangup", payload: { reason: "busy" } });
    const both = call?.kind === "calling"; // we call each other
    if (both && call.id < callId) return;
    const stream = both ? call.stream : null;
    if (both) call.stream = null; // it goes on in the other call
    if (call) this.#drop();
    const mine = this.#begin(callId, fromUserId, "ringing");
    mine.waiting.push(data);
    mine.stream = stream;
    if (both) this.answer(); // not awaited: it waits for its turn itself
    else this.#is(mine, "ringing", `${this.#name(mine)} is calling you.`);
  }

  async #negotiate(mine, { type, payload }) {
    const { peerConnection } = mine;
    if (type === "candidate") return void (await peerConnection.addIceCandidate(payload).catch(() => {})); // of an offer that was not taken
    if (type === "answer") {
      if (peerConnection.signalingState !== "have-local-offer") return;
      if (mine.kind === "calling") this.#is(mine, "connecting", `Connecting to ${this.#name(mine)}…`);
      return peerConnection.setRemoteDescription(payload);
    }
    if (mine.making || peerConnection.signalingState !== "stable") return; // our own offer counts
    await peerConnection.setRemoteDescription(payload);
    this.#addMedia(mine);
    await peerConnection.setLocalDescription();
    this.#signal(mine, "answer", peerConnection.localDescription.toJSON());
  }

  // That a call is over nobody can say for who is gone; but voice and video may outlive a lost WebSocket.
  #peerIs(status) {
    const flowing = this.call.peerConnection?.connectionState === "connected";
    if (status === "left" || (status === "disconnected" && !flowing)) this.#end(`${this.#name(this.call)} is gone.`);
  }

  // This page was away: what could not be sent is sent by now, and what was missed is asked for.
  #backAgain() {
    const mine = this.call;
    if (!mine) return;
    if (mine.kind !== "calling") return this.#offerAgain(mine);
    const { stream } = mine; // whoever was called may have answered, or given up: it rings once more
    mine.stream = null;
    this.#signal(mine, "hangup");
    this.#drop();
    this.start(mine.peer, stream);
  }
}

/** As much as there is: who has no microphone and no camera still hears and sees. */
async function media() {
  if (!navigator.mediaDevices) return null; // neither https nor localhost
  for (const wish of [{ audio: true, video: true }, { audio: true }, { video: true }]) {
    try {
      return await navigator.mediaDevices.getUserMedia(wish);
    } catch { /* the next wish is a smaller one */ }
  }
  return null;
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
