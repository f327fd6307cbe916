import { el } from "../ui.js";

export const title = "Activity";

export function mount(section) {
  section.append(el("p", { class: "empty" }, "Nothing here yet."));
}
