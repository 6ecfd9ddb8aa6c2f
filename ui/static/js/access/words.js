// How times and browsers are written on the pages of people.

import { text } from "../texts.js";

/** @param {number | null} us microseconds since 1970 UTC */
export function time(us) {
  if (us === null) return text("access.never");
  const at = new Date(us / 1000);
  const form = /** @type {const} */ ({ dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
  return new Intl.DateTimeFormat(document.documentElement.lang, form).format(at);
}

/** @param {string} words what the browser says of itself */
export function agent(words) {
  const known = [
    ["Firefox/", "Firefox"],
    ["Edg/", "Edge"],
    ["Chrome/", "Chromium"],
    ["Safari/", "Safari"],
  ].find(([mark]) => words.includes(mark));
  return known?.[1] ?? (words || text("access.agent.unknown"));
}
