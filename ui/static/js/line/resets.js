// The reset of a stopped line: with a reason, by somebody who may, and held.

import { by, put } from "../dom.js";
import { HoldKey, tell, wordsOf } from "../hold.js";
import { text } from "../texts.js";
import { command } from "./commanding.js";

export class ResetScreen {
  /**
   * @param {string} url
   * @param {() => void} onDone
   */
  constructor(url, onDone) {
    this.url = url;
    this.onDone = onDone;
    this.reason = "";
    this.isCleared = false;
    this.reasons = [...by("reset-reasons").querySelectorAll("button")];
    for (const key of this.reasons) key.addEventListener("click", () => this.choose(key.dataset.why ?? ""));
    by("reset-cleared").addEventListener("click", () => this.clear(!this.isCleared));
    new HoldKey("reset-do", () => this.send(), wordsOf("reset.do"));
  }

  open() {
    this.choose("");
    this.clear(false);
  }

  /** @param {string} reason */
  choose(reason) {
    this.reason = reason;
    for (const key of this.reasons) put(key, "aria-pressed", String(key.dataset.why === reason));
  }

  /** @param {boolean} isCleared */
  clear(isCleared) {
    this.isCleared = isCleared;
    put(by("reset-cleared"), "aria-pressed", String(isCleared));
  }

  async send() {
    if (!this.reason) {
      tell(text("reset.choose"), true);
      throw new Error("there is no reason");
    }
    const done = (/** @type {any} */ said) => text("reset.done", { epoch: said.epoch, sequence: said.sequence });
    await command(this.url, { is_cleared: this.isCleared }, { reason: this.reason, done });
    this.onDone();
  }
}
