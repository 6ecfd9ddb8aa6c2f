// The page of the figures: what is chosen lives in the address, and every choice draws the charts anew.

import { ask } from "../ask.js";
import { by, make, put, say } from "../dom.js";
import { writeRefusal } from "../quoting.js";
import { decimal, percent, text, whole } from "../texts.js";
import { cell, Chart } from "./chart.js";

const FIELDS = ["span", "lane", "lot", "recipe", "package"];
const page = JSON.parse(by("page").textContent ?? "{}");
const form = /** @type {HTMLFormElement} */ (by("choose"));
const charts = {
  control: new Chart(by("control")),
  made: new Chart(by("made")),
  latency: new Chart(by("latency")),
};
let newest = 0;

/**
 * @param {number | null} value
 * @param {number | null} [top] the value whose decimals it takes
 */
const share = (value, top = value) => (value === null ? "-" : `${decimal(100 * value, (top ?? value) < 0.1 ? 2 : 1)} %`);
/** @param {number} value */
const ms = (value) => `${decimal(value, 1)} ms`;

function chosen() {
  const said = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (FIELDS.includes(name) && value) said.set(name, String(value));
  }
  return said;
}

/** Puts what the address says into the form; what cannot be chosen is left as it is, and the server says so. */
function restore() {
  const said = new URLSearchParams(location.search);
  for (const name of FIELDS) {
    const field = form.elements.namedItem(name);
    const value = said.get(name);
    if (field instanceof RadioNodeList) field.value = value ?? "week";
    else if (field instanceof HTMLSelectElement) {
      if (value && ![...field.options].some((each) => each.value === value)) field.add(new Option(value, value));
      field.value = value ?? "";
    }
  }
}

async function refresh() {
  const turn = ++newest;
  const query = chosen();
  put(by("charts"), "aria-busy", "true");
  try {
    const said = await ask(`${page.data}?${query}`, { method: "GET" });
    if (turn === newest) show(said);
  } catch (error) {
    if (turn === newest) fail(/** @type {import("../ask.js").Refused} */ (error));
  } finally {
    if (turn === newest) put(by("charts"), "aria-busy", "false");
  }
}

/** @param {import("../ask.js").Refused} error */
function fail(error) {
  writeRefusal(error, by("trouble-what"), by("trouble-mend"));
  reveal("trouble");
}

/** @param {"charts" | "nothing" | "trouble"} which */
function reveal(which) {
  for (const each of ["charts", "nothing", "trouble"]) by(each).hidden = each !== which;
}

/** @param {any} said */
function show(said) {
  reveal(said.total.triggers ? "charts" : "nothing");
  tiles(said);
  if (!said.total.triggers) return;
  const { series } = said;
  const seconds = series.start_ms.map((/** @type {number} */ at) => (at + series.offset_ms) / 1000);
  const common = { seconds, stepSeconds: series.step_ms / 1000, language: page.language };
  charts.control.show({
    ...common,
    format: share,
    lines: [
      { label: text("figures.rejects"), values: series.reject_share, colour: "--series-1", marks: series.is_out.map((/** @type {boolean} */ each, /** @type {number} */ row) => each || series.is_run[row]) },
      { label: text("figures.centre"), values: seconds.map(() => said.centre), colour: "--series-5", kind: "dashed" },
      { label: text("figures.limit.high"), values: series.high, colour: "--series-6", kind: "steps" },
      { label: text("figures.limit.low"), values: series.low, colour: "--series-6", kind: "steps" },
    ],
  });
  const out = series.is_out.filter(Boolean).length;
  say(by("control-says"), out ? text("figures.control.out", { count: out }) : text("figures.control.in"));
  charts.made.show({
    ...common,
    format: whole,
    lines: [
      { label: text("figures.parts"), values: series.triggers, colour: "--bar-light", kind: "bars" },
      { label: text("figures.yield"), values: series.yield_share, colour: "--series-1", scale: "share", format: percent },
    ],
  });
  charts.latency.show({
    ...common,
    format: ms,
    atLeast: said.budget_ms,
    lines: [
      { label: text("figures.p50"), values: series.p50_ms, colour: "--series-1" },
      { label: text("figures.p99"), values: series.p99_ms, colour: "--series-2" },
      { label: text("figures.budget"), values: seconds.map(() => said.budget_ms), colour: "--series-6", kind: "dashed" },
    ],
  });
  pareto(said.causes);
}

