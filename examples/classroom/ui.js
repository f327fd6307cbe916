// Helpers for what is on the page. Data reaches it through text nodes and attributes only, never as HTML, and nothing
// here sets a style or runs a string: the pages live under a strict content security policy.

import { inWords } from "./words.js";

export { inWords } from "./words.js";

/**
 * Make an element. Properties are attributes (true: present; false, null, undefined: left out), those that begin with
 * "on" are listeners. Children are nodes, texts, lists of them, or null.
 */
export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** A picture of icons.svg, which says nothing to screen readers: what stands beside it does. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  use.setAttribute("href", new URL(`icons.svg#${name}`, import.meta.url));
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  picture.append(use);
  return picture;
}

/** A button; with `icon` a picture before its words, with `iconOnly` the words are for screen readers and as a hint. */
export function button(label, { icon: name, iconOnly, ...properties } = {}) {
  const words = iconOnly ? el("span", { class: "sr" }, label) : label;
  return el("button", { type: "button", title: iconOnly ? label : undefined, ...properties }, name && icon(name), words);
}

/** Say something to screen readers, politely: for what changes where one is not looking. Used sparingly. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50); // an empty moment makes the same words be spoken twice
}

/** Show a short message for some seconds, or until it is closed; problems stay until then. */
export function toast(text, { bad = false } = {}) {
  const place = document.getElementById("toasts");
  if ([...place.children].some((one) => one.firstElementChild.textContent === text)) return; // it is there already
  const shown = el("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status" }, el("span", { class: "grow", dir: "auto" }, text));
  shown.append(button("Dismiss", { icon: "close", iconOnly: true, class: "quiet small", onclick: () => shown.remove() }));
  place.append(shown);
  setTimeout(() => { if (!shown.contains(document.activeElement)) shown.remove(); }, bad ? 12000 : 5000);
  while (place.childElementCount > 3) place.firstElementChild.remove();
}

export const problem = (error) => {
  if (!error.code) console.error(error); // no answer of the server's, but a mistake of ours
  toast(inWords(error), { bad: true });
};

/** Run what a button or a form asks for, once at a time, and show what went wrong. It keeps the focus meanwhile. */
export async function busy(control, action) {
  if (control.getAttribute("aria-disabled") === "true") return;
  control.setAttribute("aria-disabled", "true");
  try { await action(); } catch (error) { problem(error); } finally { control.removeAttribute("aria-disabled"); }
}

/** Ask before something that cannot be taken back. */
export function confirmed(question, { detail, label = "Yes", danger = true } = {}) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-labelledby": "question" }, el("form", { method: "dialog", class: "stack" },
      el("h2", { id: "question", dir: "auto" }, question), detail && el("p", { class: "muted", dir: "auto" }, detail),
      el("div", { class: "row end" }, el("button", { value: "" }, "Cancel"), el("button", { value: "yes", class: danger ? "danger solid" : "primary" }, label))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal(); // keeps the focus inside, and gives it back
  });
}

export const clock = (iso) => new Date(iso || Date.now()).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const initials = (name) => {
  const words = String(name).normalize("NFC").match(/[\p{L}\p{N}]+/gu) || [];
  const first = [...(words[0] || "?")][0], last = words.length > 1 ? [...words[words.length - 1]][0] : "";
  return (first + last).toLocaleUpperCase();
};

/** A round picture with initials, in one of six colours that is always the same for the same user. */
export function avatar(userId, name) {
  let sum = 0;
  for (const letter of String(userId)) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return el("span", { class: `avatar hue${sum % 6}`, "aria-hidden": "true" }, initials(name));
}

/** Put nodes into a place in this order, and move none that is where it belongs: so the focus stays, in the place at least. */
export function arrange(place, nodes) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null, wanted = new Set(nodes);
  for (const child of [...place.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, at) => { if (place.children[at] !== node) place.insertBefore(node, place.children[at] || null); });
  if (!focused || document.activeElement === focused) return;
  if (!focused.isConnected) place.tabIndex = -1; // what had it is gone: who goes on with Tab goes on from here
  (focused.isConnected ? focused : place).focus({ preventScroll: true });
}

/** One call for many wishes: the first at once, and what comes in a burst ten times a second at most. */
export function soon(action) {
  let due = false, last = -Infinity;
  const run = () => { due = false; last = performance.now(); action(); };
  return () => {
    if (due) return;
    due = true;
    const wait = last + 100 - performance.now();
    if (wait > 0) setTimeout(run, wait); else queueMicrotask(run);
  };
}

export function newId() { // crypto.randomUUID exists on https and localhost only, not on http://192.168.x.x
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
