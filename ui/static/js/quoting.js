// Sentences in which somebody else's words stand: those of the station, of a process, of the server. Around them the page
// speaks its own language.

import { Refused } from "./ask.js";
import { make, quoted } from "./dom.js";
import { hasText, text } from "./texts.js";

const MARK = "\u0000";

/**
 * A text of the page with its values put in, some of which are quoted.
 * @param {string} key
 * @param {Record<string, string>} said by name: the values that are quoted
 * @param {Record<string, string | number>} [values] the others
 * @returns {(Node | string)[]}
 */
export function phrase(key, said, values = {}) {
  const marked = Object.fromEntries(Object.keys(said).map((name) => [name, MARK + name + MARK]));
  const pieces = text(key, { ...values, ...marked }).split(MARK);
  return pieces
    .map((piece, place) => (place % 2 ? quoted("span", "said", said[piece]) : piece))
    .filter((piece) => piece !== "");
}

/**
 * What was refused or went wrong, and what to do about it. Where the server says it in another language than the page
 * speaks, its words stand under a heading in that of the page.
 * @param {unknown} error
 * @returns {(Node | string)[]}
 */
export function refusalOf(error) {
  if (!(error instanceof Refused)) return headed(0, error instanceof Error ? error.message : String(error));
  return error.isForeign ? headed(error.status, error.message) : [error.message];
}

/**
 * What was refused, without what to do about it where the page itself makes that plain.
 * @param {unknown} error
 * @returns {(Node | string)[]}
 */
export function inShort(error) {
  return error instanceof Refused && !error.isForeign ? [error.what] : refusalOf(error);
}

/**
 * Writes what was refused to the two places that a page has for it.
 * @param {unknown} error
 * @param {Element} what
 * @param {Element} mend
 */
export function writeRefusal(error, what, mend) {
  if (error instanceof Refused && !error.isForeign) {
    what.replaceChildren(error.what);
    mend.replaceChildren(error.mend);
    return;
  }
  const [heading, ...said] = refusalOf(error);
  what.replaceChildren(...(said.length ? [heading] : []));
  mend.replaceChildren(...(said.length ? said : [heading]));
}

/**
 * @param {number} status
 * @param {string} words
 */
function headed(status, words) {
  const key = `refusal.${status}`;
  const heading = hasText(key) ? text(key) : hasText("refusal.other") ? text("refusal.other") : "";
  const said = quoted("span", "said", words);
  return heading ? [make("strong", "", heading), " ", said] : [said];
}
