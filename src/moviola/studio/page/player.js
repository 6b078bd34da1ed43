// Clips in step: frames come decoded from the server, by number, and all clips are drawn in one turn of the browser.

import { query } from "./dom.js";

const budget = 96 << 20; // bytes of decoded pixels that are kept for each clip

/** The frames of one clip, fetched in strips of several. */
export class Frames {
  constructor(clip, side, exact) {
    this.clip = clip;
    this.side = side;
    const ratio = Math.min(1, side / Math.max(clip.width, clip.height));
    this.width = Math.max(1, Math.round(clip.width * ratio));
    this.height = Math.max(1, Math.round(clip.height * ratio));
    this.exact = exact || this.width * this.height <= 320 * 320;
    this.per = Math.max(1, Math.min(16, Math.floor(16000 / this.height)));
    this.most = Math.max(3, Math.floor(budget / (this.width * this.height * 4 * this.per)));
    this.strips = new Map(); // number of the strip -> {bitmap} once it is there; the oldest used first
    this.stop = new AbortController();
    this.broken = null;
  }

  /** Return the picture that holds a frame, and where in it; null while it is on its way. */
  at(frame) {
    const number = Math.floor(frame / this.per);
    const strip = this.strips.get(number);
    if (!strip) {
      this.load(number);
      return null;
    }
    this.strips.delete(number);
    this.strips.set(number, strip);
    return strip.bitmap && { bitmap: strip.bitmap, y: (frame - number * this.per) * this.height, width: this.width, height: this.height };
  }

  /** Fetch the strips that come after a frame. */
  ahead(frame) {
    const last = Math.floor((this.clip.frames - 1) / this.per);
    for (let i = 1; i <= Math.min(2, this.most - 2, last); i++) this.load((Math.floor(frame / this.per) + i) % (last + 1));
  }

  async load(number) {
    if (this.strips.has(number)) return;
    const strip = { bitmap: null };
    this.strips.set(number, strip);
    for (const [old, kept] of this.strips) {
      if (this.strips.size <= this.most) break;
      if (old === number || !kept.bitmap) continue;
      kept.bitmap.close();
      this.strips.delete(old);
    }
    try {
      strip.bitmap = await picture(this.clip, number * this.per, this.per, this.side, this.exact, this.stop.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.broken = error;
      this.strips.delete(number);
    }
  }

  close() {
    this.stop.abort();
    for (const { bitmap } of this.strips.values()) bitmap?.close();
    this.strips.clear();
  }
}

/** Fetch frames as one bitmap, values as they are. */
export async function picture(clip, start, count, side, exact, signal) {
  const words = query({ name: clip.name, start, count, side, exact: exact ? 1 : 0, v: clip.modified });
  const reply = await fetch(`/api/frames?${words}`, { signal });
  if (!reply.ok) throw new Error((await reply.json()).error);
  return createImageBitmap(await reply.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

/** Return the frame of a clip that is shown at a time in seconds. */
export function frameAt(clip, seconds) {
  if (!clip.times) return Math.min(clip.frames - 1, Math.max(0, Math.floor(seconds * clip.fps + 1e-4)));
  let low = 0;
  let high = clip.frames - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (clip.times[middle] <= seconds + 1e-6) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Return the instants at which something may change: those of the clip with the most frames a second, to the longest's end. */
export function instantsOf(clips) {
  const finest = clips.reduce((a, b) => (b.fps > a.fps ? b : a));
  const end = Math.max(...clips.map((clip) => clip.duration));
  const instants = finest.times ? [...finest.times] : [];
  for (let k = instants.length, t; (t = finest.times ? instants.at(-1) + 1 / finest.fps : k / finest.fps) < end - 1e-4; k++) instants.push(t);
  return instants.length > 0 ? instants : [0];
}

/** Plays clips together; `draw(pictures, frames)` is called with one picture of each clip, all of the same instant. */
export class Player {
  constructor(clips, draw, changed) {
    this.clips = clips;
    this.draw = draw;
    this.changed = changed;
    this.instants = instantsOf(clips);
    this.at = 0; // which instant
    this.playing = false;
    this.speed = 1;
    this.shown = []; // frame number of each clip, as last drawn
    this.wanted = true;
    this.load(640, false);
    this.turn = requestAnimationFrame((now) => this.step(now));
  }

  load(side, exact) {
    this.sources?.forEach((source) => source.close());
    this.sources = this.clips.map((clip) => new Frames(clip, side, exact));
    this.wanted = true;
  }

  get frames() {
    return this.clips.map((clip) => frameAt(clip, this.instants[this.at]));
  }

  play(yes) {
    this.playing = yes && this.instants.length > 1;
    this.since = null;
    this.changed();
  }

  go(at) {
    this.at = Math.min(this.instants.length - 1, Math.max(0, Math.round(at)));
    this.since = null;
    this.wanted = true;
    this.changed();
  }

  step(now) {
    this.turn = requestAnimationFrame((later) => this.step(later));
    let next = this.at;
    if (this.playing) {
      this.since ??= { now, at: this.instants[this.at] };
      const time = this.since.at + ((now - this.since.now) / 1000) * this.speed;
      while (next + 1 < this.instants.length && this.instants[next + 1] <= time) next++;
      if (next === this.instants.length - 1 && time >= this.instants[next] + 1 / this.clips[0].fps) {
        next = 0;
        this.since = { now, at: this.instants[0] };
      }
    }
    if (next === this.at && !this.wanted) return;
    const frames = this.clips.map((clip) => frameAt(clip, this.instants[next]));
    const pictures = this.sources.map((source, i) => source.at(frames[i]));
    if (this.playing || this.wanted) this.sources.forEach((source, i) => source.ahead(frames[i]));
    if (pictures.some((one) => !one)) {
      this.since = null; // no clip runs on while another waits for its frame
      if (this.playing) this.wait(next);
      return;
    }
    this.at = next;
    this.wanted = false;
    this.shown = frames;
    this.draw(pictures, frames);
    this.changed();
  }

  /** Go on from the instant that is waited for, once it is there. */
  wait(next) {
    this.at = next;
    this.wanted = true;
  }

  close() {
    cancelAnimationFrame(this.turn);
    this.sources.forEach((source) => source.close());
  }
}
