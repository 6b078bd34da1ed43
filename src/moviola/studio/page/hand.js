// Restyling by hand: the key frames on the curve of changes; painted, repainted, and only their parts carried again.

import { ask, attempt, base, h, media, notice, query } from "./dom.js";
import { JobList, finished, refresh, watch } from "./jobs.js";
import { allForms } from "./make.js";

const width = 1000;
const height = 140;

export async function open(main, values) {
  const clip = values.get("clip");
  if (!clip) return choose(main);
  const session = await ask("/api/hand", { method: "POST", body: { clip } });
  const painters = (await allForms()).get("restyle").fields.find((one) => one.name === "painter").choices;
  const view = new Hand(main, session, painters);
  window.hand = view; // for scripts that look on
  return () => view.close();
}

async function choose(main) {
  const { clips } = await ask("/api/clips");
  const pick = h("select", { "aria-label": "clip" }, clips.map((clip) => h("option", { value: clip.name }, clip.name)));
  main.append(h("p", {}, "Choose the clip whose key frames you want to choose, have painted, and repaint:"),
    h("form", { class: "tools", onsubmit: (event) => { event.preventDefault(); location.hash = `#/hand?${query({ clip: pick.value })}`; } }, pick, h("button", { class: "first", disabled: clips.length === 0 }, "begin")),
    clips.length === 0 ? h("p", { class: "soft" }, "The folder holds no clips yet.") : "");
}

class Hand {
  constructor(main, session, painters) {
    this.session = session;
    this.chosen = session.keys[0].frame;
    this.carriedSince = Infinity;
    this.list = new JobList((job) => job.given.session === session.name);
    this.plot = h("div", { class: "plot" });
    this.strip = h("div", { class: "keys-strip", role: "listbox", "aria-label": "key frames" });
    this.panel = h("section", { class: "key-panel" });
    this.parts = h("div", { class: "parts", "aria-label": "parts" });
    this.result = h("div", { class: "tools" });
    this.look = h("div", { class: "look" });
    this.method = h("select", { "aria-label": "method" }, ["flow", "optimal", "uniform", "histogram"].map((one) => h("option", {}, one)));
    this.interval = h("input", { type: "number", min: 1, value: "10", "aria-label": "interval" });
    this.painter = h("select", { "aria-label": "painter", onchange: () => { this.prompt.hidden = this.painter.value !== "diffusion"; } }, painters.map((one) => h("option", {}, one)));
    this.prompt = h("input", { type: "text", placeholder: "prompt, for diffusion", "aria-label": "prompt", hidden: true });
    this.strength = h("input", { type: "number", min: 0.1, max: 1, step: 0.1, placeholder: "strength", "aria-label": "strength" });
    const step = (name, title, body, after) => h("button", { "data-step": name, class: name === "carry" ? "first" : "", onclick: () => attempt(() => this.step(name, body(), after)) }, title);
    const paint = () => ({ painter: this.painter.value, prompt: this.painter.value === "diffusion" ? this.prompt.value : "", strength: this.strength.value });
    main.append(
      h("h2", {}, base(session.clip), " ", h("small", {}, `${session.frames} frames of ${session.width}×${session.height}`)),
      h("div", { class: "tools" }, "1 ", this.method, "every ", this.interval, step("choose", "choose keys", () => ({ method: this.method.value, interval: this.interval.value }), (job) => this.setKeys(job.result.indices, job.result.change))),
      this.plot, this.strip,
      h("div", { class: "tools" }, "2 ", this.painter, this.prompt, this.strength, step("look", "look at the first frame", paint, () => this.showLook()), step("paint", "paint the keys", paint)),
      this.look, this.panel,
      h("div", { class: "tools" }, "3 ", step("carry", "carry the paint", () => ({})), h("span", { class: "soft" }, "only parts whose paint has changed are carried again")),
      this.parts, this.result, this.list.element);
    this.end = watch((jobs) => this.jobs(jobs));
    this.show();
  }

  close() {
    this.list.close();
    this.end();
    delete window.hand;
  }

  get keys() {
    return this.session.keys.map((key) => key.frame);
  }

