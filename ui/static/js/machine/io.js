// Inputs and outputs of a lane: what every wire says, four times a second while somebody looks, and a key for each
// output that is held to try it. Whether that is allowed now, the station says; it refuses by itself as well.

import { ask } from "../ask.js";
import { by, make, put, say, swapIcon } from "../dom.js";
import { HoldKey } from "../hold.js";
import { writeRefusal } from "../quoting.js";
import { decimal, hasText, span, text, whole } from "../texts.js";
import { toast, toastFailure } from "../toast.js";
import { whileSeen } from "./figures.js";

const LOOK_MS = 250;
const OLD_MS = 1000;
const LIT_MS = 1500;
const WORDS = { key: "io.hold", hint: "io.hold", holding: "io.holding", sending: "io.sending", done: "io.done", failed: "io.failed" };

/** @typedef {{ pin: string, active_low: boolean, debounce_ms: number, read_back: string }} Wire */
/** @typedef {{ name: string, is_active: boolean, edges: number, changed_ms: number | null, wire: Wire | null }} Input */
/** @typedef {{ name: string, is_on: boolean, is_pulsed: boolean, least_ms: number, most_ms: number, wire: Wire | null }} Output */

const page = JSON.parse(by("page").textContent ?? "{}");
const lane = /** @type {HTMLSelectElement} */ (by("lane"));
const why = /** @type {HTMLInputElement} */ (by("why"));
/** @type {Map<string, { row: HTMLElement, edges: number, litMs: number }>} */
const inputs = new Map();
/** @type {Map<string, { row: HTMLElement, key: HTMLButtonElement | null }>} */
const outputs = new Map();
let bar = "RUNNING";
let isOld = true;
/** @type {Output[]} */
let last = [];

const lengthMs = () => Number(document.querySelector("input[name=length]:checked")?.getAttribute("value"));
const urlOf = (/** @type {string} */ url) => url.replace("/0/", `/${lane.value}/`);

/**
 * What people call an input or output.
 * @param {string} name
 */
function called(name) {
  const [kind, place = ""] = name.split(":");
  const key = `io.name.${kind}`;
  return hasText(key) ? text(key, { place }) : name;
}

/**
 * @param {Wire | null} wire
 * @param {string} word what the level of its pin means
 */
function wired(wire, word) {
  if (!wire) return "";
  const words = [text("io.wire", { pin: wire.pin, level: text(wire.active_low ? "io.wire.low" : "io.wire.high"), word })];
  if (wire.debounce_ms) words.push(text("io.wire.debounce", { ms: decimal(wire.debounce_ms, wire.debounce_ms % 1 ? 1 : 0) }));
  if (wire.read_back) words.push(text("io.wire.read_back", { pin: wire.read_back }));
  return words.join(", ");
}

/**
 * @param {Element} row
 * @param {string} name
 */
function piece(row, name) {
  return /** @type {HTMLElement} */ (row.querySelector(`[data-${name}]`));
}

/**
 * @param {string} tag
 * @param {string} kind
 * @param {string} name of its data attribute
 * @param {...(Node | string)} children
 */
function marked(tag, kind, name, ...children) {
  const element = make(tag, kind, ...children);
  put(element, `data-${name}`, "");
  return element;
}

/** @param {string} name */
function level(name) {
  const lamp = make("span", "lamp");
  put(lamp, "aria-hidden", "true");
  return marked("span", "level", name, lamp, marked("span", "", "word"));
}

/**
 * @param {Element} place
 * @param {boolean} isOn
 * @param {string} word
 */
function showLevel(place, isOn, word) {
  put(place, "data-on", isOn ? "yes" : "no");
  say(piece(place, "word"), word);
}

// Inputs

/** @param {Input[]} said */
function showInputs(said) {
  by("no-inputs").hidden = said.length > 0;
  if (said.map((each) => each.name).join("|") !== [...inputs.keys()].join("|")) {
    inputs.clear();
    by("inputs").replaceChildren(...said.map(inputRow));
  }
  for (const each of said) showInput(each);
}

/** @param {Input} input */
function inputRow(input) {
  const name = make("th", "", make("span", "called", called(input.name)), " ", make("code", "", input.name));
  put(name, "scope", "row");
  const wire = wired(input.wire, text("io.active"));
  if (wire) name.append(make("span", "quiet small", wire));
  const row = make("tr", "", name, make("td", "", level("level")), marked("td", "number", "edges"), marked("td", "number", "changed"));
  inputs.set(input.name, { row, edges: input.edges, litMs: 0 });
  return row;
}

/** @param {Input} input */
function showInput(input) {
  const known = /** @type {{ row: HTMLElement, edges: number, litMs: number }} */ (inputs.get(input.name));
  const now = performance.now();
  if (known.edges !== input.edges) known.litMs = now + LIT_MS;
  known.edges = input.edges;
  put(known.row, "data-lit", now < known.litMs ? "yes" : null);
  showLevel(piece(known.row, "level"), input.is_active, text(input.is_active ? "io.active" : "io.inactive"));
  say(piece(known.row, "edges"), whole(input.edges));
  say(piece(known.row, "changed"), changed(input.changed_ms));
}

/** @param {number | null} ms */
function changed(ms) {
  if (ms === null) return text("io.never");
  return ms < 1000 ? text("io.now") : text("io.ago", { ago: span(ms) });
}

// Outputs

/** @param {Output[]} said */
function showOutputs(said) {
  last = said;
  if (said.map((each) => each.name).join("|") !== [...outputs.keys()].join("|")) {
    outputs.clear();
    by("outputs").replaceChildren(...said.map(outputRow));
  }
  for (const each of said) showOutput(each);
}

