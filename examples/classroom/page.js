// A page of the classroom: connects with the login of this tab, shows how the connection is, and puts the parts together.

import { accessToken, api, codeInAddress, forget, isTeacher, logOut, renew, user } from "./account.js";
import { mountChat } from "./chat.js";
import { Classroom } from "./classwaves.js";
import { mountLesson } from "./lesson.js";
import { loadSocketIO } from "./library.js";
import * as activity from "./panels/activity.js";
import * as call from "./panels/call.js";
import * as captions from "./panels/captions.js";
import * as files from "./panels/files.js";
import * as groups from "./panels/groups.js";
import { People } from "./people.js";
import { mountRoster } from "./roster.js";
import { mountSessions } from "./sessions.js";
import { makeTabs } from "./tabs.js";
import { announce, busy, button, el, icon, inWords, problem } from "./ui.js";

const PANELS = { activity, groups, files, call, captions };
const STATES = { connecting: "Connecting…", waiting: "Waiting", joined: "Connected", reconnecting: "Reconnecting…", closed: "Not connected", refused: "Not connected" };
const $ = (id) => document.getElementById(id);
const code = codeInAddress(), teaching = document.body.dataset.page === "teacher";
const toTheDoor = () => location.assign("./" + location.hash);

window.addEventListener("hashchange", () => location.reload()); // another session is another page
if (!user() || (!code && !teaching)) location.replace("./" + location.hash);
else if (teaching && !isTeacher()) location.replace("student" + location.hash);
else if (!code) chooseSession();
else enter().catch(problem);

function chooseSession() {
  $("lobby").hidden = false;
  $("title").textContent = "Your classes";
  $("state").hidden = true;
  $("leave").addEventListener("click", () => busy($("leave"), async () => { await logOut(); location.assign("./"); }));
  mountSessions($("lobby"), user());
}

async function enter() {
  const room = new Classroom({ url: location.origin, token: accessToken(), code, io: await loadSocketIO(), refresh: renew });
  const me = { userId: user().userId, displayName: user().displayName, role: user().role, staff: false };
  const people = new People(room, me);
  Object.assign(me, { people, nameOf: (userId) => people.nameOf(userId) });
  let parts = null;
  let removed = false;
  showConnection(room, (error) => {
    if (error?.code === "SESSION_ENDED") return parts || (parts = mountEnded(room, me, people));
    const why = removed ? "You were removed from this session." : error ? inWords(error) : "The server did not let you in.";
    parts?.chat.lock(why);
    noWayIn(why);
  });
  room.on("snapshot", (snapshot) => {
    if (parts) return; // they listen themselves
    me.staff = Boolean(snapshot.self?.staff);
    queueMicrotask(() => { parts ||= mountAll(room, me, people, snapshot); }); // after all who hear this snapshot, before the next event
  });
  room.on("participantRemoved", ({ userId }) => { removed ||= userId === me.userId; }); // the refusal follows
  $("leave").addEventListener("click", () => busy($("leave"), async () => {
    if (room.state === "joined") await room.leave();
    room.close();
    if (teaching) location.assign("teacher"); else toTheDoor();
  }));
  await room.join().catch(() => {}); // what went wrong is told by the state
}

function mountAll(room, me, people, snapshot) {
  const lesson = mountLesson(code, room, me);
  const sections = Object.entries(PANELS).map(([name, panel]) => {
    const section = el("section", { id: name, class: "view panel" }, el("h2", {}, panel.title));
    $("room").append(section);
    return { name, title: panel.title, section };
  });
  let chat = null, unread = 0;
  const tabs = makeTabs($("tabs"), [{ name: "chat", title: "Chat", section: $("chat") }, { name: "people", title: "People", section: $("people") }, ...sections],
    (name) => { if (name === "chat") { unread = 0; chat?.toBottom(); } });
  $("chat").addEventListener("news", () => { if (!tabs.isShown("chat")) tabs.mark("chat", ++unread); });
  $("people").addEventListener("count", (event) => tabs.mark("people", event.detail, { even: true }));
  for (const { name, section } of sections) section.addEventListener("news", () => tabs.mark(name, true));

  chat = mountChat($("chat"), room, me, people, (query) => room.send("fetchHistory", query));
  mountRoster($("people"), room, me, people);
  if (!me.staff) $("compose").prepend(handButton(room, me, people));
  for (const { name, section } of sections) PANELS[name].mount(section, room, me, snapshot);
  lesson.restore(snapshot);
  chat.restore(snapshot);
  $("room").hidden = false;
  $("lobby").hidden = true;
  chat.toBottom();
  (matchMedia("(pointer: fine)").matches && !$("message").disabled ? $("message") : $("title")).focus();
  return { chat, lesson };
}

/** Nobody joins a session that has ended, but who was in it may read. */
function mountEnded(room, me, people) {
  const lesson = mountLesson(code, room, me);
  const chat = mountChat($("chat"), room, me, people, (query) => api("GET", `/sessions/${code}/messages?${new URLSearchParams(query)}`));
  document.body.dataset.past = "";
  $("people").hidden = $("tabs").hidden = true;
  $("room").hidden = false;
  api("GET", `/sessions/${code}`).then(lesson.restore, problem);
  chat.restore({ status: "ended", mode: "open" });
  return { chat, lesson };
}

function handButton(room, me, people) {
  const words = el("span", {}, "Raise hand");
  const raise = el("button", { type: "button", id: "hand", class: "small", "aria-pressed": "false" }, icon("hand"), words);
  raise.addEventListener("click", () => busy(raise, () => room.send(people.self?.hand ? "lowerHand" : "raiseHand", {})));
  people.addEventListener("change", () => {
    const place = people.self?.hand;
    raise.setAttribute("aria-pressed", String(Boolean(place)));
    words.textContent = place ? `Hand is up (${place})` : "Raise hand";
  });
  const over = ({ status }) => { raise.hidden = status === "ended"; };
  room.on("snapshot", over);
  room.on("sessionStatusChanged", over);
  room.on("sessionEnded", () => over({ status: "ended" }));
  return raise;
}

/** The state in the corner, and a banner where it keeps one from working. Spoken once for each change. */
function showConnection(room, refused) {
  let before = "connecting";
  room.on("state", (state, error) => {
    $("state").dataset.state = state;
    $("state").textContent = STATES[state] || state;
    if (state === "reconnecting" && before !== state) banner("The connection is lost. You will be back by yourself, and what you write is sent then.");
    else if (state === "waiting") banner("Your teacher will let you in. Please wait a moment.");
    else if (state === "refused") {
      banner(null);
      refused(error);
    } else if (state === "joined") {
      banner(null);
      if (before === "reconnecting") announce("Connected again.");
    }
    before = state;
  });
}

function banner(text, ...more) {
  const place = $("banner"), focused = place.contains(document.activeElement);
  place.replaceChildren(...(text ? [el("p", { role: "status", class: "grow" }, text), ...more] : []));
  place.hidden = !text;
  document.body.toggleAttribute("data-bannered", Boolean(text));
  if (focused) $("title").focus();
}
function noWayIn(text) {
  const back = button("Back to the door", { class: "small", onclick: () => { forget(); toTheDoor(); } });
  banner(text, back);
  back.focus();
}
