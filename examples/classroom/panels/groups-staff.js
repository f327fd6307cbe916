// What staff see of groups: the form to deal out everybody, a card for each group, and who is in none. Students are moved by
// choosing them and then the place: a few presses for many, by keyboard and on a phone.
import { announce, arrange, confirmed, el, problem } from "../ui.js";
import { byName } from "../people.js";
import { groupChat } from "./group-chat.js";
import { action, field, fillSelect, form, mistake, select } from "./parts.js";

const NOWHERE = "-"; // no group has such an id

/** The ids of the students who are there, by name. */
const studentsOf = ({ all }) => [...all.values()].filter(({ role }) => role === "student")
  .sort(byName).map(({ userId }) => userId);

export function staffView({ place, room, me, people, groups }) {
  const cards = new Map(), chosen = new Set();
  const loose = looseCard(), list = el("div", { class: "cards" });
  const target = select([], { "aria-label": "Where to" }), count = el("span", { class: "count" });
  const lead = action("Make leader", makeLeader, { class: "small" }), move = action("Move", moveChosen, { class: "small primary" });
  const mover = el("div", { class: "mover row wrap", role: "group", tabindex: "-1", "aria-label": "Move the chosen students" }, count, target, move, lead);
  const dealer = dealForm(), maker = makeForm();
  place.append(dealer, mover, list, maker);

  function dealForm() {
    const by = select([["count", "groups"], ["size", "students in each"]]);
    const number = el("input", { type: "number", min: "1", max: "100", value: "4", required: true, inputmode: "numeric" });
    const how = select([["random", "at random"], ["roundRobin", "in the order of joining"]]);
    return form(async () => {
      const replaces = groups.size > 0;
      if (replaces && !(await confirmed("Make new groups?", { detail: "They replace all the groups that there are.", label: "Make new groups" }))) return;
      await room.send("assignGroups", { [by.value]: Number(number.value), strategy: how.value });
      announce("The groups are made.");
    }, { class: "stack deal", "aria-label": "Deal out everybody" },
      el("h3", {}, "Deal out everybody"),
      el("div", { class: "row wrap" }, field("How many", number), field("Of", by), field("Dealt", how), el("button", { class: "primary" }, "Make groups")));
  }

  function makeForm() {
    const name = el("input", { maxlength: "100", autocomplete: "off" }), most = el("input", { type: "number", min: "1", max: "1000", inputmode: "numeric", placeholder: "any" });
    return form(async () => {
      if (!name.value.trim()) throw mistake("Give the group a name first.");
      const memberIds = [...chosen], maxSize = Number(most.value) || undefined;
      await room.send("createGroup", { name: name.value.trim(), memberIds, maxSize });
      chosen.clear();
      name.value = most.value = "";
      changed();
    }, { class: "stack make", "aria-label": "Make one group" },
      el("h3", {}, "Make one group"),
      el("div", { class: "row wrap" }, field("Name", name), field("Seats", most), el("button", {}, "Make group")),
      el("p", { class: "hint" }, "The students chosen above go into it."));
  }

  async function moveChosen() {
    const ids = [...chosen], to = groups.get(target.value);
    if (!target.value) throw mistake("Choose where they go first.");
    if (to) await change(to, { memberIds: [...to.members, ...ids] });
    else for (const group of [...groups.values()])
      if (group.members.some((one) => chosen.has(one))) await change(group, { memberIds: group.members.filter((one) => !chosen.has(one)) });
    chosen.clear();
    changed();
    announce(`${ids.length === 1 ? me.nameOf(ids[0]) : `${ids.length} students`} moved.`);
  }

  async function makeLeader() {
    const [leaderId] = chosen, group = [...groups.values()].find(({ members }) => members.includes(leaderId));
    await change(group, { leaderId });
    chosen.clear();
    changed();
  }

  // `expectedVersion`: nobody undoes what somebody else has done meanwhile.
  const change = ({ groupId, version }, what) => room.send("updateGroup", { groupId, expectedVersion: version, ...what });

  function card(groupId) {
    const name = el("h3", { dir: "auto" }), note = el("p", { class: "hint" }), members = el("ul", { class: "plain members" });
    const chat = groupChat(room, me, groupId, groups.get(groupId).groupName), talk = el("details", {}, el("summary", {}, "Messages"), chat.node);
    talk.addEventListener("toggle", () => talk.open && chat.load().catch(problem));
    const ready = action("Ready", () => room.send("setGroupReady", { groupId, ready: !groups.get(groupId).isReady }), { class: "small quiet" });
    const dissolve = action("Dissolve", async () => {
      const { groupName, version } = groups.get(groupId);
      if (await confirmed(`Dissolve ${groupName}?`, { label: "Dissolve" })) await room.send("deleteGroup", { groupId, expectedVersion: version });
    }, { class: "small quiet danger" });
    const node = el("section", { class: "card stack group", "data-group-id": groupId }, el("div", { class: "row group-head" }, el("div", { class: "grow" }, name, note), ready, dissolve), members, talk);
    function show(group) {
      name.textContent = group.groupName;
      note.textContent = [`${group.members.length}${group.maxSize ? ` of ${group.maxSize}` : ""} in it`, group.isReady && "ready"].filter(Boolean).join(" · ");
      ready.textContent = group.isReady ? "Not ready" : "Ready";
      ready.setAttribute("aria-label", `${ready.textContent}: ${group.groupName}`);
      dissolve.setAttribute("aria-label", `Dissolve ${group.groupName}`);
      showMembers(members, group.members, group.leaderId);
    }
    return { node, show, chat, talk };
  }

  function looseCard() {
    const note = el("p", { class: "hint" }), members = el("ul", { class: "plain members" });
    const node = el("section", { class: "card stack group loose" }, el("div", {}, el("h3", {}, "In no group"), note), members);
    return { node, show(ids) {
      node.hidden = !ids.length;
      note.textContent = `${ids.length} ${ids.length === 1 ? "student" : "students"}`;
      showMembers(members, ids, null);
    } };
  }

  function showMembers(node, ids, leaderId) {
    const lines = new Map([...node.children].map((line) => [line.dataset.userId, line]));
    arrange(node, ids.map((userId) => {
      const line = lines.get(userId) ?? memberLine(userId);
      line.querySelector("input").checked = chosen.has(userId);
      line.querySelector(".leads").textContent = userId === leaderId ? "leader" : "";
      return line;
    }));
  }

  function memberLine(userId) {
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(userId);
      else chosen.delete(userId);
      showMover();
    });
    return el("li", { "data-user-id": userId }, el("label", { class: "pick" }, box, el("bdi", {}, me.nameOf(userId)), el("span", { class: "leads" })));
  }

  function showMover() {
    const inGroup = [...groups.values()].some(({ members }) => chosen.size === 1 && members.includes([...chosen][0]));
    count.textContent = chosen.size ? `${chosen.size} chosen` : "Choose students to move them";
    fillSelect(target, [["", "Move to…"], ...[...groups.values()].map(({ groupId, groupName }) => [groupId, groupName]), ...(groups.size ? [[NOWHERE, "No group"]] : [])]);
    if (!chosen.size && mover.contains(document.activeElement)) mover.focus(); // what is hidden has no focus
    target.hidden = move.hidden = !chosen.size;
    lead.hidden = !inGroup;
  }

  function changed() {
    const grouped = new Set([...groups.values()].flatMap(({ members }) => members));
    const students = studentsOf(people), ungrouped = students.filter((userId) => !grouped.has(userId));
    for (const userId of chosen) if (!grouped.has(userId) && !students.includes(userId)) chosen.delete(userId);
    for (const groupId of cards.keys()) if (!groups.has(groupId)) cards.delete(groupId);
    for (const group of groups.values()) {
      if (!cards.has(group.groupId)) cards.set(group.groupId, card(group.groupId));
      cards.get(group.groupId).show(group);
    }
    loose.show(ungrouped);
    arrange(list, [...[...groups.keys()].map((groupId) => cards.get(groupId).node), loose.node]);
    mover.hidden = !students.length && !grouped.size;
    showMover();
  }

  return {
    changed,
    again: () => cards.forEach(({ talk, chat }) => talk.open && chat.load().catch(problem)),
    heard: (message) => cards.get(message.groupId)?.chat.add(message),
    unsaid: (messageId) => cards.forEach(({ chat }) => chat.remove(messageId)),
  };
}
