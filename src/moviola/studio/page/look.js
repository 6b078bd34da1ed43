// The gallery: every clip of the folder; only those in view are loaded, and they play.

import { ago, ask, attempt, base, h, media, megabytes, notice, query } from "./dom.js";

const chosen = new Set(); // names, in the order they were chosen; at most four
let still = matchMedia("(prefers-reduced-motion: reduce)").matches;

export async function open(main, values) {
  const list = await ask("/api/clips");
  const gallery = new Gallery(main, list, values);
  return () => gallery.close();
}

class Gallery {
  constructor(main, list, values) {
    this.list = list;
    this.names = new Set(list.clips.map((clip) => clip.name));
    for (const name of chosen) if (!this.names.has(name)) chosen.delete(name);
    this.seen = new IntersectionObserver((entries) => entries.forEach((e) => this.see(e.target, e.isIntersecting)), { rootMargin: "120px" });
    this.find = h("input", { type: "search", placeholder: "find", "aria-label": "find by name", value: values.get("find") ?? "", oninput: () => this.filter() });
    this.where = h("select", { "aria-label": "folder", onchange: () => this.filter() },
      h("option", { value: "" }, "all folders"), list.folders.map((name) => h("option", { value: name }, name)));
    this.where.value = values.get("folder") ?? "";
    this.pick = h("input", { type: "file", accept: "video/*,image/*,.npz", multiple: true, hidden: true, onchange: () => this.upload(this.pick.files) });
    this.move = h("button", { "aria-pressed": String(!still), onclick: () => this.setStill(!still) }, "play");
    this.grid = h("div", { class: "grid", role: "list" });
    this.tools = h("div", { class: "chosen", hidden: true });
    this.count = h("span", { class: "soft" });
    main.append(
      h("div", { class: "tools" }, this.find, list.folders.length > 0 && this.where, this.move,
        h("button", { onclick: () => this.pick.click() }, "upload"), this.pick, this.count),
      this.grid, this.tools);
    this.cards = [];
    this.add(60); // what fills a screen is painted before the others are made
    if (list.clips.length === 0) this.grid.append(h("p", { class: "soft" }, "No clips yet. Upload one, drop one here, or make one."));
    this.filter();
    this.drop = (event) => {
      event.preventDefault();
      if (event.type === "drop" && event.dataTransfer.files.length > 0) this.upload(event.dataTransfer.files);
    };
    main.addEventListener("dragover", this.drop);
    main.addEventListener("drop", this.drop);
    this.onkey = (event) => this.key(event);
    addEventListener("keydown", this.onkey);
    this.main = main;
    this.showChosen();
  }

  /** Make some more cards, and the others in turns of their own. */
  add(count) {
    const more = this.list.clips.slice(this.cards.length, this.cards.length + count).map((clip) => this.card(clip));
    this.cards.push(...more);
    this.grid.append(...more);
    more.forEach((card) => this.seen.observe(card));
    if (this.cards.length < this.list.clips.length) this.later = setTimeout(() => { this.add(250); this.filter(); }, 50);
  }

  close() {
    clearTimeout(this.later);
    this.seen.disconnect();
    removeEventListener("keydown", this.onkey);
    this.main.removeEventListener("dragover", this.drop);
    this.main.removeEventListener("drop", this.drop);
    this.cards.forEach((card) => this.see(card, false));
  }

  card(clip) {
    const box = h("input", { type: "checkbox", checked: chosen.has(clip.name), "aria-label": `choose ${clip.name}`, onchange: () => this.choose(clip.name, box.checked) });
    const card = h("article", { class: "card", role: "listitem", "data-name": clip.name, title: clip.name },
      h("a", { class: "screen", href: `#/compare?${query({ clips: clip.name })}`, "aria-label": `open ${clip.name}` }),
      h("label", {}, box, h("span", {}, base(clip.name))),
      h("small", {}, `${megabytes(clip.size)} · ${ago(clip.modified)}`));
    card.clip = clip;
    return card;
  }

