// The messages on the page: one list in the order of seq, with what stands below and above each of them.

import { avatar, busy, button, clock, el, icon } from "./ui.js";

const EMOJI = ["👍", "❤️", "😂", "🎉", "🤔", "👏"];
const TOGETHER = 5 * 60 * 1000; // what somebody says within five minutes stands under one name

/** @param acts what can be done with a message: {canReact(), canModerate(), react(message, emoji, on), reply(message), remove(message)} */
export class Messages {
  constructor(me, acts) {
    this.me = me;
    this.acts = acts;
    this.node = el("ol", { id: "messages" });
    this.byId = new Map(); // messageId -> {data, node, reactions: Map(emoji -> {count, mine})}
    this.newest = 0;
  }

  clear() {
    for (const { node } of this.byId.values()) node.remove();
    for (const notice of this.node.querySelectorAll('[data-type="notice"]')) notice.remove();
    this.byId.clear();
    this.newest = 0;
  }

  /** Show a message where its seq belongs; once, however often it comes. */
  add(data) {
    if (this.byId.has(data.messageId)) return this.byId.get(data.messageId);
    const own = data.userId === this.me.userId, system = data.type === "system";
    const node = el("li", { class: "message", "data-seq": data.seq, "data-message-id": data.messageId, "data-type": data.type, "data-own": own, "data-state": "sent", "data-user-id": data.userId, "data-time": Date.parse(data.timestamp) });
    const item = { data, node, reactions: new Map(Object.entries(data.reactions || {}).map(([emoji, count]) => [emoji, { count, mine: false }])) };
    item.chips = el("div", { class: "chips" });
    item.meta = el("p", { class: "meta below" });
    if (system) node.append(el("p", { class: "text", dir: "auto" }, data.message));
    else node.append(avatar(data.userId, data.displayName), el("div", { class: "body" },
      el("p", { class: "who" }, el("b", {}, el("bdi", {}, data.displayName)), " ", el("time", { datetime: data.timestamp }, clock(data.timestamp))),
      this.quoted(data.replyTo), el("p", { class: "text", dir: "auto" }, data.message), item.chips, item.meta), ...this.toolbar(item));
    this.byId.set(data.messageId, item);
    this.newest = Math.max(this.newest, data.seq);
    this.place(node, data.seq);
    this.drawChips(item);
    return item;
  }

  /** A line of the page's own, such as "The session is paused". */
  notice(seq, text) {
    this.place(el("li", { class: "message", "data-seq": seq, "data-type": "notice" }, el("p", { class: "text" }, text)), seq);
  }

  place(node, seq) {
    let before = this.node.lastElementChild;
    while (before && (!before.dataset.seq || Number(before.dataset.seq) > seq)) before = before.previousElementSibling; // pending ones are last
    if (before) before.after(node); else this.node.prepend(node);
    this.join(node);
    this.join(node.nextElementSibling);
  }

  join(node) { // under the name of the message before?
    const before = node?.previousElementSibling;
    node?.toggleAttribute("data-joined", Boolean(before) && node.dataset.userId !== undefined && before.dataset.userId === node.dataset.userId &&
      !["system", "notice"].includes(node.dataset.type) && node.dataset.time - before.dataset.time < TOGETHER);
  }

  /** Keep the newest ones; the others are in the history. Returns the seq before which they are. */
  keep(most) {
    const kept = [...this.byId.values()].sort((one, other) => other.data.seq - one.data.seq).slice(0, most);
    const first = kept[most - 1].data.seq;
    for (const node of [...this.node.children]) if (Number(node.dataset.seq) < first) {
      if (node.contains(document.activeElement)) this.node.parentElement.focus();
      node.remove();
    }
    this.byId = new Map(kept.map((item) => [item.data.messageId, item]));
    this.join(this.node.firstElementChild);
    return first;
  }

  remove(messageId) {
    const item = this.byId.get(messageId), next = item?.node.nextElementSibling;
    if (!item) return;
    if (item.node.contains(document.activeElement)) this.node.parentElement.focus();
    item.node.remove();
    this.byId.delete(messageId);
    this.join(next);
    for (const quote of this.node.querySelectorAll(".quote")) if (quote.dataset.of === messageId) quote.textContent = "A message that was taken back";
  }

