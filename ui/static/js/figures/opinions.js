// Second opinions: asks another model to judge the line's parts, follows it, and lays both beside each other.

import { ask } from "../ask.js";
import { by, make, put, say } from "../dom.js";
import { moment, whileSeen } from "../machine/figures.js";
import { phrase, writeRefusal } from "../quoting.js";
import { decimal, span, text, whole } from "../texts.js";
import { toastFailure } from "../toast.js";
import { cell } from "./chart.js";

/** @typedef {{ name: string, package: string, version: string, variant: string, active: boolean }} Choice */
/** @typedef {{ sha256: string, package: string, version: string, variant: string, parts: number, asked_ms: number }} Asked */
/** @typedef {{ hits: number, of: number, value: number | null, low: number, high: number }} Measured */

const LOOK_MS = 1000;
const SHORT_HASH = 12;
const page = JSON.parse(by("page").textContent ?? "{}");
const form = /** @type {HTMLFormElement | null} */ (document.getElementById("ask"));
const other = /** @type {HTMLSelectElement} */ (by("other"));
const ofLot = /** @type {HTMLSelectElement} */ (by("of-lot"));
const ofLane = /** @type {HTMLSelectElement | null} */ (document.getElementById("of-lane"));
let chosenByAddress = new URLSearchParams(location.search);
/** What was compared last: as long as it is the same, nothing is asked again. */
let compared = "";
/** Whether the model that was asked last is shown, whichever that is; else the one that somebody chose. */
let isNewest = !chosenByAddress.has("model");
let listed = "";

/** @param {number | null} value */
const share = (value) => (value === null ? "–" : `${decimal(100 * value, value < 0.1 ? 2 : 1)} %`);
/** @param {{ package: string, version: string, variant: string }} model */
const titleOf = (model) => `${model.package} ${model.version} (${model.variant})`;

// Asking

/** @param {any} said */
function showChoices(said) {
  if (!form) return;
  const select = /** @type {HTMLSelectElement} */ (by("model"));
  const now = JSON.stringify(said.choices);
  if (now !== listed && said.choices) {
    listed = now;
    const first = new Option(text("opinions.choose"), "");
    const before = select.value;
    select.replaceChildren(first, ...said.choices.map(optionOf));
    select.value = said.choices.some((/** @type {Choice} */ each) => each.name === before) ? before : "";
  }
  const isRunning = said.errand.phase === "running";
  select.disabled = !said.choices?.length;
  /** @type {HTMLButtonElement} */ (by("start")).disabled = isRunning || !said.choices?.length;
  by("choices-trouble").hidden = !said.trouble;
  if (said.trouble) by("choices-trouble").replaceChildren(...phrase("opinions.unlisted", { why: said.trouble }));
}

/** @param {Choice} choice */
function optionOf(choice) {
  const title = titleOf(choice);
  return new Option(choice.active ? text("opinions.active", { title }) : title, choice.name);
}

/** @param {any} errand */
function showErrand(errand) {
  by("errand").hidden = errand.phase === "never";
  if (errand.phase === "never") return;
  const isRunning = errand.phase === "running";
  say(by("errand-title"), errand.title);
  say(by("errand-by"), text("opinions.by", { by: errand.by, time: moment(errand.at_ms) }));
  const bar = by("progress");
  bar.hidden = !isRunning;
  put(bar, "max", errand.parts ? String(errand.parts) : null);
  put(bar, "value", errand.parts === null ? null : String(errand.done));
  by("errand-says").replaceChildren(...wordsOf(errand));
  by("errand-notes").replaceChildren(...notesOf(errand.account));
  const end = document.getElementById("end");
  if (end) end.hidden = !isRunning;
}

