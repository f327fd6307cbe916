// A teacher's own sessions, and a new one.

import { api } from "./account.js";
import { busy, el } from "./ui.js";
import { STATUS } from "./words.js";

export function mountSessions(place, user) {
  const title = el("input", { id: "session-title", maxlength: "200", required: true, dir: "auto" }), wait = el("input", { type: "checkbox", id: "session-door" });
  const create = el("button", { id: "create", class: "primary" }, "Create"), list = el("ul", { id: "sessions", class: "stack" });
  const form = el("form", { class: "card stack" }, el("h2", {}, "A new session"),
    el("div", {}, el("label", { for: "session-title" }, "Title"), title),
    el("label", { class: "row inline check" }, wait, "Guests wait at the door until I let them in"), create);
  place.append(el("div", { class: "doors" }, form, el("section", { class: "card stack", "aria-labelledby": "mine" }, el("h2", { id: "mine" }, `Sessions of ${user.displayName}`), list)));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(create, async () => open((await api("POST", "/sessions", { title: title.value.trim(), settings: { waitingRoom: wait.checked } })).sessionCode));
  });
  busy(list, async () => {
    const { sessions } = await api("GET", "/sessions?limit=50");
    list.replaceChildren(...sessions.map((one) => el("li", {}, el("a", { href: `#code=${one.sessionCode}`, class: "session" },
      el("span", { class: "grow clip", dir: "auto" }, one.title || one.sessionCode), el("span", { class: "meta" }, one.sessionCode), el("span", { class: "chip", "data-status": one.status }, STATUS[one.status])))));
    if (!sessions.length) list.append(el("li", { class: "empty" }, "None yet."));
  });
}
const open = (code) => { location.hash = "code=" + code; }; // page.js goes there
