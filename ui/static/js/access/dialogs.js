// The two dialogs that a command may call for: who is there, and whether they mean it.

import { ask } from "../ask.js";
import { inShort } from "../quoting.js";
import { Door } from "./door.js";
import { openOver } from "./over.js";
import { Pad } from "./pad.js";

/** @type {Door | null} */
let door = null;
let leave = () => {};

/**
 * Asks who is there.
 * @returns {Promise<boolean>} somebody has signed in
 */
export function signIn() {
  const dialog = dialogOf("door-dialog");
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  door ??= new Door(form, () => leave());
  return new Promise((resolve) => {
    let isIn = false;
    leave = () => {
      isIn = true;
      // Who came in by PIN gives it again by the pad.
      const asking = document.querySelector("#again-dialog form");
      if (asking instanceof HTMLElement && door) asking.dataset.way = door.way;
      dialog.close();
    };
    dialog.addEventListener("close", () => resolve(isIn), { once: true });
    openOver(dialog);
  });
}

/**
 * Asks for the PIN or password again, and for a reason.
 * @param {boolean} needsSecret not where it was given a moment ago
 * @param {string} reason what stands there at first
 * @returns {Promise<string | null>} the reason; `null` where somebody thought better of it
 */
export function again(needsSecret, reason) {
  const dialog = dialogOf("again-dialog");
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("reason"));
  const password = /** @type {HTMLInputElement} */ (form.elements.namedItem("secret"));
  form.dataset.needs = needsSecret ? "secret" : "";
  field.value = reason || field.value;
  password.value = "";
  pad(form).clear();
  trouble(form);
  return new Promise((resolve) => {
    /** @type {string | null} */
    let given = null;
    form.onsubmit = async (event) => {
      event.preventDefault();
      given = await proven(form, needsSecret, pad(form).value || password.value, field.value.trim());
      if (given !== null) dialog.close();
    };
    dialog.addEventListener(
      "close",
      () => {
        field.value = "";
        resolve(given);
      },
      { once: true },
    );
    openOver(dialog);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {boolean} needsSecret
 * @param {string} secret
 * @param {string} reason
 */
async function proven(form, needsSecret, secret, reason) {
  if (!reason || (needsSecret && !secret)) {
    trouble(form, form.dataset.incomplete ?? "");
    return null;
  }
  try {
    if (needsSecret) await ask(form.dataset.url ?? "", { body: { secret } });
    return reason;
  } catch (error) {
    trouble(form, ...inShort(error));
    pad(form).clear();
    return null;
  }
}

/** @type {Pad | null} */
let thePad = null;

/** @param {HTMLFormElement} form */
function pad(form) {
  thePad ??= new Pad(/** @type {HTMLElement} */ (form.querySelector(".pad")), () => form.requestSubmit());
  return thePad;
}

/**
 * @param {HTMLElement} form
 * @param {...(Node | string)} words none: all is well
 */
function trouble(form, ...words) {
  const place = /** @type {HTMLElement} */ (form.querySelector(".trouble"));
  place.hidden = !words.length;
  place.querySelector("span")?.replaceChildren(...words);
}

/** @param {string} id */
function dialogOf(id) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById(id));
  if (!dialog.dataset.ready) {
    dialog.dataset.ready = "yes";
    dialog.querySelector("[data-cancel]")?.addEventListener("click", () => dialog.close());
    for (const chip of dialog.querySelectorAll("[data-reason]")) {
      chip.addEventListener("click", () => {
        const field = /** @type {HTMLInputElement | null} */ (dialog.querySelector("input[name=reason]"));
        if (field) field.value = /** @type {HTMLElement} */ (chip).dataset.reason ?? "";
      });
    }
  }
  return dialog;
}
