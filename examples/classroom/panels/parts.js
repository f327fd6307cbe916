// What the panels have in common, beside ui.js: forms, fields, and parts that are made anew without losing the focus.
import { busy, button, el } from "../ui.js";

let made = 0;

/** A button for what may fail or take a while: once at a time, and what goes wrong is told. */
export const action = (label, perform, props = {}) => {
  const node = button(label, { ...props, onclick: () => busy(node, perform) });
  return node;
};

/** What is wrong with what somebody has entered, to be thrown: it is told as the server's refusals are. */
export const mistake = (message) => Object.assign(new Error(message), { code: "INPUT" });

/** A form that does something when it is sent, by its button or by Enter. What goes wrong is told as with buttons. */
export function form(action, props, ...children) {
  const node = el("form", props, ...children), send = node.querySelector("button:not([type=button])");
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(send, action);
  });
  return node;
}

/** A control with its label above it, and words about it below. */
export function field(label, control, hint = "") {
  control.id ||= `field-${++made}`;
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control, hint && el("p", { class: "hint", id: `${control.id}-hint` }, hint));
}

/** A select of `[value, text]` pairs. */
export function select(pairs, props = {}) {
  const node = el("select", props);
  fillSelect(node, pairs);
  return node;
}

/** Give a select other options, and keep what was chosen if it is still there. */
export function fillSelect(node, pairs) {
  const same = node.options.length === pairs.length && pairs.every(([value, text], at) => node.options[at].value === value && node.options[at].text === text);
  if (same) return;
  const before = node.value;
  node.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
  if (pairs.some(([value]) => value === before)) node.value = before;
}

/** Show other children. Who had the focus in there keeps it: on what has the same id now, or else on the place. */
export function replace(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(...children.flat().filter(Boolean));
  if (!focused) return;
  const again = focused.isConnected ? focused : focused.id && document.getElementById(focused.id);
  if (again && place.contains(again)) return again.focus();
  place.tabIndex = -1;
  place.focus();
}

/** Save a blob as a file of the user's. */
export function save(blob, fileName) {
  const url = URL.createObjectURL(blob), link = el("a", { href: url, download: fileName, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers read it only after the click
}
