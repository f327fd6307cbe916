// A bar chart that is a table: each row has the text of an answer, a bar, and its count in words. So it says the same to
// who sees it and to who hears it, long texts wrap, and it fits a phone. Bars are drawn by SVG attributes, because the
// pages' content security policy allows no inline style.
import { el } from "../ui.js";

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Whole percents, as people read them; nothing of nothing is 0. */
export const percent = (part, whole) => (whole ? Math.round((100 * part) / whole) : 0);

/**
 * Make a chart, which is empty until it is told what to show.
 *
 * @param {string} caption what a screen reader calls the table
 * @returns {{node: HTMLElement, show(rows: {label: string, count: number, note?: string, mark?: string}[], total: number): void}}
 *   `mark` is a class of the row ("right"), and `note` says the same in words.
 */
export function barChart(caption) {
  const body = el("tbody");
  const head = el("thead", { class: "sr" }, el("tr", {}, el("th", { scope: "col" }, "Answer"), el("th", { scope: "col" }, "Given")));
  const node = el("table", { class: "chart" }, el("caption", { class: "sr" }, caption), head, body);
  let shown = []; // one for each row: what changes while answers come in, so that bars grow and do not jump

  function row() {
    const fill = shape("rect", { class: "fill", width: "0", height: "100%", rx: "4" });
    const bar = shape("svg", { class: "gauge", width: "100%", height: "14", "aria-hidden": "true", focusable: "false" });
    bar.append(shape("rect", { class: "track", width: "100%", height: "100%", rx: "4" }), fill);
    const label = el("span", { class: "label" }), note = el("span", { class: "note" }), count = el("span", { class: "count" });
    const line = el("tr", {}, el("th", { scope: "row" }, label, " ", note), el("td", {}, bar, count));
    return { line, fill, label, note, count };
  }

  function show(rows, total) {
    if (shown.length !== rows.length) {
      shown = rows.map(row);
      body.replaceChildren(...shown.map(({ line }) => line));
    }
    rows.forEach(({ label, count, note = "", mark = "" }, at) => {
      const parts = shown[at], share = percent(count, total);
      parts.line.className = mark;
      parts.label.textContent = label;
      parts.note.textContent = note;
      parts.fill.setAttribute("width", `${share}%`);
      parts.count.textContent = `${count} (${share} %)`;
    });
  }
  return { node, show };
}
