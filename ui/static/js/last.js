// The last part, large; or one that somebody holds to look at.

import { by, icon, make, put, say, swapIcon } from "./dom.js";
import { inShort, rowsOf } from "./findings.js";
import { fillCloseUp, placeNames, shotsOf } from "./pictures.js";
import { decimal, span, text } from "./texts.js";

/** @typedef {import("./pictures.js").Part} Part */

/** A verdict waits so long for its picture, so that both appear at once; then it appears alone. */
const PICTURE_WAIT_MS = 40;

/** So long the picture before stays, said to be of its own part. A large field that went dark with every part would flash. */
const EARLIER_MS = 1000;

/** More often than this nobody can follow: of parts that come faster, the newest is shown. */
const PACE_MS = 60;

const HOLD_MS = 15_000;
const ICONS = { pass: "pass", reject: "reject" };

export class LastPart {
  /** @param {(key: string | null) => void} onHeld called with the part that is held, or none */
  constructor(onHeld) {
    this.onHeld = onHeld;
    /** @type {Part | null} */
    this.newest = null;
    /** @type {Part | null} */
    this.shown = null;
    /** @type {Part | null} */
    this.held = null;
    /** @type {Part | null} */
    this.rejected = null;
    this.heldUntil = 0;
    this.turn = 0;
    this.nextAt = 0;
    this.waiting = 0;
    by("back").addEventListener("click", () => this.release());
    by("last-reject").addEventListener("click", () => this.rejected && this.hold(this.rejected));
    new ResizeObserver(() => this.placeNames()).observe(by("frame"));
    setInterval(() => this.countDown(), 500);
  }

  /**
   * A part is new, or more is known of it.
   * @param {Part} part
   */
  take(part) {
    if (part.verdict === "reject" && (!this.rejected || part.at_ms >= this.rejected.at_ms)) this.takeReject(part);
    if (this.held?.key === part.key) this.held = part;
    if (!this.newest || part.at_ms >= this.newest.at_ms) this.newest = part;
    if (this.held ? this.held.key === part.key : this.newest === part) this.soon();
  }

  /** @param {Part} part */
  takeReject(part) {
    this.rejected = part;
    /** @type {HTMLButtonElement} */ (by("last-reject")).disabled = false;
    say(by("last-reject-part"), text("part", { number: part.part }));
    say(by("last-reject-reason"), inShort(part));
    put(by("last-reject"), "aria-label", text("reject.show", { number: part.part }));
    fillCloseUp(by("last-reject-thumb"), part);
  }

  /** @param {number} stationMs the present on the station's stopwatch */
  tick(stationMs) {
    if (!this.rejected) return;
    say(by("last-reject-ago"), text("reject.ago", { ago: span(Math.max(0, stationMs - this.rejected.at_ms)) }));
  }

  /** Everything anew, as after a pause. */
  clear() {
    this.newest = null;
  }

  /** @param {Part} part */
  hold(part) {
    this.held = part;
    this.heldUntil = performance.now() + HOLD_MS;
    this.onHeld(part.key);
    this.countDown();
    this.soon();
  }

  release() {
    if (!this.held) return;
    this.held = null;
    this.onHeld(null);
    this.countDown();
    this.soon();
  }

  countDown() {
    const leftMs = this.heldUntil - performance.now();
    if (this.held && leftMs <= 0) {
      this.release();
      return;
    }
    by("held").hidden = by("back").hidden = !this.held;
    by("last-reject").hidden = Boolean(this.held);
    if (!this.held) return;
    say(by("held-words"), text("held.words", { number: this.held.part }));
    say(by("back-hint"), text("held.seconds", { seconds: Math.ceil(leftMs / 1000) }));
  }

  /** Shows what is due, not faster than the eye. */
  soon() {
    if (this.waiting) return;
    const wait = Math.max(0, this.nextAt - performance.now());
    this.waiting = setTimeout(() => {
      this.waiting = 0;
      this.nextAt = performance.now() + PACE_MS;
      const due = this.held ?? this.newest;
      if (due) this.show(due);
    }, wait);
  }

  /** @param {Part} part */
  async show(part) {
    const turn = ++this.turn;
    const isSame = this.shown?.key === part.key;
    const isSamePicture = isSame && picturesMark(part) === picturesMark(this.shown);
    if (isSamePicture) {
      this.write(part);
      return;
    }
    const isAwaited = part.pictures.length === 0 && isPictureLikely(part);
    const drawn = shotsOf(part);
    if (!isSame) {
      const patience = new Promise((done) => setTimeout(done, PICTURE_WAIT_MS, null));
      const isDrawn = isAwaited || part.pictures.some((each) => !each.is_ready) ? null : await Promise.race([drawn, patience]);
      if (!isDrawn) await patience;
      if (turn !== this.turn) return;
      if (!isDrawn) {
        this.write(part);
        if (!this.stay()) this.lay(part, [make("div", "shot", make("p", "nothing", ""))]);
      }
    }
    const shots = await drawn;
    if (turn !== this.turn) return;
    this.write(part);
    if ((isAwaited || part.pictures.some((each) => !each.is_ready)) && this.stay()) {
      await new Promise((done) => setTimeout(done, EARLIER_MS));
      if (turn !== this.turn) return;
    }
    this.lay(part, shots);
  }

