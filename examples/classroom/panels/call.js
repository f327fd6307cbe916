// A video call with somebody of the class: who to call, who calls, and the two pictures. What happens is in calls.js.
import { button, el, icon, toast } from "../ui.js";
import { api } from "../account.js";
import { byName } from "../people.js";
import { Calls } from "./calls.js";
import { field, fillSelect, form, select } from "./parts.js";

export const title = "Call";

export function mount(section, room, me, snapshot) {
  const { people } = me;
  const words = el("p", { class: "call-words", role: "status", "data-kind": "idle" });
  const target = select([], { id: "call-target" }), go = el("button", { class: "primary" }, icon("call"), "Call"), nobody = el("p", { class: "muted" });
  const choose = form(() => calls.start(target.value), { class: "row" }, el("div", { class: "grow" }, field("Voice and video with", target)), go);
  const remote = el("video", { autoplay: true, playsinline: true, class: "remote" }), local = el("video", { autoplay: true, playsinline: true, class: "local", "aria-label": "Your own camera" });
  local.muted = true; // or one hears oneself
  const videos = el("div", { class: "videos" }, remote, local);
  const answer = button("Answer", { class: "primary grow", onclick: () => calls.answer() }), decline = button("Decline", { class: "danger grow", onclick: () => calls.hangUp() });
  const ringing = el("div", { class: "row", role: "group", "aria-label": "Incoming call" }, answer, decline);
  const microphone = switchOf("Mute", "audio"), camera = switchOf("Camera off", "video"), hangUp = button("Hang up", { class: "danger solid", onclick: () => calls.hangUp() });
  const running = el("div", { class: "row wrap", role: "group", "aria-label": "Call" }, microphone, camera, hangUp);
  section.append(el("div", { class: "call stack" }, words, videos, ringing, running, choose, nobody));
  let ended = snapshot.status === "ended", before = "idle";

  function switchOf(label, kind) {
    const node = button(label, { "aria-pressed": "false", onclick: () => node.setAttribute("aria-pressed", String(calls.toggle(kind))) });
    return node;
  }

  const calls = new Calls({ room, me, changed, iceServers: async () => (await api("GET", `/sessions/${room.code}/ice`)).iceServers });

  function changed(call, text) {
    const kind = call?.kind ?? "idle", inside = section.contains(document.activeElement) && document.activeElement !== target;
    if (text !== undefined && words.textContent !== text) words.textContent = text; // spoken once
    words.dataset.kind = kind;
    words.hidden = !words.textContent;
    show(remote, call?.remote);
    show(local, call?.stream);
    if (call) remote.setAttribute("aria-label", `Video of ${me.nameOf(call.peer)}`);
    draw(call, kind);
    if (kind === before) return;
    if (kind === "ringing") section.dispatchEvent(new CustomEvent("news"));
    if (kind === "ringing" && section.hidden) toast(`${text} Open “Call” to answer.`);
    if (inside) focusOn(kind);
    before = kind;
  }

  function focusOn(kind) { // the button that was pressed is gone
    if (kind === "ringing") answer.focus();
    else if (kind !== "idle") hangUp.focus();
    else target.focus();
  }

  function draw(call, kind) {
    const others = [...people.all.values()].filter(({ userId, status, role }) => userId !== me.userId && status !== "disconnected" && role !== "transcriber");
    others.sort((one, other) => (one.role === "student") - (other.role === "student") || byName(one, other));
    fillSelect(target, others.map(({ userId }) => [userId, me.nameOf(userId)]));
    choose.hidden = kind !== "idle" || !others.length || ended;
    nobody.hidden = kind !== "idle" || (others.length > 0 && !ended);
    nobody.textContent = ended ? "The session has ended." : "Nobody else is here now.";
    ringing.hidden = kind !== "ringing";
    running.hidden = kind === "idle" || kind === "ringing";
    videos.hidden = kind === "idle" || kind === "ringing";
    for (const [node, type] of [[microphone, "audio"], [camera, "video"]]) {
      const tracks = calls?.tracks(type) ?? [];
      node.disabled = !tracks.length;
      node.setAttribute("aria-pressed", String(tracks.length > 0 && !tracks[0].enabled));
    }
  }

  function show(video, stream = null) {
    if (video.srcObject !== stream) video.srcObject = stream;
    video.classList.toggle("empty", !stream);
  }

  people.addEventListener("change", () => changed(calls.call));
  room.on("snapshot", ({ status }) => {
    ended = status === "ended";
    changed(calls.call);
  });
  room.on("sessionEnded", () => {
    ended = true;
    changed(calls.call);
  });
  changed(null, "");
}