/** @param {any} errand */
function wordsOf(errand) {
  const counts = { done: whole(errand.done), different: whole(errand.different), for: span(errand.for_ms) };
  if (errand.phase === "failed") return phrase("opinions.failed", { why: errand.trouble });
  if (errand.phase === "stopped") return [text("opinions.stopped", counts)];
  if (errand.phase === "done") return [text("opinions.done", { ...counts, judged: whole(errand.account?.judged ?? errand.done) })];
  return [errand.parts === null ? text("opinions.begins") : text("opinions.going", { ...counts, parts: whole(errand.parts) })];
}

/** @param {any} account */
function notesOf(account) {
  if (!account) return [];
  const counted = ["known", "own", "left"].filter((name) => account[name]);
  /** @type {Record<string, string>} */
  const keys = { known: "opinions.known", own: "opinions.own", left: "opinions.left" };
  return [
    ...counted.map((name) => make("li", "", text(keys[name], { count: whole(account[name]) }))),
    ...account.skipped.map((/** @type {any} */ each) =>
      make("li", "", ...phrase("opinions.skipped", { why: each.why }, { count: whole(each.parts) })),
    ),
    ...account.notes.map((/** @type {string} */ words) => english(words)),
  ];
}

/** @param {string} words */
function english(words) {
  const line = make("li", "quiet", words);
  line.lang = "en";
  return line;
}

// Both beside each other

/** @param {Asked[]} asked */
function showAsked(asked) {
  by("both-loading").hidden = true;
  put(by("both"), "aria-busy", "false");
  by("both-none").hidden = asked.length > 0;
  by("which").hidden = !asked.length;
  if (!asked.length) return;
  const wanted = chosenByAddress.get("model") || other.value;
  const isSame = asked.length === other.options.length && asked.every((each, place) => each.sha256 === other.options[place].value);
  // A list that is open would close if its entries were made anew each second.
  if (!isSame) other.replaceChildren(...asked.map((each) => new Option("", each.sha256)));
  asked.forEach((each, place) => say(other.options[place], text("opinions.model", { title: titleOf(each), parts: whole(each.parts) })));
  const found = isNewest ? asked[0] : (asked.find((each) => wanted && each.sha256.startsWith(wanted)) ?? asked[0]);
  other.value = found.sha256;
}

function question() {
  const said = new URLSearchParams({ sha256: other.value });
  const lot = chosenByAddress.get("lot") ?? ofLot.value;
  const lane = chosenByAddress.get("lane") ?? ofLane?.value ?? "";
  if (lane) said.set("lane", lane);
  if (lot) said.set("lot", lot);
  return said;
}

/** @param {Asked[]} asked */
async function compare(asked) {
  const model = asked.find((each) => each.sha256 === other.value);
  if (!model) return;
  const wanted = `${question()} ${model.parts}`;
  if (wanted === compared) return;
  const said = await ask(`${page.compare}?${question()}`, { method: "GET", isQuiet: true });
  compared = wanted;
  chooseLots(said.lots);
  showBoth(said);
}

/** @param {string[]} lots */
function chooseLots(lots) {
  const wanted = chosenByAddress.get("lot") ?? ofLot.value;
  if (ofLane && chosenByAddress.has("lane")) ofLane.value = chosenByAddress.get("lane") ?? "";
  const all = wanted && !lots.includes(wanted) ? [wanted, ...lots] : lots;
  ofLot.replaceChildren(new Option(text("figures.any"), ""), ...all.map((each) => new Option(each || text("figures.nolot"), each)));
  ofLot.value = wanted;
  chosenByAddress = new URLSearchParams();
}

/** @param {any} said */
function showBoth(said) {
  by("both-said").hidden = false;
  say(by("other-name"), titleOf(said.model));
  for (const name of ["rejected", "escapes", "overkill"]) {
    const row = /** @type {HTMLElement} */ (document.querySelector(`[data-row="${name}"]`));
    const heading = /** @type {HTMLElement} */ (row.firstElementChild);
    row.replaceChildren(heading, ...interval(said.line[name]), ...interval(said.other[name]));
  }
  by("differ").replaceChildren(...differing(said));
  const ms = said.median_ms === null ? "–" : decimal(said.median_ms, 1);
  const basis = text("opinions.basis", { parts: whole(said.parts), ms, unsure: whole(said.unsure) });
  say(by("basis"), said.parts ? basis : text("opinions.nothing"));
}

