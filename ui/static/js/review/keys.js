// The keyboard: what each key does, the table of them, and when a key is meant for a field instead.

import { by, make } from "../dom.js";

/**
 * @typedef {object} Key
 * @property {string[]} names as they stand in the table
 * @property {string} words what it does
 * @property {(event: KeyboardEvent) => boolean} fits
 * @property {(event: KeyboardEvent) => void} act
 */

/**
 * A key by the letter or name that it types.
 * @param {string[]} keys
 * @param {string} words
 * @param {(event: KeyboardEvent) => void} act
 * @param {string[]} [names]
 * @returns {Key}
 */
export function key(keys, words, act, names = keys) {
  const fits = (/** @type {KeyboardEvent} */ event) => keys.includes(event.key) && !event.ctrlKey && !event.metaKey;
  return { names, words, fits, act };
}

/**
 * Works a page by keys, and shows their table when asked.
 * @param {Key[]} keys
 * @param {string} helpWords
 */
export function useKeys(keys, helpWords) {
  const all = [...keys, key(["?"], helpWords, showTable)];
  const list = by("keys-list");
  for (const each of all) {
    const names = each.names.map((name) => make("kbd", "", name));
    list.append(make("dt", "", ...names.flatMap((name, place) => (place ? [" ", name] : [name]))), make("dd", "", each.words));
  }
  by("help").addEventListener("click", showTable);
  for (const each of document.querySelectorAll("dialog [data-close]")) {
    each.addEventListener("click", () => each.closest("dialog")?.close(""));
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || isForAField(event)) return;
    const found = all.find((each) => each.fits(event));
    if (!found) return;
    event.preventDefault();
    found.act(event);
  });
}

function showTable() {
  /** @type {HTMLDialogElement} */ (by("keys-dialog")).showModal();
}

/** @param {KeyboardEvent} event */
function isForAField(event) {
  if (document.querySelector("dialog[open]")) return true;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches("input:not([type='checkbox']), select, textarea")) return true;
  return (event.key === "Enter" || event.key === " ") && target.matches("a, button, input, summary");
}
