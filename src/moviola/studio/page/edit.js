import { h } from "./dom.js";
export async function open(main) { main.append(h("p", {}, "…")); }
