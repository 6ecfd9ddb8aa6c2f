// A form in a dialog: sends what it holds as JSON, says in place what is wrong with it, and closes when it is done.

import { ask } from "../ask.js";
import { by } from "../dom.js";
import { refusalOf } from "../quoting.js";

export class FormDialog {
  /**
   * @param {string} id of the dialog
   * @param {(said: any) => void} onDone
   * @param {(form: HTMLFormElement) => Record<string, unknown>} [bodyOf] where the fields are not sent as they are
   */
  constructor(id, onDone, bodyOf = fieldsOf) {
    this.dialog = /** @type {HTMLDialogElement} */ (by(id));
    this.form = /** @type {HTMLFormElement} */ (this.dialog.querySelector("form"));
    this.trouble = /** @type {HTMLElement} */ (this.form.querySelector(".trouble"));
    this.onDone = onDone;
    this.bodyOf = bodyOf;
    this.dialog.querySelector("[data-cancel]")?.addEventListener("click", () => this.dialog.close());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  /**
   * Opens it, empty but for some values.
   * @param {Record<string, string>} [values]
   */
  open(values = {}) {
    this.form.reset();
    this.say();
    for (const [name, value] of Object.entries(values)) {
      const field = this.form.elements.namedItem(name);
      if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
    }
    for (const place of this.dialog.querySelectorAll("[data-who]")) place.textContent = values.name ?? "";
    this.dialog.showModal();
  }

  async send() {
    try {
      const said = await ask(this.form.dataset.url ?? "", { body: this.bodyOf(this.form) });
      this.dialog.close();
      this.onDone(said);
    } catch (error) {
      this.say(...refusalOf(error));
    }
  }

  /** @param {...(Node | string)} words none: all is well */
  say(...words) {
    this.trouble.hidden = !words.length;
    this.trouble.querySelector("span")?.replaceChildren(...words);
  }
}

/** @param {HTMLFormElement} form */
function fieldsOf(form) {
  return Object.fromEntries(new FormData(form));
}