  async step(name, body, after = () => {}) {
    const job = await ask(`/api/hand/${this.session.name}/${name}`, { method: "POST", body });
    refresh();
    const done = await finished(job.id);
    this.session = await ask(`/api/hand/${this.session.name}`);
    await after(done);
    this.show();
  }

  async setKeys(keys, change) {
    await attempt(async () => {
      this.session = await ask(`/api/hand/${this.session.name}/keys`, { method: "POST", body: { keys, change } });
      if (!this.keys.includes(this.chosen)) this.chosen = this.keys[0];
    });
    this.show();
  }

  /** Move a key to another frame; frame 0 is always one. */
  async move(from, to) {
    to = Math.min(this.session.frames - 1, Math.max(0, to));
    if (from === 0 || to === from || this.keys.includes(to)) return this.show();
    this.chosen = to;
    await this.setKeys(this.keys.map((key) => (key === from ? to : key)));
    this.plot.querySelector(`[data-key="${to}"]`)?.focus();
  }

  async add(frame) {
    this.chosen = frame;
    await this.setKeys([...this.keys, frame]);
  }

  async remove(frame) {
    if (frame === 0) return notice("the first frame is always a key");
    await this.setKeys(this.keys.filter((key) => key !== frame));
  }

  show() {
    this.showPlot();
    this.showStrip();
    this.showPanel();
    this.showParts();
  }

  picture(kind, key, more = {}) {
    return `/api/hand/${this.session.name}/picture?${query({ kind, key, ...more })}`;
  }

