// The processes of the box, once a second while somebody looks, and starting one again.

import { ask } from "../ask.js";
import { by, icon, make, put, quoted, say } from "../dom.js";
import { writeRefusal } from "../quoting.js";
import { span, text, whole } from "../texts.js";
import { toast, toastFailure } from "../toast.js";
import { bytes, share, whileSeen } from "./figures.js";

const LOOK_MS = 1000;

/** @typedef {"" | "down" | "hidden" | "twin" | "unknown" | "line_runs" | "line_unknown"} Hindrance */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {number} pid
 * @property {number} started
 * @property {boolean} is_alive
 * @property {number | null} for_ms
 * @property {number} restarts
 * @property {string} last_exit
 * @property {number | null} cpu_share
 * @property {number | null} memory_bytes
 * @property {number | null} threads
 * @property {string[]} scheduling
 * @property {Hindrance} hindrance
 */

const page = JSON.parse(by("page").textContent ?? "{}");
/** @type {Map<string, { row: HTMLElement, write: (line: Line) => void }>} */
const rows = new Map();

/** @param {Line} line */
function badgeOf(line) {
  const [kind, shape, words] = !line.pid
    ? ["fault", "reject", "processes.down"]
    : line.is_alive
      ? ["none", "check", "processes.up"]
      : ["flag", "clock", "processes.starting"];
  const element = make("span", "badge", icon(shape), ` ${text(words)}`);
  put(element, "data-kind", kind);
  return element;
}

/**
 * A row that is written to and never made anew: a finger may be on its way to the key.
 * @param {Line} first
 */
function made(first) {
  const name = make("th", "", first.name);
  put(name, "scope", "row");
  const id = make("span", "under");
  name.append(id);
  const cells = {
    state: make("td", ""),
    since: make("td", "since"),
    cpu: make("td", "number"),
    memory: make("td", "number"),
    scheduling: make("td", ""),
    ended: make("td", "ended"),
  };
  const row = make("tr", "", name, ...Object.values(cells));
  const deeds = page.restart ? deedsOf(first.name, row) : null;
  let state = "";
  /** @param {Line} line */
  function write(line) {
    const now = `${Boolean(line.pid)} ${line.is_alive}`;
    if (now !== state) cells.state.replaceChildren(badgeOf(line));
    state = now;
    say(id, line.pid ? `PID ${line.pid}` : "");
    say(cells.since, line.for_ms === null ? text("diagnosis.unknown") : span(line.for_ms));
    say(cells.cpu, line.cpu_share === null ? "-" : share(line.cpu_share));
    say(cells.memory, line.memory_bytes === null ? "-" : bytes(line.memory_bytes));
    say(cells.scheduling, scheduling(line));
    if (cells.ended.dataset.said !== line.last_exit + line.restarts) cells.ended.replaceChildren(...ending(line));
    cells.ended.dataset.said = line.last_exit + line.restarts;
    deeds?.(line);
  }
  return { row, write };
}

/** @param {Line} line */
function scheduling(line) {
  const threads = line.threads === null ? "" : text("processes.threads", { count: whole(line.threads) });
  return [line.scheduling.join(", "), threads].filter(Boolean).join("; ") || "-";
}

/** @param {Line} line */
function ending(line) {
  const often = line.restarts ? text("processes.restarts", { count: whole(line.restarts) }) : "";
  if (!line.last_exit) return [often || text("processes.never")];
  return [quoted("span", "", line.last_exit), often ? `; ${often}` : ""];
}

/**
 * @param {string} name
 * @param {HTMLElement} row
 */
function deedsOf(name, row) {
  const key = /** @type {HTMLButtonElement} */ (make("button", "button", icon("refresh"), ` ${text("processes.again")}`));
  const why = make("span", "why");
  put(key, "type", "button");
  put(key, "aria-label", `${text("processes.again")}: ${name}`);
  row.append(make("td", "deeds", key, why));
  /** @type {Line | null} */
  let line = null;
  key.addEventListener("click", async () => {
    if (!line) return;
    key.disabled = true;
    try {
      await ask(page.restart, { body: { name, pid: line.pid, started: line.started } });
      toast(text("processes.asked", { name }));
    } catch (error) {
      toastFailure(error);
    }
    key.disabled = Boolean(line.hindrance);
  });
  return (/** @type {Line} */ now) => {
    line = now;
    key.disabled = Boolean(now.hindrance);
    key.hidden = now.hindrance === "twin" || now.hindrance === "unknown";
    say(why, now.hindrance ? text(`processes.hindrance.${now.hindrance}`) : "");
  };
}

/** @param {any} said */
function show(said) {
  put(by("list"), "aria-busy", "false");
  say(by("by"), said.started_by ? text("processes.by", { who: said.started_by }) : "");
  by("list").hidden = said.processes.length === 0;
  by("nobody").hidden = said.processes.length > 0;
  by("trouble").hidden = !said.trouble;
  say(by("trouble-what"), text(said.processes.length ? "processes.old" : "processes.unknown"));
  by("trouble-mend").replaceChildren(quoted("span", "said", said.trouble));
  const names = said.processes.map((/** @type {Line} */ each) => each.name);
  if (names.join("\n") !== [...rows.keys()].join("\n")) {
    rows.clear();
    for (const each of said.processes) rows.set(each.name, made(each));
    by("rows").replaceChildren(...[...rows.values()].map((each) => each.row));
  }
  for (const each of said.processes) rows.get(each.name)?.write(each);
  by("ends-none").hidden = said.ends.length > 0;
  by("ends-table").hidden = said.ends.length === 0;
  by("ends").replaceChildren(...said.ends.map(endRow));
}

/** @param {{ name: string, ago_ms: number, how: string }} end */
function endRow(end) {
  const name = make("th", "", end.name);
  put(name, "scope", "row");
  const when = make("td", "", text("processes.ago", { ago: span(end.ago_ms) }));
  return make("tr", "", name, when, quoted("td", "", end.how));
}

async function look() {
  try {
    show(await ask(page.processes, { method: "GET", isQuiet: true }));
  } catch (error) {
    put(by("list"), "aria-busy", "true");
    writeRefusal(error, by("trouble-what"), by("trouble-mend"));
    by("trouble-mend").append(" ", text("processes.old"));
    by("trouble").hidden = false;
  }
}

whileSeen(look, LOOK_MS);
