// What staff see of an activity: the form to compose one, and the live results of the one that runs.
import { announce, el, newId } from "../ui.js";
import { KINDS, compose, concealed, isKnown, mean, optionsOf, progressOf, revealed, rows, tally, textOf } from "./activity-kinds.js";
import { barChart } from "./chart.js";
import { action, field, fillSelect, form, replace, select } from "./parts.js";

const STATUS = { started: "Open for answers", paused: "Paused", completed: "Closed" };

export function staffView(place, room, state) {
  const current = el("div", { class: "stack" }), composer = composeForm(start);
  place.append(current, composer.node);
  let results = null; // shows what has come in

  async function start(activityType, data) {
    await room.send("updateActivity", { activityId: newId(), activityType, status: "started", data });
    announce("The activity has started.");
  }

  // `expectedVersion` keeps two teachers from undoing what the other has just done.
  function update(status, data) {
    const { activityId, activityType, version } = state.activity;
    return room.send("updateActivity", { activityId, activityType, status, expectedVersion: version, ...(data ? { data } : {}) });
  }

  function controls({ status, data }) {
    const known = isKnown(state.activity), shown = Boolean(data?.results), list = [];
    const live = state.session === "active";
    if (state.session === "ended") return null;
    if (status === "started") list.push(action("Pause", () => update("paused"), { id: "activity-pause" }));
    if (status === "paused" && live) list.push(action("Go on", () => update("started"), { id: "activity-pause" }));
    if (status !== "completed") list.push(action("Close", () => update("completed"), { id: "activity-close", class: "primary" }));
    if (status === "completed" && known && !shown)
      list.push(action("Show the results to everybody", () => update("completed", revealed(state.activity, given())), { id: "activity-close", class: "primary" }));
    if (status === "completed" && live)
      list.push(action("Open again", () => update("started", data && concealed(data)), { id: "activity-again" }));
    return el("div", { class: "row wrap" }, ...list);
  }

  const given = () => [...state.responses.values()].map(({ data }) => data);

  function changed() {
    const { activity } = state, running = activity && activity.status !== "completed";
    results = activity && isKnown(activity) ? resultsOf(activity, state) : null;
    replace(current, ...(activity ? describe(activity) : [el("p", { class: "muted" }, state.session === "ended" ? "The session has ended." : "Ask the class something: answers come in here while they are given.")]));
    composer.show(!running && state.session !== "ended", state.session === "active", Boolean(activity));
    progressed();
  }

  function describe(activity) {
    const { status, data, activityType } = activity, known = results !== null, over = state.session === "ended";
    const question = known ? data.question : `An activity of the kind “${activityType}”, which this page has no picture of.`;
    return [
      el("p", { class: "eyebrow" }, known ? KINDS[activityType].label : "Activity", " · ",
        el("span", { class: "status", "data-status": over ? "completed" : status }, over ? "The session has ended" : STATUS[status]), data?.results ? " · shown to everybody" : ""),
      el("h3", { id: "activity-question" }, question),
      el("div", { class: "answered" }, el("progress", { max: "1", value: "0", "aria-label": "Students who have answered" }), el("p", {})),
      known ? results.node : null,
      controls(activity),
    ].filter(Boolean);
  }

  function progressed() {
    if (!state.activity) return;
    const { responded, participants } = progressOf(state), bar = current.querySelector(".answered progress"), words = current.querySelector(".answered p");
    bar.max = Math.max(participants, 1);
    bar.value = responded;
    words.textContent = `${responded} of ${participants} have answered` + (state.complete ? "" : "; the newest are counted below");
    results?.show();
  }
  return { changed, progressed };
}

/** The results as staff see them: a chart, or the words of each, and who has answered what. */
function resultsOf(activity, state) {
  const { activityType, data } = activity, right = data.right ?? data.staffOnly?.right;
  const who = el("ul", { class: "plain who", tabindex: "0", "aria-label": "Answers by name" }), each = el("details", { class: "each" }, el("summary", {}, "Who has answered what"), who);
  const chart = activityType === "text" ? null : barChart(`Answers to: ${data.question}`), average = el("p", { class: "muted" });
  const node = el("div", { class: "stack" }, chart?.node, chart && average, each);
  if (!chart) each.open = true;

  function show() {
    if (chart) {
      const { counts, responded } = tally(activity, [...state.responses.values()].map((one) => one.data));
      chart.show(rows(activity, counts, right), responded);
      const middle = activityType === "scale" ? mean(counts) : null;
      average.textContent = middle === null ? "" : `Mean ${middle.toFixed(1)}`;
      average.hidden = middle === null;
    }
    each.hidden = state.responses.size === 0;
    who.replaceChildren(...[...state.responses.values()].map((one) =>
      el("li", {}, el("span", { class: "name" }, el("bdi", {}, one.name)), el("span", { class: "given", dir: "auto" }, words(activity, one.data)))));
  }
  return { node, show };
}

function words({ activityType, data }, response) {
  if (activityType === "text") return textOf(response) || "–";
  const { counts } = tally({ activityType, data }, [response]);
  return data.options.filter((_, at) => counts[at]).join(", ") || "–";
}

function composeForm(start) {
  const kind = select(Object.entries(KINDS).map(([value, { label }]) => [value, label]), { id: "activity-kind" });
  const question = el("textarea", { id: "activity-text", rows: "2", maxlength: "500" });
  const lines = el("textarea", { id: "activity-options", rows: "4" });
  const right = select([], { id: "activity-right" });
  const low = el("input", { maxlength: "60", value: "not at all" }), high = el("input", { maxlength: "60", value: "completely" });
  const about = el("p", { class: "hint" });
  const options = field("Answers, one on a line", lines), rightField = field("Right answer", right, "Students see it when you show the results.");
  const ends = el("div", { class: "row" }, field("1 means", low), field("5 means", high));
  const go = el("button", { class: "primary" }, "Start"), hint = el("p", { class: "hint" }, "An activity can be started while the session is active.");
  const heading = el("h3", {}, "New activity");

  const node = form(async () => {
    await start(kind.value, compose(kind.value, { question: question.value, lines: lines.value, right: right.value, low: low.value, high: high.value }));
    question.value = lines.value = "";
    adapt();
  }, { class: "stack compose", "aria-label": "New activity" }, heading, field("Kind", kind), about, field("Question", question), options, rightField, ends, el("div", { class: "row wrap" }, go, hint));

  function adapt() {
    const how = KINDS[kind.value];
    about.textContent = how.about;
    options.hidden = !how.options;
    rightField.hidden = !how.right;
    ends.hidden = !how.scale;
    fillSelect(right, [["", "Choose …"], ...optionsOf(lines.value).map((option) => [option, option])]);
  }
  kind.addEventListener("change", adapt);
  lines.addEventListener("input", adapt);
  adapt();

  return {
    node,
    show(shown, possible, again) {
      node.hidden = !shown;
      go.disabled = !possible;
      hint.hidden = possible;
      heading.textContent = again ? "Next activity" : "New activity";
    },
  };
}
