// One pair after another: two clips in step, a choice for each question, progress kept in this browser, answers as a file.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const clips = JSON.parse(byId("clips").textContent);
  const steps = data.pairs.flatMap((pair, number) => pair.criteria.map((criterion) => ({ pair: number, criterion })));
  const sides = [byId("a"), byId("b")];
  const CHOICES = [["left", "A"], ["tie", "equal"], ["right", "B"]];
  const KEYS = {
    ArrowLeft: "left", a: "left", 1: "left", ArrowRight: "right", b: "right", 2: "right",
    ArrowDown: "tie", 0: "tie", t: "tie", "=": "tie",
  };

  // ---- what is kept: who answers, and the answer of each step
  const place = "moviola-study-" + data.study;
  let state = null;
  let at = 0;
  let since = performance.now();

  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(place));
      return kept && kept.session && kept.answers ? kept : null;
    } catch { return null; }
  }
  function keep() {
    try { localStorage.setItem(place, JSON.stringify(state)); } catch {
      trouble("This browser keeps nothing: save your answers before you close the page.");
    }
  }
  function drawSession() {
    return [...crypto.getRandomValues(new Uint8Array(8))].map((v) => v.toString(16).padStart(2, "0")).join("");
  }
  const nameOf = (step) => `${step.pair}/${step.criterion}`;
  const answerOf = (step) => state.answers[nameOf(step)];
  const answered = () => steps.filter(answerOf).length;
  function trouble(text) {
    byId("trouble").textContent = text;
    byId("trouble").hidden = false;
  }

  // ---- the two clips, which begin together, stay in step and begin again when both have ended
  const urls = new Map();
  let turn = 0;
  function urlOf(number) {
    if (!urls.has(number)) {
      const [head, body] = clips[number].split(",");
      const bytes = Uint8Array.from(atob(body), (sign) => sign.charCodeAt(0));
      urls.set(number, URL.createObjectURL(new Blob([bytes], { type: head.slice(5, head.indexOf(";")) })));
    }
    return urls.get(number);
  }
  const once = (target, event) => new Promise((done) => target.addEventListener(event, done, { once: true }));
  async function rewind(clip) {
    clip.pause();
    if (clip.readyState < 2) await Promise.race([once(clip, "loadeddata"), new Promise((done) => setTimeout(done, 1500))]);
    if (clip.currentTime > 0) {
      const there = once(clip, "seeked");
      clip.currentTime = 0;
      await there;
    }
  }
  async function replay() {
    const mine = ++turn;
    held = null;
    await Promise.all(sides.map(rewind));
    if (mine === turn) sides.forEach((clip) => clip.play().catch(() => {}));
  }
  function show(pair) {
    const ratio = () => Math.max(...sides.map((clip) => clip.videoWidth / clip.videoHeight || 0)) || 1;
    sides.forEach((clip, side) => {
      clip.src = urlOf(side ? pair.b : pair.a);
      clip.onloadedmetadata = () => {
        byId("pair").style.setProperty("--ratio", ratio());
        byId("pair").classList.toggle("wide", ratio() > 1.25);
      };
      clip.onerror = () => trouble("This browser cannot play the clips; open the page in another one.");
      clip.onended = () => { if (sides.every((each) => each.ended)) setTimeout(() => sides.every((each) => each.ended) && replay(), 300); };
    });
    replay();
  }
  // a clip that is ahead by a little goes slower, by more it waits: seeking would put a busy machine further behind
  let held = null;
  setInterval(() => {
    const [one, two] = sides;
    if (held) {
      const other = held === one ? two : one;
      if (!other.ended && other.currentTime < held.currentTime - 0.01) return;
      held.play().catch(() => {});
      held = null;
    }
    if (one.paused || two.paused || one.seeking || two.seeking) return;
    const lead = one.currentTime - two.currentTime;
    one.playbackRate = lead > 0.005 ? 1 - Math.min(0.3, 4 * lead) : 1;
    two.playbackRate = lead < -0.005 ? 1 - Math.min(0.3, -4 * lead) : 1;
    if (Math.abs(lead) > 0.1) {
      held = lead > 0 ? one : two;
      held.pause();
    }
  }, 50);

  // ---- the questions of the pair that is shown
  let shown = -1;
  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  }
  function row(step, index) {
    const criterion = data.criteria[step.criterion];
    const item = element("li", "", index === at ? "now" : "");
    const text = element("div");
    text.append(element("b", criterion.title), element("span", criterion.question));
    const choices = element("div", "", "choices");
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", `${criterion.title}. ${criterion.question}`);
    for (const [choice, label] of CHOICES) {
      const button = element("button", label);
      button.setAttribute("aria-pressed", String(answerOf(step)?.choice === choice));
      button.onclick = (event) => { if (event.detail) button.blur(); at = index; choose(choice); };
      choices.append(button);
    }
    item.append(text, choices);
    return item;
  }
  function draw() {
    for (const id of ["start", "judge", "end"]) byId(id).hidden = id !== (at < steps.length ? "judge" : "end");
    const done = answered();
    byId("progress").value = done / steps.length;
    if (at >= steps.length) {
      sides.forEach((clip) => clip.pause());
      shown = -1;
      byId("place").textContent = `${done} of ${steps.length} answered`;
      byId("finish").focus();
      return;
    }
    const number = steps[at].pair, pair = data.pairs[number];
    byId("place").textContent = `Pair ${number + 1} of ${data.pairs.length}`;
    byId("caption").textContent = pair.caption || "";
    byId("caption").hidden = !pair.caption;
    byId("questions").replaceChildren(...steps.flatMap((step, i) => (step.pair === number ? [row(step, i)] : [])));
    byId("back").disabled = at === 0;
    if (number !== shown) {
      shown = number;
      show(pair);
      scrollTo(0, 0);
    }
    since = performance.now();
  }
  function choose(choice) {
    const step = steps[at], seconds = Math.round(performance.now() - since) / 1000;
    state.answers[nameOf(step)] = { ...step, choice, seconds, time: new Date().toISOString() };
    keep();
    const first = steps.findIndex((other) => other.pair === step.pair);
    let next = steps.findIndex((other, i) => i >= first && !answerOf(other));
    if (next < 0) next = steps.findIndex((other) => !answerOf(other));
    at = next < 0 ? steps.length : next;
    draw();
  }
  function back() {
    at = Math.max(0, at - 1);
    draw();
  }

  // ---- who answers, and the file
  function begin(kept) {
    state = kept;
    keep();
    const next = steps.findIndex((step) => !answerOf(step));
    at = next < 0 ? steps.length : next;
    shown = -1;
    document.activeElement?.blur();
    draw();
  }
  function welcome() {
    const kept = load();
    for (const id of ["start", "judge", "end"]) byId(id).hidden = id !== "start";
    byId("place").textContent = "";
    byId("progress").value = 0;
    byId("earlier").hidden = !kept;
    if (kept) {
      const count = Object.keys(kept.answers).length;
      byId("earlier").firstElementChild.textContent = `${kept.rater} has answered ${count} of ${steps.length} questions.`;
      byId("resume").onclick = () => begin(kept);
    }
  }
  function save() {
    const answers = steps.map(answerOf).filter(Boolean);
    const file = {
      format: "moviola-study-answers", version: 1, study: data.study, rater: state.rater, session: state.session,
      saved: new Date().toISOString(), answers,
    };
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1) + "\n"], { type: "application/json" }));
    link.download = `answers-${state.rater.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40) || "rater"}-${state.session.slice(0, 4)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    byId("saved").textContent = `Saved as ${link.download}, with ${answers.length} of ${steps.length} answers.`;
  }

  byId("enter").onsubmit = (event) => {
    event.preventDefault();
    const rater = byId("name").value.trim();
    if (!rater) return;
    const kept = load();
    if (kept && Object.keys(kept.answers).length && !confirm(`Start anew? What ${kept.rater} answered is then gone from this browser.`)) return;
    begin({ rater, session: drawSession(), answers: {} });
  };
  byId("back").onclick = byId("look").onclick = back;
  byId("replay").onclick = (event) => { if (event.detail) event.target.blur(); replay(); };
  byId("another").onclick = welcome;
  document.querySelectorAll(".save").forEach((button) => { button.onclick = save; });
  document.addEventListener("keydown", (event) => {
    if (byId("judge").hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
    const onButton = event.target.tagName === "BUTTON";
    const choice = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (choice && !event.repeat) choose(choice);
    else if (event.key === " " && !onButton) replay();
    else if (event.key === "Backspace" || event.key === "ArrowUp") back();
    else return;
    event.preventDefault();
  });
  welcome();
})();
