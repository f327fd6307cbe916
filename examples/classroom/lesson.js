// The session itself: its title and status for everybody, and what its teacher does with it.

import { api } from "./account.js";
import { announce, busy, button, confirmed, el, toast } from "./ui.js";
import { STATUS } from "./words.js";

const MODES = { open: "Everybody writes", focus: "Only teachers write", quiz: "Chat closed for a quiz" };
const STEPS = { created: [["start", "Start", "play"]], active: [["pause", "Pause", "pause"]], paused: [["resume", "Go on", "play"]], ended: [] };

export function mountLesson(code, room, me) {
  const $ = (id) => document.getElementById(id), controls = $("controls");
  const state = { status: "created", mode: "open", settings: {} };
  const steps = el("div", { class: "row" });
  const mode = el("select", { id: "mode" }, Object.entries(MODES).map(([value, words]) => el("option", { value }, words)));
  const door = el("input", { type: "checkbox", id: "door" });

  room.on("snapshot", restore);
  room.on("resumed", restore);
  room.on("sessionStatusChanged", ({ status }) => change({ status }));
  room.on("sessionEnded", () => change({ status: "ended" }));
  room.on("sessionModeChanged", (data) => change({ mode: data.mode }));

  if (me.staff) {
    mode.addEventListener("change", () => busy(mode, () => room.send("setSessionMode", { mode: mode.value }).finally(draw)));
    door.addEventListener("change", () => busy(door, async () => {
      state.settings = (await api("PATCH", `/sessions/${code}`, { settings: { waitingRoom: door.checked } }).finally(draw)).settings;
      toast(state.settings.waitingRoom ? "Guests wait until you let them in." : "Guests come in at once.");
    }));
    const end = button("End", { icon: "stop", id: "end", class: "danger small" });
    end.addEventListener("click", () => busy(end, async () => {
      if (await confirmed("End this session for everybody?", { detail: "It cannot be started again. What was written can still be read.", label: "End it" })) await step("end");
    }));
    controls.append(steps, end, el("span", { class: "grow" }),
      el("label", { class: "row inline" }, el("span", { class: "sr" }, "Who writes"), mode), el("label", { class: "row inline check" }, door, "Guests wait at the door"));
    $("tools").append(button("", { icon: "people", id: "show-code", class: "small code-button", onclick: () => showCode(code) }));
    $("show-code").append(el("span", { class: "narrow-sr" }, "Code"), el("b", {}, code));
  } else controls.remove();
  const step = (name) => api("POST", `/sessions/${code}/${name}`); // everybody, this page too, is told by an event

  function restore(snapshot) {
    change({ status: snapshot.status, mode: snapshot.mode || "open", settings: snapshot.settings || {}, title: snapshot.title });
  }
  function change(changes) {
    const before = state.status;
    Object.assign(state, changes);
    if (changes.status && before !== changes.status && state.title) announce(`The session is now ${STATUS[changes.status].toLowerCase()}.`);
    draw();
  }
  function draw() {
    $("title").textContent = state.title || code;
    document.title = `${state.title || code} – ClassWaves`;
    $("status").hidden = false;
    $("status").textContent = STATUS[state.status] || state.status;
    document.body.dataset.status = $("status").dataset.status = state.status;
    if (!me.staff) return;
    const focused = steps.contains(document.activeElement);
    if (steps.dataset.for !== state.status) steps.replaceChildren(...(STEPS[state.status] || []).map(([name, words, picture]) =>
      button(words, { icon: picture, id: name, class: state.status === "active" ? "small" : "small primary", onclick: (event) => busy(event.currentTarget, () => step(name)) })));
    steps.dataset.for = state.status;
    if (focused) (steps.firstElementChild || $("title")).focus();
    mode.value = state.mode;
    door.checked = Boolean(state.settings.waitingRoom);
    controls.hidden = state.status === "ended";
  }
  return { restore, change };
}

/** The code so large that the last row reads it, and the address that has it in it. */
function showCode(code) {
  const address = new URL(`./#code=${code}`, location.href).href;
  const dialog = el("dialog", { class: "big-code", "aria-labelledby": "code-title" }, el("form", { method: "dialog", class: "stack" },
    el("h2", { id: "code-title" }, "Join with this code"),
    el("p", { class: "code", "aria-label": [...code].join(" ") }, code), el("p", { class: "muted address" }, address),
    el("div", { class: "row end" }, button("Copy the address", { icon: "copy", onclick: async () => {
      try { await navigator.clipboard.writeText(address); toast("Copied."); } catch { toast("The browser does not allow it: please copy it by hand.", { bad: true }); }
    } }), el("button", { class: "primary" }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