/** @param {any} said */
function differing(said) {
  const name = said.model.package;
  const all = said.would_reject + said.would_pass + said.elsewhere;
  if (!all) return said.parts ? [make("li", "", text("opinions.differ.none"))] : [];
  /** @type {[number, string, string][]} */
  const lines = [
    [said.would_reject, text("opinions.differ.would_reject", { name }), "would_reject"],
    [said.would_pass, text("opinions.differ.would_pass", { name }), "would_pass"],
    [said.elsewhere, text("opinions.differ.elsewhere"), ""],
    [all, text("opinions.differ.all"), "differs"],
  ];
  return lines.filter(([count, , choice]) => count || choice).map(([count, words, choice]) => {
    const number = make("b", "", whole(count));
    if (!choice || !count) return make("li", "", number, make("span", "", words));
    const link = make("a", "link", words);
    put(link, "href", queueOf(said.model, choice));
    return make("li", "", number, link);
  });
}

/**
 * @param {Asked} model
 * @param {string} choice
 */
function queueOf(model, choice) {
  const query = new URLSearchParams({ opinion: choice, opinion_of: model.sha256.slice(0, SHORT_HASH) });
  if (ofLane?.value) query.set("lane", ofLane.value);
  if (ofLot.value) query.set("lot", ofLot.value);
  return `${page.queue}?${query}`;
}

/** @param {Measured} known */
function interval(known) {
  const words = known.value === null ? text("figures.nolabels") : `${share(known.value)} (${whole(known.hits)}/${whole(known.of)})`;
  if (known.value === null) return [cell("td", words, "number quiet"), make("td", "interval-cell")];
  const drawn = make("span", "interval");
  drawn.style.setProperty("--low", String(known.low));
  drawn.style.setProperty("--high", String(known.high));
  drawn.style.setProperty("--value", String(known.value));
  put(drawn, "aria-hidden", "true");
  const range = text("figures.between", { low: share(known.low), high: share(known.high) });
  return [cell("td", words, "number"), make("td", "interval-cell", drawn, make("span", "quiet small", range))];
}

// Beginning

/** @param {any} said */
async function show(said) {
  showChoices(said);
  showErrand(said.errand);
  showAsked(said.asked);
  await compare(said.asked);
}

async function look() {
  try {
    await show(await ask(page.opinions, { method: "GET", isQuiet: true }));
    by("trouble").hidden = true;
  } catch (error) {
    by("trouble").hidden = false;
    by("both-loading").hidden = true;
    writeRefusal(error, by("trouble-what"), by("trouble-mend"));
  }
}

/** Puts what is compared into the address, so that it can be sent to somebody. */
function remember() {
  const said = new URLSearchParams({ model: other.value.slice(0, SHORT_HASH) });
  if (ofLane?.value) said.set("lane", ofLane.value);
  if (ofLot.value) said.set("lot", ofLot.value);
  history.replaceState(null, "", `?${said}`);
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(form);
  const lane = given.get("lane");
  const body = { name: given.get("name"), lot: given.get("lot") || null, lane: lane ? Number(lane) : null, most: Number(given.get("most")) };
  isNewest = true;
  try {
    await show(await ask(page.opinions, { body }));
  } catch (error) {
    toastFailure(error);
  }
});
document.getElementById("end")?.addEventListener("click", async () => {
  try {
    await show(await ask(page.opinions, { method: "DELETE" }));
  } catch (error) {
    toastFailure(error);
  }
});
by("which").addEventListener("submit", (event) => event.preventDefault());
const again = whileSeen(look, LOOK_MS);
by("which").addEventListener("change", () => {
  isNewest = false;
  remember();
  again();
});
