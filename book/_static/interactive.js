"use strict";

// Figures that answer to the hand. What spikepropamine.book.interactive puts in the page as JSON is drawn in place of the static
// figure: values on hover or with the arrow keys, groups shown or hidden by their buttons. Observable Plot draws.

const FULL = { fontSize: "12px", background: "none", color: "#000", overflow: "visible" };
const MOST = 42; // characters of a turned name; what is longer is cut
const ROOM = 21; // pixels from one turned name to the next

// the marks of the plots as letters, for the names above them
const GLYPHS = {
  circle: "●", square: "■", triangle: "▲", diamond: "◆", wye: "Y", cross: "✚", times: "✖", star: "★", diamond2: "◈", hexagon: "⬢", asterisk: "✱",
  plus: "✛", square2: "▪", triangle2: "▴",
};

function observations(content) {
  const { rows } = content;
  return rows.y.map((y, k) => ({
    y, x: rows.x[k], group: rows.group[k], panel: rows.panel ? String(rows.panel[k]) : "", seed: rows.seed?.[k],
  }));
}

function summaries({ means }) {
  return means.mean.map((mean, k) => ({
    mean, low: means.low[k], high: means.high[k], x: means.x[k], group: means.group[k], panel: means.panel ? String(means.panel[k]) : "",
  }));
}

const short = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