  quoted(messageId) {
    if (!messageId) return null;
    const item = this.byId.get(messageId);
    return el("p", { class: "quote", "data-of": messageId, dir: "auto" }, item ? `${item.data.displayName}: ${item.data.message}` : "An earlier message");
  }

  reacted({ messageId, userId, emoji, action, count }) {
    const item = this.byId.get(messageId);
    if (!item) return;
    const before = item.reactions.get(emoji);
    const mine = userId === this.me.userId ? action === "added" : Boolean(before?.mine);
    if (count) item.reactions.set(emoji, { count, mine }); else item.reactions.delete(emoji);
    this.drawChips(item);
  }

  drawChips(item) {
    const focused = item.chips.contains(document.activeElement) ? document.activeElement.dataset.emoji : null;
    item.chips.replaceChildren(...[...item.reactions].map(([emoji, { count, mine }]) => el("button", {
      type: "button", class: "chip", "data-emoji": emoji, "aria-pressed": String(mine), "aria-label": `${emoji} ${count}`,
      onclick: (event) => busy(event.currentTarget, () => this.react(item, emoji)),
    }, el("span", {}, emoji), " ", String(count))));
    if (focused) ([...item.chips.children].find((one) => one.dataset.emoji === focused) || item.opener)?.focus();
  }

  async react(item, emoji) {
    const known = item.reactions.get(emoji);
    const ack = await this.acts.react(item.data, emoji, !known?.mine);
    // A page of the history has counts and no names. Without a seq nothing has changed: the reaction was there already.
    if (!known?.mine && ack.seq === undefined && known) { known.mine = true; this.drawChips(item); }
  }

  /** One button for each message, behind which the rest is: so the list has one stop of the keyboard for each. */
  toolbar(item) {
    const drawer = el("div", { class: "row drawer", role: "group", "aria-label": "Actions", hidden: true });
    const opener = item.opener = button("React, reply", { icon: "smile", iconOnly: true, class: "quiet small opener", "aria-expanded": "false" });
    const open = (yes) => {
      if (yes && !drawer.firstChild) this.fill(drawer, item, () => { open(false); opener.focus(); });
      drawer.hidden = !yes;
      opener.setAttribute("aria-expanded", String(yes));
    };
    opener.addEventListener("click", () => open(drawer.hidden));
    drawer.addEventListener("keydown", (event) => { if (event.key === "Escape") { open(false); opener.focus(); } });
    return [opener, drawer];
  }

  fill(drawer, item, close) {
    const act = (action) => (event) => busy(event.currentTarget, async () => { await action(); close(); });
    drawer.append(...EMOJI.map((emoji) => el("button", { type: "button", class: "quiet emoji", "aria-label": `React with ${emoji}`, onclick: act(() => this.react(item, emoji)) }, emoji)),
      button("Reply", { icon: "reply", class: "quiet small", onclick: () => { close(); this.acts.reply(item.data); } }));
    if (this.acts.canModerate()) drawer.append(button("Delete", { icon: "trash", class: "quiet small danger", onclick: act(() => this.acts.remove(item.data)) }));
  }

  // What is on its way, at the end of the list -------------------------------------------------------------------

  pending(entry, { retry, discard }) {
    const text = el("p", { class: "text", dir: "auto" }, entry.message), meta = el("p", { class: "meta below" });
    const node = el("li", { class: "message", "data-own": true, "data-type": "text", "data-client-id": entry.clientMessageId }, el("div", { class: "body" }, this.quoted(entry.replyTo), text, meta));
    this.node.append(node);
    const show = (state, words) => {
      if (node.dataset.state === state) return;
      node.dataset.state = state;
      meta.replaceChildren(icon(state === "failed" ? "warning" : "clock"), " ", words || { sending: "Sending…", waiting: "Will be sent when you are back online" }[state]);
      if (state === "failed") meta.append(button("Try again", { class: "small", onclick: retry }), button("Discard", { class: "small", onclick: discard }));
    };
    return { node, show };
  }

  /** Write below one's newest message who has read it, and below no other. */
  receipt(item, words, read) {
    if (this.receipted && this.receipted !== item) this.receipted.meta.replaceChildren();
    this.receipted = item;
    if (item && item.meta.textContent.trim() !== words) item.meta.replaceChildren(icon(read ? "read" : "check"), " ", words);
  }
}
