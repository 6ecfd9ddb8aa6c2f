// The last parts side by side, newest first, moving on like the belt.

import { by, icon, make, put, say } from "./dom.js";
import { inShort } from "./findings.js";
import { fillThumb } from "./pictures.js";
import { text } from "./texts.js";

/** @typedef {import("./pictures.js").Part} Part */

const MOST = 12;

export class Strip {
  /** @param {(part: Part) => void} onChosen */
  constructor(onChosen) {
    this.onChosen = onChosen;
    this.list = by("strip");
    /** Newest first. @type {{part: Part, item: HTMLElement, tile: HTMLElement}[]} */
    this.entries = [];
  }

  /** @param {Part} part */
  take(part) {
    const known = this.entries.find((each) => each.part.key === part.key);
    if (known) {
      known.part = part;
      this.write(known);
      return;
    }
    const place = this.entries.findIndex((each) => each.part.at_ms <= part.at_ms);
    if (place < 0 && this.entries.length >= MOST) return;
    this.insert(part, place < 0 ? this.entries.length : place);
    while (this.entries.length > MOST) this.entries.pop()?.item.remove();
    by("strip-empty").hidden = true;
  }

  /** @param {Part[]} parts newest first: all that there are */
  replace(parts) {
    const keys = new Set(parts.map((each) => each.key));
    this.entries = this.entries.filter((each) => keys.has(each.part.key) || each.item.remove());
    for (const part of [...parts].reverse()) this.take(part);
    by("strip-empty").hidden = this.entries.length > 0;
  }

  /** @param {string | null} key of the part that is held */
  press(key) {
    for (const each of this.entries) put(each.tile, "aria-pressed", String(each.part.key === key));
  }

  /**
   * @param {Part} part
   * @param {number} place
   */
  insert(part, place) {
    const tile = make("button", "tile key", make("span", "thumb"), make("span", "mark"));
    tile.setAttribute("type", "button");
    tile.setAttribute("aria-pressed", "false");
    const entry = { part, item: make("li", "", tile), tile };
    tile.addEventListener("click", () => this.onChosen(entry.part));
    this.list.insertBefore(entry.item, this.entries[place]?.item ?? by("strip-empty"));
    this.entries.splice(place, 0, entry);
    this.write(entry);
  }

  /** @param {{part: Part, tile: HTMLElement}} entry */
  write({ part, tile }) {
    const mark = /** @type {HTMLElement} */ (tile.querySelector(".mark"));
    const isFlagged = part.is_flagged && part.verdict === "pass";
    const shape = isFlagged ? "warn" : part.verdict;
    if (tile.dataset.shape !== shape) {
      tile.dataset.shape = shape;
      mark.replaceChildren(icon(shape), make("span"));
    }
    put(tile, "data-verdict", part.verdict);
    put(tile, "data-flagged", part.is_flagged ? "yes" : "no");
    say(/** @type {Element} */ (mark.lastElementChild), String(part.part));
    const verdict = text(`verdict.${part.verdict}`);
    put(tile, "aria-label", text("strip.tile", { number: part.part, verdict, reason: inShort(part) }));
    fillThumb(/** @type {HTMLElement} */ (tile.firstElementChild), part);
  }
}
