// A key for what has consequences: it works once it has been held for 1.5 s, by finger, mouse or keyboard.

import { by, put, say } from "./dom.js";
import { text } from "./texts.js";

const HOLD_MS = 1500;
const TOLD_MS = 6000;
const ANSWER_MS = 4000;

export class HoldKey {
  /**
   * @param {string} id
   * @param {() => Promise<void>} onHeld
   */
  constructor(id, onHeld) {
    this.key = by(id);
    this.onHeld = onHeld;
    this.timer = 0;
    this.key.addEventListener("pointerdown", (event) => event.button === 0 && this.press());
    for (const each of ["pointerup", "pointercancel", "pointerleave", "blur"]) {
      this.key.addEventListener(each, () => this.let());
    }
    this.key.addEventListener("contextmenu", (event) => event.preventDefault());
    this.key.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!event.repeat) this.press();
    });
    this.key.addEventListener("keyup", () => this.let());
  }

  press() {
    if (this.timer || this.phase === "sending") return;
    this.enter("holding");
    this.timer = setTimeout(() => this.done(), HOLD_MS);
  }

  let() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.phase === "holding") this.enter("");
  }

  async done() {
    this.timer = 0;
    this.enter("sending");
    try {
      await this.onHeld();
      this.enter("done");
    } catch {
      this.enter("failed");
    }
    setTimeout(() => this.phase !== "holding" && this.phase !== "sending" && this.enter(""), TOLD_MS);
  }

  get phase() {
    return this.key.dataset.phase ?? "";
  }

  /** @param {string} phase */
  enter(phase) {
    put(this.key, "data-phase", phase);
    say(by("stop-word"), text(phase === "failed" ? "stop.failed" : "stop.key"));
    const hints = { holding: "stop.holding", sending: "stop.sending", done: "stop.done" };
    say(by("stop-hint"), text(hints[/** @type {keyof typeof hints} */ (phase)] ?? "stop.hint"));
  }
}

/**
 * Sends a command and shows what came of it.
 * @param {string} url
 */
export async function sendStop(url) {
  const notice = by("notice");
  let failure = { what: text("stop.unreachable"), mend: text("stop.unreachable.mend") };
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ by: text("role.operator") }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const said = await answer.json();
    if (answer.ok) {
      tell(notice, text("stop.acknowledged", { epoch: said.epoch, sequence: said.sequence }), false);
      return;
    }
    failure = said;
  } catch {
    // What is told then stands above.
  }
  tell(notice, text("stop.failed.words", failure), true);
  throw new Error(failure.what);
}

let hiding = 0;

/**
 * @param {HTMLElement} notice
 * @param {string} words
 * @param {boolean} isFailure
 */
function tell(notice, words, isFailure) {
  clearTimeout(hiding);
  say(notice, words);
  notice.classList.toggle("failed", isFailure);
  notice.hidden = false;
  hiding = setTimeout(() => (notice.hidden = true), isFailure ? 4 * TOLD_MS : TOLD_MS);
}
