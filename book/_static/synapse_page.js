"use strict";

// The controls and the drawing of the synapse to play with; its arithmetic is in synapse.js.

const SYNAPSE_MS = 4000;

class SynapsePage {
  constructor(place) {
    this.place = place;
    this.defaults = JSON.parse(place.querySelector("script").textContent);
    this.seed = 1;
    this.build();
    this.compute();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  build() {
    const { eta_oja, e_max } = this.defaults;
    const slider = (name, label, min, max, step, value, unit = "") =>
      `<label><span>${label}</span><input type="range" name="${name}" min="${min}" max="${max}" step="${step}" value="${value}"><output></output><span hidden>${unit}</span></label>`;
    const form = document.createElement("form");
    form.className = "synapse-controls";
    form.innerHTML = `
      <fieldset><legend>Rule</legend>
        <label><input type="radio" name="rule" value="oja" checked> Oja</label>
        <label><input type="radio" name="rule" value="bcm"> BCM</label>
        <label><input type="checkbox" name="modulated"> modulated</label></fieldset>
      ${slider("M", "modulator M", -1, 1, 0.05, 1)}
      ${slider("eta", "rate η", -2, 2, 0.02, Math.log10(eta_oja))}
      ${slider("eMax", "bound E<sub>max</sub>", 0.1, 5, 0.1, e_max)}
      ${slider("preRate", "presynaptic rate", 0, 100, 1, 40, "Hz")}
      ${slider("postRate", "postsynaptic rate", 0, 100, 1, 40, "Hz")}
      <div class="synapse-buttons"><button type="button" data-do="play">Play</button>
        <button type="button" data-do="spikes">New spikes</button><button type="reset">Reset</button></div>`;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.told = Object.assign(document.createElement("p"), { className: "synapse-told" });
    this.told.setAttribute("aria-live", "polite");
    this.place.replaceChildren(form, this.canvas, this.told);
    this.form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target.name === "rule") this.field("eta").value = Math.log10(this.defaults[`eta_${event.target.value}`]);
      this.compute();
    });
    form.addEventListener("reset", () => setTimeout(() => { this.seed = 1; this.compute(); }));
    form.querySelector("[data-do=play]").addEventListener("click", () => this.play());
    form.querySelector("[data-do=spikes]").addEventListener("click", () => { this.seed += 2; this.compute(); });
  }

  field(name) { return this.form.elements.namedItem(name); }

  settings() {
    const value = (name) => Number(this.field(name).value);
    const modulated = this.field("modulated").checked;
    this.field("M").disabled = !modulated;
    const { dt, tau_trace, tau_theta } = this.defaults;
    return {
      rule: this.field("rule").value, eta: 10 ** value("eta"), M: modulated ? value("M") : 1, eMax: value("eMax"),
      preRate: value("preRate"), postRate: value("postRate"), dt, tauTrace: tau_trace, tauTheta: tau_theta,
    };
  }

  compute() {
    const settings = (this.now = this.settings());
    const ticks = Math.round(SYNAPSE_MS / settings.dt);
    this.preSpikes = Synapse.train(settings.preRate, ticks, settings.dt, this.seed);
    this.postSpikes = Synapse.train(settings.postRate, ticks, settings.dt, this.seed + 1);
    this.states = Synapse.run(this.preSpikes, this.postSpikes, settings);
    if (!this.playing) this.shown = ticks;
    const texts = { M: settings.M.toFixed(2), eta: settings.eta.toPrecision(2), eMax: settings.eMax.toFixed(1), preRate: `${settings.preRate} Hz`, postRate: `${settings.postRate} Hz` };
    for (const [name, text] of Object.entries(texts)) {
      this.field(name).closest("label").querySelector("output").textContent = text;
      this.field(name).setAttribute("aria-valuetext", text);
    }
    this.draw();
    this.tell();
  }

  play() {
    const button = this.form.querySelector("[data-do=play]");
    if (this.playing) {
      cancelAnimationFrame(this.playing);
      this.playing = 0;
      button.textContent = "Play";
      return this.tell();
    }
    const begun = performance.now() - (this.shown < this.states.length ? this.shown * this.now.dt : 0);
    button.textContent = "Pause";
    const frame = (time) => {
      this.shown = Math.min(this.states.length, Math.max(1, Math.round((time - begun) / this.now.dt)));
      this.draw();
      if (this.shown < this.states.length) return void (this.playing = requestAnimationFrame(frame));
      this.playing = 0;
      button.textContent = "Play";
      this.tell();
    };
    this.playing = requestAnimationFrame(frame);
  }

  tell() {
    const { E, pre, post, theta } = this.states[this.shown - 1];
    const bound = Math.abs(E) >= this.now.eMax ? ", at its bound" : "";
    const words = `After ${((this.shown * this.now.dt) / 1000).toFixed(1)} s: E = ${E.toFixed(3)}${bound}, traces ${pre.toFixed(2)} and ${post.toFixed(2)}` + (this.now.rule === "bcm" ? `, θ = ${theta.toFixed(4)}` : "");
    this.told.textContent = words.replace(/-/g, "−");
    this.canvas.setAttribute("aria-label", `Spikes, traces and efficacy of one synapse over ${SYNAPSE_MS / 1000} seconds. ${this.told.textContent}`);
  }

  draw() {
    const width = this.canvas.clientWidth, height = 300, scale = window.devicePixelRatio || 1;
    if (!width) return;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const g = this.canvas.getContext("2d");
    g.scale(scale, scale);
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--pst-color-text-base"), faint = css.getPropertyValue("--pst-color-border");
    const dark = document.documentElement.dataset.theme === "dark";
    const [preInk, postInk, thetaInk] = dark ? ["#6cb6ff", "#ff9d5c", "#7fd18b"] : ["#0072B2", "#B84A00", "#00734f"];
    const left = 52, right = width - 8, x = (t) => left + ((right - left) * t) / this.states.length;
    g.font = "12px sans-serif";
    g.textBaseline = "middle";
    const axis = (top, bottom, low, high, title, format) => {
      g.fillStyle = ink;
      g.textAlign = "left";
      g.fillText(title, left, top - 10);
      g.textAlign = "right";
      g.strokeStyle = faint;
      g.lineWidth = 1;
      const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
      for (const value of low < 0 ? [low, 0, high] : [low, high]) {
        g.fillText(format(value), left - 6, y(value));
        g.beginPath(); g.moveTo(left, y(value)); g.lineTo(right, y(value)); g.stroke();
      }
      return y;
    };
    const curve = (y, of, colour, thickness = 1.5) => {
      g.strokeStyle = colour; g.lineWidth = thickness; g.beginPath();
      for (let t = 0; t < this.shown; t++) g.lineTo(x(t), y(of(this.states[t])));
      g.stroke();
    };
    const ticks = (spikes, top, colour, name) => {
      g.fillStyle = colour; g.textAlign = "right"; g.fillText(name, left - 6, top + 6);
      for (let t = 0; t < this.shown; t++) if (spikes[t]) g.fillRect(x(t), top, 1.5, 12);
    };
    ticks(this.preSpikes, 4, preInk, "pre");
    ticks(this.postSpikes, 20, postInk, "post");
    const number = (value) => String(Number(value.toFixed(2))).replace("-", "−");
    const most = Math.max(0.2, ...this.states.map((s) => Math.max(s.pre, s.post)));
    const traces = axis(58, 140, 0, most, this.now.rule === "bcm" ? "traces of pre and post, and threshold θ (dashed)" : "traces of pre and post", number);
    curve(traces, (s) => s.pre, preInk);
    curve(traces, (s) => s.post, postInk);
    if (this.now.rule === "bcm") { g.setLineDash([5, 3]); curve(traces, (s) => s.theta, thetaInk, 2); g.setLineDash([]); }
    const reached = Math.max(...this.states.map((s) => Math.abs(s.E)));
    const range = reached > 0.5 * this.now.eMax ? this.now.eMax : Math.max(reached * 1.25, 1e-3);
    const digits = (value) => String(Number(value.toPrecision(2))).replace("-", "−");
    const efficacy = axis(176, 270, -range, range, range === this.now.eMax ? "efficacy E, between its bounds ±E_max" : "efficacy E", digits);
    curve(efficacy, (s) => s.E, ink, 2);
    g.fillStyle = ink; g.textAlign = "center";
    for (let s = 0; s <= SYNAPSE_MS / 1000; s++) g.fillText(`${s} s`, Math.min(right - 8, Math.max(left + 6, x((s * 1000) / this.now.dt))), 288);
  }
}

for (const place of document.querySelectorAll(".synapse")) new SynapsePage(place);
