// The last hour and the running shift: the account, the yield, and what parts were rejected for.

import { draw, make, say } from "../dom.js";
import { reasonOf } from "../findings.js";
import { hasText, percent, text, timeOfDay, whole } from "../texts.js";
import { fetched } from "./commanding.js";

const LOOK_MS = 5000;
const COUNTS = ["triggers", "passed", "rejected", "lost", "in_flight"];

export class StretchScreen {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    this.timer = 0;
  }

  open() {
    this.look();
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  close() {
    clearInterval(this.timer);
  }

  async look() {
    const said = await fetched(this.url);
    if (!said) return;
    for (const name of ["hour", "shift"]) write(name, said[name]);
  }
}

/**
 * @param {string} name
 * @param {any} stretch
 */
function write(name, stretch) {
  const section = /** @type {Element} */ (document.querySelector(`[data-stretch="${name}"]`)?.closest("section"));
  const put = (/** @type {string} */ of, /** @type {string} */ words) =>
    say(/** @type {Element} */ (section.querySelector(`[data-of="${of}"]`)), words);
  put("since", text("shift.since", { clock: timeOfDay(Date.now() - stretch.since_us / 1000).slice(0, 5) }));
  for (const each of COUNTS) put(each, whole(stretch.tally[each]));
  put("yield", stretch.yield_share === null ? text("yield.none") : percent(stretch.yield_share));
  const list = /** @type {Element} */ (document.querySelector(`[data-causes="${name}"]`));
  const most = Math.max(1, ...stretch.causes.map((/** @type {any} */ each) => each.parts));
  const rows = stretch.causes.map((/** @type {any} */ each) => causeRow(each, most));
  const none = text(stretch.tally.triggers ? "shift.causes.none" : "shift.none");
  list.replaceChildren(...(rows.length ? rows : [make("li", "quiet", none)]));
}

/**
 * @param {{ cause: string, parts: number }} cause
 * @param {number} most
 */
function causeRow({ cause, parts }, most) {
  const bar = draw("svg", { class: "bar", viewBox: "0 0 200 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(draw("rect", { class: "model", width: (200 * parts) / most, height: 10 }));
  const words = hasText(`reason.${cause}`) ? reasonOf(cause) : cause;
  return make("li", "", make("span", "name", words), bar, make("strong", "", whole(parts)));
}
