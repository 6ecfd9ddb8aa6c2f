// Why a part was rejected, in words.

import { make, quoted } from "./dom.js";
import { fillCloseUp } from "./pictures.js";
import { decimal, hasText, text, whole } from "./texts.js";

/** @typedef {import("./pictures.js").Part} Part */
/** @typedef {import("./pictures.js").Finding} Finding */

const MOST = 2;

/**
 * A reason's code in words.
 * @param {string} code
 */
export function reasonOf(code) {
  return text(hasText(`reason.${code}`) ? `reason.${code}` : "reason.");
}

/**
 * The reason of a part in a few words.
 * @param {Part} part
 */
export function inShort(part) {
  if (part.rerouted) return reasonOf(part.rerouted);
  const first = part.findings[0];
  if (!first) return "";
  return first.label ? `${first.label} ${decimal(first.score ?? 0, 2)}` : reasonOf(first.kind);
}

/**
 * The reasons of a part, a row each.
 * @param {Part} part
 * @returns {HTMLElement[]}
 */
export function rowsOf(part) {
  const rows = part.findings.slice(0, MOST).map((each) => rowOf(part, each));
  if (part.rerouted) rows.unshift(make("li", "", make("p", "what", reasonOf(part.rerouted))));
  const more = part.findings.length - MOST;
  if (more > 0) rows.push(make("li", "quiet", text("finding.more", { count: more })));
  return rows.length ? rows : [make("li", "quiet", text("finding.nothing"))];
}

/**
 * @param {Part} part
 * @param {Finding} finding
 */
function rowOf(part, finding) {
  if (!finding.label) {
    return make("li", "", make("p", "what", reasonOf(finding.kind)), quoted("p", "quiet small", finding.text));
  }
  const what = make("p", "what", make("span", "", finding.label), make("span", "score", decimal(finding.score ?? 0, 2)));
  if (finding.kind !== "DEFECT") what.append(make("span", "kind", reasonOf(finding.kind)));
  const closeUp = make("span", "thumb");
  fillCloseUp(closeUp, part, finding);
  return make("li", "close", closeUp, make("div", "", what, make("p", "quiet small", placeOf(part, finding))));
}

/**
 * Where in the picture: in words for the eye, in pixels for whoever writes it down.
 * @param {Part} part
 * @param {Finding} finding
 */
function placeOf(part, finding) {
  const { x = 0, y = 0, width = 0, height = 0 } = finding;
  const picture = part.pictures[0];
  const third = (/** @type {number} */ at, /** @type {number} */ size) =>
    size ? Math.min(2, Math.max(0, Math.floor((3 * at) / size))) : 1;
  const column = third(x + width / 2, picture?.width ?? 0);
  const row = third(y + height / 2, picture?.height ?? 0);
  const place = text(`place.${column}.${row}`);
  return text("finding.place", { place, x: whole(x), y: whole(y), width: whole(width), height: whole(height) });
}
