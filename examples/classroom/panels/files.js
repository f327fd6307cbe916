// Files: whoever may chat may share one, everybody downloads, staff and who has shared it take it back.
import { announce, arrange, busy, button, clock, confirmed, el, icon, inWords, toast } from "../ui.js";
import { action, save } from "./parts.js";
import { Upload } from "./upload.js";

export const title = "Files";

const WHY = { // why the server refuses a file
  size: ({ maxBytes }) => `It is larger than ${size(maxBytes)}.`,
  type: () => "Files of this kind are not shared here, or it is not what its name says.",
  hash: () => "It has changed on its way. Try again.",
  files: () => "The session has as many files as it may have.",
  quota: () => "The session's room for files is full.",
  uploads: () => "Too many files are being sent. Wait for one to end.",
};
const CLOSED = {
  fileSharing: "Files are turned off in this session.", ended: "The session has ended. What was shared can be downloaded.",
  muted: "You are muted, and cannot share files.", focus: "Only the teacher shares files at the moment.", quiz: "Only the teacher shares files at the moment.",
};

export function mount(section, room, me, snapshot) {
  const files = new Map(), lines = new Map(); // both by fileId; lines are what is drawn
  const may = { status: "", mode: "open", muted: false, fileSharing: true };
  const input = el("input", { type: "file", multiple: true, id: "file-input" });
  const drop = el("div", { class: "drop" }, input, el("label", { for: "file-input", class: "choose" }, icon("files"), el("span", {}, el("b", {}, "Choose files"), el("span", { class: "wide-only" }, " or drop them here"))));
  const closed = el("p", { class: "muted" }), uploads = el("ul", { class: "plain stack uploads", "aria-label": "Files being sent" });
  const list = el("ul", { class: "plain shared", "aria-label": "Shared files" }), empty = el("p", { class: "muted" }, "No files yet.");
  section.append(el("div", { class: "files stack" }, drop, closed, uploads, empty, list));

  input.addEventListener("change", () => {
    for (const file of input.files) share(file);
    input.value = ""; // so that the same file may be chosen again
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (!input.disabled) for (const file of event.dataTransfer.files) share(file);
  });

  function share(file) {
    const bar = el("progress", { max: String(Math.max(file.size, 1)), value: "0", "aria-label": `Sending ${file.name}` });
    const words = el("p", { class: "hint" }), stop = button("Cancel", { class: "small quiet", "aria-label": `Cancel ${file.name}` });
    const line = el("li", { class: "card upload", "data-state": "reading" }, el("div", { class: "row" }, el("bdi", { class: "grow file-name" }, file.name), stop), bar, words);
    const upload = new Upload(room, file, () => show());
    stop.addEventListener("click", () => busy(stop, async () => {
      if (upload.isOver) line.remove();
      else await upload.cancel();
    }));
    let told = "";
    function show() {
      const { state, sent, already, error } = upload, away = room.state !== "joined" && !upload.isOver;
      line.dataset.state = state;
      bar.value = sent;
      bar.hidden = upload.isOver;
      words.textContent = away ? "Waiting for the connection. It goes on by itself."
        : state === "reading" ? "Reading…" : state === "sending" ? `${size(sent)} of ${size(file.size)}` : state === "checking" ? "Being checked…"
        : state === "failed" ? `Not shared. ${inWordsOf(error)}` : "";
      if (state === "failed") stop.replaceChildren("Dismiss");
      if (state === told || !upload.isOver) return;
      told = state;
      unhear();
      if (state === "failed") return announce(`${file.name} was not shared. ${inWordsOf(error)}`);
      const inside = line.contains(document.activeElement);
      line.remove();
      if (inside) input.focus();
      if (already) toast(`${file.name} is shared already.`);
      else announce(state === "done" ? `${file.name} is shared.` : `${file.name} was cancelled.`);
    }
    const unhear = room.on("state", show);
    uploads.append(line);
    show();
    upload.run();
  }

  function lineOf(file) {
    const { fileId, fileName, userId, mimeType, timestamp, url } = file, mine = userId === me.userId;
    const about = `${size(file.size)} · ${mine ? "you" : me.nameOf(userId)} · ${clock(timestamp)}`;
    const download = action("Download", async () => save(await fetched(url), fileName), { class: "small", "aria-label": `Download ${fileName}` });
    const remove = (me.staff || mine) && action("Remove", async () => {
      if (await confirmed(`Remove ${fileName}?`, { detail: "Nobody can download it any more.", label: "Remove" })) await room.send("removeFile", { fileId });
    }, { class: "small quiet danger", "aria-label": `Remove ${fileName}` });
    return el("li", { class: "file", "data-file-id": fileId }, el("span", { class: "kind", "aria-hidden": "true" }, ending(fileName, mimeType)),
      el("div", { class: "grow" }, el("bdi", { class: "file-name" }, fileName), el("p", { class: "hint", dir: "auto" }, about)), el("div", { class: "row" }, download, remove));
  }

  async function fetched(url) {
    const answer = await fetch(new URL(url, room.url ?? location.origin), { headers: { Authorization: `Bearer ${room.token}` } });
    if (answer.ok) return answer.blob();
    const { error } = await answer.json().catch(() => ({}));
    throw error ?? { code: "FILE_NOT_FOUND", message: "The file could not be downloaded" };
  }

  function changed() {
    for (const fileId of lines.keys()) if (!files.has(fileId)) lines.delete(fileId);
    for (const file of files.values()) if (!lines.has(file.fileId)) lines.set(file.fileId, lineOf(file));
    arrange(list, [...files.keys()].reverse().map((fileId) => lines.get(fileId))); // the newest is on top
    empty.hidden = files.size > 0;
    const why = may.status === "ended" ? "ended" : !may.fileSharing ? "fileSharing" : me.staff ? "" : may.muted ? "muted" : may.mode === "open" ? "" : may.mode;
    input.disabled = Boolean(why);
    drop.hidden = Boolean(why);
    closed.hidden = !why;
    if (closed.textContent !== (CLOSED[why] ?? "")) closed.textContent = CLOSED[why] ?? "";
  }

  function begin({ files: shared, status, mode, self, settings }) {
    files.clear();
    for (const file of shared) files.set(file.fileId, file);
    Object.assign(may, { status, mode, muted: Boolean(self?.muted), fileSharing: settings.fileSharing });
    changed();
  }
  begin(snapshot);
  room.on("snapshot", begin);
  const now = (event, change) => room.on(event, (data) => {
    change(data);
    changed();
  });
  now("sessionStatusChanged", ({ status }) => { may.status = status; });
  now("sessionEnded", () => { may.status = "ended"; });
  now("sessionModeChanged", ({ mode }) => { may.mode = mode; });
  now("participantMuted", ({ userId, muted }) => { if (userId === me.userId) may.muted = muted; });
  now("fileRemoved", ({ fileId }) => files.delete(fileId));
  now("fileShared", (file) => {
    files.set(file.fileId, file);
    if (file.userId === me.userId) return;
    announce(`${me.nameOf(file.userId)} has shared ${file.fileName}.`);
    section.dispatchEvent(new CustomEvent("news"));
  });
}

function inWordsOf(error) {
  const why = error.code === "FILE_REJECTED" && WHY[error.details?.reason];
  return why ? why(error.details) : inWords(error);
}

/** A number of bytes as people read it. */
function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let at = 0;
  for (; bytes >= 1000 && at < units.length - 1; at++) bytes /= 1000;
  return `${at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

/** What stands in the picture of a file: the end of its name, if it is a short one. */
function ending(fileName, mimeType) {
  const found = /\.([A-Za-z0-9]{1,4})$/.exec(fileName);
  return (found ? found[1] : mimeType.split("/")[0].slice(0, 4)).toUpperCase();
}
