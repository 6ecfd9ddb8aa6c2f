// A command of the line's screens: asks, says what came of it, and fails aloud.

import { ask, Refused } from "../ask.js";
import { tell } from "../hold.js";
import { refusalOf } from "../quoting.js";
import { text } from "../texts.js";

/**
 * Sends a command.
 * @param {string} url
 * @param {Record<string, unknown>} body
 * @param {{ reason?: string, done?: (said: any) => string }} [how] `done` gives the words for what was done
 * @returns {Promise<any>} the answer
 */
export async function command(url, body, how = {}) {
  try {
    const said = await ask(url, { body, reason: how.reason });
    if (how.done) tell(how.done(said), false);
    return said;
  } catch (error) {
    fail(error);
    throw error;
  }
}

/**
 * Says what is refused, and what to do about it.
 * @param {unknown} error
 */
export function fail(error) {
  if (!(error instanceof Refused)) tell(text("line.trouble"), true);
  else if (error.isForeign) tell(refusalOf(error), true);
  else tell(text("line.refused", { what: capital(error.what), mend: capital(error.mend) }), true);
}

/**
 * What a screen shows.
 * @param {string} url
 * @returns {Promise<any>} `null` where it cannot be had, which is told
 */
export async function fetched(url) {
  try {
    return await ask(url, { method: "GET" });
  } catch (error) {
    fail(error);
    return null;
  }
}

/** @param {string} words */
function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1).replace(/\.$/, "");
}
