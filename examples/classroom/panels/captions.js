// Captions: what somebody says, in words, while they say it. Everybody reads them; staff may have their browser's own
// speech recognition write them, and take the transcript with them.
import { button, el } from "../ui.js";
import { action, field, save, select } from "./parts.js";
import { Recognition, Captioner } from "./captioner.js";

export const title = "Captions";

const NEWEST = 50; // lines that are shown
const FORMATS = [["txt", "Text"], ["vtt", "WebVTT"], ["srt", "SubRip"]];
const NOBODY = "Nobody is captioning. What is said appears here when somebody does.";
const STREAM = { stalled: "Nothing has come from the microphone for a while.", failed: "The captions have ended: their sender is gone." };

export function mount(section, room, me, snapshot) {
  const said = el("div", { class: "said", role: "log", "aria-label": "Captions", tabindex: "0" }), now = el("div", { class: "saying" });
  const strip = el("div", { class: "strip" }, said, now), empty = el("p", { class: "muted" }), trouble = el("p", { class: "hint trouble", role: "status" });
  const place = el("div", { class: "captions stack" }, strip, trouble, empty), open = new Map(), finals = new Set();
  section.append(place);
  let status = snapshot.status, captioner = null;
  const staff = me.staff ? staffParts() : null;
  if (staff) place.append(staff.node);

  function line(data) {
    return el("p", { "data-segment-id": data.segmentId, "data-final": String(data.isFinal), "data-speaker-id": data.speakerId }, el("b", {}, el("bdi", {}, me.nameOf(data.speakerId))), " ", el("span", { class: "text", dir: "auto", lang: data.language }, data.text));
  }

  /** A name stands where somebody begins to speak; of their further lines only screen readers are told it again. */
  function nameOnce() {
    let before = null;
    for (const one of [...said.children, ...now.children]) {
      one.firstElementChild.classList.toggle("sr", one.dataset.speakerId === before);
      before = one.dataset.speakerId;
    }
  }

  function show(data) {
    if (finals.has(data.segmentId)) return; // its last word has come
    const before = open.get(data.segmentId), node = line(data), follow = said.scrollHeight - said.scrollTop - said.clientHeight < 40;
    if (data.isFinal) {
      finals.add(data.segmentId);
      open.delete(data.segmentId);
      before?.remove();
      said.append(node);
      while (said.childElementCount > NEWEST) said.firstElementChild.remove();
    } else {
      open.set(data.segmentId, node);
      if (before) before.replaceWith(node);
      else now.append(node);
    }
    if (follow) said.scrollTop = said.scrollHeight;
    draw();
  }

  function draw() {
    nameOnce();
    const some = said.childElementCount + now.childElementCount > 0;
    strip.hidden = !some;
    empty.hidden = some;
    empty.textContent = status === "ended" ? "The session has ended." : NOBODY;
    staff?.draw();
  }

  async function begin(data) {
    status = data.status;
    finals.clear();
    open.clear();
    now.replaceChildren();
    draw();
    const { segments } = await room.send("fetchTranscript", { limit: NEWEST });
    const live = [...said.children].filter(({ dataset }) => finals.has(dataset.segmentId)); // came while this was fetched
    said.setAttribute("aria-live", "off"); // what was said before is not read out
    said.replaceChildren();
    segments.forEach((segment) => finals.add(segment.segmentId));
    said.append(...segments.map((segment) => line({ ...segment, isFinal: true })), ...live.filter(({ dataset }) => !segments.some(({ segmentId }) => segmentId === dataset.segmentId)));
    said.scrollTop = said.scrollHeight;
    setTimeout(() => said.removeAttribute("aria-live"), 100);
    draw();
  }

  function staffParts() {
    const switcher = button("Caption what I say", { icon: "captions", class: "primary", "aria-pressed": "false", onclick: () => (captioner ? stop() : start()) });
    const language = select(languages(), { id: "caption-language" });
    const hint = el("p", { class: "hint", id: "caption-hint", role: "status" });
    const format = select(FORMATS, { id: "transcript-format" });
    const fetchIt = action("Download", async () => save(await transcript(format.value), `transcript-${room.code}.${format.value}`), { "aria-label": "Download the transcript" });
    const speaking = el("div", { class: "row wrap" }, field("Language", language), switcher);
    const node = el("div", { class: "stack" },
      speaking, hint,
      el("h3", {}, "Transcript"), el("div", { class: "row wrap" }, field("As", format), fetchIt));
    let why = "";

    function start() {
      why = "";
      captioner = new Captioner(room, language.value, (problem) => stop(problem));
      captioner.start();
      draw();
    }
    function stop(problem = "") {
      why = problem;
      const mine = captioner;
      captioner = null;
      mine?.stop(Boolean(problem));
      draw();
    }
    function draw() {
      speaking.hidden = status === "ended";
      const words = status === "ended" ? "" : !Recognition ? "This browser has no speech recognition. The program examples/transcriber.py captions from a microphone."
        : captioner ? "Listening. Your browser may send what it hears to its maker to recognize it." : status !== "active" ? "Captions need a session that is active." : why;
      if (hint.textContent !== words) hint.textContent = words; // spoken once
      hint.hidden = !words;
      switcher.disabled = !Recognition || (status !== "active" && !captioner);
      switcher.setAttribute("aria-pressed", String(Boolean(captioner)));
      language.disabled = Boolean(captioner) || !Recognition;
    }
    return { node, draw, stop };
  }

  async function transcript(format) {
    const answer = await fetch(`${room.url}/api/v1/sessions/${room.code}/transcript?format=${format}`, { headers: { Authorization: `Bearer ${room.token}` } });
    if (answer.ok) return answer.blob();
    const { error } = await answer.json().catch(() => ({}));
    throw error ?? { code: "INTERNAL_ERROR", message: "The transcript could not be fetched" };
  }

  const failed = (error) => { // the strip stays empty, and what comes is shown
    trouble.textContent = `What was said before could not be fetched (${error.code ?? error.name}).`;
  };
  begin(snapshot).catch(failed);
  room.on("snapshot", (data) => begin(data).catch(failed));
  room.on("transcriptionUpdate", (data) => {
    show(data);
    if (data.speakerId !== me.userId) section.dispatchEvent(new CustomEvent("news"));
  });
  room.on("transcriptionStatus", ({ status: stream }) => {
    trouble.textContent = STREAM[stream] ?? "";
    if (stream === "stopped" || stream === "failed") {
      open.clear();
      now.replaceChildren(); // nobody says how it would have ended
      draw();
    }
  });
  room.on("sessionStatusChanged", (data) => {
    status = data.status;
    if (status !== "active" && captioner) staff.stop();
    draw();
  });
  room.on("sessionEnded", () => {
    status = "ended";
    if (captioner) staff.stop();
    draw();
  });
}

/** The browser's own languages first, then some others. */
function languages() {
  const codes = [...new Set([...navigator.languages, "en-US", "de-DE", "es-ES", "fr-FR", "it-IT", "pt-BR", "ar", "hi-IN", "ja-JP", "zh-CN"])];
  const names = new Intl.DisplayNames(undefined, { type: "language", fallback: "code" });
  return codes.map((code) => [code, names.of(code)]);
}
