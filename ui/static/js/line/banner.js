// The alarm banner of every page but the operator's, which has its own: the weightiest alarm and how many there are.

import { by, icon, make, put } from "../dom.js";
import { text, whole } from "../texts.js";
import { causeOf } from "./causes.js";

/** @type {string} */
let shows = "";

document.addEventListener("takt-status", (event) => {
  const alarms = /** @type {CustomEvent} */ (event).detail.alarms ?? [];
  const [worst] = alarms;
  const mark = JSON.stringify(worst ? [worst.number, worst.is_acknowledged, worst.is_cleared, worst.times, alarms.length] : []);
  if (mark === shows) return;
  shows = mark;
  by("alarms").replaceChildren(...(worst ? [bannerOf(worst, alarms.length)] : []));
});

/**
 * @param {any} alarm
 * @param {number} count
 */
function bannerOf(alarm, count) {
  const shape = { high: "reject", medium: "warn", low: "info" }[/** @type {"high" | "medium" | "low"} */ (alarm.priority)];
  const banner = make("a", "alarm-banner", icon(shape), make("strong", "", causeOf(alarm.kind)));
  banner.append(make("span", "", alarm.is_cleared ? text("alarms.state.gone") : causeOf(`${alarm.kind}.todo`)));
  if (count > 1) banner.append(make("span", "more", text("alarms.more", { count: whole(count - 1) })));
  put(banner, "href", "/line/alarms");
  put(banner, "data-state", alarm.is_cleared ? "gone" : alarm.is_acknowledged ? "known" : "new");
  put(banner, "data-priority", alarm.priority);
  return banner;
}