  showPlot() {
    const { frames, change } = this.session;
    const x = (frame) => ((frame + 0.5) / frames) * width;
    const most = Math.max(...change, 1e-9);
    const points = change.map((value, frame) => `${x(frame)},${height - 12 - (value / most) * (height - 40)}`).join(" ");
    const svg = h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "group", "aria-label": "how much each frame changes, and the key frames" },
      h("rect", { class: "back", x: 0, y: 0, width, height }), change.length > 0 && h("polyline", { points }));
    const frameAt = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.min(frames - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * frames)));
    };
    svg.addEventListener("dblclick", (event) => !event.target.closest("[data-key]") && this.add(frameAt(event)));
    for (const key of this.session.keys) {
      const mark = h("g", { class: `mark ${key.by ?? ""}${key.frame === this.chosen ? " on" : ""}`, tabindex: 0, role: "slider", "data-key": key.frame, "aria-label": `key frame ${key.frame}`, "aria-valuenow": key.frame, "aria-valuemin": 0, "aria-valuemax": frames - 1 },
        h("rect", { class: "grip", x: x(key.frame) - 8, y: 0, width: 16, height }), h("line", { x1: x(key.frame), x2: x(key.frame), y1: 0, y2: height }));
      let to = null;
      mark.addEventListener("pointerdown", (event) => { mark.setPointerCapture(event.pointerId); to = key.frame; });
      mark.addEventListener("pointermove", (event) => {
        if (to === null) return;
        to = frameAt(event);
        mark.setAttribute("transform", `translate(${x(to) - x(key.frame)} 0)`);
      });
      mark.addEventListener("pointerup", () => {
        const target = to;
        to = null;
        if (target !== null && target !== key.frame) this.move(key.frame, target);
        else this.select(key.frame);
      });
      mark.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by) this.move(key.frame, key.frame + by * (event.shiftKey ? 10 : 1));
        else if (event.key === "Delete" || event.key === "Backspace") this.remove(key.frame);
        else if (event.key === "Enter" || event.key === " ") this.select(key.frame);
        else return;
        event.preventDefault();
      });
      svg.append(mark);
    }
    const frame = h("input", { type: "number", min: 0, max: frames - 1, "aria-label": "frame", placeholder: "frame" });
    this.plot.replaceChildren(svg, h("p", { class: "tools soft" }, "drag a key to move it, or with the arrow keys; delete takes it away; a double click adds one", frame,
      h("button", { onclick: () => frame.value !== "" && this.add(Number(frame.value)) }, "add")));
  }

  select(frame) {
    this.chosen = frame;
    this.show();
  }

  showStrip() {
    this.strip.replaceChildren(...this.session.keys.map((key) => h("button", { class: key.frame === this.chosen ? "on" : "", role: "option", "aria-selected": String(key.frame === this.chosen), "data-frame": key.frame, onclick: () => this.select(key.frame) },
      h("img", { src: key.by ? this.picture("painted", key.frame, { v: key.modified }) : this.picture("source", key.frame, { side: 160 }), alt: "", loading: "lazy" }),
      h("small", {}, `${key.frame}${key.by === "hand" ? " by hand" : key.by ? "" : " not painted"}`))));
  }

  showPanel() {
    const key = this.session.keys.find((one) => one.frame === this.chosen);
    if (!key) return this.panel.replaceChildren();
    const file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "painted picture", onchange: () => attempt(() => this.upload(key.frame, file.files[0])) });
    const number = String(key.frame).padStart(6, "0");
    const source = this.picture("source", key.frame);
    const paint = key.by && this.picture("painted", key.frame, { v: key.modified });
    const link = (url, title, name) => h("a", { href: url, download: name }, title);
    this.panel.replaceChildren(
      h("figure", {}, h("img", { src: source, alt: `frame ${key.frame}` }), h("figcaption", {}, `frame ${key.frame} `, link(source, "download", `${number}.png`))),
      h("figure", {}, paint ? h("img", { src: paint, alt: "its paint" }) : h("div", { class: "empty" }, "not painted yet"),
        h("figcaption", {}, key.by === "hand" ? "painted by hand " : key.by ? "painted " : "", paint && link(paint, "download", `${number}-painted.png`))),
      h("p", { class: "tools" }, h("button", { onclick: () => file.click() }, "upload it painted"), file,
        key.by === "hand" && h("button", { onclick: () => attempt(() => this.drop(key.frame)) }, "back to the painter's"),
        h("button", { onclick: () => this.remove(key.frame), disabled: key.frame === 0 }, "remove this key")));
  }

  async upload(key, file) {
    this.session = await ask(`/api/hand/${this.session.name}/picture?${query({ key, name: file.name })}`, { method: "PUT", body: file });
    notice(`key ${key} is as you painted it; carry the paint to see it`);
    this.show();
  }

  async drop(key) {
    this.session = await ask(`/api/hand/${this.session.name}/picture?${query({ key })}`, { method: "DELETE" });
    this.show();
  }

  showLook() {
    this.look.replaceChildren(h("figure", {}, h("img", { src: this.picture("look", 0, { v: Date.now() }), alt: "the first frame, painted" }), h("figcaption", {}, `the first frame, ${this.painter.value}`)));
  }

  /** A bar of the parts; those that the last carrying made anew stand out. */
  showParts() {
    const { parts, frames } = this.session;
    this.parts.replaceChildren(...parts.map((part, i) => {
      const stop = parts[i + 1]?.start ?? frames;
      const anew = part.carried >= this.carriedSince;
      const one = h("span", { class: anew ? "anew" : "", "data-start": part.start, title: `frames ${part.start} to ${stop - 1}${anew ? ", carried anew" : ""}` }, String(part.start));
      one.style.flexGrow = String(stop - part.start);
      return one;
    }));
  }

  async jobs(all) {
    const carried = all.filter((job) => job.given.session === this.session.name && job.given.step === "carry" && job.state === "done");
    if (carried.length === 0 || carried[0].id === this.last) return;
    this.last = carried[0].id;
    this.carriedSince = carried[0].started;
    await attempt(async () => { this.session = await ask(`/api/hand/${this.session.name}`); });
    this.showParts();
    const [now, before] = carried.map((job) => job.output);
    this.result.replaceChildren(
      h("video", { src: media(now), controls: true, loop: true, playsinline: true }),
      h("a", { class: "button", href: `#/compare?${new URLSearchParams([["clips", this.session.clip], ["clips", now]])}` }, "beside the clip"),
      before ? h("a", { class: "button", href: `#/compare?${new URLSearchParams([["clips", before], ["clips", now]])}` }, "beside the one before") : "");
  }
}
