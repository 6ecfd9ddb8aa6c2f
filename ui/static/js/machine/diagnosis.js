// The diagnostics: how each area of the box is, once a second while somebody looks, and all checks at the press of a key.

import { ask } from "../ask.js";
import { by, icon, make, put, quoted, say } from "../dom.js";
import { phrase, writeRefusal } from "../quoting.js";
import { causeOf, whyBy } from "../line/causes.js";
import { decimal, span, text } from "../texts.js";
import { toastFailure } from "../toast.js";
import { moment, Trace, whileSeen, written } from "./figures.js";

const LOOK_MS = 1000;
const TRACED = 600;
const LEVEL_ICONS = { fine: "check", unknown: "help", look: "warn", wrong: "reject" };
const LEVEL_KINDS = { fine: "none", unknown: "none", look: "flag", wrong: "fault" };
const LEVELS = ["fine", "unknown", "look", "wrong"];
const CHECK_LEVELS = /** @type {const} */ ({ ok: "fine", warn: "look", bad: "wrong" });

/** Values of a remark, and figures, that the box, the station or the recorder has put in words. */
const QUOTED = ["why"];
const QUOTED_FACTS = ["ended", "granted", "policy"];

/** @typedef {"fine" | "unknown" | "look" | "wrong"} Level */
/** @typedef {{ key: string, value: any, unit: string, of: string, level: Level }} Fact */
/** @typedef {{ key: string, level: Level, values: Record<string, string | number> }} Remark */
/** @typedef {{ key: string, level: Level, main: string, facts: Fact[], remarks: Remark[] }} Area */

const page = JSON.parse(by("page").textContent ?? "{}");
const traces = {
  heat: new Trace(/** @type {SVGSVGElement} */ (piece(by("area-heat"), "spark")), TRACED),
  judging: new Trace(/** @type {SVGSVGElement} */ (piece(by("area-judging"), "spark")), TRACED),
};
/** @type {Map<string, string>} */
const shown = new Map();

/**
 * @param {Element} card
 * @param {string} name
 */
function piece(card, name) {
  return /** @type {Element} */ (card.querySelector(`[data-${name}]`));
}

/** @param {Level} level */
function badge(level) {
  const element = make("span", "badge", icon(LEVEL_ICONS[level]), ` ${text(`diagnosis.level.${level}`)}`);
  put(element, "data-kind", LEVEL_KINDS[level]);
  put(element, "data-badge", "");
  return element;
}

/** @param {Remark} remark */
function sentence(remark) {
  const values = Object.fromEntries(
    Object.entries(remark.values).map(([name, value]) => [
      name,
      typeof value === "number" && !Number.isInteger(value) ? decimal(value, 1) : value,
    ]),
  );
  if (remark.values.cause) values.cause = causeOf(String(remark.values.cause));
  if (remark.values.phase) values.phase = text(`diagnosis.phase.${remark.values.phase}`);
  const said = Object.fromEntries(QUOTED.filter((name) => name in values).map((name) => [name, String(values[name])]));
  const code = String(remark.values.code ?? "");
  const own = code && whyBy(code, remark.key === "camera" ? String(remark.values.camera) : "");
  const words = own ? [`${own}. `, quoted("span", "said", said.why)] : phrase(`diagnosis.says.${remark.key}`, said, values);
  const element = make("li", "", ...words);
  put(element, "data-level", remark.level);
  return element;
}

/** @param {Fact[]} facts */
function pairs(facts) {
  const names = [...new Set(facts.map((each) => each.of))];
  return names.flatMap((of) => [
    ...(of && names.length > 1 && facts[0].key !== "version" ? [make("dt", "of", of)] : []),
    ...facts.filter((each) => each.of === of).flatMap(pair),
  ]);
}

/** @param {Fact} fact */
function pair(fact) {
  const value = make("dd", "", written(fact));
  put(value, "data-level", fact.level);
  if (QUOTED_FACTS.includes(fact.key) && fact.value !== null) value.lang = "en";
  return [make("dt", "", fact.key === "version" ? fact.of : text(`diagnosis.fact.${fact.key}`)), value];
}

