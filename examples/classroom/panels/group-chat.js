// The messages of one group: those that there were, those that come, and a line to write one.
import { clock, el } from "../ui.js";
import { form, mistake } from "./parts.js";

const NEWEST = 50;

/** @param {string} label says whose messages they are, for screen readers */
export function groupChat(room, me, groupId, label) {
  const list = el("div", { class: "lines", role: "log", "aria-label": label, tabindex: "0" }), empty = el("p", { class: "hint" }, "No messages yet.");
  const input = el("input", { "aria-label": `Message to ${label}`, placeholder: "Write to the group…", maxlength: "4000", autocomplete: "off" });
  const known = new Set();
  const write = form(async () => {
    const message = input.value.trim();
    if (!message) throw mistake("Write a message first.");
    await room.send("sendMessage", { groupId, message });
    input.value = "";
  }, { class: "row" }, el("div", { class: "grow" }, input), el("button", {}, "Send"));
  const node = el("div", { class: "group-chat stack" }, el("div", { class: "lines-box" }, empty, list), write);

  function add(message) { // live ones and those of history may be the same
    if (known.has(message.messageId)) return;
    known.add(message.messageId);
    const own = message.userId === me.userId, line = el("div", { "data-seq": message.seq, "data-message-id": message.messageId },
      el("span", { class: "by" }, el("bdi", {}, own ? "You" : message.displayName), " ", el("time", { datetime: message.timestamp }, clock(message.timestamp))),
      el("span", { class: "said", dir: "auto" }, message.message));
    let after = list.lastElementChild;
    while (after && Number(after.dataset.seq) > message.seq) after = after.previousElementSibling;
    if (after) after.after(line);
    else list.prepend(line);
    empty.hidden = true;
    list.scrollTop = list.scrollHeight;
  }
  return {
    node,
    add,
    remove: (messageId) => list.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`)?.remove(),
    open(yes) {
      write.hidden = !yes;
    },
    async load() {
      const { messages } = await room.send("fetchHistory", { groupId, limit: NEWEST });
      list.setAttribute("aria-live", "off"); // what was said before is not read out
      messages.forEach(add);
      list.removeAttribute("aria-live");
    },
  };
}
