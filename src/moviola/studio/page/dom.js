// Small helpers: elements, requests, notices.

/** Return an element: h("button", {class: "first", onclick: f}, "text", child ...). */
export function h(tag, attributes = {}, ...children) {
  const element = tag === "svg" || svgTags.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string" && !svgTags.has(tag)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const svgTags = new Set(["path", "line", "rect", "circle", "g", "text", "polyline"]);

/** Ask the server; the error line of a refusal is thrown. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = { "X-Moviola-Studio": "1" };
  const raw = body instanceof Blob;
  let reply;
  try {
    reply = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : raw ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the studio does not answer; is it still running?");
  }
  const value = await reply.json().catch(() => ({ error: `the studio answered ${reply.status}` }));
  if (!reply.ok) throw new Error(value.error);
  return value;
}

/** Show one line for a while; an error stays longer. */
export function notice(text, bad = false) {
  const line = h("p", { class: bad ? "bad" : "" }, String(text), h("button", { class: "quiet", "aria-label": "close", onclick: () => line.remove() }, "×"));
  document.getElementById("notice").append(line);
  setTimeout(() => line.remove(), bad ? 20000 : 5000);
}

/** Run something asynchronous; what it throws is shown. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") notice(error.message, true);
    return undefined;
  }
}

/** Return a query string. */
export const query = (values) => new URLSearchParams(values).toString();

/** Return the address of a file of the folder. */
export const media = (name) => `/media/${name.split("/").map(encodeURIComponent).join("/")}`;

/** Return the last part of a name. */
export const base = (name) => name.slice(name.lastIndexOf("/") + 1);

export function megabytes(size) {
  return size < 1e6 ? `${Math.max(1, Math.round(size / 1e3))} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

export function ago(seconds) {
  const past = Math.max(0, Date.now() / 1000 - seconds);
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) if (past >= length) return `${Math.floor(past / length)} ${unit} ago`;
  return "just now";
}

export function span(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const s = Math.round(seconds);
  return s >= 3600 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min` : s >= 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s} s`;
}
