// One clip, or up to four in step: side by side, wipe, difference, slices through time; by frame and by key.

import { attempt, ask, base, h, query } from "./dom.js";
import { describe } from "./details.js";
import { Player, picture } from "./player.js";

const modes = { side: "side by side", wipe: "wipe", difference: "difference", slice: "x-t slice" };

export async function open(main, values) {
  const names = values.getAll("clips").slice(0, 4);
  const clips = await Promise.all(names.map((name) => ask(`/api/clip?${query({ name })}`)));
  if (clips.length === 0) throw new Error("no clip was chosen; choose one in the gallery");
  const view = new Compare(main, clips, values);
  window.studio = view; // for scripts that look on
  return () => view.close();
}

class Compare {
  constructor(main, clips, values) {
    this.clips = clips;
    this.mode = clips.length === 1 && values.get("mode") !== "slice" ? "side" : values.get("mode") in modes ? values.get("mode") : "side";
    this.solo = 0; // 1 to 4: this clip alone
    this.wipe = 0.5;
    this.gain = 4;
    this.line = { axis: "row", at: 0.5 };
    this.pictures = null;
    this.stage = h("div", { class: "stage" });
    this.player = new Player(clips, (pictures, frames) => this.draw(pictures, frames), () => this.changed());
    main.append(this.head(), this.stage, this.controls(), h("div", { class: "details" }, clips.map((clip, i) => describe(clip, i, clips.length))));
    this.onkey = (event) => this.key(event);
    addEventListener("keydown", this.onkey);
    this.layOut();
    const start = Number(values.get("frame"));
    if (start > 0) this.player.go(start);
    else this.player.play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  close() {
    removeEventListener("keydown", this.onkey);
    clearTimeout(this.sharpen);
    clearTimeout(this.slicing);
    this.player.close();
    delete window.studio;
  }

  head() {
    this.buttons = Object.entries(modes).filter(([mode]) => this.clips.length > 1 || ["side", "slice"].includes(mode)).map(([mode, title]) =>
      h("button", { "data-mode": mode, onclick: () => this.setMode(mode) }, mode === "side" && this.clips.length === 1 ? "frames" : title));
    this.extra = h("span", { class: "extra" });
    return h("div", { class: "tools" }, h("div", { class: "segments", role: "group", "aria-label": "how to compare" }, this.buttons), this.extra);
  }

  controls() {
    this.playButton = h("button", { class: "first", onclick: () => this.player.play(!this.player.playing) }, "play");
    this.bar = h("input", { type: "range", min: 0, max: this.player.instants.length - 1, value: 0, "aria-label": "frame", oninput: () => { this.player.play(false); this.player.go(Number(this.bar.value)); } });
    this.number = h("output", { class: "number" });
    this.speed = h("select", { "aria-label": "speed", onchange: () => { this.player.speed = Number(this.speed.value); this.player.since = null; } },
      [0.1, 0.25, 0.5, 1, 2].map((x) => h("option", { value: String(x) }, `${x}×`)));
    this.speed.value = "1";
    return h("div", { class: "controls" },
      h("div", { class: "tools" },
        h("button", { "aria-label": "a frame back", onclick: () => this.move(-1) }, "‹"), this.playButton,
        h("button", { "aria-label": "a frame on", onclick: () => this.move(1) }, "›"), this.speed, this.number), this.bar,
      h("p", { class: "keys" }, h("kbd", {}, "space"), " play ", h("kbd", {}, "←"), h("kbd", {}, "→"), " a frame (with shift ten) ",
        this.clips.length > 1 && [h("kbd", {}, "1"), "–", h("kbd", {}, String(this.clips.length)), " one clip alone, in the same place ",
          h("kbd", {}, "s"), h("kbd", {}, "w"), h("kbd", {}, "d"), h("kbd", {}, "x"), " how to compare"]));
  }

  move(by) {
    this.player.play(false);
    this.player.go(this.player.at + by);
  }

  setMode(mode) {
    this.mode = mode;
    this.solo = 0;
    this.player.load(640, mode === "difference");
    this.layOut();
    this.address();
  }

  setSolo(number) {
    this.solo = this.solo === number ? 0 : number;
    this.layOut();
    this.player.wanted = true;
  }

  address() {
    const words = new URLSearchParams(this.clips.map((clip) => ["clips", clip.name]));
    if (this.mode !== "side") words.set("mode", this.mode);
    history.replaceState(null, "", `#/compare?${words}`);
  }

  /** Lay out the canvases of a mode; what is drawn in each is for `draw` to say. */
  layOut() {
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode && !this.solo));
    const first = this.clips[0];
    const titles = this.solo ? [`${this.solo} ${base(this.clips[this.solo - 1].name)}`]
      : this.mode === "wipe" ? [""] : this.mode === "difference" ? this.clips.slice(1).map((clip, i) => `1 − ${i + 2} ${base(clip.name)}`)
      : this.clips.map((clip, i) => (this.clips.length > 1 ? `${i + 1} ` : "") + base(clip.name));
    this.canvases = titles.map(() => h("canvas", {}));
    this.labels = titles.map((title) => h("figcaption", {}, h("span", {}, title), h("output", {})));
    this.slices = [];
    const clipOf = (i) => (this.solo ? this.clips[this.solo - 1] : this.mode === "side" || this.mode === "slice" ? this.clips[i] : first);
    this.stage.replaceChildren(...this.canvases.map((canvas, i) => {
      const clip = clipOf(i);
      const figure = h("figure", {}, h("div", { class: "screen" }, canvas), this.labels[i]);
      const ratio = (clip.width * clip.aspect) / clip.height;
      figure.style.setProperty("--ratio", String(ratio));
      if (ratio > 1.2) figure.style.setProperty("--wide", "1");
      canvas.classList.toggle("pixels", clip.width <= 320);
      if (this.mode === "slice" && !this.solo) this.addSlice(figure, clip);
      return figure;
    }));
    this.stage.dataset.count = String(titles.length);
    this.stage.dataset.mode = this.solo ? "solo" : this.mode;
    this.extras();
    if (this.mode === "wipe" && !this.solo) this.addWipe();
    if (this.pictures) this.player.wanted = true;
  }

  extras() {
    this.extra.replaceChildren();
    if (this.mode === "difference") {
      const gain = h("select", { "aria-label": "gain", onchange: () => { this.gain = Number(gain.value); this.redraw(); } }, [1, 2, 4, 8, 16].map((x) => h("option", { value: String(x) }, `×${x}`)));
      gain.value = String(this.gain);
      this.extra.append("shown ", gain);
    } else if (this.mode === "wipe") {
      const choose = (side, value) => {
        const list = h("select", { "aria-label": side, onchange: () => { this.pair[side === "left" ? 0 : 1] = Number(list.value); this.redraw(); } }, this.clips.map((clip, i) => h("option", { value: String(i) }, `${i + 1} ${base(clip.name)}`)));
        list.value = String(value);
        return list;
      };
      this.pair ??= [0, 1];
      this.extra.append(choose("left", this.pair[0]), choose("right", this.pair[1]));
    } else if (this.mode === "slice") {
      const axis = h("select", { "aria-label": "line", onchange: () => { this.line.axis = axis.value; this.showSlices(); } }, h("option", { value: "row" }, "a row"), h("option", { value: "column" }, "a column"));
      axis.value = this.line.axis;
      const at = h("input", { type: "range", min: 0, max: 1, step: 0.005, value: this.line.at, "aria-label": "where the line is", oninput: () => { this.line.at = Number(at.value); this.showSlices(200); } });
      this.extra.append("time goes down; through ", axis, at);
    }
  }

  addWipe() {
    const bar = h("input", { type: "range", class: "divider", min: 0, max: 1, step: 0.001, value: this.wipe, "aria-label": "where the picture is divided", oninput: () => { this.wipe = Number(bar.value); this.redraw(); } });
    const screen = this.canvases[0].parentElement;
    const drag = (event) => {
      if (event.type === "pointerdown") screen.setPointerCapture(event.pointerId);
      if (event.buttons === 0) return;
      const box = screen.getBoundingClientRect();
      this.wipe = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      bar.value = String(this.wipe);
      this.redraw();
    };
    screen.addEventListener("pointerdown", drag);
    screen.addEventListener("pointermove", drag);
    screen.classList.add("drag");
    this.labels[0].after(bar);
  }

  addSlice(figure, clip) {
    const image = h("img", { alt: `slice through time of ${base(clip.name)}` });
    const mark = h("span", { class: "now" });
    const line = h("span", { class: "line" });
    figure.querySelector(".screen").append(line);
    figure.append(h("div", { class: "slice" }, image, mark));
    this.slices.push({ clip, image, mark, line });
    if (this.slices.length === this.clips.length) this.showSlices();
  }

  showSlices(after = 0) {
    for (const { line } of this.slices) {
      line.className = `line ${this.line.axis}`;
      line.style.setProperty("--at", `${this.line.at * 100}%`);
    }
    clearTimeout(this.slicing);
    this.slicing = setTimeout(() => {
      for (const { clip, image } of this.slices) image.src = `/api/slice?${query({ name: clip.name, axis: this.line.axis, at: this.line.at, v: clip.modified })}`;
    }, after);
  }

  redraw() {
    if (this.pictures) this.draw(this.pictures, this.player.shown);
  }

  draw(pictures, frames) {
    this.pictures = pictures;
    clearTimeout(this.sharpen);
    if (this.solo) this.put(this.canvases[0], pictures[this.solo - 1]);
    else if (this.mode === "wipe") this.drawWipe(pictures);
    else if (this.mode === "difference") this.drawDifference(pictures);
    else pictures.forEach((one, i) => this.put(this.canvases[i], one));
    this.labels.forEach((label, i) => {
      const clip = this.solo ? this.solo - 1 : i;
      if (["side", "slice"].includes(this.mode) || this.solo) label.lastChild.textContent = `frame ${frames[clip]}`;
    });
    for (const [i, { clip, mark }] of this.slices.entries()) mark.style.setProperty("--at", `${((frames[i] + 0.5) / clip.frames) * 100}%`);
    const reduced = this.player.sources.some((source) => source.width < source.clip.width || !source.exact);
    if (!this.player.playing && reduced && !pictures.sharp) this.sharpen = setTimeout(() => this.sharper(frames), 250);
  }

  put(canvas, one) {
    if (canvas.width !== one.width || canvas.height !== one.height) [canvas.width, canvas.height] = [one.width, one.height];
    canvas.getContext("2d").drawImage(one.bitmap, 0, one.y, one.width, one.height, 0, 0, one.width, one.height);
  }

  drawWipe(pictures) {
    const [left, right] = this.pair.map((i) => pictures[i]);
    const canvas = this.canvases[0];
    this.put(canvas, left);
    const context = canvas.getContext("2d");
    const x = Math.round(this.wipe * canvas.width);
    const from = (x / canvas.width) * right.width;
    context.drawImage(right.bitmap, from, right.y, right.width - from, right.height, x, 0, canvas.width - x, canvas.height);
    canvas.parentElement.style.setProperty("--at", `${(x / canvas.width) * 100}%`);
    const shown = this.player.shown;
    this.labels[0].firstChild.textContent = `${this.pair[0] + 1} ${base(this.clips[this.pair[0]].name)} | ${this.pair[1] + 1} ${base(this.clips[this.pair[1]].name)}`;
    this.labels[0].lastChild.textContent = `frame ${shown[this.pair[0]]} | ${shown[this.pair[1]]}`;
  }

  /** |1 - n| times the gain, and its mean as it is, in levels of 0 to 255. */
  drawDifference(pictures) {
    const { width, height } = pictures[0];
    const values = pictures.map((one) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(one.bitmap, 0, one.y, one.width, one.height, 0, 0, width, height);
      return context.getImageData(0, 0, width, height);
    });
    this.means = this.canvases.map((canvas, i) => {
      const [a, b] = [values[0].data, values[i + 1].data];
      const out = new ImageData(width, height);
      let sum = 0;
      for (let p = 0; p < a.length; p += 4) {
        for (let c = p; c < p + 3; c++) {
          const d = Math.abs(a[c] - b[c]);
          sum += d;
          out.data[c] = d * this.gain;
        }
        out.data[p + 3] = 255;
      }
      [canvas.width, canvas.height] = [width, height];
      canvas.getContext("2d").putImageData(out, 0, 0);
      const mean = sum / (width * height * 3);
      this.labels[i].lastChild.textContent = `frame ${this.player.shown[0]} · mean ${mean.toFixed(2)} of 255`;
      return mean;
    });
  }

  /** A frame that is looked at: all its pixels, every value as it was decoded. */
  async sharper(frames) {
    const at = this.player.at;
    await attempt(async () => {
      const bitmaps = await Promise.all(this.clips.map((clip, i) => picture(clip, frames[i], 1, 4096, true)));
      if (this.player.at !== at || this.player.playing || !this.stage.isConnected) return bitmaps.forEach((bitmap) => bitmap.close());
      const sharp = bitmaps.map((bitmap) => ({ bitmap, y: 0, width: bitmap.width, height: bitmap.height }));
      sharp.sharp = true;
      this.draw(sharp, frames);
    });
  }

  changed() {
    if (!this.bar) return;
    const { player } = this;
    this.playButton.textContent = player.playing ? "pause" : "play";
    this.bar.value = String(player.at);
    this.number.textContent = `frame ${player.at} / ${player.instants.length - 1} · ${player.instants[player.at].toFixed(3)} s`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /TEXTAREA|SELECT/.test(event.target.tagName) || (event.target.tagName === "INPUT" && event.target.type !== "range")) return;
    const ten = event.shiftKey ? 10 : 1;
    const mode = { s: "side", w: "wipe", d: "difference", x: "slice" }[event.key];
    const number = Number(event.key);
    if (event.key === " ") this.player.play(!this.player.playing);
    else if (event.key === "ArrowRight") this.move(ten);
    else if (event.key === "ArrowLeft") this.move(-ten);
    else if (event.key === "Home") this.move(-1e9);
    else if (event.key === "End") this.move(1e9);
    else if (event.key === "Escape") location.hash = "#/look";
    else if (this.clips.length > 1 && number >= 1 && number <= this.clips.length) this.setSolo(number);
    else if (mode && (this.clips.length > 1 || mode === "side" || mode === "slice")) this.setMode(mode);
    else return;
    event.preventDefault();
  }
}
