// Alarms as ISA-18.2 has them: one that nobody knows of flashes, one that is known is steady, one that has gone stays
// until somebody has taken note of it. The banner shows the weightiest, first of all the first-out cause of a stop.

import { by, icon, make, put, quoted, say, swapIcon } from "../dom.js";
import { span, text, timeOfDay, whole } from "../texts.js";
import { causeOf, whyBy } from "./causes.js";
import { command } from "./commanding.js";

/**
 * @typedef {object} Alarm
 * @property {number} number
 * @property {string} kind
 * @property {"high" | "medium" | "low"} priority
 * @property {string} text
 * @property {string} code why a camera is away or the standby judges, while that is so
 * @property {string} camera the camera that it is about
 * @property {boolean} is_first
 * @property {number} times
 * @property {number} for_ms
 * @property {boolean} is_cleared
 * @property {boolean} is_acknowledged
 * @property {string} acknowledged_by
 */

const ICONS = { high: "reject", medium: "warn", low: "info" };

export class AlarmScreen {
  /** @param {string} url where one takes note */
  constructor(url) {
    this.url = url;
    /** @type {Alarm[]} */
    this.alarms = [];
    this.shows = "";
    by("alarms-all").addEventListener("click", () => this.take(null).catch(() => {}));
  }

  /** @param {Alarm[]} alarms the weightiest first */
  write(alarms) {
    this.alarms = alarms;
    writeBanner(alarms);
    const unknown = alarms.filter((each) => !each.is_acknowledged).length;
    const count = by("alarm-count");
    count.hidden = alarms.length === 0;
    say(count, whole(alarms.length));
    const key = /** @type {Element} */ (document.querySelector('.keys [data-screen="alarms"]'));
    put(key, "data-alarm", stateOf(alarms));
    by("alarms-all").hidden = unknown === 0;
    by("alarms-none").hidden = alarms.length > 0;
    this.writeList(alarms);
  }

  /** Rows are made anew only when they differ: a finger may be on one. @param {Alarm[]} alarms */
  writeList(alarms) {
    const mark = JSON.stringify(alarms.map(({ for_ms: _, ...each }) => each));
    if (mark !== this.shows) {
      this.shows = mark;
      by("alarms-list").replaceChildren(...alarms.map((each) => this.row(each)));
    }
    alarms.forEach((alarm, index) => {
      const since = by("alarms-list").children[index]?.querySelector(".since");
      if (since) say(since, text("alarms.since", { clock: timeOfDay(alarm.for_ms), ago: span(alarm.for_ms) }));
    });
  }

  /** @param {Alarm} alarm */
  row(alarm) {
    const state = alarm.is_cleared ? "gone" : alarm.is_acknowledged ? "known" : "new";
    const marks = make("p", "marks");
    marks.append(make("span", "priority", icon(ICONS[alarm.priority]), " ", text(`alarms.priority.${alarm.priority}`)));
    marks.append(make("span", "now", text(`alarms.state.${state}`)));
    if (alarm.is_first) marks.append(make("span", "order", text("alarms.first")));
    if (alarm.times > 1) marks.append(make("span", "quiet", text("alarms.times", { count: whole(alarm.times) })));
    marks.append(make("span", "since quiet"));
    const about = make("div", "about", marks, make("p", "cause", causeOf(alarm.kind)));
    const why = alarm.code ? whyBy(alarm.code, alarm.camera) : "";
    if (why) about.append(make("p", "why", why));
    if (alarm.text) about.append(quoted("p", "said quiet small", alarm.text));
    about.append(make("p", "todo", causeOf(`${alarm.kind}.todo`)));
    const row = make("li", "alarm", about);
    put(row, "data-priority", alarm.priority);
    put(row, "data-state", state);
    if (alarm.is_acknowledged) {
      row.append(make("p", "taken quiet small", text("alarms.taken", { name: alarm.acknowledged_by })));
    } else {
      const take = make("button", "key take", icon("check"), make("span", "", text("alarms.take")));
      put(take, "type", "button");
      take.addEventListener("click", () => this.take(alarm.number).catch(() => {}));
      row.append(take);
    }
    return row;
  }

  /** @param {number | null} number of one alarm; none: all */
  async take(number) {
    await command(this.url, number === null ? {} : { number });
  }
}

/** @param {Alarm[]} alarms */
export function stateOf(alarms) {
  if (alarms.some((each) => !each.is_acknowledged)) return "new";
  return alarms.length ? "known" : "none";
}

/** @param {Alarm[]} alarms */
function writeBanner(alarms) {
  const banner = by("alarm-banner");
  banner.hidden = alarms.length === 0;
  put(document.body, "data-alarm", stateOf(alarms));
  const [worst] = alarms;
  if (!worst) return;
  put(banner, "data-state", worst.is_cleared ? "gone" : worst.is_acknowledged ? "known" : "new");
  put(banner, "data-priority", worst.priority);
  swapIcon(by("alarm-icon"), ICONS[worst.priority]);
  say(by("alarm-words"), causeOf(worst.kind));
  say(by("alarm-todo"), worst.is_cleared ? text("alarms.state.gone") : causeOf(`${worst.kind}.todo`));
  say(by("alarm-more"), alarms.length > 1 ? text("alarms.more", { count: whole(alarms.length - 1) }) : "");
}
