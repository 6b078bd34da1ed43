// The frame of the page: which part is shown follows from the address, so each tab has a state of its own.

import { ask, attempt } from "./dom.js";
import { refresh } from "./jobs.js";

const pages = {
  look: () => import("./look.js"),
  compare: () => import("./compare.js"),
  make: () => import("./make.js"),
  judge: () => import("./judge.js"),
  hand: () => import("./hand.js"),
  edit: () => import("./edit.js"),
};
let leave = null;
let turn = 0;

/** Return the page and its settings of an address such as #/compare?clips=a&clips=b. */
export function route() {
  const [path, words = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: path in pages ? path : "look", values: new URLSearchParams(words) };
}

async function show() {
  const { page, values } = route();
  const mine = ++turn;
  leave?.();
  leave = null;
  const main = document.getElementById("main");
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#/${page}` || (page === "compare" && link.hash === "#/look");
    link.toggleAttribute("aria-current", here);
  }
  await attempt(async () => {
    const module = await pages[page]();
    if (mine !== turn) return;
    main.replaceChildren();
    main.className = page;
    leave = (await module.open(main, values)) ?? null;
    if (mine !== turn) leave?.();
  });
}

attempt(async () => {
  const { folder } = await ask("/api/studio");
  document.getElementById("folder").textContent = folder;
  document.title = `${folder} · moviola studio`;
});
addEventListener("hashchange", show);
show().then(refresh); // what is looked at goes first
