// The list of people: presence, raised hands, and for staff what they can do about somebody; who waits at the door.

import { inOrder } from "./people.js";
import { announce, arrange, avatar, busy, button, confirmed, el, icon } from "./ui.js";
import { PRESENCE } from "./words.js";

const ROLES = { teacher: "Teacher", admin: "Admin", transcriber: "Captions" };

export function mountRoster(section, room, me, people) {
  const count = el("span", { class: "muted" }), list = el("ul", { id: "participants", "aria-labelledby": "people-title" });
  const door = el("section", { id: "waiting", class: "stack", "aria-labelledby": "waiting-title", hidden: true });
  const rows = new Map(), waiters = new Map(); // userId -> what is on the page, kept so that the focus stays
  let waitingBefore = 0, handsBefore = 0;

  section.append(el("div", { class: "head row" }, el("h2", { id: "people-title" }, "People"), count), door,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "List of people" }, list), statusChoice(room, me, people));
  people.addEventListener("change", draw);
  draw();

  function draw() {
    const shown = inOrder(people), here = shown.filter((one) => one.status !== "disconnected").length;
    count.textContent = shown.length ? `${here} here` : "";
    for (const userId of [...rows.keys()]) if (!people.all.has(userId)) rows.delete(userId);
    arrange(list, shown.map((one) => {
      if (!rows.has(one.userId)) rows.set(one.userId, person(one.userId, room, me, people));
      rows.get(one.userId).show(one);
      return rows.get(one.userId).node;
    }));
    const hands = shown.filter((one) => one.hand).length;
    if (me.staff && hands > handsBefore) announce(`${shown[hands - 1].displayName} has raised a hand.`);
    handsBefore = hands;
    section.dispatchEvent(new CustomEvent("count", { detail: me.staff ? hands + people.waiting.size : 0 }));
    if (me.staff) drawDoor();
  }

  function drawDoor() {
    for (const userId of [...waiters.keys()]) if (!people.waiting.has(userId)) waiters.delete(userId);
    for (const [userId, name] of people.waiting) if (!waiters.has(userId)) waiters.set(userId, waiter(userId, name, room));
    if (!door.firstChild) door.append(el("h3", { id: "waiting-title" }, "At the door"), el("ul", { class: "stack" }));
    arrange(door.lastChild, [...waiters.values()]);
    if (!waiters.size && door.contains(document.activeElement)) list.parentElement.focus(); // what is hidden has no focus
    door.hidden = !waiters.size;
    if (waiters.size > waitingBefore) announce(`${[...people.waiting.values()].pop()} wants to come in.`);
    waitingBefore = waiters.size;
  }
}

function waiter(userId, name, room) {
  const decide = (admitted) => (event) => busy(event.currentTarget, () => room.send("admitParticipant", { userId, admitted }));
  return el("li", { class: "person", "data-user-id": userId }, avatar(userId, name), el("span", { class: "grow name" }, el("bdi", {}, name)),
    el("div", { class: "row" }, el("button", { type: "button", class: "primary small admit", onclick: decide(true) }, "Let in", el("span", { class: "sr" }, " ", el("bdi", {}, name))),
    el("button", { type: "button", class: "small", onclick: decide(false) }, "No", el("span", { class: "sr" }, ", keep ", el("bdi", {}, name), " out"))));
}

