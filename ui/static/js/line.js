// How the line is: state, stops, account of the lot, latency.

import { by, make, put, quoted, say, swapIcon } from "./dom.js";
import { writeHealth } from "./health.js";
import { barLength } from "./last.js";
import { causeOf, whyBy } from "./line/causes.js";
import { STATE_ICONS } from "./states.js";
import { decimal, percent, span, text, timeOfDay, whole } from "./texts.js";

const MOST_CAUSES = 4;

/**
 * Shows a report of the server.
 * @param {any} report
 */
export function writeLine(report) {
  const status = report.status;
  if (!status) return;
  writeState(status);
  writeFacts(report.name, status);
  writeStops(status);
  writeAccount(status);
  writeTimes(report.latency);
  writeHealth(report);
}

/**
 * Says that nothing is known, in place of the state.
 * @param {string} words
 */
export function writeNoData(words) {
  put(document.body, "data-state", "NO_DATA");
  swapIcon(by("state-icon"), STATE_ICONS.NO_DATA);
  say(by("state-word"), text("state.NO_DATA"));
  say(by("state-why"), words);
  say(by("state-said"), "");
  say(by("state-since"), "");
  by("note").hidden = true;
}

/**
 * The states of all lanes, where there are keys for them.
 * @param {{lane: number, state: string, age_ms: number | null}[]} lanes
 * @param {number} limitMs
 */
export function writeLanes(lanes, limitMs) {
  for (const { lane, state, age_ms } of lanes) {
    const key = document.querySelector(`[data-lane="${lane}"]`);
    if (!key) continue;
    const shown = age_ms !== null && age_ms < limitMs ? state : "NO_DATA";
    const mark = /** @type {Element} */ (key.querySelector(".lane-state"));
    swapIcon(/** @type {Element} */ (mark.querySelector("use")), iconOf(shown));
    say(/** @type {Element} */ (mark.querySelector(".lane-word")), text(`state.${shown}`));
    put(mark, "data-state", shown);
  }
}

/** @param {any} status */
function writeState(status) {
  put(document.body, "data-state", status.state);
  swapIcon(by("state-icon"), iconOf(status.state));
  say(by("state-word"), text(`state.${status.state}`));
  say(by("state-why"), whyOf(status));
  // A stop's own words stand with its cause below.
  say(by("state-said"), status.latches.length ? "" : status.why);
  say(by("state-since"), text("since", { clock: timeOfDay(status.for_ms), ago: span(status.for_ms) }));
  const isTesting = status.challenge_phase && status.challenge_phase !== "IDLE";
  by("note").hidden = !isTesting && !status.is_challenge_due;
  say(by("note-words"), isTesting ? text("challenge.running", { phase: status.challenge_phase }) : text("challenge.due"));
}

/**
 * Why the line is as it is, in the language of the page.
 * @param {any} status
 */
export function whyOf(status) {
  const [first] = status.latches;
  if (first) return causeOf(first.cause);
  const camera = status.cameras.find((/** @type {any} */ each) => each.text);
  if (status.state === "NO_CAMERA" && camera) {
    return whyBy(camera.code, camera.name) || text("why.camera", { camera: camera.name });
  }
  if (status.state === "DEGRADED") {
    if (status.accelerator?.phase === "proving") return text("why.accelerator.proving");
    return whyBy(status.code) || text("why.DEGRADED");
  }
  return text(`state.${status.state}.meaning`);
}

/**
 * @param {string} name
 * @param {any} status
 */
function writeFacts(name, status) {
  say(by("line"), name);
  say(by("fact-lot"), status.lot || text("fact.none"));
  say(by("fact-recipe"), status.recipe || text("fact.none"));
  say(by("fact-model"), [status.package, status.runtime].filter(Boolean).join(" / ") || text("fact.none"));
  say(by("fact-speed"), `${whole(status.speed_mm_s)} mm/s`);
  say(by("lot-name"), status.lot);
}

/** @param {any} status */
function writeStops(status) {
  const latches = status.latches.slice(0, MOST_CAUSES);
  const isStopped = latches.length > 0;
  by("stops").hidden = !isStopped;
  put(document.body, "data-stopped", isStopped ? "yes" : "no");
  const mark = JSON.stringify(latches.map((/** @type {any} */ each) => [each.cause, each.text]));
  if (by("stops-list").dataset.shows === mark) return;
  by("stops-list").dataset.shows = mark;
  by("stops-list").replaceChildren(...latches.map(causeRow));
}

/**
 * @param {any} latch
 * @param {number} index
 */
function causeRow(latch, index) {
  const at = timeOfDay(latch.for_ms);
  return make(
    "li",
    "",
    make("span", "order", text(index === 0 ? "stops.first" : "stops.then")),
    make("p", "cause", causeOf(latch.cause)),
    make("p", "said small", `${at} `, quoted("span", "", latch.text)),
    make("p", "todo", causeOf(`${latch.cause}.todo`)),
  );
}

/** @param {any} status */
function writeAccount({ tally }) {
  for (const each of ["triggers", "passed", "rejected", "lost", "in_flight"]) say(by(`tally-${each}`), whole(tally[each]));
  say(by("tally-yield"), tally.yield === null ? text("yield.none") : percent(tally.yield));
  by("tally-lost").parentElement?.classList.toggle("lost-some", tally.lost > 0);
  const open = tally.triggers - tally.passed - tally.rejected - tally.lost - tally.in_flight;
  by("balance").classList.toggle("wrong", !tally.is_balanced);
  swapIcon(by("balance-icon"), tally.is_balanced ? "check" : "warn");
  say(by("balance-words"), tally.is_balanced ? text("balance.yes") : text("balance.no", { count: Math.abs(open) }));
}

/** @param {any} latency */
function writeTimes(latency) {
  const budget = decimal(latency.budget_ms, 0);
  say(by("times-window"), latency.count ? text("latency.window", { count: whole(latency.count) }) : text("latency.none"));
  for (const each of ["p50", "p99", "max"]) {
    const ms = latency[`${each}_ms`];
    const isLate = ms !== null && ms > latency.budget_ms;
    put(by(`bar-${each}`), "width", barLength(ms ?? 0, latency.budget_ms).toFixed(1));
    by(`bar-${each}`).classList.toggle("late", isLate);
    by(`time-${each}`).closest("div")?.classList.toggle("late", isLate);
    say(by(`time-${each}`), ms === null ? "\u2013" : decimal(ms, 2));
  }
  by("misses").classList.toggle("wrong", latency.misses > 0);
  swapIcon(by("misses-icon"), latency.misses ? "warn" : "check");
  by("misses").hidden = latency.count === 0;
  say(by("misses-words"), text(latency.misses ? "latency.misses" : "latency.misses.0", { count: whole(latency.misses), budget }));
}

/** @param {string} state */
function iconOf(state) {
  return STATE_ICONS[state] ?? "nodata";
}
