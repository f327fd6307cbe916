// The door: who one is, and where one wants to go. The pages behind it find the login in sessionStorage.

import { codeInAddress, forget, isTeacher, joinAsGuest, logIn, typedCode } from "./account.js";
import { announce, busy } from "./ui.js";

const DEMO_CODE = "DEM234", DEMO_PASSWORD = "classwaves"; // demo mode alone has this page, and these accounts
const $ = (id) => document.getElementById(id);

function go(code) {
  announce("Opening the classroom");
  location.href = (isTeacher() ? "teacher" : "student") + (code ? "#code=" + code : "");
}
const onSubmit = (form, control, action) => $(form).addEventListener("submit", (event) => {
  event.preventDefault();
  busy($(control), action);
});

onSubmit("join-form", "join", async () => {
  const code = typedCode($("code").value);
  await joinAsGuest(code, $("name").value.trim());
  go(code);
});
onSubmit("login-form", "login", async () => {
  await logIn($("username").value.trim(), $("password").value);
  go(codeInAddress() || (isTeacher() ? "" : DEMO_CODE));
});
for (const name of ["teacher", "student"]) $("demo-" + name).addEventListener("click", (event) => busy(event.currentTarget, async () => {
  await logIn(name, DEMO_PASSWORD);
  go(codeInAddress() || DEMO_CODE);
}));

// Who comes to the door begins anew; who is here by the browser's Back may want to go forward again.
if (performance.getEntriesByType("navigation")[0]?.type !== "back_forward") forget();
$("code").value = codeInAddress();
if ($("code").value) $("name").focus();
