// Other thresholds, tried on the parts that people have labelled: a slider and a number per class, and what they would
// have done at once. The server reckons; here is only what was moved.

import { ask } from "../ask.js";
import { by, draw, make, put, say } from "../dom.js";
import { writeRefusal } from "../quoting.js";
import { decimal, text, whole } from "../texts.js";
import { toast, toastFailure } from "../toast.js";
import { cell } from "./chart.js";

const WIDTH = 600;
const HEIGHT = 220;
const SETTLE_MS = 250;
/** So often it is asked whether the station says that it judges by another recipe. */
const SETTLE_TRIES = 20;
const page = JSON.parse(by("page").textContent ?? "{}");
const lane = /** @type {HTMLSelectElement} */ (by("lane"));
const buttons = {
  apply: /** @type {HTMLButtonElement} */ (by("apply")),
  reset: /** @type {HTMLButtonElement} */ (by("reset")),
  back: /** @type {HTMLButtonElement} */ (by("back")),
};
const day = new Intl.DateTimeFormat(page.language, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
/** @type {Map<string, number>} what was moved, by class */
const moved = new Map();
/** @type {Map<string, { slider: HTMLInputElement, number: HTMLInputElement, reset: number }>} */
const controls = new Map();
/** @type {any} */
let last = null;
let looked = "";
let newest = 0;
let isAsking = false;
let isAgain = false;

/** @param {number | null} value */
const share = (value) => (value === null ? "-" : `${decimal(100 * value, value < 0.1 ? 2 : 1)} %`);

/** Asks with what is moved now; while an answer is under way, only the last wish counts. */
async function refresh() {
  if (isAsking) {
    isAgain = true;
    return;
  }
  isAsking = true;
  const turn = ++newest;
  try {
    const body = { lane: Number(lane.value), thresholds: Object.fromEntries(moved), curve: looked };
    const said = await ask(page.try, { body });
    if (turn === newest) show(said);
  } catch (error) {
    fail(error);
  } finally {
    isAsking = false;
    if (isAgain) {
      isAgain = false;
      refresh();
    }
  }
}

/** @param {unknown} error */
function fail(error) {
  writeRefusal(error, by("trouble-what"), by("trouble-mend"));
  reveal("trouble");
}

/** @param {"bench" | "nothing" | "trouble"} which */
function reveal(which) {
  for (const each of ["bench", "nothing", "trouble"]) by(each).hidden = each !== which;
}

/** @param {any} said */
function show(said) {
  const isOther = last?.recipe_sha256 !== said.recipe_sha256;
  last = said;
  reveal(said.labels ? "bench" : "nothing");
  put(by("bench"), "aria-busy", "false");
  say(by("recipe"), [text("what_if.recipe", { name: said.recipe }), before(said)].filter(Boolean).join(", "));
  looked ||= said.curve?.label ?? "";
  if (isOther || controls.size !== said.classes.length) build(said);
  for (const each of said.classes) support(each);
  for (const name of ["escapes", "overkill", "passed", "flagged"]) outcome(name, said.now[name], said.tried[name]);
  say(by("moved"), text("what_if.moved", { count: whole(said.moved) }));
  by("thin").hidden = !said.is_thin;
  say(by("basis"), text("what_if.basis", { labels: whole(said.labels), unsure: whole(said.unsure), others: whole(said.others) }));
  const floor = said.least_score === null ? "" : text("what_if.floor", { score: decimal(said.least_score, 2) });
  say(by("floor"), `${floor} ${text("what_if.margin", { margin: decimal(said.flag_margin, 2) })}`);
  buttons.apply.disabled = buttons.reset.disabled = moved.size === 0;
  buttons.back.disabled = said.before === null;
  curve(said);
}

/** @param {any} said */
function before(said) {
  return said.before ? text("what_if.before", { name: said.before.name, when: day.format(said.before.since_ms) }) : "";
}

/** @param {any} said */
function build(said) {
  controls.clear();
  const rows = said.classes.map((/** @type {any} */ each, /** @type {number} */ row) => {
    const id = `class-${row}`;
    const slider = input("range", each.tried);
    const number = input("number", each.tried);
    put(slider, "aria-label", text("what_if.slider", { label: each.label }));
    number.id = id;
    const isFixed = each.policy === "ignore";
    slider.disabled = number.disabled = isFixed;
    const name = make("label", "", each.label);
    put(name, "for", id);
    const note = make("p", "quiet small");
    const element = make("div", "threshold", name, slider, number, note);
    put(element, "data-label", each.label);
    controls.set(each.label, { slider, number, reset: each.now });
    for (const one of [slider, number]) {
      one.addEventListener("input", () => move(each.label, one.valueAsNumber, one));
      one.addEventListener("focus", () => look(each.label));
    }
    return element;
  });
  by("classes").replaceChildren(...rows);
}

/**
 * @param {string} type
 * @param {number} value
 */
function input(type, value) {
  const element = /** @type {HTMLInputElement} */ (make("input", type === "number" ? "input" : ""));
  Object.assign(element, { type, min: "0", max: "1", step: "0.01", value: String(value) });
  return element;
}

/**
 * @param {string} label
 * @param {number} value
 * @param {HTMLInputElement} by_
 */
function move(label, value, by_) {
  const known = controls.get(label);
  const isRight = Number.isFinite(value) && value >= 0 && value <= 1;
  put(by_, "aria-invalid", isRight ? null : "true");
  if (!known || !isRight) return;
  for (const each of [known.slider, known.number]) if (each !== by_) each.value = String(value);
  if (Math.abs(value - known.reset) < 1e-9) moved.delete(label);
  else moved.set(label, value);
  looked = label;
  refresh();
}

/** @param {string} label */
function look(label) {
  if (looked === label) return;
  looked = label;
  refresh();
}

/** @param {any} each */
function support(each) {
  const element = [...by("classes").children].find((one) => one.getAttribute("data-label") === each.label);
  const note = element?.querySelector("p");
  if (!element || !note) return;
  const words = [text("what_if.support", { bad: whole(each.bad), good: whole(each.good), now: decimal(each.now, 2) })];
  if (each.small) words.push(text("what_if.small", { count: whole(each.small) }));
  if (each.policy !== "reject") words.unshift(text(`what_if.policy.${each.policy}`));
  say(note, words.join("; "));
  put(element, "data-moved", Math.abs(each.tried - each.now) < 1e-9 ? null : "yes");
}

/**
 * @param {string} name
 * @param {any} now
 * @param {any} tried
 */
function outcome(name, now, tried) {
  const row = /** @type {HTMLElement} */ (document.querySelector(`[data-row="${name}"]`));
  const put_ = (/** @type {string} */ where, /** @type {string} */ words) =>
    say(/** @type {Element} */ (row.querySelector(where)), words);
  put_("[data-now]", `${share(now.value)} (${now.hits}/${now.of})`);
  put_("[data-tried]", `${share(tried.value)} (${tried.hits}/${tried.of})`);
  put_("[data-range]", tried.value === null ? "" : text("figures.between", { low: share(tried.low), high: share(tried.high) }));
  const drawn = /** @type {HTMLElement} */ (row.querySelector(".interval"));
  drawn.hidden = tried.value === null;
  drawn.style.setProperty("--low", String(tried.low));
  drawn.style.setProperty("--high", String(tried.high));
  drawn.style.setProperty("--value", String(tried.value ?? 0));
}

/** @param {any} said */
function curve(said) {
  const known = said.curve;
  say(by("curve-of"), known ? text("what_if.curve.of", { label: known.label }) : "");
  if (!known) {
    by("curve").replaceChildren();
    return;
  }
  const most = Math.max(1, ...known.escapes, ...known.overkill);
  const x = (/** @type {number} */ at) => 4 + at * (WIDTH - 8);
  const y = (/** @type {number} */ parts) => HEIGHT - 6 - (parts / most) * (HEIGHT - 14);
  const path = (/** @type {number[]} */ values) =>
    values.map((each, row) => `${row ? "L" : "M"}${x(known.thresholds[row]).toFixed(1)} ${y(each).toFixed(1)}`).join("");
  const rule = said.classes.find((/** @type {any} */ each) => each.label === known.label);
  const line = (/** @type {number} */ at, /** @type {string} */ kind) =>
    draw("line", { class: kind, x1: x(at), x2: x(at), y1: 0, y2: HEIGHT, "vector-effect": "non-scaling-stroke" });
  by("curve").replaceChildren(
    draw("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 6, y2: HEIGHT - 6, "vector-effect": "non-scaling-stroke" }),
    ...(said.least_score === null ? [] : [draw("rect", { class: "unknown", x: 0, y: 0, width: x(said.least_score), height: HEIGHT - 6 })]),
    line(rule.now, "now"),
    line(rule.tried, "tried"),
    draw("path", { class: "overkill", d: path(known.overkill), "vector-effect": "non-scaling-stroke" }),
    draw("path", { class: "escapes", d: path(known.escapes), "vector-effect": "non-scaling-stroke" }),
  );
  numbers(known);
}

/** @param {any} known */
function numbers(known) {
  const head = make("tr", "", cell("th", text("what_if.threshold"), "number"), cell("th", text("what_if.escapes"), "number"), cell("th", text("what_if.overkill"), "number"));
  const rows = known.thresholds.map((/** @type {number} */ at, /** @type {number} */ row) =>
    make("tr", "", cell("td", decimal(at, 2), "number"), cell("td", whole(known.escapes[row]), "number"), cell("td", whole(known.overkill[row]), "number")),
  );
  by("curve-table").replaceChildren(make("table", "table", make("thead", "", head), make("tbody", "", ...rows)));
}

function forget() {
  moved.clear();
  controls.clear();
  looked = "";
  return refresh();
}

buttons.reset.addEventListener("click", forget);
lane.addEventListener("change", forget);
buttons.apply.addEventListener("click", () => {
  const body = { lane: last.lane, recipe_sha256: last.recipe_sha256, thresholds: Object.fromEntries(moved) };
  const offer = { words: text("what_if.undo"), act: goBack };
  adopt(page.apply, body, (name) => toast(text("what_if.applied", { name }), "done", offer));
});
buttons.back.addEventListener("click", goBack);

function goBack() {
  const body = { lane: last.lane, recipe_sha256: last.recipe_sha256 };
  adopt(page.back, body, (name) => toast(text("what_if.went_back", { name })));
}

/**
 * Has the line judge by another recipe, and waits until it says so.
 * @param {string} url
 * @param {any} body
 * @param {(name: string) => void} done
 */
async function adopt(url, body, done) {
  buttons.apply.disabled = buttons.back.disabled = true;
  try {
    const said = await ask(url, { body });
    for (let tries = 0; tries < SETTLE_TRIES; tries++) {
      await forget();
      if (last.recipe_sha256 === said.recipe_sha256) break;
      await new Promise((done_) => setTimeout(done_, SETTLE_MS));
    }
    done(said.recipe);
  } catch (error) {
    toastFailure(error);
    buttons.apply.disabled = moved.size === 0;
    buttons.back.disabled = last.before === null;
  }
}

refresh();
