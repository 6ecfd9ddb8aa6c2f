// The focus score while somebody turns a lens: large, its last minute, and the best so far.

import { by, put, say } from "../dom.js";
import { decimal, percent, text, whole } from "../texts.js";

const SPAN_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 90;
const ROOM = 1.08;
const GAUGE = 1000;
const FINE = 0.995;

/** @param {number} score */
const written = (score) => (score >= 100 ? whole(score) : decimal(score, score >= 10 ? 1 : 2));

export class Focus {
  constructor() {
    /** @type {{ at: number, score: number }[]} */
    this.past = [];
    this.best = 0;
    by("reset").addEventListener("click", () => this.forget());
  }

  forget() {
    this.best = 0;
    this.past = this.past.slice(-1);
    const last = this.past[0];
    if (last) this.note(last.score, last.at);
    else this.draw(Date.now());
  }

  /** Another place or picture size: what was before cannot be compared. */
  clear() {
    this.past = [];
    this.best = 0;
    say(by("score"), "\u00a0");
    this.draw(Date.now());
  }

  /**
   * @param {number} score
   * @param {number} at
   */
  note(score, at) {
    this.best = Math.max(this.best, score);
    if (this.past[this.past.length - 1]?.at !== at) this.past.push({ at, score });
    say(by("score"), written(score));
    const share = this.best ? score / this.best : 1;
    say(by("share"), share >= FINE ? text("camera.at.best") : text("camera.share", { share: percent(share) }));
    put(by("gauge"), "width", (GAUGE * share).toFixed(0));
    this.draw(at);
  }

  /** @param {number} now */
  draw(now) {
    this.past = this.past.filter((each) => now - each.at <= SPAN_MS);
    const top = Math.max(this.best, ...this.past.map((each) => each.score)) * ROOM || 1;
    /** @type {(score: number) => string} */
    const y = (score) => (HEIGHT * (1 - score / top)).toFixed(1);
    const points = this.past.map((each) => `${(WIDTH * (1 - (now - each.at) / SPAN_MS)).toFixed(1)} ${y(each.score)}`);
    put(by("curve-trace"), "d", points.length ? `M${points.join("L")}` : "");
    put(by("curve-best"), "d", this.best ? `M0 ${y(this.best)}H${WIDTH}` : "");
    say(by("best"), this.best ? text("camera.best", { value: written(this.best) }) : text("camera.best.none"));
    if (!this.past.length) {
      say(by("share"), "");
      put(by("gauge"), "width", "0");
    }
  }
}
