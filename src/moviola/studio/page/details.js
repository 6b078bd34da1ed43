// What is known of a clip: its numbers, how it was made, what can be made of it.

import { base, h, media, megabytes, query } from "./dom.js";

/** Return the panel of a clip. */
export function describe(clip, number, count) {
  const rows = [
    ["frames", `${clip.frames} of ${clip.width}×${clip.height}`],
    ["rate", `${Number(clip.fps.toFixed(3))} fps${clip.times ? ", varying" : ""}, ${clip.duration.toFixed(2)} s`],
    ["coded", `${clip.codec}, ${clip.pixels}${clip.audio ? ", with sound" : ""}`],
    ["file", `${clip.name}, ${megabytes(clip.size)}`],
  ];
  return h("section", { class: "detail", "data-name": clip.name },
    h("h3", {}, count > 1 ? `${number + 1} ` : "", base(clip.name)),
    h("dl", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("div", { class: "made" }),
    h("p", { class: "links" },
      [["refine", "refine"], ["restyle", "restyle"], ["mend", "mend"]].map(([verb, title]) => h("a", { href: `#/make?${query({ verb, IN: clip.name })}` }, title)),
      h("a", { href: `#/hand?${query({ clip: clip.name })}` }, "restyle by hand"),
      h("a", { href: media(clip.name), download: base(clip.name) }, "download")));
}
