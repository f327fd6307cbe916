// What a student sees of groups: their own with its messages, and the others, into which they may go.
import { el, problem } from "../ui.js";
import { groupChat } from "./group-chat.js";
import { action, replace } from "./parts.js";

export function studentView({ place, room, me, groups, mine }) {
  const own = el("div", { class: "stack" }), others = el("ul", { class: "plain stack" }), heading = el("h3", {}, "Other groups");
  const talk = el("div", {}), empty = el("p", { class: "muted none" }, "There are no groups now. Your teacher makes them.");
  place.append(empty, own, talk, heading, others);
  let chat = null, talking = null; // of the group that one is in

  function changed() {
    const group = mine();
    empty.hidden = groups.size > 0;
    replace(own, group ? ownCard(group) : groups.size ? el("p", { class: "muted" }, "You are in no group.") : null);
    if (talking !== (group?.groupId ?? null)) {
      talking = group?.groupId ?? null;
      chat = group ? groupChat(room, me, group.groupId, group.groupName) : null;
      replace(talk, chat?.node);
      chat?.load().catch(problem);
    }
    const rest = [...groups.values()].filter(({ groupId }) => groupId !== talking);
    heading.hidden = !rest.length;
    heading.textContent = group ? "Other groups" : "Groups to join";
    replace(others, ...rest.map(otherCard));
  }

  function ownCard(group) {
    const leads = group.leaderId === me.userId;
    return el("div", { class: "stack own-group" },
      el("p", { class: "eyebrow" }, "Your group", group.isReady ? " · ready" : ""),
      el("h3", { dir: "auto" }, group.groupName),
      el("ul", { class: "plain members" }, group.members.map((userId) => el("li", {}, el("bdi", {}, userId === me.userId ? "You" : me.nameOf(userId)), el("span", { class: "leads" }, userId === group.leaderId ? "leader" : "")))),
      el("div", { class: "row wrap" },
        leads && action(group.isReady ? "We are not ready" : "We are ready", () => room.send("setGroupReady", { groupId: group.groupId, ready: !group.isReady }), { id: "group-ready", class: "primary" }),
        action("Leave the group", () => room.send("leaveGroup", { groupId: group.groupId }), { id: "group-leave" })));
  }

  function otherCard({ groupId, groupName, members, maxSize }) {
    const full = Boolean(maxSize) && members.length >= maxSize;
    return el("li", { class: "row other-group" },
      el("span", { class: "grow" }, el("bdi", {}, groupName), el("span", { class: "hint" }, ` ${members.length}${maxSize ? ` of ${maxSize}` : ""} in it`)),
      action(full ? "Full" : "Join", () => room.send("joinGroup", { groupId }), { class: "small", id: `join-${groupId}`, disabled: full, "aria-label": full ? `${groupName} is full` : `Join ${groupName}` }));
  }

  return {
    changed,
    again: () => chat?.load().catch(problem),
    heard: (message) => message.groupId === talking && chat.add(message),
    unsaid: (messageId) => chat?.remove(messageId),
  };
}
