// Alarms of the past, of all lanes: a table with a filter that lives in the address.

import { ask } from "../ask.js";
import { by, make, put, quoted, say } from "../dom.js";
import { text, useTexts, whole } from "../texts.js";
import { toastFailure } from "../toast.js";
import { causeOf } from "./causes.js";

const SHAPES = { high: "fault", medium: "flag", low: "info" };
const MOST = 50;

const shell = JSON.parse(by("shell").textContent ?? "{}");
useTexts(shell.words, shell.language);
const page = JSON.parse(by("page").textContent ?? "{}");
const filter = /** @type {HTMLFormElement} */ (by("filter"));
const moment = new Intl.DateTimeFormat(shell.language, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

let last = 0;
let turn = 0;

/** @returns {Record<string, string>} */
function wanted() {
  const said = /** @type {[string, string][]} */ ([...new FormData(filter)].map(([key, value]) => [key, String(value)]));
  return Object.fromEntries(said.filter(([, value]) => value !== ""));
}

/**
 * The newest alarms of the lanes that are chosen, in one row. Their numbers count through all lanes.
 * @param {Record<string, string>} query
 * @returns {Promise<any[]>}
 */
async function fetched({ lane, ...query }) {
  /** @type {{ lane: number, name: string, alarms: string }[]} */
  const lanes = page.lanes;
  const chosen = lanes.filter((each) => !lane || String(each.lane) === lane);
  const found = await Promise.all(
    chosen.map(async ({ name, alarms }) => {
      const said = await ask(`${alarms}?${new URLSearchParams(query)}`, { method: "GET" });
      return said.alarms.map((/** @type {any} */ each) => ({ ...each, name }));
    }),
  );
  return found
    .flat()
    .sort((a, b) => b.number - a.number)
    .slice(0, MOST);
}

/** @param {boolean} isMore below what is there */
async function load(isMore) {
  const mine = ++turn;
  let alarms;
  try {
    alarms = await fetched({ ...wanted(), most: String(MOST), ...(isMore ? { before: String(last) } : {}) });
  } catch (error) {
    toastFailure(error);
    return;
  }
  if (mine !== turn) return;
  const rows = alarms.map(rowOf);
  if (isMore) by("rows").append(...rows);
  else by("rows").replaceChildren(...rows);
  last = alarms.at(-1)?.number ?? last;
  by("older").hidden = alarms.length < MOST;
  by("none").hidden = by("rows").childElementCount > 0;
}

/** @param {any} alarm */
function rowOf(alarm) {
  const what = make("th", "", causeOf(alarm.kind));
  put(what, "scope", "row");
  if (alarm.times > 1) what.append(" ", make("span", "quiet", text("alarms.times", { count: whole(alarm.times) })));
  const badge = make("span", "badge", text(`alarms.priority.${alarm.priority}`));
  put(badge, "data-kind", SHAPES[/** @type {keyof typeof SHAPES} */ (alarm.priority)]);
  const gone = alarm.cleared_us === null ? text("alarms.still") : moment.format(alarm.cleared_us / 1000);
  const noted = alarm.acknowledged_us === null ? text("alarms.unnoted") : alarm.acknowledged_by;
  return make(
    "tr",
    "",
    make("td", "", moment.format(alarm.raised_us / 1000)),
    ...(page.lanes.length > 1 ? [make("td", "", alarm.name)] : []),
    what,
    quoted("td", "", alarm.text),
    make("td", "", badge),
    make("td", "", gone),
    make("td", "", noted),
  );
}

function remember() {
  const query = new URLSearchParams(wanted()).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  load(false);
}

for (const [key, value] of new URLSearchParams(location.search)) {
  const field = filter.elements.namedItem(key);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
}
filter.addEventListener("input", remember);
filter.addEventListener("submit", (event) => event.preventDefault());
by("older").addEventListener("click", () => load(true));
say(by("rows"), "");
load(false);
