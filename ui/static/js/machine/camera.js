// A camera as it sees now, about four times a second while somebody looks at the page: the picture, how sharp it is,
// and how it is lit. Who asks is taken to look; a page that is hidden asks for nothing.

import { ask, Refused } from "../ask.js";
import { by, icon, make, put, quoted, say } from "../dom.js";
import { whyBy } from "../line/causes.js";
import { refusalOf } from "../quoting.js";
import { decimal, percent, text, whole } from "../texts.js";
import { Focus } from "./camera_focus.js";
import { Stage } from "./camera_stage.js";

const LOOK_MS = 250;
const LOST_MS = 2000;
const GREYS = 256;
const HIGH = 100;
const MUCH = 0.01;

/** @typedef {import("./camera_stage.js").Box} Box */
/** @typedef {"whole" | "region" | "centre" | "own"} Choice */

const page = JSON.parse(by("page").textContent ?? "{}");
const focus = new Focus();
const stage = new Stage(by("stage"), /** @type {HTMLCanvasElement} */ (by("picture")), { onBox: own, onView: viewed });
const grab = /** @type {HTMLAnchorElement} */ (by("grab"));
/** @type {Choice} */
let choice = page.region ? "region" : "whole";
/** @type {Box | null} */
let mine = null;
let known = 0;
let drawn = "";
let heardAt = Date.now();
let timer = 0;
let isAsking = false;
let turn = 0;

// Asking

async function look() {
  clearTimeout(timer);
  if (isAsking || document.hidden) return;
  isAsking = true;
  const begun = Date.now();
  const asked = turn;
  try {
    const said = await ask(`${page.look}${query(box(), { known })}`, { method: "GET", isQuiet: true });
    heardAt = Date.now();
    // The score of another box than the one that is chosen now says nothing.
    if (asked === turn) await show(said);
  } catch (error) {
    lose(error);
  } finally {
    isAsking = false;
    timer = setTimeout(look, asked === turn ? Math.max(0, LOOK_MS - (Date.now() - begun)) : 0);
  }
}

/**
 * @param {Box | null} within
 * @param {Record<string, number>} [more]
 */
function query(within, more = {}) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(more)) if (value) said.set(name, String(value));
  if (within) ["x", "y", "width", "height"].forEach((name, index) => said.set(name, String(within[index])));
  const text = said.toString();
  return text ? `?${text}` : "";
}

/** @param {unknown} error */
function lose(error) {
  if (Date.now() - heardAt < LOST_MS && !(error instanceof Refused && error.status)) return;
  const isRefused = error instanceof Refused && error.status !== 0;
  tell("lost", text("camera.state.lost"), ...(isRefused ? refusalOf(error) : []));
}

// Showing

/** @param {any} said */
async function show(said) {
  const picture = said.picture;
  tell(said.state, text(`camera.state.${said.state}`), mend(said));
  say(by("age"), picture ? age(picture.age_ms) : "");
  if (!picture) return;
  const origin = text(picture.is_asked ? "camera.of.look" : "camera.of.part");
  const channels = text(picture.channels > 1 ? "camera.colour" : "camera.mono");
  const size = text("camera.picture", { width: picture.width, height: picture.height });
  say(by("facts"), `${size}, ${channels}, ${origin}`);
  if (picture.figures) figures(picture.figures);
  known = picture.key;
  put(grab, "href", `${page.look}/${picture.key}.png`);
  put(grab, "aria-disabled", null);
  await fetchPicture(picture);
}

/** @param {any} picture */
async function fetchPicture(picture) {
  const within = stage.wanted();
  const url = `${page.look}/${picture.key}.jpg${query(within)}`;
  if (url === drawn) return;
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return; // a newer one has come meanwhile
  }
  drawn = url;
  const isNew = picture.width !== stage.size.width || picture.height !== stage.size.height;
  stage.show(image, within, picture.width, picture.height);
  if (isNew) boxed();
}

/** @param {any} said */
function mend(said) {
  if (said.text) return troubleOf(said);
  if (said.reason) return text(`camera.reason.${said.reason}`);
  return said.state === "asked" || said.state === "absent" ? text(`camera.mend.${said.state}`) : "";
}

/**
 * What is wrong with the camera, in the language of the page, and behind it in the words of its process.
 * @param {any} said
 */
function troubleOf(said) {
  const own = said.code && whyBy(said.code, said.camera);
  const words = quoted("span", "", said.text);
  return own ? make("span", "", `${own}. `, words) : words;
}

/** @param {number} ms */
function age(ms) {
  if (ms < 1000) return text("camera.age.now");
  return text("camera.age", { seconds: ms < 10_000 ? decimal(ms / 1000, 1) : whole(ms / 1000) });
}

