// Somebody in the chaos test's class: what they know, what they do of it, and what they will testify.

const EMOJI = ["\u{1F44D}", "\u{1F331}", "\u{1F389}"];
const oneOf = (found, pick) => [...found].sort()[pick % found.size];

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Person {
  constructor({ name, token, way, plan }) {
    Object.assign(this, { name, token, plan: [...plan] });
    this.testimony = { name, way, userId: null, events: [], acks: {}, sent: {}, rejected: {}, faults: [], refusals: {}, connections: 0 };
    this.events = this.testimony.events;
    this.known = { message: null, groups: new Set(), activity: null, raised: false, activities: 0 };
  }

  fault(text) {
    this.testimony.faults.push(text);
  }

  refused(error) {
    this.testimony.refusals[error.code] = (this.testimony.refusals[error.code] ?? 0) + 1;
    return Math.min(error.retryAfterMs ?? 200, 1000);
  }

  learn(event, data) {
    const known = this.known;
    if (event === "sessionJoined") {
      known.groups = new Set(data.groups.map((group) => group.groupId));
      known.activity = data.activity?.activityId ?? null;
    } else if (event === "messageReceived") known.message = data.messageId;
    else if (event === "activityUpdate") known.activity = data.activityId;
    else if (event === "groupUpdate") known.groups[data.action === "deleted" ? "delete" : "add"](data.groupId);
  }

  step(what, of) {
    const known = this.known;
    if (what === "say") return this.do("sendMessage", { message: of });
    if (what === "hand") return this.do((known.raised = !known.raised) ? "raiseHand" : "lowerHand", {});
    if (what === "react" || what === "unreact") {
      const event = what === "react" ? "addReaction" : "removeReaction";
      if (known.message) this.do(event, { messageId: known.message, emoji: EMOJI[of % EMOJI.length] });
    } else if (what === "join" || what === "leave") {
      if (known.groups.size) this.do(`${what}Group`, { groupId: oneOf(known.groups, of) });
    } else if (what === "answer") {
      const activityId = known.activity;
      if (activityId) this.do("submitActivityResponse", { activityId, data: of, clientId: of });
    } else if (what === "group") this.do("createGroup", { name: of });
    else if (what === "rename") {
      if (known.groups.size) this.do("updateGroup", { groupId: oneOf(known.groups, of), name: `Name ${of}` });
    } else if (what === "assign") this.do("assignGroups", { count: of, strategy: "random" });
    else if (what === "activity") {
      const activityId = `activity ${known.activities}`;
      if (of === "completed") known.activities++;
      const data = { question: `Question ${activityId}`, staffOnly: "the answer" };
      this.do("updateActivity", { activityId, activityType: "poll", status: of, data });
    } else this.fault(`what is ${what}?`);
  }

  async talk() {
    const begin = Date.now();
    for (const [at, what, of] of this.plan.slice()) {
      await pause(Math.max(0, begin + at - Date.now()));
      this.step(what, of);
      this.plan.shift();
    }
  }
}
