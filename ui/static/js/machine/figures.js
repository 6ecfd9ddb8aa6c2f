// How a figure of the box is written, and a line of the last ten minutes of one.

import { put } from "../dom.js";
import { decimal, percent, span, text, whole } from "../texts.js";

const GB = 1e9;
const MB = 1e6;

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes === 0) return "0 MB";
  return Math.abs(bytes) >= GB ? `${decimal(bytes / GB, 1)} GB` : `${decimal(bytes / MB, bytes < MB ? 2 : 0)} MB`;
}

/** @param {number} share of one core or of a whole, 0 .. 1 and more */
export function share(share) {
  return share > 0 && share < 0.001 ? `< ${decimal(0.1, 1)} %` : percent(share);
}

/** @param {number} ms since 1970 UTC */
export function moment(ms) {
  const form = /** @type {const} */ ({ dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
  return new Intl.DateTimeFormat(document.documentElement.lang, form).format(new Date(ms));
}

/** @type {Record<string, (value: any) => string>} */
const WRITTEN = {
  text: String,
  words: (value) => text(value),
  count: whole,
  number: (value) => decimal(value, 2),
  celsius: (value) => `${decimal(value, 0)} °C`,
  mhz: (value) => `${whole(value)} MHz`,
  watt: (value) => `${decimal(value, 1)} W`,
  share,
  bytes,
  ms: (value) => `${decimal(value, 2)} ms`,
  span,
  days: (value) => text("diagnosis.days", { count: value >= 10 ? whole(value) : decimal(value, 1) }),
  moment,
  mm_s: (value) => `${decimal(value, 0)} mm/s`,
  yes: (value) => text(value ? "diagnosis.yes" : "diagnosis.no"),
};

/**
 * @param {{ value: any, unit: string }} fact
 */
export function written(fact) {
  return fact.value === null ? text("diagnosis.unknown") : WRITTEN[fact.unit](fact.value);
}

/** The last values of one figure, kept in this page and drawn as a line. */
export class Trace {
  /**
   * @param {SVGSVGElement} svg 600 by 60
   * @param {number} most how many values
   */
  constructor(svg, most) {
    this.svg = svg;
    this.most = most;
    /** @type {(number | null)[]} */
    this.values = [];
  }

  /**
   * @param {number | null} value
   * @param {number | null} [limit] drawn across
   */
  add(value, limit = null) {
    this.values.push(value);
    if (this.values.length > this.most) this.values.shift();
    const known = this.values.filter((each) => each !== null);
    this.svg.toggleAttribute("hidden", known.length < 2);
    if (known.length < 2) return;
    const top = Math.max(...known, limit ?? -Infinity);
    const low = Math.min(...known);
    const height = Math.max(top - low, 0.05 * Math.abs(top), 1e-6);
    /** @param {number} each */
    const y = (each) => (56 - (52 * (each - low)) / height).toFixed(1);
    const first = this.most - this.values.length;
    let path = "";
    let isDown = false;
    for (const [at, each] of this.values.entries()) {
      if (each !== null) path += `${isDown ? "L" : "M"}${((600 * (first + at)) / (this.most - 1)).toFixed(1)} ${y(each)}`;
      isDown = each !== null;
    }
    put(/** @type {Element} */ (this.svg.querySelector("[data-trace]")), "d", path);
    put(/** @type {Element} */ (this.svg.querySelector("[data-limit]")), "d", limit === null ? "" : `M0 ${y(limit)}H600`);
  }
}

/**
 * Asks again and again while somebody looks at the page, and never twice at once.
 * @param {() => Promise<void>} look
 * @param {number} everyMs
 */
export function whileSeen(look, everyMs) {
  let timer = 0;
  let isLooking = false;
  async function turn() {
    clearTimeout(timer);
    if (isLooking || document.hidden) return;
    isLooking = true;
    await look();
    isLooking = false;
    timer = setTimeout(turn, everyMs);
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  return turn;
}
