// A list of any length of which only what is seen is on the page. Rows have one height; the focus stays on the list.

import { put } from "../dom.js";

const BESIDE = 8;

/** @template Row */
export class Rows {
  /**
   * @param {HTMLElement} frame what scrolls
   * @param {HTMLElement} all what is as tall as all rows
   * @param {number} height of a row in px
   * @param {(row: Row, place: number) => HTMLElement} make
   * @param {() => void} onNearEnd called when the last rows come into sight
   */
  constructor(frame, all, height, make, onNearEnd) {
    this.frame = frame;
    this.all = all;
    this.height = height;
    this.make = make;
    this.onNearEnd = onNearEnd;
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<number, HTMLElement>} */
    this.shown = new Map();
    this.active = 0;
    this.isDue = false;
    frame.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.later()).observe(frame);
  }

  /** @param {Row[]} rows */
  set(rows) {
    this.rows = rows;
    this.active = Math.min(this.active, Math.max(0, rows.length - 1));
    this.clear();
    this.draw();
  }

  /** @param {Row[]} rows */
  add(rows) {
    this.rows.push(...rows);
    this.draw();
  }

  /** Draws the rows in sight anew, since what they show has changed. */
  refresh() {
    this.clear();
    this.draw();
  }

  /**
   * Makes a row the active one, and brings it into sight.
   * @param {number} place
   */
  go(place) {
    const { rows, frame, height } = this;
    if (!rows.length) return;
    this.active = Math.max(0, Math.min(place, rows.length - 1));
    const top = this.active * height;
    if (top < frame.scrollTop) frame.scrollTop = top;
    if (top + height > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + height - frame.clientHeight;
    this.draw();
  }

  get rowsPerPage() {
    return Math.max(1, Math.floor(this.frame.clientHeight / this.height) - 1);
  }

  later() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
    });
  }

  clear() {
    for (const element of this.shown.values()) element.remove();
    this.shown.clear();
  }

  draw() {
    const { rows, frame, height } = this;
    this.all.style.height = `${rows.length * height}px`;
    const first = Math.max(0, Math.floor(frame.scrollTop / height) - BESIDE);
    const last = Math.min(rows.length, Math.ceil((frame.scrollTop + frame.clientHeight) / height) + BESIDE);
    for (const [place, element] of this.shown) {
      if (place >= first && place < last) continue;
      element.remove();
      this.shown.delete(place);
    }
    for (let place = first; place < last; place += 1) {
      const element = this.shown.get(place) ?? this.put(place);
      element.classList.toggle("active", place === this.active);
    }
    put(frame, "aria-activedescendant", this.shown.has(this.active) ? `row-${this.active}` : null);
    if (rows.length && last > rows.length - 4 * BESIDE) this.onNearEnd();
  }

  /** @param {number} place */
  put(place) {
    const element = this.make(this.rows[place], place);
    element.id = `row-${place}`;
    put(element, "aria-rowindex", String(place + 1));
    element.style.transform = `translateY(${place * this.height}px)`;
    this.all.append(element);
    this.shown.set(place, element);
    return element;
  }
}
