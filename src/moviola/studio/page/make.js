// Forms of the verbs, and the queue.

import { ask, attempt, h, notice, query } from "./dom.js";
import { JobList, order } from "./jobs.js";

let forms = null; // they do not change while the studio runs

/** Return the forms of all verbs, by verb. */
export async function allForms() {
  forms ??= new Map((await ask("/api/forms")).map((form) => [form.verb, form]));
  return forms;
}

export async function open(main, values) {
  const all = await allForms();
  const verbs = [...all.keys()].filter((verb) => !["evaluate", "keyframes"].includes(verb));
  const from = values.get("from") ? await ask(`/api/jobs/${values.get("from")}`) : null;
  const verb = all.has(values.get("verb")) ? values.get("verb") : verbs[0];
  const clips = await ask("/api/clips");
  const places = h("datalist", { id: "places" }, [...clips.clips.map((clip) => clip.name), ...clips.folders].map((name) => h("option", { value: name })));
  const list = new JobList();
  const plain = verbs.filter((one) => !one.startsWith("edit "));
  const edits = verbs.filter((one) => one.startsWith("edit "));
  const go = (name) => { location.hash = `#/make?${query({ verb: name })}`; };
  const edit = h("select", { "aria-label": "edit", onchange: () => edit.value && go(edit.value) }, h("option", { value: "" }, "edit …"), edits.map((one) => h("option", { value: one }, one)));
  edit.value = edits.includes(verb) ? verb : "";
  const form = new VerbForm(all.get(verb), from?.given ?? given(all.get(verb), values));
  main.append(places,
    h("div", { class: "tools" }, h("div", { class: "segments", role: "group", "aria-label": "what to do" },
      plain.map((one) => h("button", { "aria-pressed": String(one === verb), onclick: () => go(one) }, one))), edit),
    h("div", { class: "split" }, form.element, h("section", { class: "queue" }, h("h2", {}, "Queue"), list.element)));
  return () => list.close();
}

/** Return the values of a form that an address holds; IN is the first file. */
function given(form, values) {
  const out = Object.fromEntries(form.fields.filter((one) => values.has(one.name)).map((one) => [one.name, values.get(one.name)]));
  const file = form.fields.find((one) => one.kind === "file" && one.option === "");
  if (values.has("IN") && file) out[file.name] = values.get("IN");
  return out;
}

/** A form of one verb; `ordered` is called with the job that it makes. */
export class VerbForm {
  constructor(form, start = {}, ordered = (job) => notice(`${job.verb} is in the queue, into ${job.output}`)) {
    this.form = form;
    this.inputs = new Map();
    this.fault = h("p", { class: "error", role: "alert", hidden: true });
    this.output = h("input", { type: "text", placeholder: `${form.verb.replace(" ", "-")}-1${form.suffix}`, "aria-label": "output", name: "output", spellcheck: false });
    const main = form.fields.filter((one) => one.main);
    const rest = form.fields.filter((one) => !one.main);
    const more = form.verb === "restyle" && h("details", { class: "settings", ontoggle: (event) => this.more(event.target) }, h("summary", {}, "every setting"), h("p", { class: "soft" }, "…"));
    const startsMore = Object.keys(start).some((name) => rest.some((one) => one.name === name));
    this.element = h("form", { class: "form", "data-verb": form.verb, onsubmit: (event) => { event.preventDefault(); this.send(ordered); } },
      h("p", { class: "soft" }, form.title),
      form.presets.length > 0 && h("p", { class: "tools presets" }, form.presets.map((one) => h("button", { type: "button", onclick: () => this.preset(one.values) }, one.title))),
      h("div", { class: "fields" }, main.map((one) => this.field(one))),
      rest.length > 0 && h("details", { open: startsMore }, h("summary", {}, "more"), h("div", { class: "fields" }, rest.map((one) => this.field(one)), this.label("output", "its name in the folder; a free one if not said", this.output))),
      more, this.fault, h("p", { class: "tools" }, h("button", { class: "first", type: "submit" }, form.verb)));
    this.fill(start);
    this.late = Object.fromEntries(Object.entries(start).filter(([name]) => !this.inputs.has(name)));
    if (more && Object.keys(this.late).length > 0) more.open = true;
  }

