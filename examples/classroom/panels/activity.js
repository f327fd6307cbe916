// An activity: staff compose, start, close and reveal it, students answer. There is one at a time.
import { announce, el } from "../ui.js";
import { staffView } from "./activity-staff.js";
import { studentView } from "./activity-student.js";

export const title = "Activity";

export function mount(section, room, me, snapshot) {
  const place = el("div", { class: "activity stack" });
  section.append(place);
  // `responses` are staff's (userId -> {name, data}), `mine` is a student's own.
  const state = { session: "", activity: null, responses: new Map(), complete: true, progress: {}, mine: undefined };
  const view = (me.staff ? staffView : studentView)(place, room, state, me);

  function begin({ status, activity }) {
    const { responses = [], responsesComplete = true, response, responded, participants, ...rest } = activity ?? {};
    Object.assign(state, { session: status, activity: activity ? rest : null, mine: response, complete: responsesComplete });
    state.progress = { activityId: activity?.activityId, responded, participants };
    state.responses = new Map(responses.map(({ userId, displayName, data }) => [userId, { name: displayName, data }]));
    view.changed();
  }
  begin(snapshot);
  room.on("snapshot", begin);
  room.on("sessionStatusChanged", ({ status }) => {
    state.session = status;
    view.changed();
  });
  room.on("sessionEnded", () => {
    state.session = "ended";
    view.changed();
  });
  room.on("activityUpdate", (activity) => {
    const before = state.activity;
    if (before?.activityId !== activity.activityId) {
      state.responses.clear(); // the server does the same: what another activity came between begins anew
      Object.assign(state, { complete: true, mine: undefined });
    }
    state.activity = activity;
    view.changed();
    if (me.staff) return;
    announce(inWords(before, activity));
    section.dispatchEvent(new CustomEvent("news"));
  });
  room.on("activityResponse", ({ activityId, userId, displayName, data }) => {
    if (activityId !== state.activity?.activityId) return;
    state.responses.delete(userId); // the newest is the last
    state.responses.set(userId, { name: displayName, data });
    view.progressed();
  });
  function count({ activityId, responded, participants }) {
    state.progress = { activityId, responded, participants };
    view.progressed();
  }
  room.on("activityProgress", count);
  room.on("resumed", ({ activity }) => activity && count(activity)); // progress is in no log: how it is now is in the answer
}

function inWords(before, { activityId, status, data }) {
  if (data?.results && !before?.data?.results) return "The results of the activity are shown.";
  if (status === "started") return before?.activityId === activityId ? "The activity goes on." : "A new activity has started.";
  return status === "paused" ? "The activity is paused." : "The activity is closed.";
}
