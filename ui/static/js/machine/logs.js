// The log, live: asks once a second for what has been said since, as long as somebody looks and does not touch it.

import { ask } from "../ask.js";
import { by, icon, make, put, quoted, say } from "../dom.js";
import { phrase, refusalOf } from "../quoting.js";
import { hasText, text, timeOfDay, useTexts } from "../texts.js";
import { toast } from "../toast.js";

const EVERY_MS = 1000;
const TYPED_MS = 300;
const STEP = 200;
const MOST = 2000;

/**
 * @typedef {object} Line
 * @property {number} number
 * @property {string} time
 * @property {string} process
 * @property {"error" | "warning" | "info"} level
 * @property {string} text
 */

const shell = JSON.parse(by("shell").textContent ?? "{}");
useTexts(shell.words, shell.language);
const page = JSON.parse(by("page").textContent ?? "{}");

const filters = /** @type {HTMLFormElement} */ (by("filters"));
const process = /** @type {HTMLSelectElement} */ (by("process"));
const rows = by("rows");

let newest = 0;
let most = STEP;
let isPaused = false;
let isOlder = false;
/** Counts the filters that were chosen: an answer to an earlier one is not shown. */
let asking = 0;
let timer = 0;

/** What is chosen, as it stands in an address. */
function query() {
  const said = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) {
    if (typeof value === "string" && value.trim()) said.set(name, value.trim());
  }
  return said;
}

/** Everything anew, by the filter as it is. */
async function load() {
  const turn = ++asking;
  clearTimeout(timer);
  const said = query();
  put(by("text"), "href", `${page.text}?${said}`);
  put(by("table"), "aria-busy", "true");
  said.set("most", String(most));
  try {
    const found = await ask(`${page.lines}?${said}`, { method: "GET" });
    if (turn !== asking) return;
    newest = 0;
    rows.replaceChildren();
    show(found.lines);
    isOlder = found.is_more;
    choices(found.processes);
    told(found.trouble);
  } catch (error) {
    if (turn !== asking) return;
    failed(error);
  }
  put(by("table"), "aria-busy", "false");
  next();
}

/** What was said since. */
async function follow() {
  const turn = asking;
  const said = query();
  said.set("after", String(newest));
  said.set("most", String(STEP));
  try {
    const found = await ask(`${page.lines}?${said}`, { method: "GET", isQuiet: true });
    if (turn !== asking || isPaused) return;
    if (found.is_more) {
      // More than was asked for has been said meanwhile: there must be no gap.
      load();
      return;
    }
    show(found.lines);
    told(found.trouble);
  } catch (error) {
    if (turn !== asking) return;
    failed(error);
  }
  next();
}

function next() {
  clearTimeout(timer);
  if (!isPaused && !document.hidden) timer = setTimeout(follow, EVERY_MS);
}

/** @param {Line[]} lines the newest first */
function show(lines) {
  if (lines.length) newest = Math.max(newest, lines[0].number);
  rows.prepend(...lines.map(row));
  while (rows.childElementCount > Math.max(most, STEP)) {
    rows.lastElementChild?.remove();
    isOlder = true;
  }
  by("more").hidden = !isOlder || most >= MOST;
  by("empty").hidden = rows.childElementCount > 0;
  by("table").hidden = rows.childElementCount === 0;
  by("trouble").hidden = true;
}

/** @param {Line} line */
function row(line) {
  const said = make("td", "said");
  const words = quoted("span", "", line.text);
  if (line.level !== "info") {
    const aloud = make("span", "aloud", `${text(`machine_logs.level.${line.level}`)}: `);
    said.append(icon(line.level === "error" ? "reject" : "warn"), aloud);
  }
  said.append(words);
  const element = make("tr", "", make("td", "when", line.time), make("td", "who", line.process), said);
  put(element, "data-level", line.level);
  return element;
}

/** @param {string[]} names of processes that can be chosen */
function choices(names) {
  const known = new Set([...process.options].map((each) => each.value));
  for (const name of names) if (!known.has(name)) process.add(new Option(name, name));
}

/** @param {string} trouble */
function told(trouble) {
  // Beside the state, not in it: whoever has the page read aloud would hear it every second.
  say(by("log-heard"), text("machine_logs.heard", { clock: timeOfDay() }));
  const how = text(isPaused ? "machine_logs.paused" : "machine_logs.live");
  by("log-state").replaceChildren(how, ...(trouble ? [" ", ...phrase("machine_logs.missing", { why: trouble })] : []));
}

/** @param {unknown} error */
function failed(error) {
  by("log-state").replaceChildren(...refusalOf(error));
  if (rows.childElementCount) return;
  by("table").hidden = true;
  by("empty").hidden = true;
  by("trouble").hidden = false;
}

/** @param {boolean} isWanted */
function pause(isWanted) {
  if (isPaused === isWanted) return;
  isPaused = isWanted;
  const key = by("pause");
  put(key, "aria-pressed", String(isPaused));
  put(by("log"), "data-live", isPaused ? "no" : "yes");
  key.replaceChildren(icon(isPaused ? "live" : "held"), make("span", "", text(isPaused ? "machine_logs.go_on" : "machine_logs.pause")));
  say(by("log-state"), text(isPaused ? "machine_logs.paused" : "machine_logs.live"));
  if (isPaused) clearTimeout(timer);
  else follow();
}

function changed() {
  const said = query().toString();
  history.replaceState(null, "", said ? `?${said}` : location.pathname);
  most = STEP;
  load();
}

let typing = 0;
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  changed();
});
filters.addEventListener("change", changed);
by("words").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(changed, TYPED_MS);
});
by("pause").addEventListener("click", () => pause(!isPaused));
// Whoever reads, or marks words to copy them, must not have the lines move away under the finger.
by("frame").addEventListener("pointerdown", () => pause(true));
by("frame").addEventListener("scroll", () => by("frame").scrollTop > 0 && pause(true));
by("more").addEventListener("click", () => {
  pause(true);
  most = Math.min(MOST, 5 * most);
  load();
});
by("bundle").addEventListener("submit", () => toast(text("machine_logs.bundle.begun")));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (!isPaused && hasText("machine_logs.live")) follow();
});

load();
