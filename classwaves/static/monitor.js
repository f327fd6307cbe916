// The monitor page: logs in, listens to the namespace /monitor, and draws what it hears. Tokens are in memory only.

import { Chart, element } from "./monitor-chart.js";
import { NamespaceSocket } from "./monitor-socket.js";

const WINDOW = 300; // seconds that are shown
const at = (id) => document.getElementById(id);
const { api, socket: socketPath } = document.body.dataset;

// numbers

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const number = (value) => (Math.abs(value) < 100 ? plain.format(value) : whole.format(value));
const orNone = (value) => (value === null || value === undefined ? "–" : number(value));
const inMs = (seconds) => (seconds === null || seconds === undefined ? null : seconds * 1000);
const duration = (seconds) => {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"]];
  const [size, unit] = steps.find(([one]) => seconds >= one) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
};

// charts: what each shows of a picture

const CHARTS = [
  {
    title: "Connections",
    unit: "open now",
    whole: true,
    series: [
      { key: "websocket", label: "WebSocket", of: (p) => p.totals.connections.websocket ?? 0 },
      { key: "polling", label: "polling", of: (p) => p.totals.connections.polling ?? 0 },
      { key: "participants", label: "participants", of: (p) => p.totals.participants },
    ],
  },
  {
    title: "Throughput",
    unit: "per second",
    series: [
      { key: "deliveries", label: "deliveries", of: (p) => p.rates.deliveries },
      { key: "in", label: "events in", of: (p) => p.rates.eventsIn },
      { key: "ended", label: "disconnects", of: (p) => p.rates.disconnects },
    ],
  },
  {
    title: "Errors",
    unit: "per second",
    series: [
      { key: "errors", label: "events refused", of: (p) => p.rates.errors },
      { key: "limited", label: "rate limited", of: (p) => p.rates.rateLimited },
      { key: "refused", label: "connections and packets refused", of: (p) => p.rates.refused },
      { key: "failures", label: "server failures", of: (p) => sum([p.rates.failures, p.rates.storeErrors]) },
    ],
  },
  {
    title: "Lag",
    unit: "milliseconds, at most",
    series: [
      { key: "feed", label: "feed, 99 %", of: (p) => inMs(p.lags.feedP99) },
      { key: "half", label: "feed, 50 %", of: (p) => inMs(p.lags.feedP50) },
      { key: "handler", label: "handlers, 99 %", of: (p) => inMs(p.lags.handlerP99) },
      { key: "loop", label: "worst loop of 10 s", of: (p) => inMs(p.lags.loop) },
    ],
  },
];
const sum = (values) => (values.includes(null) ? null : values.reduce((all, one) => all + one, 0));

const TILES = {
  Connections: (p) => whole.format(Object.values(p.totals.connections).reduce((all, one) => all + one, 0)),
  Participants: (p) => whole.format(p.totals.participants),
  Sessions: (p) => whole.format(p.totals.sessions),
  "Events in, per second": (p) => orNone(p.rates.eventsIn),
  "Errors, per second": (p) => orNone(p.rates.errors),
  "Worst loop lag of 10 s": (p) => (p.lags.loop === null ? "–" : `${number(inMs(p.lags.loop))} ms`),
  "Bytes waiting for slow clients": (p) => number(p.totals.outboxBytes),
  "Workers running": (p) => {
    const running = p.workers.filter((worker) => worker.state === "running").length;
    return running === p.workers.length ? `${running}` : `${running} of ${p.workers.length}`;
  },
};
const WORDS = {
  disconnects: "Disconnects by reason",
  errors: "Refused events by code",
  rateLimited: "Rate limits",
  refused: "Refused connections and packets",
  failures: "Server failures",
  resumes: "Joins and resumes",
};