  see(card, visible) {
    const screen = card.firstElementChild;
    if (!visible) {
      const film = screen.firstElementChild;
      film?.removeAttribute("src");
      film?.load?.();
      screen.replaceChildren();
    } else if (!screen.firstElementChild) screen.append(film(card.clip));
  }

  filter() {
    const words = this.find.value.toLowerCase().split(/\s+/);
    const folder = this.where.value;
    let count = 0;
    for (const card of this.cards) {
      const name = card.clip.name;
      card.classList.toggle("on", chosen.has(name));
      card.hidden = !words.every((word) => name.toLowerCase().includes(word)) || (folder !== "" && !name.startsWith(`${folder}/`));
      count += !card.hidden;
    }
    const left = this.list.left_out ? `, ${this.list.left_out} more are not shown` : "";
    this.count.textContent = `${count} of ${this.list.clips.length} clips${left}`;
  }

  setStill(value) {
    still = value;
    this.move.setAttribute("aria-pressed", String(!still));
    for (const film of this.grid.querySelectorAll("video")) still ? film.pause() : film.play().catch(() => {});
  }

  choose(name, yes) {
    if (yes && chosen.size === 4) notice("four clips are compared at most; the first of them was left out");
    if (yes && chosen.size === 4) chosen.delete([...chosen][0]);
    yes ? chosen.add(name) : chosen.delete(name);
    this.showChosen();
  }

  showChosen() {
    for (const card of this.cards) {
      const yes = chosen.has(card.clip.name);
      card.classList.toggle("on", yes);
      card.querySelector("input").checked = yes;
    }
    this.tools.hidden = chosen.size === 0;
    const words = new URLSearchParams([...chosen].map((name) => ["clips", name]));
    this.tools.replaceChildren(
      h("span", {}, [...chosen].map(base).join(" · ")),
      h("a", { class: "button first", href: `#/compare?${words}` }, chosen.size > 1 ? `compare ${chosen.size}` : "open"),
      h("button", { onclick: () => { chosen.clear(); this.showChosen(); } }, "none"));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName) && event.target.type !== "checkbox") return;
    const cards = this.cards.filter((card) => !card.hidden);
    const at = cards.indexOf(document.activeElement?.closest?.(".card"));
    const columns = getComputedStyle(this.grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step !== undefined && cards.length > 0) {
      cards[at < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, at + step))].firstElementChild.focus();
    } else if (event.key === " " && at >= 0) {
      const name = cards[at].clip.name;
      this.choose(name, !chosen.has(name));
    } else if (event.key === "c" && chosen.size > 0) {
      location.hash = this.tools.querySelector("a").getAttribute("href");
    } else return;
    event.preventDefault();
  }

  async upload(files) {
    for (const file of files) {
      await attempt(async () => {
        notice(`${file.name} is being handed in ...`);
        const { name } = await ask(`/api/upload?${query({ name: file.name })}`, { method: "PUT", body: file });
        notice(`${name} is in the folder`);
      });
    }
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

/** Return what plays a clip; where the browser cannot, a small copy that it can. */
export function film(clip) {
  const version = `?v=${clip.modified}`;
  const small = `/api/preview?${query({ name: clip.name, v: clip.modified })}`;
  const moving = (source) => {
    const video = h("video", { src: source, muted: true, loop: true, autoplay: !still, playsinline: true, preload: "auto" });
    video.muted = true;
    video.addEventListener("error", () => {
      if (video.getAttribute("src") === null) return; // it left the view
      if (video.getAttribute("src") === small) video.replaceWith(h("p", { class: "soft" }, "cannot be shown"));
      else video.src = small;
    });
    return video;
  };
  if (clip.show === "image") return h("img", { src: media(clip.name) + version, alt: "" });
  return moving(clip.show === "video" ? media(clip.name) + version : small);
}
