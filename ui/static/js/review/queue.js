// The queue: a filtered list of parts, worked by keyboard.

import "../shell.js";
import { Refused, ask } from "../ask.js";
import { by, icon, make, put, say } from "../dom.js";
import { refusalOf } from "../quoting.js";
import { text, whole } from "../texts.js";
import { toast } from "../toast.js";
import { Filters } from "./filters.js";
import { key, useKeys } from "./keys.js";
import { Undo, askClass } from "./labelling.js";
import { rowOf } from "./row.js";
import { Rows } from "./window.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./labelling.js").Before} Before */

const PAGE = 200;
const AT_ONCE = 150;
const ROW_PX = 76;
const MOST_COUNTED = 20_000;
const LOOK_MS = 10_000;
const REMEMBERED = "takt-review-place";

const page = JSON.parse(by("page").textContent ?? "{}");
const undo = new Undo();
/** @type {Map<string, Row>} */
const selected = new Map();
/** @type {string | null} */
let next = null;
let loading = 0;
let total = 0;

const list = new Rows(
  by("window"),
  by("all"),
  ROW_PX,
  (/** @type {Row} */ row) => rowOf(row, addressOf(row), selected.has(row.key)),
  () => loadMore(),
);
const filters = new Filters(page.filters, () => load());

/** @param {Row} row */
function addressOf(row) {
  const address = page.part.replace(/0\/0\/0$/, `${row.lane}/${row.epoch}/${row.part}`);
  return filters?.query ? `${address}?${filters.query}` : address;
}

// Loading

/** @param {string | null} after */
async function fetchPage(after) {
  const query = new URLSearchParams(filters.query);
  query.set("limit", String(PAGE));
  if (after) query.set("after", after);
  return ask(`${page.rows}?${query}`, { method: "GET" });
}

async function load(most = PAGE) {
  const turn = ++loading;
  showWaiting();
  try {
    let said = await fetchPage(null);
    if (turn !== loading) return;
    total = said.total ?? 0;
    const rows = said.rows;
    while (rows.length < most && said.next) {
      said = await fetchPage(said.next);
      rows.push(...said.rows);
    }
    if (turn !== loading) return;
    next = said.next;
    by("fresh").hidden = true;
    list.set(rows);
    list.go(0);
    showCount();
  } catch (error) {
    if (turn === loading) showTrouble(error);
  }
}

let isLoadingMore = false;

async function loadMore() {
  if (!next || isLoadingMore) return;
  isLoadingMore = true;
  const turn = loading;
  try {
    const said = await fetchPage(next);
    if (turn !== loading) return;
    next = said.next;
    const known = new Set(list.rows.map((/** @type {Row} */ each) => each.key));
    list.add(said.rows.filter((/** @type {Row} */ each) => !known.has(each.key)));
  } catch (error) {
    next = null;
    toast(refusalOf(error), "wrong", { words: text("review.retry"), act: () => load() });
  } finally {
    isLoadingMore = false;
  }
}

/** Newer parts are offered, never put in: a list that moves under the finger is labelled wrongly. */
async function lookForNewer() {
  if (document.hidden || !list.rows.length) return;
  try {
    const query = new URLSearchParams(filters.query);
    query.set("limit", "1");
    const said = await ask(`${page.rows}?${query}`, { method: "GET", isQuiet: true });
    by("fresh").hidden = !said.rows.length || said.rows[0].at_us <= list.rows[0].at_us;
  } catch {
    // The shell shows that the server does not answer.
  }
}

// What is shown

function showCount() {
  selected.clear();
  showSelection();
  const isEmpty = !list.rows.length;
  by("window").hidden = isEmpty;
  by("beside").hidden = !isEmpty;
  if (isEmpty) showEmpty();
  put(by("window"), "aria-rowcount", String(total));
  const count = whole(total);
  const words = total === 1 ? text("review.count.one") : text("review.count", { count });
  say(by("list-title"), total >= MOST_COUNTED ? text("review.count.most", { count }) : words);
}

function showWaiting() {
  say(by("list-title"), text("review.loading"));
  const waits = Array.from({ length: 8 }, () => make("div", "waits loading", " "));
  by("beside").replaceChildren(...waits);
  by("beside").hidden = Boolean(list.rows.length);
  by("window").hidden = !list.rows.length;
}

function showEmpty() {
  const isAll = !filters.query;
  const empty = make("div", "empty-state", icon("tray"), make("strong", "", text(isAll ? "review.empty.all" : "review.empty")));
  empty.append(make("p", "", text(isAll ? "review.empty.all.words" : "review.empty.words")));
  if (!isAll) empty.append(button(text("review.clear"), () => filters.use("")));
  by("beside").replaceChildren(empty);
}

