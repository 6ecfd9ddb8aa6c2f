// Lots: the one that runs, the next, and those whose account waits for the belt.

import { by, icon, make, put, say } from "../dom.js";
import { HoldKey, tell, wordsOf } from "../hold.js";
import { text, whole } from "../texts.js";
import { command, fail, fetched } from "./commanding.js";
import { ask } from "../ask.js";

const LOOK_MS = 2000;
const CLOSED_SHOWN = 3;

export class LotScreen {
  /**
   * @param {Record<string, string>} urls
   * @param {() => void} onStarted
   */
  constructor(urls, onStarted) {
    this.urls = urls;
    this.onStarted = onStarted;
    this.timer = 0;
    this.running = "";
    this.name = /** @type {HTMLInputElement} */ (by("lots-input"));
    this.planned = /** @type {HTMLInputElement} */ (by("lots-planned"));
    this.field = this.name;
    for (const field of [this.name, this.planned]) field.addEventListener("focus", () => this.choose(field));
    this.planned.addEventListener("input", () => (this.planned.value = this.planned.value.replace(/\D/g, "")));
    for (const key of by("lots-letters").querySelectorAll("button")) {
      key.addEventListener("click", () => this.type(key.dataset.letter ?? ""));
    }
    by("lots-start").addEventListener("click", () => this.start().catch(() => {}));
    new HoldKey("lots-end", () => this.end(), wordsOf("lots.end"));
    this.choose(this.name);
  }

  open() {
    this.look();
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  close() {
    clearInterval(this.timer);
  }

  /** @param {HTMLInputElement} field */
  choose(field) {
    this.field = field;
    for (const each of [this.name, this.planned]) each.classList.toggle("chosen", each === field);
    for (const key of by("lots-letters").querySelectorAll("button")) {
      const isLetter = !/^(\d|back)$/.test(key.dataset.letter ?? "");
      key.disabled = isLetter && field === this.planned;
    }
  }

  /** @param {string} letter */
  type(letter) {
    const { value, maxLength } = this.field;
    this.field.value = letter === "back" ? value.slice(0, -1) : (value + letter).slice(0, maxLength);
  }

  async start() {
    const lot = this.name.value.trim();
    if (!lot) {
      tell(text("lots.needs.name"), true);
      return;
    }
    const planned = Number(this.planned.value) || null;
    await command(this.urls.lots, { lot, planned }, { done: () => text("lots.started", { lot }) });
    this.onStarted();
  }

  /** A new name for a new lot. */
  prepare() {
    this.name.value = this.planned.value = "";
    this.choose(this.name);
  }

  async end() {
    const lot = this.running;
    const done = (/** @type {any} */ said) => text("lots.ended", { lot, running: said.running });
    await command(this.urls.end_lot, { lot }, { done });
    await this.look();
  }

  async look() {
    const said = await fetched(this.urls.lots);
    if (said) this.write(said.lots);
  }

  /** @param {any[]} lots */
  write(lots) {
    const running = lots.find((each) => each.is_running);
    this.running = running?.lot ?? "";
    say(by("lots-name"), this.running || text("fact.none"));
    const { triggers = 0 } = running?.tally ?? {};
    const planned = running?.planned ?? 0;
    const key = planned ? "lots.planned" : "lots.counted";
    say(by("lots-count"), text(key, { count: whole(triggers), planned: whole(planned) }));
    by("lots-bar").toggleAttribute("hidden", !planned);
    put(by("lots-share"), "width", (200 * Math.min(1, planned ? triggers / planned : 0)).toFixed(1));
    say(by("lots-by"), running?.by ? text("lots.by", { name: running.by }) : "");
    const open = lots.filter((each) => !each.is_running && !each.is_closed);
    const rows = open.map((each) => this.row(each));
    by("lots-open").replaceChildren(...(rows.length ? rows : [make("li", "quiet", text("lots.open.none"))]));
    const closed = lots.filter((each) => each.is_closed).slice(0, CLOSED_SHOWN);
    for (const each of closed) {
      const count = text("lots.counted", { count: whole(each.tally.triggers) });
      by("lots-open").append(make("li", "closed", icon("check"), make("span", "", `${text("lots.closed")}: ${each.lot}`), make("span", "quiet", count)));
    }
  }

  /**
   * A lot that has ended. The station closes it with its last part; one with lost parts waits for a person's reason.
   * @param {any} lot
   */
  row(lot) {
    const { in_flight: inFlight, lost } = lot.tally;
    let words = text("lots.counted", { count: whole(lot.tally.triggers) });
    if (inFlight > 0) words = text("lots.in_flight", { count: whole(inFlight) });
    else if (lost > 0) words = text("lots.lost", { count: whole(lost) });
    const row = make("li", "open", make("div", "", make("strong", "", lot.lot), make("p", "quiet small", words)));
    if (lost === 0 || inFlight > 0) return row;
    const key = make("button", "key", make("span", "", text("lots.close")));
    put(key, "type", "button");
    put(key, "aria-label", `${text("lots.close")}: ${lot.lot}`);
    key.addEventListener("click", () => this.settle(lot, ""));
    row.append(key);
    return row;
  }

  /**
   * Closes a lot. The station refuses one with lost parts unless it is told why: then somebody is asked.
   * @param {any} lot
   * @param {string} reason
   */
  async settle(lot, reason) {
    try {
      await ask(this.urls.close_lot, { body: { lot: lot.lot }, reason });
      tell(text("lots.is.closed", { lot: lot.lot }), false);
    } catch (error) {
      if (lot.tally.lost > 0 && lot.tally.in_flight === 0 && !reason) {
        const { again } = await import("../access/dialogs.js");
        const why = await again(false, "");
        if (why) await this.settle(lot, why);
        return;
      }
      fail(error);
    }
    await this.look();
  }
}
