// What is known of a clip: its numbers, how it was made, what can be made of it.

import { ask, attempt, base, h, media, megabytes, query } from "./dom.js";

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
    made(clip.name),
    h("p", { class: "links" },
      [["refine", "refine"], ["restyle", "restyle"], ["mend", "mend"]].map(([verb, title]) => h("a", { href: `#/make?${query({ verb, IN: clip.name })}` }, title)),
      h("a", { href: `#/hand?${query({ clip: clip.name })}` }, "restyle by hand"),
      h("a", { href: media(clip.name), download: base(clip.name) }, "download")));
}

/** How a clip was made: the job of this studio that made it, or else what the file says of itself. */
function made(name) {
  const place = h("div", { class: "made" });
  attempt(async () => {
    const job = await ask(`/api/made?${query({ name })}`);
    if (!job) return recorded(name, place);
    const sources = ["input", "guide", "image"].map((one) => job.given[one]).filter(Boolean);
    place.append(h("pre", {}, job.command),
      h("p", { class: "links" }, h("a", { href: `#/make?${query({ verb: job.verb, from: job.id })}` }, "change and make again"),
        sources.map((one) => beside(one, name))));
  });
  return place;
}

async function recorded(name, place) {
  const record = await ask(`/api/record?${query({ name })}`);
  if (!record) return;
  const lines = Object.entries(record.settings).map(([key, value]) => `${key}  ${value}`);
  place.append(h("pre", {}, [`moviola ${record.version} ${record.verb}`, ...lines].join("\n")),
    h("p", { class: "links" }, record.sources.map((one) => beside(one, name)),
      record.inputs.length > record.sources.length ? h("span", {}, `from ${record.inputs.join(", ")}`) : ""));
}

const beside = (one, name) => h("a", { href: `#/compare?${new URLSearchParams([["clips", one], ["clips", name]])}` }, `made from ${base(one)}`);
