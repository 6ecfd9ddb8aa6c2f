// The form that lets people in: by name and PIN on a touch screen, by name and password at a desk. It stands on its own
// page and in a dialog over any other.

import { ask, welcome } from "../ask.js";
import { inShort } from "../quoting.js";
import { Pad } from "./pad.js";

const KEPT = "takt.way";

export class Door {
  /**
   * @param {HTMLFormElement} form
   * @param {() => void} onIn
   */
  constructor(form, onIn) {
    this.form = form;
    this.onIn = onIn;
    this.name = /** @type {HTMLInputElement} */ (form.elements.namedItem("name"));
    this.password = /** @type {HTMLInputElement} */ (form.elements.namedItem("password"));
    this.trouble = /** @type {HTMLElement} */ (form.querySelector(".trouble"));
    this.pad = new Pad(/** @type {HTMLElement} */ (form.querySelector(".pad")), () => this.form.requestSubmit());
    for (const tile of this.tiles) tile.addEventListener("click", () => this.choose(tile.dataset.name ?? ""));
    for (const way of this.ways) way.addEventListener("click", () => this.go(way.dataset.way ?? ""));
    this.name.addEventListener("input", () => this.mark());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.go(this.kept() || (matchMedia("(pointer: coarse)").matches ? "pin" : "password"));
  }

  get tiles() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.form.querySelectorAll("[data-name]"));
  }

  get ways() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.form.querySelectorAll("[data-way]"));
  }

  get way() {
    return this.form.dataset.by ?? "pin";
  }

  /** @param {string} way pin or password */
  go(way) {
    this.form.dataset.by = way;
    for (const each of this.ways) each.setAttribute("aria-selected", String(each.dataset.way === way));
    this.say();
    try {
      localStorage.setItem(KEPT, way);
    } catch {
      // A browser that keeps nothing asks anew each time.
    }
  }

  kept() {
    try {
      return localStorage.getItem(KEPT) ?? "";
    } catch {
      return "";
    }
  }

  /** @param {string} name */
  choose(name) {
    this.name.value = name;
    this.pad.clear();
    this.mark();
    this.say();
    if (this.way === "password") this.password.focus();
  }

  mark() {
    for (const tile of this.tiles) tile.setAttribute("aria-pressed", String(tile.dataset.name === this.name.value));
  }

  async send() {
    const secret = this.way === "pin" ? this.pad.value : this.password.value;
    if (!this.name.value.trim() || !secret) {
      this.say(this.form.dataset.incomplete ?? "");
      return;
    }
    this.form.setAttribute("aria-busy", "true");
    try {
      const said = await ask(this.form.dataset.url ?? "", { body: { name: this.name.value, [this.way]: secret } });
      welcome(said);
      this.onIn();
    } catch (error) {
      this.say(...inShort(error));
    } finally {
      this.form.removeAttribute("aria-busy");
      this.pad.clear();
      this.password.value = "";
    }
  }

  /** @param {...(Node | string)} words none: all is well */
  say(...words) {
    this.trouble.hidden = !words.length;
    this.trouble.querySelector("span")?.replaceChildren(...words);
  }
}
