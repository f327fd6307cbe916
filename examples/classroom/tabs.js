// The parts of the classroom: tabs on a phone; on a wide screen chat and people are always there, and the panels are tabs.

import { el, icon } from "./ui.js";

const WIDE = matchMedia("(min-width: 64rem)");
const ALWAYS = ["chat", "people"]; // on a wide screen

/** Make tabs for sections: [{name, title, section}]. Returns {select(name), mark(name, count or true), isShown(name)}. */
export function makeTabs(place, parts, onShow) {
  let selected = "chat";
  const tabs = new Map(parts.map(({ name, title, section }) => {
    const badge = el("span", { class: "badge", hidden: true });
    const tab = el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": section.id, onclick: () => select(name) }, icon(name), el("span", {}, title), badge);
    return [name, { name, title, section, tab, badge }];
  }));
  place.append(...[...tabs.values()].map(({ tab }) => tab));
  place.addEventListener("keydown", (event) => {
    const shown = [...tabs.values()].filter(({ name }) => !WIDE.matches || !ALWAYS.includes(name));
    const at = shown.findIndex(({ tab }) => tab === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = shown.at(to % shown.length);
    select(next.name);
    next.tab.focus();
  });
  WIDE.addEventListener("change", show);
  show();

  const isShown = (name) => name === selected || (WIDE.matches && ALWAYS.includes(name));
  function select(name) {
    selected = name;
    show();
  }
  function show() {
    if (WIDE.matches && ALWAYS.includes(selected)) selected = parts.find(({ name }) => !ALWAYS.includes(name)).name;
    for (const { name, tab, section, badge } of tabs.values()) {
      const always = WIDE.matches && ALWAYS.includes(name), shown = always || name === selected;
      tab.hidden = always;
      tab.setAttribute("aria-selected", String(name === selected));
      tab.tabIndex = name === selected ? 0 : -1;
      section.hidden = !shown;
      section.setAttribute("role", always ? "region" : "tabpanel");
      section.setAttribute("aria-label", tabs.get(name).title);
      if (shown && name !== "people") badge.hidden = true; // what counts people is no news
      if (shown) onShow?.(name);
    }
  }
  /** Show that there is something: a number, or a dot; nothing for 0 and for what is on the screen. */
  function mark(name, what, { even } = {}) {
    const { badge } = tabs.get(name), counted = typeof what === "number";
    badge.hidden = !what || (isShown(name) && !even);
    badge.toggleAttribute("data-counted", counted);
    badge.replaceChildren(counted ? String(Math.min(what, 99)) : "", el("span", { class: "sr" }, counted ? " new" : "something new"));
  }
  return { select, mark, isShown };
}