  /**
   * Keeps the picture of the part before, and says so.
   * @returns {boolean} whether there is one
   */
  stay() {
    const isThere = Boolean(by("frame").querySelector("img"));
    by("earlier").hidden = !isThere;
    if (isThere) say(by("earlier"), text("picture.earlier", { number: (by("frame").dataset.part ?? "").split("-")[2] }));
    return isThere;
  }

  /**
   * @param {Part} part
   * @param {HTMLElement[]} shots
   */
  lay(part, shots) {
    by("frame").classList.toggle("many", part.pictures.length > 1);
    by("frame").replaceChildren(...shots);
    put(by("frame"), "data-part", part.key);
    by("earlier").hidden = true;
    this.placeNames();
  }

  placeNames() {
    for (const svg of by("frame").querySelectorAll("svg")) placeNames(svg);
  }

  /** @param {Part} part */
  write(part) {
    this.shown = part;
    put(by("verdict"), "data-verdict", part.verdict);
    put(by("judged"), "data-part", part.key);
    swapIcon(by("verdict-icon"), ICONS[part.verdict]);
    say(by("verdict-word"), text(`verdict.${part.verdict}`));
    let where = /** @type {Node | string} */ ("");
    if (part.verdict === "reject") where = text("verdict.destination", { destination: part.destination });
    else if (part.is_flagged) where = make("span", "flag", icon("warn"), text("verdict.flag"));
    by("verdict-where").replaceChildren(where);
    say(by("part-number"), text("part", { number: part.part }));
    const confirmation = text(`confirmation.${part.confirmation}`);
    say(by("part-outcome"), text(`outcome.${part.outcome}`) + (confirmation ? `, ${confirmation}` : ""));
    this.writeFindings(part);
    writeTiming(part);
  }

  /** Written again only when they differ: the close-ups would be drawn anew. @param {Part} part */
  writeFindings(part) {
    const mark = `${part.key} ${part.rerouted} ${part.findings.length} ${picturesMark(part)}`;
    if (by("findings").dataset.shows === mark) return;
    by("findings").dataset.shows = mark;
    by("findings").replaceChildren(...rowsOf(part));
  }
}

/** @param {Part} part */
function writeTiming(part) {
  const timing = by("timing");
  timing.hidden = part.total_ms === null;
  if (part.total_ms === null) return;
  const isLate = part.total_ms > part.budget_ms;
  timing.classList.toggle("late", isLate);
  const words = text("latency.of", { time: decimal(part.total_ms, 2), budget: decimal(part.budget_ms, 0) });
  say(by("timing-words"), isLate ? `${words} ${text("latency.late")}` : words);
  const { wake = 0, pre = 0, infer = 0, decode = 0, decide = 0 } = part.stages_ms;
  const wait = wake + pre;
  const decided = Math.max(0, part.total_ms - wait - infer);
  let left = 0;
  for (const [kind, ms] of /** @type {[string, number][]} */ ([
    ["wait", wait],
    ["model", infer],
    ["decide", Math.max(decided, decode + decide)],
  ])) {
    const bar = /** @type {Element} */ (by("timing-bar").querySelector(`.${kind}`));
    const length = Math.max(0, Math.min(barLength(ms, part.budget_ms), 200 - left));
    put(bar, "x", left.toFixed(1));
    put(bar, "width", length.toFixed(1));
    left += length;
  }
  say(
    by("timing-stages"),
    text("latency.stages", { wait: decimal(wait, 2), model: decimal(infer, 2), decided: decimal(decided, 2) }),
  );
}

/**
 * The length of a bar whose middle is the budget.
 * @param {number} ms
 * @param {number} budgetMs
 */
export function barLength(ms, budgetMs) {
  return budgetMs > 0 ? Math.min(200, (100 * ms) / budgetMs) : 0;
}

/** @param {Part | null} part */
function picturesMark(part) {
  return part ? part.pictures.map((each) => `${each.file}${each.is_ready}${each.boxes.length}`).join() : "";
}

/** A verdict comes a moment before the rest of its record, unless no picture was there to judge. @param {Part} part */
function isPictureLikely(part) {
  return part.verdict === "pass" || part.findings.some((each) => each.label);
}
