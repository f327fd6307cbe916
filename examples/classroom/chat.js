// The chat: what is written, and what becomes of it until it is in the session's log; typing, receipts, older pages.

import { Messages } from "./messages.js";
import { receipts } from "./receipts.js";
import { button, confirmed, el, icon, inWords, newId, problem } from "./ui.js";

const PAGE = 50, TYPING_AGAIN = 3000;
const MOST = 300, KEPT = 200; // messages on the page, of who reads the newest: a long list makes each new message slow

/** @param fetchHistory ({limit, beforeSeq?}) -> {messages, hasMore, nextBeforeSeq} */
export function mountChat(section, room, me, people, fetchHistory) {
  const list = new Messages(me, {
    canModerate: () => me.staff,
    react: ({ messageId }, emoji, on) => room.send(on ? "addReaction" : "removeReaction", { messageId, emoji }),
    reply: answer,
    remove: async ({ messageId, displayName }) => {
      if (await confirmed(`Delete this message of ${displayName}?`, { label: "Delete" })) await room.send("deleteMessage", { messageId });
    },
  });
  const lesson = { status: "created", mode: "open", muted: false };
  const older = el("button", { type: "button", class: "small older", hidden: true, onclick: () => load(olderThan) }, "Earlier messages");
  const empty = el("p", { class: "empty", hidden: true }, "No messages yet. Say hello!");
  const scroll = el("div", { class: "scroll", id: "scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, older, empty, list.node);
  const spoken = el("div", { class: "sr", role: "log", "aria-label": "New messages" }); // the list itself changes too much to be spoken
  const down = el("button", { type: "button", class: "small down", hidden: true, onclick: toBottom }, "New messages ↓");
  const typists = el("p", { class: "typing meta" });
  const text = el("textarea", { id: "message", rows: "1", dir: "auto", placeholder: "Write a message…", "aria-describedby": "why-not" });
  const quote = el("div", { class: "row quoting", hidden: true });
  const whyNot = el("p", { id: "why-not", class: "meta", hidden: true });
  const sendButton = button("Send", { icon: "send", iconOnly: true, type: "submit", class: "primary round", id: "send" });
  const compose = el("form", { id: "compose" }, quote, el("div", { class: "row" },
    el("label", { for: "message", class: "sr" }, "Message. Enter sends, Shift and Enter starts a new line."), text, sendButton), whyNot);
  section.append(el("h2", { class: "sr" }, "Chat"), scroll, spoken, down, typists, compose);

  // Pages of the history ------------------------------------------------------------------------------------------
  let olderThan, loading = 0;
  async function load(beforeSeq) {
    const mine = ++loading;
    scroll.setAttribute("aria-busy", "true");
    try {
      const page = await fetchHistory({ limit: PAGE, ...(beforeSeq && { beforeSeq }) });
      if (mine !== loading) return; // meanwhile there was another snapshot
      const fromBottom = scroll.scrollHeight - scroll.scrollTop;
      for (const message of page.messages) show(message);
      if (beforeSeq) scroll.scrollTop = scroll.scrollHeight - fromBottom; else toBottom();
      olderThan = page.nextBeforeSeq;
      if (!page.hasMore && older === document.activeElement) scroll.focus();
      older.hidden = !page.hasMore;
    } catch (error) {
      older.hidden = false;
      if (room.state !== "closed") problem(error);
    } finally {
      scroll.removeAttribute("aria-busy");
      empty.hidden = list.node.childElementCount > 0;
    }
  }

  // What comes ----------------------------------------------------------------------------------------------------
  function show(data) {
    if (data.groupId) return null; // a group's messages are in the panel of the groups
    const mine = data.userId === me.userId && outbox.get(data.clientMessageId);
    if (mine) settle(mine);
    return list.add(data);
  }
  function restore(snapshot) {
    Object.assign(lesson, { status: snapshot.status, mode: snapshot.mode, muted: Boolean(snapshot.self?.muted) });
    list.clear();
    typing.clear();
    read.restore(snapshot.readReceipts);
    load();
    allow();
  }
  // Who is at the end stays there, whatever grows: messages, reactions, receipts, the field below.
  let atEnd = true;
  function toBottom() {
    atEnd = true;
    if (list.byId.size > MOST) {
      loading++; // an older page that is on its way would leave a hole
      olderThan = list.keep(KEPT);
      older.hidden = false;
    }
    scroll.scrollTop = scroll.scrollHeight;
    down.hidden = true;
    read.seen();
  }
  scroll.addEventListener("scroll", () => {
    atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    if (atEnd) { down.hidden = true; read.seen(); }
  }, { passive: true });
  const growth = new ResizeObserver(() => { if (atEnd) scroll.scrollTop = scroll.scrollHeight; });
  for (const one of [scroll, list.node]) growth.observe(one);

  const on = (event, action) => room.on(event, (data) => { action(data); empty.hidden = list.node.childElementCount > 0; });
  on("snapshot", restore);
  on("messageReceived", (data) => {
    const follow = atEnd || data.userId === me.userId;
    if (!show(data)) return;
    typing.delete(data.userId);
    drawTyping();
    if (follow) toBottom(); else down.hidden = false;
    if (data.userId === me.userId) return read.draw();
    section.dispatchEvent(new CustomEvent("news"));
    const line = el("p", {}, data.type === "system" ? data.message : `${data.displayName}: ${data.message}`);
    spoken.append(line);
    setTimeout(() => line.remove(), 10000);
  });
  on("messageDeleted", ({ messageId }) => { list.remove(messageId); read.draw(); });
  on("reactionUpdated", (data) => list.reacted(data));
  on("sessionStatusChanged", ({ seq, status }) => {
    lesson.status = status;
    if (status !== "ended") list.notice(seq, { active: "The session is live.", paused: "The session is paused." }[status] || `The session is ${status}.`);
    allow();
  });
  on("sessionEnded", ({ seq }) => { lesson.status = "ended"; list.notice(seq, "The session has ended."); allow(); toBottom(); });
  on("sessionModeChanged", ({ mode }) => { lesson.mode = mode; allow(); });
  on("participantMuted", ({ userId, muted }) => { if (userId === me.userId) { lesson.muted = muted; allow(); } });
  on("participantRemoved", ({ userId }) => { typing.delete(userId); drawTyping(); });
  on("state", () => { for (const entry of outbox.values()) entry.draw(); });

  /** May one write? What is typed already stays, and the reason is said. */
  function allow() {
    const why = lesson.locked || (lesson.status === "ended" ? "The session has ended. You can still read."
      : me.staff || (lesson.mode === "open" && !lesson.muted) ? ""
      : lesson.muted ? "Your teacher has muted you. You can still raise your hand."
      : lesson.mode === "quiz" ? "The chat is closed during the quiz." : "Only the teacher writes at the moment.");
    whyNot.textContent = why;
    whyNot.hidden = !why;
    const lost = document.activeElement === text || document.activeElement === sendButton || list.node.contains(document.activeElement);
    if (why && lost) scroll.focus(); // where one can still read: what is disabled or hidden has no focus
    text.disabled = sendButton.disabled = Boolean(why);
    section.toggleAttribute("data-closed", Boolean(why));
  }

  // Sending: a message stays on the page until it is in the log, and its id with it, so that nothing is stored twice --
  const KEY = `classwaves.outbox.${room.code || ""}.${me.userId}`;
  const outbox = new Map(); // clientMessageId -> entry
  const keep = () => sessionStorage.setItem(KEY, JSON.stringify([...outbox.values()].map(({ clientMessageId, message, replyTo }) => ({ clientMessageId, message, replyTo }))));
  function settle(entry) {
    outbox.delete(entry.clientMessageId);
    entry.shown.node.remove();
    keep();
  }
  function post(fields) {
    const entry = { ...fields, error: null };
    entry.shown = list.pending(entry, { retry: () => { text.focus(); transmit(entry); }, discard: () => { text.focus(); settle(entry); } });
    entry.draw = () => entry.shown.show(entry.error ? "failed" : room.state === "joined" ? "sending" : "waiting", entry.error && `Not sent: ${entry.error}`);
    outbox.set(entry.clientMessageId, entry);
    keep();
    transmit(entry);
  }
  async function transmit(entry) {
    entry.error = null;
    entry.draw();
    try {
      const { clientMessageId, message, replyTo } = entry;
      const ack = await room.send("sendMessage", { clientMessageId, message, ...(replyTo && { replyTo }) });
      if (outbox.has(clientMessageId) && list.newest >= ack.seq) settle(entry); // stored before this page was loaded
    } catch (error) {
      entry.error = inWords(error);
      entry.draw();
      if (!error.code) throw error;
    }
  }
  compose.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!text.value.trim() || text.disabled) return;
    post({ clientMessageId: newId(), message: text.value, replyTo: replyingTo });
    text.value = "";
    answer(null);
    isTyping(false);
    toBottom();
    grow();
  });
  text.addEventListener("keydown", (event) => { // not while an input method is composing a word
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); compose.requestSubmit(); }
    if (event.key === "Escape" && replyingTo) answer(null);
  });
  const grow = () => { text.rows = Math.min(6, Math.max(1, text.value.split("\n").length + Math.floor(text.value.length / 60))); };
  text.addEventListener("input", () => { isTyping(Boolean(text.value)); grow(); });
  text.addEventListener("blur", () => isTyping(false));

  let replyingTo = null;
  function answer(message) {
    replyingTo = message && message.messageId;
    quote.replaceChildren(...(message ? [icon("reply"), el("span", { class: "grow clip", dir: "auto" }, `${message.displayName}: ${message.message}`),
      button("Do not reply", { icon: "close", iconOnly: true, class: "quiet small", onclick: () => { answer(null); text.focus(); } })] : []));
    quote.hidden = !message;
    if (message) text.focus();
  }

  // Who is typing ----------------------------------------------------------------------------------------------------
  const typing = new Set();
  let toldAt = 0;
  function isTyping(yes) {
    if (yes ? Date.now() - toldAt < TYPING_AGAIN : !toldAt) return;
    toldAt = yes ? Date.now() : 0;
    if (room.state === "joined") room.emit("typing", { isTyping: yes });
  }
  on("typingUpdated", ({ userId, isTyping, groupId }) => {
    if (userId === me.userId || groupId) return;
    if (isTyping) typing.add(userId); else typing.delete(userId);
    drawTyping();
  });
  function drawTyping() {
    const names = [...typing].map((one) => people.nameOf(one));
    typists.replaceChildren(...(names.length > 2 ? [`${names.length} people are typing…`] : names.length
      ? [...names.flatMap((name, at) => [at ? " and " : "", el("bdi", {}, name)]), names.length > 1 ? " are typing…" : " is typing…"] : []));
  }

  const read = receipts(room, me, people, list, () => !section.hidden && !document.hidden && atEnd && lesson.status !== "ended");
  for (const entry of JSON.parse(sessionStorage.getItem(KEY) || "[]")) post(entry); // what was under way when the page was reloaded
  allow();
  const lock = (why) => { lesson.locked = why; allow(); };
  return { restore, toBottom, lock };
}