class Exploration {
  constructor(content, figure) {
    Object.assign(this, { content, figure, hidden: new Set(), names: Object.keys(content.colours) });
    this.rows = observations(content);
    this.means = summaries(content);
    this.panels = [...new Set(this.rows.map((row) => row.panel))];
    this.places = [...new Set(this.rows.map((row) => row.x))];
    this.build();
    this.draw();
    let width = this.plots.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(this.plots.clientWidth - width) > 4) { width = this.plots.clientWidth; this.draw(); }
    }).observe(this.plots);
  }

  build() {
    const make = (tag, className, properties = {}) => Object.assign(document.createElement(tag), { className, ...properties });
    this.box = make("div", "explore");
    this.legend = make("div", "explore-legend");
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", `Show or hide each ${this.content.labels.group}`);
    for (const name of this.names) {
      const button = make("button", "explore-name", { type: "button", textContent: name });
      button.style.setProperty("--ink", this.content.colours[name]);
      button.dataset.mark = this.content.kind === "dots" ? GLYPHS[this.content.symbols[name]] : "━";
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        this.hidden.has(name) ? this.hidden.delete(name) : this.hidden.add(name);
        button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.draw();
      });
      this.legend.append(button);
    }
    this.plots = make("div", "explore-plots");
    this.told = make("p", "explore-told", { textContent: "Point at a value, or use the arrow keys; a click on a name hides it." });
    this.told.setAttribute("aria-live", "polite");
    this.box.append(this.legend, this.plots, this.told);
    const link = this.figure.querySelector("a.image-reference, img");
    link.before(this.box);
    const toggle = make("button", "explore-toggle", { type: "button" });
    const set = (exploring) => {
      this.figure.classList.toggle("explored", exploring);
      toggle.textContent = exploring ? "Show the figure as it is cited" : "Explore the values";
    };
    toggle.addEventListener("click", () => { set(!this.figure.classList.contains("explored")); this.draw(); });
    this.box.after(toggle);
    set(true);
  }

  // what is marked in a panel: values, their names, and how their lines are dashed
  limits(panel) {
    const dashes = ["4,3", "1,2", "6,2,1,2", "1,4"];
    return Object.entries(this.content.limits)
      .map(([name, at], k) => ({ name, value: typeof at === "object" ? at[panel] : at, dash: dashes[k % dashes.length] }))
      .filter((limit) => limit.value !== undefined);
  }

  // the range of y of a panel, or of all
  range(panel) {
    const { shared, from_zero: fromZero } = this.content;
    const all = this.rows.filter((row) => shared || row.panel === panel).map((row) => row.y);
    all.push(...this.limits(panel).map((limit) => limit.value));
    if (fromZero) all.push(0);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const margin = 0.04 * (high - low || 1);
    return [fromZero && low === 0 ? 0 : low - margin, high + margin];
  }

  // where a group stands within its place
  at(row) {
    if (this.content.kind === "lines") return row.x;
    const count = this.names.length;
    return this.places.indexOf(row.x) + (count > 1 && this.content.side_by_side ? (this.names.indexOf(row.group) / (count - 1) - 0.5) * 0.62 : 0);
  }

  draw() {
    if (this.plots.clientWidth < 50) return; // not shown: the cited figure is, or the page is printed
    // groups beside one another at each place need room for their marks
    const marks = this.content.side_by_side ? this.places.length * this.names.length : 0;
    const columns = Math.max(1, Math.min(this.panels.length, Math.floor(this.plots.clientWidth / Math.max(300, 40 + 12 * marks)), 3));
    const width = Math.floor(this.plots.clientWidth / columns) - 8;
    this.plots.replaceChildren(...this.panels.map((panel) => this.drawPanel(panel, width)));
  }

  drawPanel(panel, width) {
    const { kind, labels, colours, symbols } = this.content;
    const seen = (row) => row.panel === panel && !this.hidden.has(row.group);
    const rows = this.rows.filter(seen).map((row) => ({ ...row, at: this.at(row) }));
    const means = this.means.filter(seen).map((mean) => ({ ...mean, at: this.at(mean) }));
    const here = this.places.filter((place) => this.rows.some((row) => row.panel === panel && row.x === place));
    // names of places: broken into lines where their words fit, else turned
    const limits = this.limits(panel);
    const right = Math.max(20, ...limits.map((limit) => 14 + 7 * limit.name.length)); // their names stand right of the plot
    const slot = (width - 40 - right) / here.length;
    const names = kind === "dots" ? here.map(String) : [];
    const longest = Math.max(0, ...names.flatMap((name) => name.split(/[\s-]+/)).map((word) => word.length));
    const turned = longest > 0 && longest * 6.6 + 5 > slot; // with room to the next
    const lines = Math.max(1, ...names.map((name) => Math.ceil((name.length * 7.2) / (slot - 8))));
    const cut = (name) => (turned && name.length > MOST ? `${name.slice(0, MOST - 1)}…` : name);
    const below = turned ? 28 + 4 * Math.max(...names.map((name) => cut(name).length)) : kind === "dots" ? 24 + 13 * lines : 40;
    // a turned name ends below its place and reaches to the left, the more so the longer it is
    const reach = (name, k) => Math.ceil(cut(name).length * 5.2 - Math.max(slot, ROOM) * (k + 0.5));
    const marginLeft = turned ? Math.max(46, ...names.map(reach)) : 46;
    const wide = turned ? Math.max(width, Math.ceil(marginLeft + right + ROOM * here.length)) : width; // what does not fit is scrolled
    const ink = (row) => colours[row.group], symbol = (row) => symbols[row.group];
    const marks = [Plot.gridY({ strokeOpacity: 0.12 }), Plot.axisY({ label: null, ticks: 5, tickFormat: short })];
    for (const { name, value, dash } of limits)
      marks.push(
        Plot.ruleY([value], { strokeDasharray: dash, strokeOpacity: 0.6 }),
        Plot.axisY([value], { anchor: "right", tickSize: 0, label: null, tickFormat: () => name }),
      );
    if (kind === "dots")
      marks.push(
        Plot.axisX(here.map((place) => this.places.indexOf(place)), {
          tickFormat: (k) => cut(String(this.places[k])), tickRotate: turned ? -35 : 0, lineWidth: turned ? Infinity : (slot - 8) / 12, label: null, tickSize: 0,
        }),
        Plot.dot(rows, { x: "at", y: "y", symbol, fill: ink, stroke: ink, opacity: 0.3, r: 2.5 }),
        Plot.ruleX(means.filter((mean) => mean.low !== null), { x: "at", y1: "low", y2: "high", stroke: ink, strokeWidth: 2 }),
        Plot.dot(means, { x: "at", y: "mean", symbol, fill: ink, stroke: ink, strokeWidth: 1.5, r: 4.5 }),
      );
    else
      marks.push(
        Plot.axisX({ label: labels.x, labelArrow: "none", labelAnchor: "center", ticks: 5 }),
        Plot.line(rows, { x: "x", y: "y", z: (row) => `${row.group} ${row.seed}`, stroke: ink, strokeOpacity: 0.25, strokeWidth: 1 }),
        Plot.line(means, { x: "x", y: "mean", z: "group", stroke: ink, strokeWidth: 2.5 }),
      );
    const domain = kind === "dots" ? [Math.min(...here.map((p) => this.places.indexOf(p))) - 0.5, Math.max(...here.map((p) => this.places.indexOf(p))) + 0.5] : undefined;
    const plot = Plot.plot({
      width: wide, height: 200 + below, marginLeft, marginTop: 8, marginRight: right, marginBottom: below, style: FULL,
      x: { domain, insetLeft: 6, insetRight: 6 }, y: { domain: this.range(panel) }, marks,
    });
    plot.setAttribute("aria-hidden", "true");
    if (wide > width) plot.style.touchAction = "pan-x pan-y";
    const box = document.createElement("div");
    box.className = "explore-panel";
    box.style.width = `${width}px`;
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    const marked = limits.length ? ` Marked: ${limits.map((limit) => `${limit.name} ${short(limit.value)}`).join(", ")}.` : "";
    box.setAttribute("aria-label", `${[panel, labels.y].filter(Boolean).join(": ") || "plot"} by ${labels.x}.${marked} The arrow keys go from value to value.`);
    const title = document.createElement("p");
    title.textContent = [panel, labels.y].filter(Boolean).join(" · ") + (kind === "dots" && labels.x !== labels.group ? ` by ${labels.x}` : "");
    box.append(title, plot);
    this.answer(box, plot, rows);
    return box;
  }

  // tells the value that is pointed at, or gone to by the arrow keys
  answer(box, plot, rows) {
    const { labels } = this.content;
    const x = plot.scale("x"), y = plot.scale("y");
    const points = rows.map((row) => ({ row, left: x.apply(row.at), top: y.apply(row.y) })).sort((a, b) => a.left - b.left || a.top - b.top);
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [key, value] of Object.entries({ r: 6, fill: "none", stroke: "#000", "stroke-width": 2, visibility: "hidden" })) ring.setAttribute(key, value);
    plot.append(ring);
    let current = -1;
    const tell = (k) => {
      current = k;
      const { row, left, top } = points[k];
      ring.setAttribute("cx", left);
      ring.setAttribute("cy", top);
      ring.setAttribute("visibility", "visible");
      const seed = row.seed === undefined ? "" : `, ${labels.seed} ${row.seed}`;
      const place = row.x === row.group ? "" : typeof row.x === "number" ? `${labels.x} ${short(row.x)}` : row.x;
      this.told.textContent = `${row.group}${seed}, ${[row.panel, place].filter(Boolean).join(", ")}: ${[labels.y, short(row.y)].filter(Boolean).join(" ")}`;
    };
    plot.addEventListener("pointermove", (event) => {
      const frame = plot.getBoundingClientRect();
      const [left, top] = [event.clientX - frame.left, event.clientY - frame.top];
      let best = -1, least = 900;
      points.forEach((point, k) => {
        const distance = (point.left - left) ** 2 + (point.top - top) ** 2;
        if (distance < least) [best, least] = [k, distance];
      });
      if (best >= 0) tell(best);
    });
    plot.addEventListener("pointerleave", () => ring.setAttribute("visibility", "hidden"));
    box.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step === undefined || points.length === 0) return;
      event.preventDefault();
      tell((current + step + points.length + (current < 0 && step < 0)) % points.length);
      box.scrollLeft = points[current].left - box.clientWidth / 2; // a plot that is wider than its place follows
    });
  }
}

for (const place of document.querySelectorAll(".interactive")) {
  const content = JSON.parse(place.querySelector("script").textContent);
  const figure = document.getElementById(content.figure);
  if (figure) new Exploration(content, figure);
}
