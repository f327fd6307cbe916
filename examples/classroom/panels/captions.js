import { el } from "../ui.js";

export const title = "Captions";

export function mount(section) {
  section.append(el("p", { class: "empty" }, "Nothing here yet."));
}
