// The screens that the keys at the side open over the overview. One at a time; left alone, they close by themselves.

import { by, put } from "../dom.js";

/** An operator comes back to a page that shows the line. */
const LEFT_MS = 90_000;

/**
 * @typedef {object} Screen
 * @property {() => void} [open] called when it is shown
 * @property {() => void} [close] called when it is not shown any more
 */

export class Screens {
  /** @param {Record<string, Screen>} screens by name; each has a section `screen-NAME` */
  constructor(screens) {
    this.screens = screens;
    this.shown = "";
    this.timer = 0;
    /** @type {HTMLElement | null} */
    this.opener = null;
    for (const key of document.querySelectorAll("[data-screen]")) {
      const opener = /** @type {HTMLElement} */ (key);
      opener.addEventListener("click", () => this.toggle(opener.dataset.screen ?? "", opener));
    }
    for (const key of document.querySelectorAll("[data-back]")) key.addEventListener("click", () => this.close());
    for (const pager of document.querySelectorAll(".pager")) turnPages(/** @type {HTMLElement} */ (pager));
    document.addEventListener("keydown", (event) => event.key === "Escape" && !isAsking() && this.close());
    for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, () => this.stay(), { passive: true });
  }

  /**
   * @param {string} name
   * @param {HTMLElement | null} opener
   */
  toggle(name, opener = null) {
    if (this.shown === name) this.close();
    else this.open(name, opener);
  }

  /**
   * @param {string} name
   * @param {HTMLElement | null} opener
   */
  open(name, opener = null) {
    this.leave();
    this.shown = name;
    this.opener = opener;
    const section = by(`screen-${name}`);
    section.hidden = false;
    put(document.body, "data-shown", name);
    this.mark();
    this.screens[name].open?.();
    /** @type {HTMLElement | null} */ (section.querySelector("h2"))?.focus();
    this.stay();
  }

  close() {
    if (!this.shown) return;
    this.leave();
    put(document.body, "data-shown", null);
    this.mark();
    this.opener?.focus();
  }

  leave() {
    clearTimeout(this.timer);
    if (!this.shown) return;
    by(`screen-${this.shown}`).hidden = true;
    this.screens[this.shown].close?.();
    this.shown = "";
  }

  mark() {
    for (const key of document.querySelectorAll("[data-screen][aria-expanded]")) {
      put(key, "aria-expanded", String(/** @type {HTMLElement} */ (key).dataset.screen === this.shown));
    }
  }

  stay() {
    clearTimeout(this.timer);
    if (this.shown) this.timer = setTimeout(() => (isAsking() ? this.stay() : this.close()), LEFT_MS);
  }
}

function isAsking() {
  return document.querySelector("dialog[open]") !== null;
}

/**
 * Turns the pages of a list by keys, as nothing is dragged here; the keys show while there is more than a page.
 * @param {HTMLElement} pager
 */
function turnPages(pager) {
  const list = by(pager.dataset.for ?? "");
  const [up, down] = /** @type {NodeListOf<HTMLButtonElement>} */ (pager.querySelectorAll("[data-turn]"));
  const look = () => {
    pager.hidden = list.scrollHeight <= list.clientHeight + 1;
    up.disabled = list.scrollTop <= 0;
    down.disabled = list.scrollTop + list.clientHeight >= list.scrollHeight - 1;
  };
  for (const key of [up, down]) {
    key.addEventListener("click", () => {
      list.scrollBy({ top: Number(key.dataset.turn) * list.clientHeight * 0.9 });
      look();
    });
  }
  list.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(list);
  new MutationObserver(look).observe(list, { childList: true });
}
