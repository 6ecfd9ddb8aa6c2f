// The first set-up: makes the first administrator with the code that the box has told its owner.

import { ask } from "../ask.js";
import { by } from "../dom.js";
import { inShort } from "../quoting.js";

const form = /** @type {HTMLFormElement} */ (by("setup"));
const trouble = /** @type {HTMLElement} */ (form.querySelector(".trouble"));

/** @param {...(Node | string)} words */
function say(...words) {
  trouble.hidden = false;
  trouble.querySelector("span")?.replaceChildren(...words);
}

/** @param {string} name */
function value(name) {
  return /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (value("password") !== value("repeated")) {
    say(form.dataset.differs ?? "");
    return;
  }
  try {
    const body = { code: value("code"), name: value("name"), password: value("password"), pin: value("pin") };
    await ask(form.dataset.url ?? "", { body });
    location.assign(by("access").dataset.onward ?? "/");
  } catch (error) {
    say(...inShort(error));
  }
});