const charts = CHARTS.map((chart) => new Chart(at("charts"), { ...chart, format: number }));
const tiles = Object.keys(TILES).map((title) => {
  const value = element("dd", { textContent: "–" });
  at("tiles").append(element("div", {}, element("dt", { textContent: title }), value));
  return value;
});
const words = Object.entries(WORDS).map(([key, title]) => {
  const body = element("tbody");
  const caption = element("caption", { textContent: title });
  const table = element("table", { id: `words-${key}` }, caption, body);
  at("words").append(element("div", { className: "counted" }, table));
  return [key, body];
});

let pictures = []; // of the window: [{time, picture}]
let paused = false;

function row(...cells) {
  const [first, ...rest] = cells.map((cell) => (cell instanceof Node ? cell : String(cell)));
  return element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((cell) => element("td", {}, cell)));
}

function bar(value, most) {
  const made = element("span", { className: "bar", ariaHidden: "true" });
  made.style.width = `${most ? (100 * value) / most : 0}%`;
  return made;
}

function withBar(value, most) {
  return element("span", { className: "measured" }, element("span", { textContent: number(value) }), bar(value, most));
}

function draw() {
  const picture = pictures.at(-1)?.picture;
  if (!picture || paused) return;
  Object.values(TILES).forEach((of, index) => {
    tiles[index].textContent = of(picture);
  });
  const known = (pictures.at(-1).time - pictures[0].time) / 1000;
  const shown = Math.min(WINDOW, Math.max(60, Math.ceil(known / 60) * 60));
  CHARTS.forEach(({ series }, index) => {
    const points = pictures.map(({ time, picture: one }) => ({
      time,
      values: Object.fromEntries(series.map(({ key, of }) => [key, of(one)])),
    }));
    charts[index].show(points, shown, 3000 * picture.periodSeconds + 1000);
  });
  drawWorkers(picture);
  drawSessions(picture);
  words.forEach(([key, body]) => drawWords(key, body));
  at("store").hidden = picture.store.reachable;
  at("store").textContent = "The store cannot be reached: these are the numbers of one worker alone.";
}

function drawWorkers({ workers }) {
  const rows = workers.map((one) => {
    const state = element("span", { className: "badge", textContent: one.state === "silent" ? "gone?" : one.state });
    state.dataset.state = one.state;
    return row(
      one.worker, state, `${duration(one.heardSecondsAgo)} ago`, duration(one.uptimeSeconds), one.connections,
      one.sessions, orNone(one.eventsPerSecond), `${number(inMs(one.loopLag))} ms`, one.host, one.pid,
    );
  });
  at("workers").tBodies[0].replaceChildren(...rows);
}

function drawSessions({ sessions, sessionsInAll }) {
  const most = Math.max(0, ...sessions.map((one) => one.participants));
  const rows = sessions.map((one) =>
    row(one.sessionCode, one.status, withBar(one.participants, most), one.sockets, one.workers),
  );
  at("sessions").tBodies[0].replaceChildren(...(rows.length ? rows : [row("none")]));
  const more = sessionsInAll > sessions.length ? `the ${sessions.length} largest of ${sessionsInAll}` : "";
  at("sessions-note").textContent = more;
}

function drawWords(key, body) {
  const counts = new Map();
  for (const { picture } of pictures) {
    for (const [word, count] of Object.entries(picture.counts[key])) counts.set(word, (counts.get(word) ?? 0) + count);
  }
  const found = [...counts].sort((one, other) => other[1] - one[1]);
  const most = found[0]?.[1] ?? 0;
  body.replaceChildren(...(found.length ? found.map(([word, count]) => row(word, withBar(count, most))) : [row("none")]));
}

// the login and the connection

let login = null; // {accessToken, refreshToken, ...}
let socket = null;
let timers = [];
let heardAt = 0;

const SENTENCES = {
  INVALID_CREDENTIALS: "User name or password is wrong.",
  FORBIDDEN: "The monitor is for administrators.",
  SESSION_EXPIRED: "Your login has ended. Please log in again.",
  TOKEN_EXPIRED: "Your login has expired. Please log in again.",
  RATE_LIMIT: "Too many tries. Please wait a moment.",
  UNREACHABLE: "The server cannot be reached.",
};