function person(userId, room, me, people) {
  const face = el("span", { class: "face" }), name = el("bdi"), line = el("span", { class: "meta" });
  const hand = el("span", { class: "hand" }), node = el("li", { class: "person", "data-user-id": userId, "data-self": userId === me.userId });
  node.append(face, el("span", { class: "grow name" }, el("span", {}, name, userId === me.userId && " (you)"), line), hand);
  const acts = me.staff && userId !== me.userId ? actions(userId, room, people) : null;
  let drawn = "";
  if (acts) node.append(acts.opener, acts.drawer);

  function show(one) {
    const state = JSON.stringify([one.displayName, one.status, one.role, one.hand, one.muted]);
    if (state === drawn) return; // a hundred others have changed, this one has not
    drawn = state;
    Object.assign(node.dataset, { status: one.status, muted: String(one.muted), hand: one.hand || "" });
    name.textContent = one.displayName || userId;
    face.replaceChildren(avatar(userId, one.displayName || "?"), el("span", { class: "dot", "aria-hidden": "true" }));
    line.textContent = [ROLES[one.role], PRESENCE[one.status] || one.status, one.muted && "muted"].filter(Boolean).join(" · ");
    hand.replaceChildren(...(one.hand ? [icon("hand"), el("span", { "aria-hidden": "true" }, String(one.hand)), el("span", { class: "sr" }, `Hand raised, number ${one.hand}`)] : []));
    acts?.show(one);
  }
  return { node, show };
}

/** What staff can do about somebody, behind one button: so the list has one stop of the keyboard for each person. */
function actions(userId, room, people) {
  const drawer = el("div", { class: "row drawer", role: "group", hidden: true });
  const who = el("bdi"), opener = button("", { icon: "more", class: "quiet small", "aria-expanded": "false" });
  opener.append(el("span", { class: "sr" }, "Actions for ", who));
  opener.addEventListener("click", () => {
    drawer.hidden = !drawer.hidden;
    opener.setAttribute("aria-expanded", String(!drawer.hidden));
  });
  for (const one of [opener, drawer]) one.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || drawer.hidden) return;
    opener.click();
    opener.focus();
  });
  const act = (label, name, action) => button(label, { icon: name, class: "small", onclick: (event) => busy(event.currentTarget, action) });
  const now = () => people.all.get(userId);
  const mute = act("Mute", "mute", () => room.send("muteParticipant", { userId, muted: !now().muted }));
  const lower = act("Lower hand", "hand", () => room.send("lowerHand", { userId }));
  const remove = act("Remove", "remove", async () => {
    if (await confirmed(`Remove ${people.nameOf(userId)}?`, { detail: "They cannot come back into this session.", label: "Remove" }))
      await room.send("removeParticipant", { userId });
  });
  remove.classList.add("danger");
  drawer.append(lower, mute, remove);

  function show(one) {
    who.textContent = one.displayName || userId;
    drawer.setAttribute("aria-label", `Actions for ${one.displayName}`);
    mute.lastChild.data = one.muted ? "Unmute" : "Mute";
    if (lower === document.activeElement && !one.hand) opener.focus(); // what is hidden has no focus
    lower.hidden = !one.hand;
    mute.hidden = one.role !== "student";
    opener.hidden = one.role === "teacher" || one.role === "admin"; // staff do not put each other out
  }
  return { opener, drawer, show };
}

const IDLE_AFTER = 5 * 60 * 1000;

/** One's own presence: what was chosen; "away" while the page is not seen, "idle" after five minutes without a touch. */
function statusChoice(room, me, people) {
  const select = el("select", { id: "own-status" }, ["active", "idle", "away"].map((one) => el("option", { value: one }, PRESENCE[one])));
  let told = "active", touched = Date.now();
  const wanted = () => {
    if (select.value !== "active") return select.value;
    return document.hidden ? "away" : Date.now() - touched > IDLE_AFTER ? "idle" : "active";
  };
  async function tell(again) {
    const status = wanted();
    if ((status === told && !again) || room.state !== "joined") return;
    told = status;
    try {
      const ack = await room.send("updatePresence", { status });
      people.set(me.userId, { status: ack.status || status }); // the server tells everybody but us
    } catch (error) { if (room.state === "joined" && error.code !== "SESSION_ENDED") throw error; } // the end is told by others
  }
  select.addEventListener("change", () => tell());
  document.addEventListener("visibilitychange", () => tell());
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => { touched = Date.now(); tell(); }, { passive: true, capture: true });
  setInterval(tell, 30000);
  room.on("state", (state) => { if (state === "joined") { told = "active"; tell(); } }); // a new connection begins as active
  return el("div", { class: "foot row" }, el("label", { for: "own-status", class: "grow" }, "You are"), select);
}
