// What a student sees of an activity: the question, their own answer, and what staff reveal.
import { announce, el, newId } from "../ui.js";
import { KINDS, choicesOf, isKnown, labelOf, mean, progressOf, rows, textOf } from "./activity-kinds.js";
import { barChart } from "./chart.js";
import { form, mistake, replace } from "./parts.js";

export function studentView(place, room, state, me) {
  const current = el("div", { class: "stack" });
  place.append(current);
  let progress = null;

  function changed() {
    const { activity } = state;
    progress = null;
    if (!activity) return replace(current, el("p", { class: "muted" }, state.session === "ended" ? "The session has ended." : "Nothing to answer now. When your teacher asks something, it appears here."));
    if (!isKnown(activity)) return replace(current, el("p", { class: "muted" }, `An activity of the kind “${activity.activityType}” runs, which this page has no form for.`));
    progress = el("p", { class: "muted progress-words" });
    const { data, status, activityType } = activity;
    replace(current,
      el("p", { class: "eyebrow" }, KINDS[activityType].label, status === "paused" ? " · paused" : status === "completed" ? " · closed" : ""),
      data.results ? el("h3", { class: "question" }, data.question) : null,
      ...(data.results ? shownResults() : [answerForm(), progress]));
    progressed();
  }

  function progressed() {
    if (!progress) return;
    const { responded, participants } = progressOf(state);
    progress.textContent = `${responded} of ${participants} have answered.`;
  }

  const isOpen = () => state.activity.status === "started" && state.session === "active";

  function answerForm() {
    const { activity } = state, isText = activity.activityType === "text", draft = kept(activity) ?? state.mine;
    const inputs = isText ? textInput(activity, draft) : choiceInputs(activity, draft);
    const send = el("button", { class: "primary", id: "answer-send" }), note = el("p", { class: "hint", id: "answer-note" });
    const read = () => isText ? { text: inputs.node.value.trim() } : { choices: inputs.boxes.flatMap((box, at) => (box.checked ? [at] : [])) };

    function show() { // what may be done now, in words too
      const given = state.mine !== undefined, same = given && JSON.stringify(state.mine) === JSON.stringify(read());
      send.textContent = given ? "Change my answer" : "Send my answer";
      send.hidden = !isOpen() || same;
      note.textContent = same && isOpen() ? "✓ Your answer is in. You may change it until the activity is closed."
        : same ? "✓ Your answer is in." : isOpen() ? (given ? "Not sent yet: your first answer counts until then." : "")
        : state.session === "ended" ? "The session has ended." : activity.status === "completed" ? "The activity is closed." + (given ? "" : " You have not answered.") : "Answers are paused.";
      note.dataset.state = same ? "sent" : "open";
    }

    const node = form(async () => {
      const answer = read();
      if (isText ? !answer.text : !answer.choices.length) throw mistake(isText ? "Write an answer first." : "Choose an answer first.");
      await room.send("submitActivityResponse", { activityId: activity.activityId, data: answer, clientId: newId() });
      if (state.activity?.activityId !== activity.activityId) return;
      state.mine = answer;
      keep(activity, null);
      const focused = document.activeElement === send;
      show();
      if (focused) note.focus();
      announce("Your answer is in.");
    }, { class: "stack answer" }, inputs.whole, send, note);
    note.tabIndex = -1;
    node.addEventListener("input", () => {
      keep(activity, read());
      show();
    });
    if (!isOpen()) for (const input of inputs.whole.querySelectorAll("input, textarea")) input.disabled = true;
    show();
    return node;
  }

  function shownResults() {
    const { activity, mine } = state, { data, activityType } = activity, { results, right = [] } = data;
    if (activityType === "text") {
      const own = textOf(mine);
      return [own ? el("p", {}, "Your answer: ", el("q", {}, own)) : null, el("h4", {}, answersOf(results)),
        el("ul", { class: "plain texts" }, ...(results.texts ?? []).map((text) => el("li", {}, text)))];
    }
    const own = choicesOf(mine, data.options), chart = barChart(`Answers to: ${data.question}`);
    chart.show(rows(activity, results.counts ?? [], right, own), results.responded);
    const verdict = !right.length || !own.length ? null : own.every((at) => right.includes(at)) ? "Your answer was right." : "Your answer was not the right one.";
    const middle = activityType === "scale" ? mean(results.counts ?? []) : null;
    return [verdict && el("p", { class: "verdict", "data-right": String(verdict.endsWith("was right.")) }, verdict), chart.node,
      el("p", { class: "muted" }, answersOf(results) + (middle === null ? "" : `, mean ${middle.toFixed(1)}`))];
  }

  // What somebody has chosen and not yet sent outlives a reload of the page. What was sent, the server knows.
  const key = ({ activityId }) => `classwaves-answer:${me.userId}:${activityId}`;
  function kept(activity) {
    try {
      return JSON.parse(sessionStorage.getItem(key(activity)) ?? "null");
    } catch {
      return null; // no storage, or something else in it: there is no draft
    }
  }
  function keep(activity, answer) {
    try {
      if (answer === null) sessionStorage.removeItem(key(activity));
      else sessionStorage.setItem(key(activity), JSON.stringify(answer));
    } catch { /* no storage: then it does not outlive a reload */ }
  }
  return { changed, progressed };
}

const answersOf = ({ responded }) => (responded === 1 ? "1 answer" : `${responded} answers`);

function textInput({ data }, draft) {
  const node = el("textarea", { id: "answer-text", rows: "3", maxlength: "2000" });
  node.value = textOf(draft);
  return { node, whole: el("div", { class: "field" }, el("label", { for: "answer-text", class: "question" }, data.question), node) };
}

function choiceInputs({ activityType, data }, draft) {
  const chosen = choicesOf(draft, data.options), several = Boolean(data.several);
  const boxes = data.options.map((_, at) => {
    const box = el("input", { type: several ? "checkbox" : "radio", name: "answer", id: `answer-${at}`, value: String(at) });
    box.checked = chosen.includes(at);
    return box;
  });
  const lines = boxes.map((box, at) => el("label", { class: "option" }, box, el("span", {}, labelOf(activityType, data, at))));
  return { boxes, whole: el("fieldset", { class: "options" }, el("legend", { class: "question" }, data.question), several ? el("p", { class: "hint" }, "Choose all that fit.") : null, ...lines) };
}
