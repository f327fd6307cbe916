// The login of this tab, and REST. It is kept in sessionStorage: a reload stays logged in, another tab is another person,
// and it ends with the tab. (A page that shares its origin with scripts of others keeps tokens in memory instead.)

const KEY = "classwaves.login", API = "/api/v1";

const read = () => JSON.parse(sessionStorage.getItem(KEY) || "null");
let login = read(); // {accessToken, refreshToken?, user: {userId, displayName, role}}
function keep(answer) {
  login = answer;
  if (answer) sessionStorage.setItem(KEY, JSON.stringify(answer));
  else sessionStorage.removeItem(KEY);
}

export const user = () => login && login.user;
export const accessToken = () => login && login.accessToken;
export const isTeacher = () => Boolean(login) && ["teacher", "admin"].includes(login.user.role);

async function ask(method, path, body, token) {
  let response, answer;
  try {
    response = await fetch(API + path, { method, body: body && JSON.stringify(body),
      headers: { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: "Bearer " + token }) } });
    answer = await response.json().catch(() => ({})); // 204 has no body
  } catch { throw { code: "UNREACHABLE" }; }
  if (response.ok) return answer;
  throw { code: "INTERNAL_ERROR", message: `The server answered ${response.status}.`, ...answer.error };
}

/** Ask the REST API as who is logged in. Throws {code, message, details?}. */
export async function api(method, path, body) {
  try { return await ask(method, path, body, accessToken()); } catch (error) {
    if (error.code !== "TOKEN_EXPIRED" || !login.refreshToken) throw error;
    return ask(method, path, body, await renew());
  }
}

// A refresh token works once, and using it twice ends the login: so never two renewals at a time.
let renewing = null;

/** Get a new access token; guests have no refresh token, and theirs is as good as it gets. */
export function renew() {
  if (!login || !login.refreshToken) return Promise.reject({ code: "TOKEN_EXPIRED" });
  renewing = renewing || ask("POST", "/auth/refresh", undefined, login.refreshToken)
    .then((answer) => { keep({ ...login, ...answer, user: login.user }); return login.accessToken; })
    .finally(() => { renewing = null; });
  return renewing;
}

export async function logIn(username, password) {
  keep(await ask("POST", "/auth/login", { username, password }));
}

export async function joinAsGuest(code, displayName) {
  keep(await ask("POST", `/sessions/${encodeURIComponent(code)}/join`, { displayName }));
}

export async function logOut() {
  try { await ask("POST", "/auth/logout", undefined, accessToken()); } finally { keep(null); }
}
export const forget = () => keep(null);

// The code of the session is in the page's address, where it can be shared, and survives a reload.
export const typedCode = (text) => text.trim().toUpperCase().replace(/[^A-Z0-9]/g, "");
export const codeInAddress = () => typedCode(new URLSearchParams(location.hash.slice(1)).get("code") || "");