/** @param {unknown} error */
function showTrouble(error) {
  const words = make("p", "", ...refusalOf(error));
  const trouble = make("div", "error-state", icon("warn"), make("strong", "", text("review.trouble")), words);
  trouble.append(button(text("review.retry"), () => load()));
  put(trouble, "role", "alert");
  list.set([]);
  say(by("list-title"), text("review.trouble"));
  by("window").hidden = true;
  by("beside").hidden = false;
  by("beside").replaceChildren(trouble);
}

function showSelection() {
  by("bulk").hidden = !selected.size;
  by("list-hint").hidden = Boolean(selected.size);
  say(by("bulk-count"), text("review.bulk.count", { count: whole(selected.size) }));
}

/**
 * @param {string} words
 * @param {() => void} act
 */
function button(words, act) {
  const made = make("button", "button", words);
  put(made, "type", "button");
  made.addEventListener("click", act);
  return made;
}

// Selecting and opening

/** @param {number} place */
function toggle(place) {
  const row = list.rows[place];
  if (!row) return;
  if (!selected.delete(row.key)) selected.set(row.key, row);
  list.refresh();
  showSelection();
}

function selectAll() {
  const isAll = selected.size === list.rows.length;
  selected.clear();
  if (!isAll) for (const row of list.rows) selected.set(row.key, row);
  list.refresh();
  showSelection();
}

function open() {
  const row = list.rows[list.active];
  if (!row) return;
  try {
    sessionStorage.setItem(REMEMBERED, JSON.stringify({ query: filters.query, key: row.key, place: list.active }));
  } catch {
    // Then the list begins at its top again.
  }
  location.assign(addressOf(row));
}

by("window").addEventListener("click", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const element = target.closest(".row");
  if (!element) return;
  const place = Number(element.id.replace("row-", ""));
  const isBox = target.closest(".select");
  list.go(place);
  if (isBox) toggle(place);
  by("window").focus({ preventScroll: true });
});
by("window").addEventListener("dblclick", (event) => {
  if (/** @type {HTMLElement} */ (event.target).closest(".row")) open();
});

// Labelling

/** @param {string} kind */
async function label(kind) {
  if (!page.mayLabel) return;
  const rows = selected.size ? [...selected.values()] : list.rows.slice(list.active, list.active + 1);
  if (!rows.length) return;
  let name = "";
  if (kind === "other_class") {
    const said = await askClass(page.classes);
    if (said === null) return;
    name = said;
  }
  const before = await tell(rows, { kind, class: name });
  if (!before.length) return;
  undo.push(before);
  const words = text(`review.label.${kind}`);
  const said =
    before.length === 1
      ? text("review.done.one", { number: before[0].part.part, label: words })
      : text("review.done", { count: whole(before.length), label: words });
  toast(said, "done", { words: text("review.undo"), act: takeBack });
  if (selected.size) {
    selected.clear();
    list.refresh();
    showSelection();
  } else {
    list.go(list.active + 1);
  }
}

async function takeBack() {
  if (!page.mayLabel) return;
  const steps = undo.pop();
  if (!steps.length) {
    toast(text("review.undo.nothing"));
    return;
  }
  /** @type {Map<string, import("./labelling.js").Step[]>} */
  const groups = new Map();
  for (const each of steps) {
    const group = JSON.stringify(each.before);
    groups.set(group, [...(groups.get(group) ?? []), each]);
  }
  for (const [said, group] of groups) {
    await tell(
      group.map((each) => list.rows.find((/** @type {Row} */ row) => row.key === keyOf(each.part)) ?? each.part),
      JSON.parse(said),
    );
  }
  toast(text("review.undone"));
}

/** @param {{lane: number, epoch: number, part: number}} part */
function keyOf(part) {
  return `${part.lane}-${part.epoch}-${part.part}`;
}

/**
 * Says something of parts, and shows what became of them.
 * @param {{lane: number, epoch: number, part: number, version: number}[]} parts
 * @param {Before} said
 * @returns {Promise<import("./labelling.js").Step[]>} what was changed, and what it was before
 */
