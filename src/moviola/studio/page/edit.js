// Motion by bands of speed, drawn anew while a slider moves; and the map of a space of videos.

import { ask, attempt, h, media, notice, query } from "./dom.js";
import { order, watch } from "./jobs.js";
import { allForms } from "./make.js";

export async function open(main, values) {
  const forms = await allForms();
  const models = (verb) => forms.get(verb)?.fields.find((one) => one.name === "model")?.choices ?? [];
  const part = values.get("part") === "map" ? "map" : "bands";
  main.append(h("div", { class: "tools" }, h("div", { class: "segments", role: "group", "aria-label": "what to edit" },
    [["bands", "bands of motion"], ["map", "map of clips"]].map(([name, title]) => h("button", { "aria-pressed": String(part === name), onclick: () => { location.hash = `#/edit?${query({ part: name })}`; } }, title))),
    [...forms.keys()].filter((verb) => verb.startsWith("edit ") && !["edit motion", "edit map"].includes(verb)).map((verb) => h("a", { href: `#/make?${query({ verb })}` }, verb.slice(5)))));
  const view = part === "map" ? new SpaceMap(main, models("edit map")) : new Bands(main, models("edit motion"));
  window.edit = view; // for scripts that look on
  return () => {
    view.close();
    delete window.edit;
  };
}

class Bands {
  constructor(main, models) {
    this.canvas = h("canvas", { class: "pixels", width: 1, height: 1 });
    this.model = h("select", { "aria-label": "model", onchange: () => this.reset() }, models.map((name) => h("option", {}, name)));
    const number = (name, value, most) => h("input", { type: "number", min: 0, max: most, value: String(value), "aria-label": name, oninput: () => this.draw() });
    this.seed = number("seed", 78, null);
    this.frames = number("frames", 64, 256);
    this.sliders = h("div", { class: "bands" });
    this.said = h("output", { class: "said" });
    this.gains = null;
    this.alter = null;
    main.append(h("div", { class: "split bands-split" },
      h("figure", {}, h("div", { class: "screen" }, this.canvas), h("figcaption", {}, this.said)),
      h("section", {}, h("p", { class: "tools" }, this.model, h("label", {}, "seed ", this.seed), h("label", {}, "frames ", this.frames)), this.sliders,
        h("p", { class: "tools" }, h("button", { onclick: () => this.reset() }, "as drawn"), h("button", { class: "first", onclick: () => attempt(() => this.keep()) }, "keep it as a clip")),
        h("p", { class: "soft" }, "A band is a range of speeds: a gain of 0 stops what moves at its speed, 1 changes nothing; a seed gives it the motion of another clip."))));
    this.turn = requestAnimationFrame((now) => this.play(now));
    if (models.length > 0) this.draw();
    else notice("no model of this kind is at hand", true);
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.turn);
  }

  reset() {
    this.gains = this.alter = null;
    this.draw();
  }

  get values() {
    return { model: this.model.value, seed: Number(this.seed.value || 0), frames: Number(this.frames.value || 64), gains: this.gains, alter: this.alter };
  }

  /** Ask for the edit as it is now; while an answer is on its way only the newest wish is kept. */
  async draw() {
    if (this.waiting) {
      this.again = true;
      return;
    }
    this.waiting = true;
    this.said.textContent = this.strip ? "drawing ..." : "the model is being loaded ...";
    await attempt(async () => {
      const begun = performance.now();
      const film = await ask("/api/bands", { method: "POST", body: this.values });
      const image = new Image();
      image.src = film.strip;
      await image.decode();
      this.strip = { ...film, image };
      this.took = performance.now() - begun;
      if (!this.gains || this.gains.length !== film.bands.length) {
        this.gains = film.bands.map(() => 1);
        this.alter = film.bands.map(() => "");
        this.showSliders();
      }
    });
    this.waiting = false;
    if (this.again && !this.closed) {
      this.again = false;
      this.draw();
    } else if (this.strip) this.said.textContent = `${this.strip.frames} frames at ${Number(this.strip.fps.toFixed(2))} fps, drawn in ${(this.took / 1000).toFixed(2)} s`;
  }

  showSliders() {
    const { bands, edges } = this.strip;
    this.sliders.replaceChildren(...bands.map((name, i) => {
      const value = h("output", {}, this.gains[i].toFixed(2));
      const slider = h("input", { type: "range", min: 0, max: 2, step: 0.05, value: this.gains[i], "aria-label": `gain of ${name}`, oninput: () => {
        this.gains[i] = Number(slider.value);
        value.textContent = this.gains[i].toFixed(2);
        this.draw();
      } });
      const seed = h("input", { type: "number", min: 0, placeholder: "its own", "aria-label": `motion of ${name} from seed`, oninput: () => { this.alter[i] = seed.value; this.draw(); } });
      const range = [i > 0 && `from ${edges[i - 1].toFixed(2)}`, i < edges.length && `to ${edges[i].toFixed(2)}`].filter(Boolean).join(" ");
      return h("div", { class: "band" }, h("b", {}, name, h("small", {}, ` ${range} radians a time unit`)), h("span"), slider, value, h("label", {}, "motion of seed ", seed));
    }));
  }

  play(now) {
    this.turn = requestAnimationFrame((later) => this.play(later));
    if (!this.strip) return;
    const { image, frames, width, height, fps } = this.strip;
    const frame = Math.floor((now / 1000) * fps) % frames;
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    this.canvas.getContext("2d").drawImage(image, 0, frame * height, width, height, 0, 0, width, height);
    this.shown = frame;
  }

  async keep() {
    const { bands } = this.strip;
    const gain = bands.map((name, i) => `${name}=${this.gains[i]}`).filter((_, i) => this.gains[i] !== 1);
    const alter = bands.map((name, i) => `${name}=${this.alter[i]}`).filter((_, i) => this.alter[i] !== "");
    const job = await order("edit motion", { model: this.model.value, seed: this.seed.value, frames: this.frames.value, gain, alter, upscale: 4 });
    notice(`it will be ${job.output}`);
  }
}

class SpaceMap {
  constructor(main, models) {
    this.model = h("select", { "aria-label": "model", onchange: () => this.show() }, models.map((name) => h("option", {}, name)));
    this.place = h("div", { class: "map" });
    main.append(h("div", { class: "tools" }, this.model), this.place);
    this.end = watch((jobs) => {
      this.jobs = jobs.filter((job) => job.verb === "edit map");
      this.show();
    });
  }

  close() {
    this.end();
  }

  show() {
    const mine = this.jobs.filter((job) => job.given.model === this.model.value);
    const done = mine.find((job) => job.state === "done");
    const open = mine.find((job) => !job.ended);
    const state = done ? done.output : open ? `${open.state} ${open.id}` : "none";
    if (state === this.state && this.place.dataset.model === this.model.value) return;
    this.state = state;
    this.place.dataset.model = this.model.value;
    if (done) this.place.replaceChildren(h("iframe", { src: media(done.output), title: `map of ${this.model.value}` }));
    else if (open) this.place.replaceChildren(h("p", { class: "soft" }, "The map is being drawn ..."));
    else this.place.replaceChildren(h("p", {}, "A thumbnail of each clip where its code lies; a click plays it. It is drawn once. "), h("button", { class: "first", disabled: !this.model.value, onclick: () => attempt(() => order("edit map", { model: this.model.value })) }, "draw the map"));
  }
}
