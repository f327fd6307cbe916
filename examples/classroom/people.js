// Who is in the session, kept from the room's events: a model without a picture, which roster.js draws and chat.js asks.

import { soon } from "./ui.js";

/** Participants by id: {userId, displayName, role, status, hand (position or null), muted}. Fires "change". */
export class People extends EventTarget {
  constructor(room, me) {
    super();
    this.me = me;
    this.all = new Map();     // those who are in the session
    this.names = new Map();   // and of whoever was: their messages are still there
    this.queue = [];          // user ids in the order in which hands were raised
    this.waiting = new Map(); // userId -> displayName of the guests who wait to be let in; staff alone are told
    this.changed = soon(() => this.dispatchEvent(new Event("change")));
    room.on("snapshot", (snapshot) => this.restore(snapshot));
    room.on("resumed", (snapshot) => this.restore(snapshot)); // presence is in no log: what it is now is in the answer
    room.on("presenceUpdated", (data) => this.presence(data));
    room.on("handStatusChanged", ({ userId, raised }) => this.hand(userId, raised));
    room.on("participantMuted", ({ userId, muted }) => this.set(userId, { muted }));
    room.on("participantRemoved", ({ userId }) => this.gone(userId));
    room.on("joinRequested", ({ userId, displayName }) => { this.waiting.set(userId, displayName); this.changed(); });
    for (const decided of ["joinWithdrawn", "participantAdmitted"])
      room.on(decided, ({ userId }) => { this.waiting.delete(userId); this.changed(); });
  }

  restore({ participants, hands, muted, waiting }) {
    if (!participants) return;
    this.all = new Map(participants.map((one) => [one.userId, { ...one, hand: null, muted: false }]));
    for (const one of participants) this.names.set(one.userId, one.displayName);
    this.queue = (hands || []).map((one) => one.userId);
    for (const userId of muted || []) this.set(userId, { muted: true });
    this.waiting = new Map((waiting || []).map((one) => [one.userId, one.displayName]));
    this.count();
  }

  presence({ userId, status, displayName, role }) {
    if (displayName) this.names.set(userId, displayName);
    if (status === "left") return this.gone(userId);
    if (!this.all.has(userId)) this.all.set(userId, { userId, hand: null, muted: false });
    this.set(userId, { status, displayName, role });
  }

  hand(userId, raised) { // raised again, it keeps its place
    if (!raised) this.queue = this.queue.filter((one) => one !== userId);
    else if (!this.queue.includes(userId)) this.queue.push(userId);
    this.count();
  }

  /** A position is that of the moment in which it was sent: so it is counted here. */
  count() {
    for (const one of this.all.values()) one.hand = this.queue.indexOf(one.userId) + 1 || null;
    this.changed();
  }

  gone(userId) {
    this.all.delete(userId);
    this.hand(userId, false);
  }

  set(userId, changes) {
    const one = this.all.get(userId);
    if (one) Object.assign(one, changes);
    this.changed();
  }

  get self() { return this.all.get(this.me.userId); }
  nameOf(userId) { return this.names.get(userId) || (userId === this.me.userId ? this.me.displayName : "Somebody"); }
}

/** Compare two people by name. A collator of one's own is many times as fast as localeCompare. */
export const byName = (one, other) => COLLATOR.compare(String(one.displayName), String(other.displayName));
const COLLATOR = new Intl.Collator();

/** Where the queue of hands matters first: raised hands, then teachers, then all others by name. */
export function inOrder(people) {
  const rank = (one) => (one.hand ? 0 : one.role === "student" ? 2 : 1);
  return [...people.all.values()].sort((a, b) =>
    rank(a) - rank(b) || (a.hand || 0) - (b.hand || 0) || byName(a, b));
}
