import { el } from "../ui.js";

export const title = "Groups";

export function mount(section) {
  section.append(el("p", { class: "empty" }, "Nothing here yet."));
}