  label(name, help, input) {
    return h("label", { "data-field": name }, h("span", {}, name.replaceAll("_", " ")), input, h("small", {}, help));
  }

  field(one) {
    const about = h("small", { class: "about" });
    let input;
    if (one.kind === "flag") {
      input = h("input", { type: "checkbox", name: one.name });
      this.inputs.set(one.name, { input, one });
      return h("label", { class: "flag", "data-field": one.name }, input, h("span", {}, one.name.replaceAll("_", " ")), h("small", {}, one.help));
    }
    const common = { name: one.name, placeholder: one.default === null ? "" : String(one.default), required: one.required, spellcheck: one.prose };
    if (one.many || (one.prose && one.option === "")) input = h("textarea", { ...common, rows: 2 });
    else if (one.kind === "choice") input = h("select", { name: one.name }, h("option", { value: "" }, ""), one.choices.map((value) => h("option", { value }, value)));
    else if (one.choices.length > 0 && one.name !== "model") input = h("select", { name: one.name }, h("option", { value: "" }, one.default === null ? "" : `${one.default} (usual)`), one.choices.map((value) => h("option", { value }, value)));
    else {
      const list = one.kind === "file" ? "places" : one.choices.length > 0 ? `known-${one.name}` : null;
      input = h("input", { ...common, type: ["whole", "number"].includes(one.kind) ? "number" : "text", step: one.kind === "number" ? "any" : null, list, autocomplete: "off" });
      if (list && list !== "places") this.lists = [...(this.lists ?? []), h("datalist", { id: list }, one.choices.map((value) => h("option", { value })))];
    }
    this.inputs.set(one.name, { input, one });
    const says = () => { about.textContent = one.about[input.value || one.default] ?? ""; };
    input.addEventListener("input", says);
    says();
    const label = this.label(one.name, one.help + (one.many ? " One a line." : ""), input);
    label.append(about, ...(this.lists ?? []));
    this.lists = [];
    return label;
  }

  /** The settings that take time to find are asked for when they are wanted. */
  async more(details) {
    if (!details.open || details.dataset.loaded) return;
    details.dataset.loaded = "1";
    await attempt(async () => {
      const fields = await ask(`/api/more?${query({ verb: this.form.verb })}`);
      details.lastChild.replaceWith(h("div", { class: "fields" }, fields.map((one) => this.field(one))));
      this.fill(this.late);
    });
  }

  /** Fill in a preset; what another one said is taken back. */
  preset(values) {
    const others = new Set(this.form.presets.flatMap((one) => Object.keys(one.values)));
    this.fill({ ...Object.fromEntries([...others].map((name) => [name, ""])), ...values });
  }

  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const known = this.inputs.get(name);
      if (!known) continue;
      if (known.one.kind === "flag") known.input.checked = Boolean(value);
      else known.input.value = Array.isArray(value) ? value.join("\n") : String(value);
      known.input.dispatchEvent(new Event("input"));
    }
  }

  get values() {
    const out = {};
    for (const [name, { input, one }] of this.inputs) {
      if (one.kind === "flag") input.checked && (out[name] = true);
      else if (one.many) input.value.trim() && (out[name] = input.value.split("\n").filter((line) => line.trim()));
      else if (input.value.trim()) out[name] = input.value.trim();
    }
    return out;
  }

  async send(ordered) {
    this.fault.hidden = true;
    try {
      ordered(await order(this.form.verb, this.values, this.output.value.trim()));
      this.output.value = "";
    } catch (error) {
      this.fault.textContent = error.message;
      this.fault.hidden = false;
    }
  }
}
