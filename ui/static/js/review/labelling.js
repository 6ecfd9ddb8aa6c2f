// Labels: the question for a class, and what can be taken back.

import { by, make, put } from "../dom.js";

/**
 * @typedef {{lane: number, epoch: number, part: number, version: number}} PartOfMany
 * @typedef {{kind: string | null, class: string}} Before what the same person had said
 * @typedef {{part: PartOfMany, before: Before, boxes?: any}} Step
 */

const REMEMBERED = "takt-review-undo";
const MOST_STEPS = 50;

/**
 * Asks for a class; `null` where somebody thought better of it.
 * @param {string[]} classes
 * @returns {Promise<string | null>}
 */
export function askClass(classes) {
  const dialog = /** @type {HTMLDialogElement} */ (by("class-dialog"));
  const other = /** @type {HTMLInputElement} */ (by("class-other"));
  other.value = "";
  dialog.returnValue = "";
  by("class-list").replaceChildren(
    ...classes.map((name) => {
      const button = make("button", "button", name);
      put(button, "type", "button");
      button.addEventListener("click", () => {
        other.value = name;
        dialog.close("other");
      });
      return button;
    }),
  );
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "other" && other.value.trim() ? other.value.trim() : null),
      { once: true },
    );
  });
}

/** What was done last, so that it can be taken back; kept for as long as the tab lives. */
export class Undo {
  constructor() {
    /** @type {Step[][]} */
    this.steps = read();
  }

  get isEmpty() {
    return !this.steps.length;
  }

  /** @param {Step[]} step */
  push(step) {
    if (!step.length) return;
    this.steps = [...this.steps.slice(1 - MOST_STEPS), step];
    this.write();
  }

  /** @returns {Step[]} */
  pop() {
    const last = this.steps.pop() ?? [];
    this.write();
    return last;
  }

  write() {
    try {
      sessionStorage.setItem(REMEMBERED, JSON.stringify(this.steps));
    } catch {
      // A browser that keeps nothing still takes back what was done on this page.
    }
  }
}

/** @returns {Step[][]} */
function read() {
  try {
    const said = JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "[]");
    return Array.isArray(said) ? said : [];
  } catch {
    return [];
  }
}
