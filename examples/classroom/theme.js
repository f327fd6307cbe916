// Light or dark: what the system prefers, until somebody chooses. Run before the page is drawn, so that nothing flashes.
(() => {
  const KEY = "classwaves.theme", root = document.documentElement;
  const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } }; // storage may be forbidden
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

  window.addEventListener("DOMContentLoaded", () => {
    const buttons = [...document.querySelectorAll(".theme-switch")];
    const show = () => buttons.forEach((button) => button.setAttribute("aria-pressed", String(dark())));
    for (const button of buttons) button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* it holds until the page is closed */ }
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    show();
  });
})();