/**
 * @param {string} state
 * @param {string} what
 * @param {...(Node | string)} how
 */
function tell(state, what, ...how) {
  put(by("stage"), "data-state", state);
  put(by("state"), "data-state", state);
  say(by("state-word"), what);
  say(by("says-what"), what);
  const said = how.map((each) => (typeof each === "string" ? each : each.textContent)).join("");
  if (by("says-mend").textContent !== said) by("says-mend").replaceChildren(...how);
}

/** @param {any} said */
function figures(said) {
  focus.note(said.focus, Date.now());
  say(by("mean"), decimal(said.mean, 1));
  say(by("deviation"), decimal(said.deviation, 1));
  say(by("range"), `${said.low} - ${said.high}`);
  say(by("saturated"), small(said.saturated));
  histogram(said.histogram);
  remarks(said);
}

/** @param {number} share */
function small(share) {
  return share > 0 && share < 0.001 ? `< ${decimal(0.1, 1)} %` : percent(share);
}

/** @param {number[]} counts */
function histogram(counts) {
  const total = counts.reduce((sum, each) => sum + each, 0) || 1;
  const top = Math.sqrt(Math.max(...counts)) || 1;
  const steps = counts.map((each, grey) => `L${grey} ${(HIGH * (1 - Math.sqrt(each) / top)).toFixed(1)}h1`);
  put(by("greys"), "d", `M0 ${HIGH}${steps.join("")}L${GREYS} ${HIGH}Z`);
  const dark = counts[0] / total;
  const white = counts[GREYS - 1] / total;
  by("clip-dark").toggleAttribute("hidden", dark === 0);
  by("clip-white").toggleAttribute("hidden", white === 0);
  for (const [id, share, key] of /** @type {const} */ ([
    ["at-dark", dark, "camera.clipped.dark"],
    ["at-white", white, "camera.clipped.white"],
  ])) {
    say(by(id), text(key, { share: small(share) }));
    put(by(id), "class", share > MUCH ? "much" : null);
  }
  put(by("histogram"), "aria-label", text("camera.histogram.label", { dark: small(dark), white: small(white) }));
}

/** @param {any} said */
function remarks(said) {
  const values = { mean: decimal(said.mean, 1), high: said.high, share: small(said.saturated) };
  /** @type {{ kind: string }[]} */
  const found = said.remarks;
  const list = by("remarks");
  const lines = found.map((each) => text(`camera.remark.${each.kind}`, values));
  const gist = `=${lines.join("|")}`;
  if (list.dataset.gist === gist) return;
  list.dataset.gist = gist;
  const items = lines.map((line) => {
    const item = make("li", "", icon("warn"), make("span", "", line));
    put(item, "data-kind", "mind");
    return item;
  });
  const none = make("li", "", icon("check"), make("span", "", text("camera.remarks.none")));
  list.replaceChildren(...(items.length ? items : [none]));
}

// Boxes and views

/** @returns {Box | null} the box that the focus score is of; `null`: the whole picture */
function box() {
  if (choice === "region") return page.region;
  if (choice === "own") return mine;
  return choice === "centre" && stage.size.width ? stage.middle() : null;
}

/** Shows the box that is chosen now. */
function boxed() {
  for (const each of ["whole", "region", "centre", "own"]) {
    const chip = document.getElementById(`box-${each}`);
    if (chip) put(chip, "aria-pressed", String(each === choice));
  }
  stage.box = box();
  stage.draw();
}

/** @param {Choice} wanted */
function choose(wanted) {
  choice = wanted;
  known = 0;
  turn += 1;
  focus.clear();
  boxed();
  look();
}

/** @param {boolean} isDrawing */
function drawing(isDrawing) {
  stage.drawing(isDrawing);
  put(by("draw"), "aria-pressed", String(isDrawing));
}

/** @param {Box} drawnBox */
function own(drawnBox) {
  mine = drawnBox;
  drawing(false);
  choose("own");
}

function viewed() {
  put(by("zoom"), "aria-pressed", String(stage.isZoomed));
  drawn = "";
  look();
}

for (const each of /** @type {const} */ (["whole", "region", "centre"])) {
  document.getElementById(`box-${each}`)?.addEventListener("click", () => choose(each));
}
by("box-own").addEventListener("click", () => (mine ? choose("own") : drawing(true)));
by("draw").addEventListener("click", () => drawing(!stage.isDrawing));
by("zoom").addEventListener("click", () => stage.zoom(!stage.isZoomed));
for (const each of /** @type {const} */ (["cross", "thirds"])) {
  by(each).addEventListener("click", () => {
    stage.marks[each] = !stage.marks[each];
    put(by(each), "aria-pressed", String(stage.marks[each]));
    stage.draw();
  });
}
document.addEventListener("visibilitychange", look);
look();
