// The kinds of activity that this page knows, and what their data looks like. To the server `activityType` is any word and
// `data` any object; of `data` it knows `staffOnly` alone, which reaches no student. This page's convention:
//
//   data       {question, options?, several?, low?, high?, results?, right?, staffOnly: {right?}}
//   a response {choices: [index, …]} or {text}
//
// Nobody but staff has the responses, so what all may see of them is put into `data.results` when it is revealed.

import { mistake } from "./parts.js";

/** What may be asked; `options`, `right` and `scale` say which fields the form to compose one has. */
export const KINDS = {
  poll: { label: "Poll", about: "One choice, and no right answer.", options: true },
  several: { label: "Several choices", about: "As many as fit.", options: true, several: true },
  quiz: { label: "Quiz question", about: "One choice, and one is right.", options: true, right: true },
  scale: { label: "Scale from 1 to 5", about: "How much do you agree?", scale: true },
  text: { label: "Short answer", about: "In the students' own words." },
};

export const MOST_OPTIONS = 12;
const MOST_TEXTS = 100, LONGEST_TEXT = 500; // of what is revealed, so that it fits into an event

/** The data of a new activity. Throws a mistake, with a message for who composes it. */
export function compose(kind, { question, lines = "", right = "", low = "", high = "" }) {
  const how = KINDS[kind], data = { question: question.trim() };
  if (!data.question) throw mistake("Write a question first.");
  if (how.options) {
    data.options = optionsOf(lines);
    if (data.options.length < 2) throw mistake("Write at least two different answers, each on a line of its own.");
    if (data.options.length > MOST_OPTIONS) throw mistake(`No more than ${MOST_OPTIONS} answers, please.`);
  }
  if (how.several) data.several = true;
  if (how.right) {
    const at = data.options.indexOf(right);
    if (at < 0) throw mistake("Choose the right answer.");
    data.staffOnly = { right: [at] };
  }
  if (how.scale) Object.assign(data, { options: ["1", "2", "3", "4", "5"], low: low.trim(), high: high.trim() });
  return data;
}

/** The different lines of a text, without what is empty. */
export const optionsOf = (lines) => [...new Set(lines.split("\n").map((line) => line.trim()).filter(Boolean))];

/** Whether this page can show it: another program may have made it in another way. */
export function isKnown({ activityType, data }) {
  if (!Object.hasOwn(KINDS, activityType) || typeof data?.question !== "string") return false;
  return activityType === "text" || (Array.isArray(data.options) && data.options.length > 0);
}

/** The indexes of the options that a response names; nothing where it is none of this page's. */
export function choicesOf(response, options) {
  const given = Array.isArray(response?.choices) ? response.choices : [];
  return [...new Set(given)].filter((at) => Number.isInteger(at) && at >= 0 && at < options.length);
}

export const textOf = (response) => (typeof response?.text === "string" ? response.text : "");

/** What the responses say together: `{responded, counts}`, or `{responded, texts}` without names. */
export function tally({ activityType, data }, responses) {
  if (activityType === "text") {
    const texts = responses.map(textOf).filter(Boolean);
    return { responded: responses.length, texts };
  }
  const counts = data.options.map(() => 0);
  for (const response of responses) for (const at of choicesOf(response, data.options)) counts[at]++;
  return { responded: responses.length, counts };
}

/** The data with the results for everybody, and with the right answer if it has one. */
export function revealed({ activityType, data }, responses) {
  const results = tally({ activityType, data }, responses);
  if (results.texts) results.texts = results.texts.slice(-MOST_TEXTS).map((text) => text.slice(0, LONGEST_TEXT));
  const right = data.staffOnly?.right;
  return { ...data, results, ...(right ? { right } : {}) };
}

/** The data as it was before the results were revealed, to answer anew. */
export function concealed({ results, right, ...data }) {
  return data;
}

/** Rows for the chart; `own` are the indexes that who looks at it has chosen. */
export function rows({ activityType, data }, counts, right = [], own = []) {
  return data.options.map((option, at) => {
    const isRight = right.includes(at), isOwn = own.includes(at);
    const notes = [isRight && "✓ right answer", isOwn && "your answer"].filter(Boolean);
    return { label: labelOf(activityType, data, at, option), count: counts[at] ?? 0, note: notes.join(", "), mark: isRight ? "right" : isOwn ? "own" : "" };
  });
}

/** The text of an option; the ends of a scale have words. */
export function labelOf(activityType, data, at, option = data.options[at]) {
  const word = activityType !== "scale" ? "" : at === 0 ? data.low : at === data.options.length - 1 ? data.high : "";
  return word ? `${option} – ${word}` : String(option);
}

/** The mean of a scale's answers, or null where there is none. */
export function mean(counts) {
  const given = counts.reduce((sum, count) => sum + count, 0);
  return given ? counts.reduce((sum, count, at) => sum + count * (at + 1), 0) / given : null;
}

/** How many have answered, of how many, as the server and the answers that have come say. */
export function progressOf({ activity, progress, responses }) {
  const told = progress.activityId === activity.activityId ? progress : { responded: 0, participants: 0 };
  const responded = Math.max(told.responded, responses.size);
  return { responded, participants: Math.max(told.participants, responded) };
}