/** @param {Output} output */
function outputRow(output) {
  const words = make("div", "words", make("span", "called", called(output.name)), " ", make("code", "", output.name));
  const wire = wired(output.wire, text("io.on"));
  if (wire) words.append(make("span", "quiet small", wire));
  const note = marked("span", "note small", "note");
  const key = output.most_ms ? tryKey(output) : null;
  if (key) words.append(note);
  const row = make("li", "", words, level("level"), key ?? note);
  put(row, "data-output", output.name);
  outputs.set(output.name, { row, key });
  return row;
}

/** Does nothing while it is greyed out. */
class TryKey extends HoldKey {
  press() {
    if (!(/** @type {HTMLButtonElement} */ (this.key).disabled)) super.press();
  }
}

/** @param {Output} output */
function tryKey(output) {
  const progress = make("span", "progress");
  put(progress, "aria-hidden", "true");
  const name = make("span", "aloud", `${called(output.name)}: `);
  const words = make("span", "words", name, marked("strong", "", "length"), " ", marked("span", "hint", "hint", text("io.hold")));
  const unsaid = marked("span", "", "word");
  unsaid.hidden = true;
  const key = /** @type {HTMLButtonElement} */ (make("button", "button try", progress, words, unsaid));
  key.type = "button";
  key.id = `try-${output.name.replace(/\W+/g, "-")}-${outputs.size}`;
  key.disabled = true;
  // The key is found by its id, so it has to be in the page first.
  queueMicrotask(() => new TryKey(key.id, () => tryOut(output.name), WORDS));
  return key;
}

/** @param {string} name */
async function tryOut(name) {
  const ms = lengthMs();
  try {
    const body = { output: name, pulse_ms: ms };
    const said = await ask(urlOf(page.pulse), { body, reason: why.value.trim() });
    toast(text("io.done.words", { name: called(name), ms, sequence: said.sequence, epoch: said.epoch }));
  } catch (error) {
    toastFailure(error);
    throw error;
  }
}

/** @param {Output} output */
function showOutput(output) {
  const { row, key } = /** @type {{ row: HTMLElement, key: HTMLButtonElement | null }} */ (outputs.get(output.name));
  put(row, "data-tried", output.is_pulsed ? "yes" : null);
  showLevel(piece(row, "level"), output.is_on, text(output.is_pulsed ? "io.pulsed" : output.is_on ? "io.on" : "io.off"));
  const ms = lengthMs();
  const fits = output.least_ms <= ms && ms <= output.most_ms;
  const limits = text("io.limits", { least: whole(output.least_ms), most: whole(output.most_ms) });
  say(piece(row, "note"), key === null ? text("io.forbidden") : fits ? "" : limits);
  if (key === null) return;
  key.disabled = isOld || bar !== "" || !fits || !why.value.trim();
  say(piece(key, "length"), text("io.try", { ms }));
}

function showBar() {
  const isOpen = !isOld && bar === "" && why.value.trim() !== "";
  put(by("bar"), "data-bar", isOpen ? "open" : "closed");
  swapIcon(by("bar-icon"), isOpen ? "check" : "lock");
  const known = hasText(`io.bar.${bar}`) ? `io.bar.${bar}` : "io.bar.other";
  const key = isOld ? "io.bar.old" : bar === "" && !isOpen ? "io.bar.why" : known;
  say(by("bar-text"), text(key, { code: bar }));
}

// All of it

/** @param {any} encoder */
function showEncoder(encoder) {
  const key = `io.encoder.${encoder.driver}`;
  say(by("encoder-wire"), encoder.driver && hasText(key) ? text(key, { pins: encoder.pins.join(", ") }) : encoder.driver);
  say(by("encoder-position"), `${decimal(encoder.position_mm, 1)} mm`);
  say(by("encoder-speed"), `${decimal(encoder.speed_mm_s, 0)} mm/s`);
  say(by("encoder-count"), whole(encoder.count));
  say(by("encoder-missed"), whole(encoder.missed));
  put(by("encoder-missed"), "data-wrong", encoder.missed ? "yes" : null);
}

function grow() {
  isOld = true;
  by("trouble").hidden = false;
  put(by("io"), "data-old", "yes");
  put(by("io"), "aria-busy", "false");
  refresh();
}

function refresh() {
  showBar();
  for (const each of last) if (outputs.has(each.name)) showOutput(each);
}

async function look() {
  const asked = lane.value;
  try {
    const said = await ask(urlOf(page.levels), { method: "GET", isQuiet: true });
    if (asked !== lane.value) return;
    if (said.age_ms > OLD_MS) {
      say(by("trouble-what"), text("io.old"));
      say(by("trouble-mend"), text("io.old.mend", { ago: span(said.age_ms) }));
      grow();
      return;
    }
    isOld = false;
    bar = said.bar;
    by("trouble").hidden = true;
    put(by("io"), "data-old", null);
    put(by("io"), "aria-busy", "false");
    showInputs(said.inputs);
    showOutputs(said.outputs);
    showEncoder(said.encoder);
    say(by("permit"), text(said.is_permitted ? "io.permit.given" : "io.permit.taken"));
    showBar();
  } catch (error) {
    writeRefusal(error, by("trouble-what"), by("trouble-mend"));
    grow();
  }
}

lane.addEventListener("change", () => {
  inputs.clear();
  outputs.clear();
  by("inputs").replaceChildren();
  by("outputs").replaceChildren();
  last = [];
});
for (const each of document.querySelectorAll("input[name=length]")) each.addEventListener("change", refresh);
why.addEventListener("input", refresh);
for (const each of document.querySelectorAll(".whys .chip")) {
  each.addEventListener("click", () => {
    why.value = /** @type {HTMLElement} */ (each).dataset.why ?? "";
    refresh();
  });
}
whileSeen(look, LOOK_MS);
