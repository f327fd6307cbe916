// Groups: staff make them at random or by hand and move students, everybody sees who is where, and a group has messages
// of its own, which reach its members and staff.
import { el } from "../ui.js";
import { staffView } from "./groups-staff.js";
import { studentView } from "./groups-student.js";

export const title = "Groups";

export function mount(section, room, me, snapshot) {
  const place = el("div", { class: "groups stack" }), groups = new Map();
  section.append(place);
  const ended = el("p", { class: "muted", hidden: true }, "The session has ended.");
  place.append(ended);
  const { people } = me;
  const mine = () => [...groups.values()].find(({ members }) => members.includes(me.userId));
  const view = (me.staff ? staffView : studentView)({ place, room, me, people, groups, mine });

  function over(yes) { // nothing can be changed, and what could do it is not shown
    ended.hidden = !yes;
    place.toggleAttribute("data-ended", yes);
  }
  function begin(snapshot) {
    over(snapshot.status === "ended");
    groups.clear();
    for (const group of snapshot.groups) groups.set(group.groupId, group);
    view.changed();
    view.again(); // messages may have been missed
  }
  begin(snapshot);
  room.on("snapshot", begin);
  room.on("sessionEnded", () => over(true));
  people.addEventListener("change", () => view.changed());
  room.on("groupUpdate", ({ action, ...group }) => {
    const before = mine()?.groupId;
    if (action === "deleted") groups.delete(group.groupId);
    else groups.set(group.groupId, group);
    view.changed();
    if (!me.staff && mine()?.groupId !== before) section.dispatchEvent(new CustomEvent("news"));
  });
  room.on("participantRemoved", ({ userId }) => {
    for (const group of groups.values()) {
      group.members = group.members.filter((member) => member !== userId);
      if (group.leaderId === userId) group.leaderId = null;
    }
    view.changed();
  });
  room.on("messageReceived", (message) => {
    if (!message.groupId) return;
    view.heard(message);
    if (message.userId !== me.userId) section.dispatchEvent(new CustomEvent("news"));
  });
  room.on("messageDeleted", ({ messageId }) => view.unsaid(messageId));
}