/**
 * The figure that says most: of several the worst one, else the highest.
 * @param {Area} area
 */
function mainOf(area) {
  const found = area.facts.filter((each) => each.key === area.main);
  const size = (/** @type {Fact} */ each) => (typeof each.value === "number" ? each.value : 0);
  return found.sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) || size(b) - size(a))[0];
}

/** @param {Area} area */
function showArea(area) {
  const said = JSON.stringify(area);
  if (shown.get(area.key) === said) return;
  shown.set(area.key, said);
  const card = by(`area-${area.key}`);
  if (card.dataset.level !== area.level) {
    put(card, "data-level", area.level);
    piece(card, "badge").replaceWith(badge(area.level));
  }
  const main = mainOf(area);
  say(piece(card, "value"), main ? written(main) : text("diagnosis.unknown"));
  say(piece(card, "label"), main ? text(`diagnosis.fact.${main.key}`) : "");
  piece(card, "remarks").replaceChildren(...area.remarks.map(sentence));
  piece(card, "facts").replaceChildren(...pairs(area.facts));
}

/** @param {Area[]} areas */
function summarise(areas) {
  const wrong = areas.filter((each) => each.level === "wrong").length;
  const look = areas.filter((each) => each.level === "look").length;
  const key = wrong ? "diagnosis.summary.wrong" : look ? "diagnosis.summary.look" : "diagnosis.summary.fine";
  say(by("summary"), text(key, { wrong, look, all: areas.length }));
}

/** @param {unknown} error */
function fail(error) {
  writeRefusal(error, by("trouble-what"), by("trouble-mend"));
  by("trouble").hidden = false;
  say(by("summary"), text("diagnosis.old"));
  put(by("areas"), "aria-busy", "true");
}

async function look() {
  try {
    const said = await ask(page.diagnosis, { method: "GET", isQuiet: true });
    by("trouble").hidden = true;
    put(by("areas"), "aria-busy", "false");
    for (const area of said.areas) showArea(area);
    summarise(said.areas);
    traces.heat.add(said.temperature_c);
    traces.judging.add(said.p99_ms, said.budget_ms);
    if (isRunning) await lookAtChecks();
  } catch (error) {
    fail(error);
  }
}

// All checks

let isRunning = true;

async function lookAtChecks() {
  showChecks(await ask(page.checks, { method: "GET", isQuiet: true }));
}

/** @param {any} said */
function showChecks(said) {
  isRunning = said.phase === "running";
  const key = document.getElementById("run");
  if (key instanceof HTMLButtonElement) {
    key.disabled = isRunning;
    put(key, "data-busy", isRunning ? "yes" : null);
  }
  by("going").hidden = !isRunning;
  if (isRunning) {
    put(by("progress"), "value", String(Math.min(100, (100 * said.for_ms) / said.limit_ms)));
    say(by("going-words"), text("diagnosis.checks.going", { for: span(said.for_ms), limit: span(said.limit_ms) }));
  }
  by("checks-trouble").hidden = said.phase !== "failed";
  by("checks-why").replaceChildren(quoted("span", "said", said.trouble));
  by("checks-none").hidden = said.phase !== "never";
  by("checks-table").hidden = !said.checks.length;
  by("found").replaceChildren(...said.checks.map(row));
  if (said.phase === "done") {
    say(by("checks-said"), text("diagnosis.checks.done", { time: moment(said.at_ms), by: said.by, took: span(said.for_ms) }));
  }
}

/** @param {{ topic: string, level: keyof typeof CHECK_LEVELS, text: string, mend: string }} check */
function row(check) {
  const topic = quoted("th", "", check.topic);
  put(topic, "scope", "row");
  const state = make("td", "", badge(CHECK_LEVELS[check.level]));
  return make("tr", "", state, topic, quoted("td", "", check.text), quoted("td", "", check.mend));
}

document.getElementById("run")?.addEventListener("click", async () => {
  try {
    showChecks(await ask(page.checks, {}));
    by("checks").scrollIntoView({ block: "start" });
  } catch (error) {
    toastFailure(error);
  }
});

whileSeen(look, LOOK_MS);
