// Line charts of the last minutes: axes with units, lines told apart by dashes and marks as well as by colour, and the
// same numbers as a table. SVG, drawn anew with each picture; no other package.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 8, right: 12, bottom: 22, left: 46 };
const HEIGHT = 170;
const DASHES = ["", "7 4", "2 4", "10 3 2 3"];
const ROW_SECONDS = 10; // what a row of the table is about, and for how long a value counts as that of now

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A mark of its own for each line: circle, square, triangle, diamond.
function mark(index, x, y) {
  const shapes = [
    () => svg("circle", { cx: x, cy: y, r: 4 }),
    () => svg("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7 }),
    () => svg("path", { d: `M${x} ${y - 5}l5 9h-10z` }),
    () => svg("path", { d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` }),
  ];
  const made = shapes[index % shapes.length]();
  made.setAttribute("class", `mark series-${index}`);
  return made;
}

function line(index, path) {
  return svg("path", { d: path, class: `line series-${index}`, "stroke-dasharray": DASHES[index % DASHES.length] });
}

// The next of 1, 2, 5, 10, 20, ... so that the axis has round numbers.
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

export class Chart {
  // series: [{key, label}]; whole: there are no halves of what is counted, so that no tick is one
  constructor(place, { title, unit, series, whole = false, format }) {
    Object.assign(this, { title, unit, series, whole, format, points: [] });
    const id = `chart-${title.toLowerCase().replace(/\W+/g, "-")}`;
    this.values = series.map(() => element("b", { textContent: "–" }));
    const legend = element(
      "ul",
      { className: "legend" },
      ...series.map((one, index) => element("li", {}, this.sample(index), ` ${one.label} `, this.values[index])),
    );
    this.picture = svg("svg", { role: "img", height: HEIGHT, width: "100%" });
    const heads = ["Time", ...series.map((one) => one.label)];
    this.rows = element("tbody");
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col", textContent: text })));
    const caption = element("caption", { textContent: `${title}, ${unit}: the most in ${ROW_SECONDS} s` });
    const table = element("table", {}, caption, element("thead", {}, head), this.rows);
    const region = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `${title} as a table` }, table);
    this.details = element("details", {}, element("summary", { textContent: `${title} as a table` }), region);
    this.details.addEventListener("toggle", () => this.fillTable());
    const heading = element("h2", { id, textContent: title }, element("small", { textContent: ` ${unit}` }));
    place.append(element("figure", { id: `${id}-figure`, "aria-labelledby": id }, heading, legend, this.picture, this.details));
    new ResizeObserver(() => this.draw()).observe(this.picture.parentElement);
  }

  sample(index) {
    const place = { width: 34, height: 12, "aria-hidden": "true" };
    return svg("svg", place, line(index, "M1 6H33"), mark(index, 17, 6));
  }

  // points: [{time in milliseconds, values: {key: number or null}}], the oldest first; seconds: how many are shown
  show(points, seconds, gap) {
    Object.assign(this, { points, seconds, gap });
    this.series.forEach((one, index) => {
      this.values[index].textContent = this.say(this.now(one.key));
    });
    this.draw();
    this.fillTable();
  }

  // The newest value; of what only some pictures have, one that is not older than a row.
  now(key) {
    const since = (this.points.at(-1)?.time ?? 0) - ROW_SECONDS * 1000;
    return this.points.findLast((point) => typeof point.values[key] === "number" && point.time >= since)?.values[key];
  }

  say(value) {
    return value === null || value === undefined ? "–" : this.format(value);
  }

  draw() {
    const width = this.picture.clientWidth;
    if (!this.points.length || !width) return;
    const right = width - MARGIN.right;
    const bottom = HEIGHT - MARGIN.bottom;
    const now = this.points.at(-1).time;
    const most = Math.max(0, ...this.points.flatMap((point) => this.series.map((one) => point.values[one.key] ?? 0)));
    const step = Math.max(niceStep((most || 1) / 4), this.whole ? 1 : 0);
    const top = step * Math.max(1, Math.ceil((most || 1) / step));
    const x = (time) => right - ((now - time) / 1000 / this.seconds) * (right - MARGIN.left);
    const y = (value) => bottom - (value / top) * (bottom - MARGIN.top);
    const drawn = [];
    for (let value = 0; value <= top * 1.001; value += step) {
      drawn.push(svg("path", { d: `M${MARGIN.left} ${y(value)}H${right}`, class: "grid" }));
      drawn.push(svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, this.format(value)));
    }
    for (let minutes = 0; minutes <= this.seconds / 60; minutes += 1) {
      const at = x(now - minutes * 60_000);
      const text = minutes ? `−${minutes} min` : "now";
      drawn.push(svg("text", { x: at, y: HEIGHT - 5, "text-anchor": minutes ? "middle" : "end" }, text));
    }
    this.series.forEach((one, index) => {
      const known = this.points.filter((point) => typeof point.values[one.key] === "number");
      const places = known.map((point, number) => {
        const joined = number && point.time - known[number - 1].time <= this.gap;
        return `${joined ? "L" : "M"}${x(point.time).toFixed(1)} ${y(point.values[one.key]).toFixed(1)}${joined ? "" : "h.1"}`;
      });
      drawn.push(line(index, places.join("")));
      const newest = known.at(-1);
      if (newest) drawn.push(mark(index, x(newest.time), y(newest.values[one.key])));
    });
    this.picture.replaceChildren(...drawn);
    this.picture.setAttribute("aria-label", this.inWords());
  }

  inWords() {
    const parts = this.series.map((one) => {
      const values = this.points.map((point) => point.values[one.key]).filter((value) => typeof value === "number");
      const now = this.say(this.now(one.key));
      return `${one.label} now ${now}, at most ${this.say(values.length ? Math.max(...values) : null)}`;
    });
    return `${this.title}, ${this.unit}, the last ${Math.round(this.seconds / 60)} minutes: ${parts.join("; ")}`;
  }

  fillTable() {
    if (!this.details.open) return;
    const rows = new Map(); // ten seconds -> their points
    for (const point of this.points) {
      const row = Math.floor(point.time / 1000 / ROW_SECONDS);
      rows.set(row, [...(rows.get(row) ?? []), point]);
    }
    const made = [...rows.entries()].reverse().map(([row, points]) => {
      const clock = new Date(row * ROW_SECONDS * 1000).toLocaleTimeString("en-GB");
      const cells = this.series.map((one) => {
        const values = points.map((point) => point.values[one.key]).filter((value) => typeof value === "number");
        return element("td", { textContent: this.say(values.length ? Math.max(...values) : null) });
      });
      return element("tr", {}, element("th", { scope: "row", textContent: clock }), ...cells);
    });
    this.rows.replaceChildren(...made);
  }
}
