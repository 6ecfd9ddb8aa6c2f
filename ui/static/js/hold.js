// A key for what has consequences: it works once it has been held for 1.5 s, by finger, mouse or keyboard.

import { by, put, say } from "./dom.js";
import { phrase } from "./quoting.js";
import { text } from "./texts.js";

const HOLD_MS = 1500;
const TOLD_MS = 6000;
const ANSWER_MS = 4000;

/**
 * The keys of a hold key's texts.
 * @typedef {object} Words
 * @property {string} key
 * @property {string} hint
 * @property {string} holding
 * @property {string} sending
 * @property {string} done
 * @property {string} failed
 */

/** @type {Words} */
export const STOP_WORDS = {
  key: "stop.key",
  hint: "stop.hint",
  holding: "stop.holding",
  sending: "stop.sending",
  done: "stop.done",
  failed: "stop.failed",
};

/**
 * The texts of another key than the one that stops the line.
 * @param {string} key
 * @returns {Words}
 */
export function wordsOf(key) {
  return { key, hint: "line.hold", holding: "line.holding", sending: "line.sending", done: "line.done", failed: "line.failed" };
}

export class HoldKey {
  /**
   * @param {string} id
   * @param {() => Promise<void>} onHeld
   * @param {Words} words
   */
  constructor(id, onHeld, words) {
    this.key = by(id);
    this.word = /** @type {Element} */ (this.key.querySelector("[data-word]"));
    this.hint = /** @type {Element} */ (this.key.querySelector("[data-hint]"));
    this.onHeld = onHeld;
    this.words = words;
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
    const { key, hint, failed, ...others } = this.words;
    say(this.word, text(phase === "failed" ? failed : key));
    say(this.hint, text(others[/** @type {keyof typeof others} */ (phase)] ?? hint));
  }
}

/**
 * Sends a command and shows what came of it.
 * @param {string} url
 */
export async function sendStop(url) {
  let failure = { what: text("stop.unreachable"), mend: text("stop.unreachable.mend") };
  let isForeign = false;
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ by: text("role.operator") }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const said = await answer.json();
    if (answer.ok) {
      tell(text("stop.acknowledged", { epoch: said.epoch, sequence: said.sequence }), false);
      return;
    }
    failure = said;
    isForeign = (answer.headers.get("Content-Language") ?? document.documentElement.lang) !== document.documentElement.lang;
  } catch {
    // What is told then stands above.
  }
  tell(isForeign ? phrase("stop.failed.words", failure) : text("stop.failed.words", failure), true);
  throw new Error(failure.what);
}

let hiding = 0;

/**
 * Says what came of a command; a failure stays longer.
 * @param {string | (Node | string)[]} words
 * @param {boolean} isFailure
 */
export function tell(words, isFailure) {
  const notice = by("notice");
  clearTimeout(hiding);
  notice.replaceChildren(...(typeof words === "string" ? [words] : words));
  notice.classList.toggle("failed", isFailure);
  notice.hidden = false;
  hiding = setTimeout(() => (notice.hidden = true), isFailure ? 4 * TOLD_MS : TOLD_MS);
}