function tell(code, message = "") {
  at("problem").hidden = !code;
  at("problem").dataset.code = code;
  at("problem").textContent = code ? (SENTENCES[code] ?? message ?? code) : "";
}

function setState(kind, text) {
  if (at("state").textContent === text) return; // or it would be read out again
  at("state").dataset.kind = kind;
  at("state").textContent = text;
}

async function post(path, headers, body) {
  let answer;
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body };
    answer = await fetch(`${api}${path}`, options);
  } catch {
    return { error: { code: "UNREACHABLE", message: "" } };
  }
  if (answer.status === 204) return {};
  return answer.json().catch(() => ({ error: { code: "UNREACHABLE", message: "" } }));
}

function logOut(code = "", message = "") {
  timers.forEach(clearTimeout);
  timers = [];
  socket?.close();
  login = socket = null;
  pictures = [];
  setPaused(false);
  at("board").hidden = at("tools").hidden = true;
  at("login-form").hidden = false;
  setState("out", "Not logged in");
  tell(code, message);
  at(at("username").value ? "password" : "username").focus();
}

function keep(answer) {
  login = answer;
  timers.forEach(clearTimeout);
  timers = [setTimeout(refresh, login.expiresIn * 800)];
}

async function refresh() {
  const before = login;
  if (!before) return false;
  const answer = await post("/auth/refresh", { Authorization: `Bearer ${before.refreshToken}` });
  if (login !== before) return false;
  if (answer.error && ["UNREACHABLE", "RATE_LIMIT", "SERVICE_UNAVAILABLE"].includes(answer.error.code)) {
    timers = [setTimeout(refresh, 5000)];
    return false;
  }
  if (answer.error) {
    logOut("SESSION_EXPIRED");
    return false;
  }
  keep(answer);
  socket?.send("refreshAuth", { token: login.accessToken });
  return true;
}

function connect() {
  const url = new URL(socketPath, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "EIO=4&transport=websocket";
  setState("connecting", "Connecting …");
  socket = new NamespaceSocket(url.href, "/monitor", () => login.accessToken, {
    connected: () => {
      heardAt = Date.now();
      at("login-form").hidden = true;
      at("board").hidden = at("tools").hidden = false;
      tell("");
      setState("live", "Live");
    },
    lost: () => setState("lost", "Connection lost, trying again …"),
    event: (name, data) => name === "monitor" && take(data),
    refused: async ({ code, message }) => {
      if (code === "TOKEN_EXPIRED" && login && (await refresh())) connect();
      else if (login) logOut(code || "REFUSED", message);
    },
  });
}

function take(picture) {
  heardAt = Date.now();
  pictures.push({ time: Date.parse(picture.time), picture });
  const newest = pictures.at(-1).time;
  pictures = pictures.filter(({ time }) => newest - time <= WINDOW * 1000 && time <= newest);
  setState(paused ? "paused" : "live", paused ? "Paused" : "Live");
  draw();
}

function setPaused(on) {
  paused = on;
  at("pause").setAttribute("aria-pressed", String(on));
  if (socket) setState(on ? "paused" : "live", on ? "Paused" : "Live");
  draw();
}

at("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ username: at("username").value, password: at("password").value });
  const answer = await post("/auth/login", {}, body);
  if (answer.error) return tell(answer.error.code, answer.error.message);
  at("password").value = "";
  keep(answer);
  connect();
});
at("pause").addEventListener("click", () => setPaused(!paused));
at("logout").addEventListener("click", () => {
  void post("/auth/logout", { Authorization: `Bearer ${login.accessToken}` });
  logOut();
});
setInterval(() => {
  const period = pictures.at(-1)?.picture.periodSeconds ?? 2;
  const silent = (Date.now() - heardAt) / 1000;
  if (at("state").dataset.kind === "live" && silent > 3 * period + 2) setState("stale", "No news from the server");
}, 1000);