async function tell(parts, said) {
  /** @type {import("./labelling.js").Step[]} */
  const done = [];
  /** @type {string[]} */
  const refused = [];
  try {
    for (let start = 0; start < parts.length; start += AT_ONCE) {
      const some = parts.slice(start, start + AT_ONCE);
      const asked = some.map(({ lane, epoch, part, version }) => ({ lane, epoch, part, version }));
      const answer = await ask(page.labels, { body: { parts: asked, kind: said.kind, class: said.class } });
      for (const each of answer.done) {
        const [lane, epoch, part] = each.key.split("-").map(Number);
        const step = { part: { lane, epoch, part, version: each.version }, before: { kind: each.before, class: each.before_class } };
        done.push(step);
        const row = list.rows.find((/** @type {Row} */ known) => known.key === each.key);
        if (row) Object.assign(row, { version: each.version, label: each.label });
      }
      refused.push(...answer.refused);
    }
  } catch (error) {
    toast(refusalOf(error), "wrong");
  }
  if (refused.length) {
    toast(text("review.done.refused", { count: whole(refused.length) }), "wrong");
    await showAnew(refused.slice(0, AT_ONCE));
  }
  list.refresh();
  return done;
}

/**
 * Fetches the labels of rows anew that somebody else has changed.
 * @param {string[]} keys
 */
async function showAnew(keys) {
  const wanted = new Set(keys);
  const rows = list.rows.filter((/** @type {Row} */ each) => wanted.has(each.key));
  await Promise.all(
    rows.map(async (row) => {
      const said = await ask(`/api/v1/parts/${row.lane}/${row.epoch}/${row.part}/labels`, { method: "GET" });
      const stands = said.labels[0];
      row.version = said.version;
      row.label = stands ? { kind: stands.kind, class: stands.class, by: stands.by, agrees: stands.agrees } : null;
    }),
  ).catch((error) => toast(refusalOf(error), "wrong"));
}

for (const each of document.querySelectorAll("#bulk [data-kind]")) {
  each.addEventListener("click", () => label(/** @type {HTMLElement} */ (each).dataset.kind ?? ""));
}
by("none").addEventListener("click", () => {
  selected.clear();
  list.refresh();
  showSelection();
});
by("export").addEventListener("click", () => {
  const lines = ["lane,epoch,part", ...[...selected.values()].map((row) => `${row.lane},${row.epoch},${row.part}`)];
  const link = /** @type {HTMLAnchorElement} */ (make("a"));
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.download = "parts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

// Finding, keys, beginning

by("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = /** @type {HTMLInputElement} */ (by("find-words")).value.trim();
  if (!words) return;
  try {
    const said = await ask(`/api/v1/find?${new URLSearchParams({ words })}`, { method: "GET" });
    const [lane, epoch, part] = said.key.split("-");
    location.assign(page.part.replace(/0\/0\/0$/, `${lane}/${epoch}/${part}`));
  } catch (error) {
    toast(error instanceof Refused && error.status === 404 ? text("review.find.none") : refusalOf(error), "wrong");
  }
});
say(/** @type {Element} */ (by("fresh").querySelector("span")), text("review.fresh"));
by("fresh").addEventListener("click", () => load());

useKeys(
  [
    key(["j", "ArrowDown"], text("review.key.move"), () => list.go(list.active + 1), ["j", "k", "↓", "↑"]),
    key(["Enter"], text("review.key.open"), open),
    key([" ", "x"], text("review.key.select"), () => toggle(list.active), ["Space", "x"]),
    key(["a"], text("review.key.all"), selectAll),
    key(Object.values(page.keys), text("review.key.label"), (event) => label(kindOf(event.key)), ["1", "…", "6"]),
    key(["u"], text("review.key.undo"), takeBack),
    key(["r"], text("review.key.refresh"), () => load()),
  ],
  text("review.key.help"),
);
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.defaultPrevented || document.querySelector("dialog[open]") || target.matches("input, select, textarea")) return;
  const steps = { k: -1, ArrowUp: -1, PageDown: list.rowsPerPage, PageUp: -list.rowsPerPage, Home: -Infinity, End: Infinity };
  const step = steps[/** @type {keyof typeof steps} */ (event.key)];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  list.go(Math.max(0, Math.min(list.active + step, list.rows.length - 1)));
});

/** @param {string} pressed */
function kindOf(pressed) {
  return Object.entries(page.keys).find(([, each]) => each === pressed)?.[0] ?? "";
}

async function begin() {
  /** @type {{query?: string, key?: string, place?: number}} */
  let left = {};
  try {
    left = JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "{}");
    sessionStorage.removeItem(REMEMBERED);
  } catch {
    // Then it begins at its top.
  }
  const isBack = left.query === filters.query && left.key;
  await load(isBack ? (left.place ?? 0) + 1 : PAGE);
  if (isBack) list.go(Math.max(0, list.rows.findIndex((/** @type {Row} */ each) => each.key === left.key)));
  setInterval(lookForNewer, LOOK_MS);
}

begin();