/** @param {any} said */
function tiles(said) {
  const { total } = said;
  const settled = total.passed + total.rejected + total.lost;
  say(by("tile-parts"), whole(total.triggers));
  say(by("tile-sum"), text("figures.sum", { passed: whole(total.passed), rejected: whole(total.rejected), lost: whole(total.lost), flight: whole(total.in_flight) }));
  say(by("tile-yield"), total.yield_share === null ? "-" : percent(total.yield_share));
  say(by("tile-rejects"), settled ? share(total.rejected / settled) : "-");
  say(by("tile-flagged"), text("figures.flagged", { count: whole(total.flagged) }));
  say(by("tile-p99"), said.p99_ms === null ? "-" : ms(said.p99_ms));
  say(by("tile-p50"), said.p50_ms === null ? "" : text("figures.median", { time: ms(said.p50_ms) }));
  say(by("tile-lost"), whole(total.lost));
}

/** @param {any[]} causes */
function pareto(causes) {
  const most = Math.max(1, ...causes.map((each) => each.parts));
  const rows = causes.map((each) => {
    const bar = make("span", "meter wide");
    bar.style.setProperty("--share", String(each.parts / most));
    put(bar, "aria-hidden", "true");
    return make(
      "tr",
      "",
      cell("th", each.words, "", "row"),
      make("td", "bar-cell", bar),
      cell("td", whole(each.parts), "number"),
      cell("td", share(each.share), "number"),
      cell("td", share(each.cumulated), "number"),
    );
  });
  by("causes").replaceChildren(...rows);
  by("causes-table").hidden = !causes.length;
  by("causes-none").hidden = causes.length > 0;
}

async function models() {
  if (!page.models) return;
  const said = await ask(page.models, { method: "GET" });
  by("models-none").hidden = said.models.length > 0;
  by("models-table").hidden = !said.models.length;
  by("models").replaceChildren(...said.models.map(modelRow));
  by("shared-card").hidden = !said.shared.length;
  by("shared").replaceChildren(...said.shared.flatMap(sharedRows));
}

/** @param {any} each */
function modelRow(each) {
  const name = make("th", "", each.package || text("figures.unknown"), " ", make("code", "quiet small", each.sha256.slice(0, 8)));
  put(name, "scope", "row");
  return make("tr", "", name, cell("td", whole(each.labels), "number"), ...interval(each.escapes), ...interval(each.overkill));
}

/** @param {any} each */
function sharedRows(each) {
  return each.models.map((/** @type {any} */ one, /** @type {number} */ row) => {
    const lot = cell("th", each.lot || text("figures.nolot"), "", "rowgroup");
    put(lot, "rowspan", String(each.models.length));
    return make("tr", "", ...(row ? [] : [lot]), cell("td", one.package), cell("td", whole(one.counts.triggers), "number"), ...interval(one.rejects));
  });
}

/**
 * A share, its interval in words, and the interval drawn.
 * @param {any} known
 */
function interval(known) {
  const words = known.value === null ? text("figures.nolabels") : `${share(known.value)} (${known.hits}/${known.of})`;
  const drawn = make("span", "interval");
  drawn.style.setProperty("--low", String(known.low));
  drawn.style.setProperty("--high", String(known.high));
  drawn.style.setProperty("--value", String(known.value ?? 0));
  put(drawn, "aria-hidden", "true");
  const range = known.value === null ? "" : text("figures.between", { low: share(known.low), high: share(known.high) });
  return [cell("td", words, "number"), make("td", "interval-cell", known.value === null ? "" : drawn, make("span", "quiet small", range))];
}

form.addEventListener("change", () => {
  history.replaceState(null, "", `?${chosen()}`);
  refresh();
});
form.addEventListener("submit", (event) => event.preventDefault());
by("everything").addEventListener("click", () => {
  form.reset();
  /** @type {RadioNodeList} */ (form.elements.namedItem("span")).value = "all";
  form.dispatchEvent(new Event("change"));
});
restore();
refresh();
models().catch((error) => fail(error));
