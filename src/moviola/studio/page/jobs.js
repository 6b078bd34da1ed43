// The queue as the server has it: asked for every second while something runs, and shown wherever it matters.

import { ago, ask, attempt, base, h, media, notice, query, span } from "./dom.js";

const listeners = new Set();
let jobs = null;
let timer = null;

/** Call a function with all jobs, now and whenever they change; returns what ends that. */
export function watch(listener) {
  listeners.add(listener);
  if (jobs) listener(jobs);
  refresh();
  return () => listeners.delete(listener);
}

/** Ask for the jobs now. */
export async function refresh() {
  clearTimeout(timer);
  try {
    const before = new Map((jobs ?? []).map((job) => [job.id, job.state]));
    const first = jobs === null;
    jobs = await ask("/api/jobs");
    if (!first) for (const job of jobs) if (job.ended && before.get(job.id) !== job.state) tell(job);
    busy();
    for (const listener of listeners) listener(jobs);
  } catch (error) {
    document.getElementById("busy").textContent = error.message;
    document.getElementById("busy").hidden = false;
  }
  const active = jobs?.some((job) => !job.ended);
  timer = setTimeout(refresh, document.hidden ? 10000 : active ? 1000 : 6000);
}

function tell(job) {
  if (job.state === "done") notice(job.output.startsWith(".") ? `${job.verb}: ${job.given.step} is done` : `${job.output} is done`);
  if (job.state === "failed") notice(`${job.verb}: ${job.error}`, true);
}

function busy() {
  const running = jobs.find((job) => job.state === "running");
  const waiting = jobs.filter((job) => job.state === "waiting").length;
  const badge = document.getElementById("busy");
  badge.hidden = !running && waiting === 0;
  badge.textContent = [running && `${running.verb} ${percent(running)}`, waiting && `${waiting} waiting`].filter(Boolean).join(" · ");
}

const percent = (job) => (job.total ? `${Math.floor((100 * job.done) / job.total)} %` : "…");

/** Put a job into the queue; returns it. */
export async function order(verb, values, output = "") {
  const job = await ask("/api/jobs", { method: "POST", body: { verb, values, output } });
  refresh();
  return job;
}

/** Return once a job is finished; what went wrong is thrown. */
export function finished(id) {
  return new Promise((resolve, reject) => {
    const end = watch((all) => {
      const job = all.find((one) => one.id === id);
      if (!job?.ended) return;
      queueMicrotask(() => end());
      job.state === "done" ? resolve(job) : reject(new Error(job.error ?? `the job was ${job.state}`));
    });
  });
}

const act = (path, options = {}) => attempt(async () => {
  await ask(path, { method: "POST", ...options });
  await refresh();
});

/** The list of jobs, kept up to date while it is shown. */
export class JobList {
  constructor(chosen = () => true) {
    this.chosen = chosen;
    this.cards = new Map();
    this.element = h("div", { class: "jobs" });
    this.end = watch((all) => this.show(all.filter(this.chosen)));
  }

  close() {
    this.end();
  }

  show(all) {
    if (all.length === 0) return this.element.replaceChildren(h("p", { class: "soft" }, "Nothing was made yet."));
    const cards = all.map((job) => {
      const old = this.cards.get(job.id);
      if (old && old.state === job.state && job.state !== "running") return old;
      const card = old && old.state === job.state ? old : new JobCard(job);
      card.update(job);
      return card;
    });
    this.cards = new Map(all.map((job, i) => [job.id, cards[i]]));
    const elements = cards.map((card) => card.element);
    if (elements.length !== this.element.children.length || elements.some((one, i) => one !== this.element.children[i])) this.element.replaceChildren(...elements);
  }
}

class JobCard {
  constructor(job) {
    this.state = job.state;
    this.bar = h("progress", { max: 1, "aria-label": "progress" });
    this.left = h("span", { class: "soft" });
    this.log = h("pre", { hidden: true });
    const path = `/api/jobs/${job.id}`;
    const button = (title, run, label = title) => h("button", { "aria-label": label, onclick: run }, title);
    const buttons = {
      waiting: [button("↑", () => act(`${path}/move`, { body: { by: -1 } }), "earlier"), button("↓", () => act(`${path}/move`, { body: { by: 1 } }), "later")],
      running: [],
    }[job.state] ?? [!job.given.session && button("again", () => act(`${path}/again`)), button("forget", () => act(path, { method: "DELETE" }))];
    if (!job.ended) buttons.push(button("cancel", () => act(`${path}/cancel`)));
    const change = job.given.session ? `#/hand?${query({ clip: job.given.input })}` : `#/make?${query({ verb: job.verb, from: job.id })}`;
    buttons.push(h("a", { class: "button", href: change }, "change"), button("log", () => this.showLog(path)));
    const title = job.given.prompt || job.given.input || job.given.model || job.given.fake || (job.given.between ?? []).join?.(" – ") || "";
    this.element = h("article", { class: `job ${job.state}`, "data-job": job.id },
      h("p", { class: "row" }, h("b", {}, job.verb), h("span", {}, title), h("span", { class: "state" }, job.state)),
      job.state === "running" && h("p", { class: "row" }, this.bar, this.left),
      job.error && h("p", { class: "error" }, job.error),
      job.state === "done" && result(job),
      h("p", { class: "tools" }, buttons, h("small", {}, job.ended ? `${ago(job.ended)}${job.started ? `, took ${span(job.ended - job.started)}` : ""}` : "")), this.log);
  }

  update(job) {
    if (job.state !== "running") return;
    if (job.total) this.bar.value = job.done / job.total;
    else this.bar.removeAttribute("value");
    const steps = job.total ? `${job.stage} ${job.done} of ${job.total}` : job.stage ?? "starting";
    this.left.textContent = [steps, job.left !== null ? `${span(job.left)} left` : `${span(job.now - job.started)} so far`].join(" · ");
    if (!this.log.hidden) this.readLog(`/api/jobs/${job.id}`);
  }

  async showLog(path) {
    this.log.hidden = !this.log.hidden;
    if (!this.log.hidden) await this.readLog(path);
  }

  async readLog(path) {
    const reply = await fetch(`${path}/log`);
    this.log.textContent = await reply.text();
  }
}

function result(job) {
  const name = job.output;
  if (name.startsWith(".")) return null;
  const page = name.endsWith(".html") ? name : job.verb === "evaluate" ? `${name}/index.html` : null;
  if (page) return h("p", {}, h("a", { href: media(page), target: "_blank", rel: "noopener" }, name));
  if (/\.(mp4|webm|gif|webp|png|mkv|npz)$/.test(name)) return h("p", {}, h("a", { href: `#/compare?${new URLSearchParams([["clips", name], ...(job.given.input ? [["clips", job.given.input]] : [])])}` }, base(name)), job.given.input && h("small", {}, " beside what it was made from"));
  return h("p", {}, h("a", { href: `#/look?${query({ folder: name })}` }, `${name}/`));
}
