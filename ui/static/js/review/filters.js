// The filters of the queue: they live in the address of the page, and can be saved under a name.

import { ask } from "../ask.js";
import { by, make, put } from "../dom.js";
import { text } from "../texts.js";
import { toast, toastFailure } from "../toast.js";

export class Filters {
  /**
   * @param {string} address where saved filters are
   * @param {() => void} onChange
   */
  constructor(address, onChange) {
    this.address = address;
    this.onChange = onChange;
    this.form = /** @type {HTMLFormElement} */ (by("filters"));
    this.saved = /** @type {HTMLSelectElement} */ (by("saved"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.changed();
    });
    this.form.addEventListener("change", (event) => event.target !== this.saved && this.changed());
    this.form.addEventListener("click", (event) => this.choose(event));
    by("more").addEventListener("click", () => this.showMore(by("more-fields").hidden));
    by("clear").addEventListener("click", () => this.use(""));
    by("save").addEventListener("click", () => this.save());
    by("forget").addEventListener("click", () => this.forget());
    this.saved.addEventListener("change", () => {
      by("forget").hidden = !this.saved.value;
      if (this.saved.value) this.use(this.saved.value);
    });
    this.load();
  }

  /** What is chosen, as it stands in an address. */
  get query() {
    const said = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (typeof value === "string" && value.trim()) said.set(name, value.trim());
    }
    return said.toString();
  }

  /** @param {boolean} isShown */
  showMore(isShown) {
    by("more-fields").hidden = !isShown;
    put(by("more"), "aria-expanded", String(isShown));
  }

  changed() {
    if (!this.form.reportValidity()) return;
    const query = this.query;
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    for (const each of document.querySelectorAll(".wrong-filter")) each.remove();
    this.onChange();
  }

  /** @param {Event} event */
  choose(event) {
    const chip = /** @type {HTMLElement} */ (event.target).closest("[data-why]");
    if (!(chip instanceof HTMLElement)) return;
    /** @type {HTMLInputElement} */ (by("f-why")).value = chip.dataset.why ?? "";
    this.press();
    this.changed();
  }

  press() {
    const why = /** @type {HTMLInputElement} */ (by("f-why")).value;
    for (const each of this.form.querySelectorAll("[data-why]")) {
      put(each, "aria-pressed", String(/** @type {HTMLElement} */ (each).dataset.why === why));
    }
  }

  /**
   * Takes a whole filter over.
   * @param {string} query
   */
  use(query) {
    const said = new URLSearchParams(query);
    for (const field of this.form.elements) {
      const input = /** @type {HTMLInputElement | HTMLSelectElement} */ (field);
      if (!input.name) continue;
      const value = said.get(input.name) ?? "";
      if (input instanceof HTMLSelectElement && value && ![...input.options].some((each) => each.value === value)) {
        input.add(new Option(value, value));
      }
      input.value = value;
      if (value && by("more-fields").contains(input)) this.showMore(true);
    }
    if (!query) this.saved.value = "";
    by("forget").hidden = !this.saved.value;
    this.press();
    this.changed();
  }

  async load() {
    try {
      this.show((await ask(this.address, { method: "GET", isQuiet: true })).filters);
    } catch {
      // The queue works without them.
    }
  }

  /** @param {{name: string, query: string}[]} filters */
  show(filters) {
    const first = make("option", "", text("review.saved"));
    put(first, "value", "");
    this.saved.replaceChildren(first, ...filters.map((each) => new Option(each.name, each.query)));
    this.saved.value = filters.some((each) => each.query === this.query) ? this.query : "";
    by("forget").hidden = !this.saved.value;
  }

  async save() {
    const dialog = /** @type {HTMLDialogElement} */ (by("name-dialog"));
    const field = /** @type {HTMLInputElement} */ (by("filter-name"));
    field.value = this.saved.selectedOptions[0]?.value ? this.saved.selectedOptions[0].text : "";
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    const name = field.value.trim();
    if (dialog.returnValue !== "ok" || !name) return;
    await this.tell("POST", { name, query: this.query }, text("review.save.done", { name }));
  }

  async forget() {
    const name = this.saved.selectedOptions[0]?.text ?? "";
    await this.tell("DELETE", { name }, text("review.undone"));
  }

  /**
   * @param {string} method
   * @param {object} body
   * @param {string} words
   */
  async tell(method, body, words) {
    try {
      this.show((await ask(this.address, { method, body })).filters);
      toast(words);
    } catch (error) {
      toastFailure(error);
    }
  }
}
