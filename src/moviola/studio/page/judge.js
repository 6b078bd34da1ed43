// Two folders, the metrics, and the report in place.

import { ago, ask, base, h, media, query } from "./dom.js";
import { JobList, watch } from "./jobs.js";
import { VerbForm, allForms } from "./make.js";

export async function open(main, values) {
  const form = (await allForms()).get("evaluate");
  const { clips, folders } = await ask("/api/clips");
  const start = Object.fromEntries(["real", "fake"].filter((name) => values.has(name)).map((name) => [name, values.get(name)]));
  const places = h("datalist", { id: "places" }, [...folders, ...clips.map((clip) => clip.name)].map((name) => h("option", { value: name })));
  const list = new JobList((job) => job.verb === "evaluate" && job.state !== "done");
  const reports = h("div", { class: "tools reports" });
  const frame = h("div", { class: "report" });
  let shown = values.get("report");
  const show = (job) => {
    shown = job.output;
    history.replaceState(null, "", `#/judge?${query({ report: job.output })}`);
    const page = media(`${job.output}/index.html`);
    frame.replaceChildren(h("p", { class: "soft" }, `${base(job.given.fake)} against ${base(job.given.real)}, ${ago(job.ended)} · `, h("a", { href: page, target: "_blank", rel: "noopener" }, "alone")),
      h("iframe", { src: page, title: `report ${job.output}`, loading: "lazy" }));
    for (const button of reports.children) button.setAttribute("aria-pressed", String(button.dataset.output === shown));
  };
  let seen = null;
  const end = watch((jobs) => {
    const done = jobs.filter((job) => job.verb === "evaluate" && job.state === "done");
    const ids = done.map((job) => job.id).join();
    if (ids === seen) return;
    const isNew = seen !== null;
    seen = ids;
    reports.replaceChildren(...done.map((job) => h("button", { "data-output": job.output, onclick: () => show(job) }, job.output)));
    const first = (!isNew && done.find((job) => job.output === shown)) || done[0];
    if (first) show(first);
    else frame.replaceChildren(h("p", { class: "soft" }, "Reports will be shown here."));
  });
  main.append(places, h("div", { class: "split" }, new VerbForm(form, start).element, h("section", { class: "queue" }, list.element)), h("h2", {}, "Reports"), reports, frame);
  return () => {
    list.close();
    end();
  };
}
