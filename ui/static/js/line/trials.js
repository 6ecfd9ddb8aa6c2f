// The challenge test: which parts to lay on the belt, in which order, where the test is, and how it went before.

import { by, icon, make, put, quoted, say, swapIcon } from "../dom.js";
import { HoldKey, wordsOf } from "../hold.js";
import { span, text } from "../texts.js";
import { command, fetched } from "./commanding.js";

const ORDER = ["SPACED", "CONSECUTIVE", "NORMAL", "SUPPRESSED", "PROVING"];

export class TrialScreen {
  /**
   * @param {string} url of the test
   * @param {string} start where it is started
   */
  constructor(url, start) {
    this.url = url;
    this.phase = "";
    this.isOpen = false;
    new HoldKey("trial-start", () => command(start, {}, { done: () => text("trial.started") }), wordsOf("trial.start"));
  }

  async open() {
    this.isOpen = true;
    await this.look();
  }

  close() {
    this.isOpen = false;
  }

  /** @param {any} status of the line */
  follow(status) {
    if (status.challenge_phase === this.phase) return;
    this.phase = status.challenge_phase;
    this.mark(status.is_challenge_due);
    if (this.isOpen) this.look();
  }

  async look() {
    const said = await fetched(this.url);
    if (!said) return;
    this.phase = said.phase;
    by("trial-steps").replaceChildren(...said.series.map(step));
    this.mark(said.is_due);
    const trials = said.trials.map(trialRow);
    by("trial-list").replaceChildren(...(trials.length ? trials : [make("li", "quiet", text("trial.history.none"))]));
  }

  /** @param {boolean} isDue */
  mark(isDue) {
    const isRunning = this.phase !== "IDLE" && this.phase !== "";
    const words = this.phase === "PROVING" ? "trial.PROVING" : isRunning ? "trial.runs" : isDue ? "trial.due" : "trial.idle";
    put(by("trial-state"), "data-phase", isRunning ? this.phase : isDue ? "DUE" : "IDLE");
    swapIcon(by("trial-icon"), isRunning || isDue ? "warn" : "info");
    say(by("trial-words"), text(words));
    by("trial-start").hidden = isRunning;
    const at = ORDER.indexOf(this.phase);
    [...by("trial-steps").children].forEach((row, index) => {
      put(row, "data-at", at < 0 ? "" : index < at ? "done" : index === at ? "now" : "");
      put(row, "aria-current", index === at ? "step" : null);
    });
  }
}

/** @param {{ phase: string, parts: number }} series */
function step({ phase, parts }) {
  const words = make("div", "", make("strong", "", text(`trial.${phase}`, { count: parts })));
  words.append(make("p", "quiet small", text(`trial.${phase}.words`)));
  return make("li", "", words);
}

/** @param {any} trial */
function trialRow(trial) {
  const isPassed = trial.result === "PASSED";
  const ago = span(Math.max(0, Date.now() - trial.at_us / 1000));
  const head = make("p", "head", icon(isPassed ? "pass" : "reject"), make("strong", "", text(`trial.${trial.result}`)));
  head.append(make("span", "quiet", text("reject.ago", { ago })));
  const row = make("li", isPassed ? "" : "failed", head, quoted("p", "small quiet", trial.text));
  if (trial.quarantine_from !== null && trial.quarantine_to !== null) {
    const parts = { first: trial.quarantine_from, last: trial.quarantine_to };
    row.append(make("p", "small", text("trial.quarantine", parts)));
  }
  return row;
}
