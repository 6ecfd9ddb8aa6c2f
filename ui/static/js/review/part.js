// One part: its picture with boxes, its story, and what people say of it.

import "../shell.js";
import { Refused, ask } from "../ask.js";
import { by, icon, make, put, say } from "../dom.js";
import { phrase, refusalOf } from "../quoting.js";
import { text, whole } from "../texts.js";
import { toast, toastFailure } from "../toast.js";
import { key, useKeys } from "./keys.js";
import { Undo, askClass } from "./labelling.js";
import { showOpinions } from "./opinions.js";
import { Overlay } from "./overlay.js";
import { labelBadge, whenOf } from "./row.js";
import { showSteps, showTerms, showVerdict } from "./story.js";
import { Viewer } from "./viewer.js";

/**
 * @typedef {{camera: string, exposure: number, class: string, x: number, y: number, width: number, height: number}} Box
 * @typedef {{kind: string, class: string, boxes: Box[] | null, by: string, at_us: number, agrees: boolean | null}} Label
 */

const LOOK_MS = 2000;
const CONFLICT = 409;
const page = JSON.parse(by("page").textContent ?? "{}");
const undo = new Undo();
const [, , lane, epoch, part] = location.pathname.split("/").map(Number);

/** @type {any} */
let story = null;
let shot = 0;
/** @type {import("./opinions.js").Opinion | null} the other model whose boxes are shown */
let opinion = null;
/** @type {{version: number, labels: Label[]}} */
let said = { version: 0, labels: [] };
/** @type {Record<number, import("./overlay.js").Drawn[] | null>} boxes of each picture, as they are on this page */
let corrected = {};
let isCorrected = false;

const overlay = new Overlay(by("viewer"), boxesChanged, boxDrawn);
/** @type {Viewer | null} */
let viewer = null;

// Pictures

/** @param {number} place */
async function showShot(place) {
  keepBoxes();
  shot = place;
  const picture = story.pictures[place];
  for (const each of by("shots").children) put(each, "aria-pressed", String(Number(/** @type {HTMLElement} */ (each).dataset.place) === place));
  by("viewer").querySelector(".beside")?.remove();
  overlay.found = boxesFound();
  overlay.drawn = corrected[place] ?? null;
  overlay.chosen = -1;
  const isThere = Boolean(picture?.url);
  overlay.svg.toggleAttribute("hidden", !isThere);
  by("viewer").querySelector(".deep")?.toggleAttribute("hidden", !isThere);
  document.getElementById("edit")?.toggleAttribute("disabled", !isThere);
  if (!isThere) {
    showGone(picture);
    return;
  }
  viewer ??= new Viewer(by("viewer"), (placement) => overlay.place(placement), showBroken);
  const size = await viewer.show(picture.url, `${text("review.part", { number: part })}, ${picture.camera}`);
  overlay.size = size;
  by("viewer-loading").hidden = true;
  overlay.place(viewer.placement);
}

/** @param {any} picture */
function showGone(picture) {
  by("viewer-loading").hidden = true;
  if (!picture?.gone_us) {
    showInstead("review.picture.none.title", text("review.picture.none.words"));
    return;
  }
  const words = phrase("review.picture.gone.words", { why: picture.gone_why }, { when: whenOf(picture.gone_us) });
  showInstead("review.picture.gone.title", ...words);
}

function showBroken() {
  by("viewer-loading").hidden = true;
  overlay.svg.toggleAttribute("hidden", true);
  showInstead("review.picture.broken", text("review.picture.broken.words"));
}

/**
 * @param {string} title
 * @param {...(Node | string)} words
 */
function showInstead(title, ...words) {
  by("viewer").querySelector(".beside")?.remove();
  const empty = make("div", "empty-state", icon("picture"), make("strong", "", text(title)), make("p", "", ...words));
  by("viewer").append(make("div", "beside", empty));
}

function showShots() {
  if (story.pictures.length < 2) return;
  by("shots").replaceChildren(
    ...story.pictures.map((/** @type {any} */ picture, /** @type {number} */ place) => {
      const chip = make("button", "chip", picture.exposure ? `${picture.camera} ${picture.exposure + 1}` : picture.camera);
      put(chip, "type", "button");
      chip.dataset.place = String(place);
      chip.addEventListener("click", () => showShot(place));
      return chip;
    }),
  );
}

// Boxes

/** What is drawn as found: by the model of the line, or by another one that is looked at. */
function boxesFound() {
  const picture = story.pictures[shot];
  if (!picture || !opinion) return picture?.boxes ?? [];
  return opinion.boxes.filter((each) => each.camera === picture.camera && each.exposure === picture.exposure);
}

/** @param {import("./opinions.js").Opinion | null} chosen */
function lookAt(chosen) {
  opinion = chosen;
  overlay.found = boxesFound();
  overlay.draw();
}

function keepBoxes() {
  if (story) corrected[shot] = overlay.drawn;
}

/** @param {boolean} isDone */
function boxesChanged(isDone) {
  /** @type {HTMLButtonElement} */ (by("drop")).disabled = !overlay.chosenBox;
  if (isDone) isCorrected = true;
}

/** @param {import("./overlay.js").Drawn} box */
async function boxDrawn(box) {
  put(by("draw"), "aria-pressed", "false");
  const name = await askClass(page.classes);
  if (name === null) {
    overlay.drop();
    return;
  }
  box.class = name;
  isCorrected = true;
  overlay.draw();
}

async function edit() {
  const isEditing = !overlay.isEditing;
  if (!page.mayLabel || /** @type {HTMLButtonElement} */ (by("edit")).disabled) return;
  put(by("edit"), "aria-pressed", String(isEditing));
  by("editing").hidden = !isEditing;
  overlay.set({ isEditing });
  if (isEditing) {
    overlay.beginDrawn();
    return;
  }
  put(by("draw"), "aria-pressed", "false");
  if (!isCorrected) {
    overlay.drawn = corrected[shot] ?? null;
    overlay.draw();
    return;
  }
  const mine = mineOf(said.labels);
  if (mine) await tell(mine.kind, mine.class);
  else toast(text("review.boxes.pending"));
}

function drawNew() {
  if (!overlay.isEditing) return;
  overlay.set({ isDrawing: !overlay.isDrawing });
  put(by("draw"), "aria-pressed", String(overlay.isDrawing));
}

async function renameBox() {
  const box = overlay.chosenBox;
  if (!overlay.isEditing || !box) return;
  const name = await askClass(page.classes);
  if (name === null) return;
  box.class = name;
  isCorrected = true;
  overlay.draw();
}

function asFound() {
  overlay.drawn = null;
  corrected = {};
  isCorrected = true;
  overlay.beginDrawn();
}

/** All boxes of all pictures as the server takes them; `null`: nobody has corrected any. */
function boxesNow() {
  keepBoxes();
  const mine = mineOf(said.labels);
  if (!isCorrected) return mine ? mine.boxes : null;
  const places = story.pictures.map((/** @type {any} */ _, /** @type {number} */ place) => place);
  if (places.every((/** @type {number} */ place) => !corrected[place])) return null;
  return places.flatMap((/** @type {number} */ place) => {
    const { camera, exposure, boxes } = story.pictures[place];
    const found = boxes.filter((/** @type {any} */ each) => each.kind).map((/** @type {any} */ each) => ({ ...each, class: each.label }));
    return (corrected[place] ?? found).map((/** @type {any} */ each) => {
      const { x, y, width, height } = each;
      return { camera, exposure, class: each.class, x, y, width, height };
    });
  });
}

/** Shows the boxes of the label that stands, where a person has corrected them. */
function takeBoxes() {
  const from = mineOf(said.labels)?.boxes ?? said.labels[0]?.boxes ?? null;
  corrected = {};
  isCorrected = false;
  if (from) {
    story.pictures.forEach((/** @type {any} */ picture, /** @type {number} */ place) => {
      const own = from.filter((each) => each.camera === picture.camera && each.exposure === picture.exposure);
      corrected[place] = own.map(({ class: name, x, y, width, height }) => ({ class: name, x, y, width, height }));
    });
  }
  overlay.drawn = corrected[shot] ?? null;
  overlay.draw();
}

// Labels

/** @param {Label[]} labels */
function mineOf(labels) {
  return labels.find((each) => each.by === page.me);
}

function showLabels() {
  const { labels } = said;
  const mine = mineOf(labels);
  for (const each of document.querySelectorAll(".label-keys [data-kind]")) {
    put(each, "aria-pressed", String(/** @type {HTMLElement} */ (each).dataset.kind === mine?.kind));
  }
  const button = document.getElementById("undo");
  if (button instanceof HTMLButtonElement) button.disabled = undo.isEmpty;
  by("said").replaceChildren(...(labels.length ? labels.map(saidBy) : [make("li", "quiet", text("review.said.none"))]));
  by("agreement").replaceChildren(...agreementOf(labels));
}

/** @param {Label} label */
function saidBy(label) {
  const who = label.by === page.me ? text("review.said.me") : label.by;
  const line = make("li", "", labelBadge(label), make("span", "", who), make("span", "quiet small", whenOf(label.at_us)));
  if (label.boxes) line.append(make("span", "quiet small", text("review.said.boxes", { count: whole(label.boxes.length) })));
  return line;
}

/** @param {Label[]} labels */
function agreementOf(labels) {
  if (!labels.length) return [];
  const agrees = labels[0].agrees;
  const words = agrees === null ? text("review.second") : agrees ? text("review.agree", { count: whole(labels.length) }) : text("review.disagree");
  const badge = make("span", "badge", icon(agrees === null ? "user" : agrees ? "check" : "warn"), ` ${words}`);
  put(badge, "data-kind", agrees === false ? "flag" : "none");
  return [badge];
}

/** @param {string} kind */
async function label(kind) {
  if (!page.mayLabel || !story) return;
  let name = "";
  if (kind === "other_class") {
    const chosen = await askClass(page.classes);
    if (chosen === null) return;
    name = chosen;
  }
  await tell(kind, name);
}

/**
 * @param {string} kind
 * @param {string} name
 */
async function tell(kind, name) {
  const mine = mineOf(said.labels);
  const before = { kind: mine?.kind ?? null, class: mine?.class ?? "" };
  const boxes = boxesNow();
  if (!(await change("POST", { kind, class: name, boxes, version: said.version }))) return;
  undo.push([{ part: { lane, epoch, part, version: said.version }, before, boxes: mine?.boxes ?? null }]);
  showLabels();
  const words = text("review.done.one", { number: part, label: text(`review.label.${kind}`) });
  toast(words, "done", { words: text("review.undo"), act: takeBack });
}

async function takeBack() {
  const steps = undo.pop();
  const [step] = steps;
  if (!step) {
    toast(text("review.undo.nothing"));
    return;
  }
  const isHere = step.part.lane === lane && step.part.epoch === epoch && step.part.part === part;
  if (!isHere || steps.length > 1) {
    // What was done last was done elsewhere; it is taken back where it can be seen.
    undo.push(steps);
    location.assign(steps.length > 1 ? page.queue : addressOf(`${step.part.lane}-${step.part.epoch}-${step.part.part}`));
    return;
  }
  const { kind, class: name } = step.before;
  const boxes = step.boxes === undefined ? (mineOf(said.labels)?.boxes ?? null) : step.boxes;
  const isDone = kind
    ? await change("POST", { kind, class: name, boxes, version: said.version })
    : await change("DELETE", { version: said.version });
  if (isDone) toast(text("review.undone"));
  showLabels();
}

/**
 * @param {string} method
 * @param {object} body
 * @returns {Promise<boolean>} whether it was taken
 */
async function change(method, body) {
  try {
    said = await ask(page.labels, { method, body });
    takeBoxes();
    showLabels();
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === CONFLICT) await showConflict();
    else toastFailure(error);
    return false;
  }
}

async function showConflict() {
  await look();
  const other = said.labels.find((each) => each.by !== page.me);
  const words = other
    ? text("review.conflict", { by: other.by, label: text(`review.label.${other.kind}`) })
    : text("review.conflict.gone");
  toast(words, "wrong");
}

/** Looks what others have said meanwhile. */
async function look() {
  const now = await ask(page.labels, { method: "GET", isQuiet: true });
  if (now.version === said.version) return;
  said = now;
  if (!overlay.isEditing && !isCorrected) takeBoxes();
  showLabels();
}

// Other parts

/** @param {string} name */
function addressOf(name) {
  return page.part.replace(/0\/0\/0$/, name.split("-").join("/")) + location.search;
}

/**
 * @param {string} id
 * @param {string | null} name
 */
function link(id, name) {
  const element = /** @type {HTMLAnchorElement} */ (by(id));
  put(element, "aria-disabled", name ? null : "true");
  put(element, "href", name ? addressOf(name) : null);
}

/** @param {string} id */
function walk(id) {
  const href = by(id).getAttribute("href");
  if (href) location.assign(href);
}

// Keys, beginning

/** @param {string} pressed */
function kindOf(pressed) {
  return Object.entries(page.keys).find(([, each]) => each === pressed)?.[0] ?? "";
}

function toggleBoxes() {
  overlay.set({ isShown: !overlay.isShown });
  put(by("boxes"), "aria-pressed", String(overlay.isShown));
}

/** @param {string} id @param {() => void} act */
function click(id, act) {
  document.getElementById(id)?.addEventListener("click", act);
}

click("zoom-in", () => viewer?.zoom(1));
click("zoom-out", () => viewer?.zoom(-1));
click("fit", () => viewer?.fit());
click("boxes", toggleBoxes);
click("edit", edit);
click("draw", drawNew);
click("drop", () => overlay.drop());
click("as-found", asFound);
click("undo", takeBack);
for (const each of document.querySelectorAll(".label-keys [data-kind]")) {
  each.addEventListener("click", () => label(/** @type {HTMLElement} */ (each).dataset.kind ?? ""));
}
overlay.svg.addEventListener("focusin", (event) => {
  const place = /** @type {SVGElement} */ (event.target).dataset?.place;
  if (place !== undefined && Number(place) !== overlay.chosen) overlay.choose(Number(place));
});
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (overlay.nudge(event)) event.preventDefault();
});

const walkKeys = [
  key(["j"], text("review.key.walk"), () => walk("older"), ["j", "k"]),
  key(["b"], text("review.key.boxes"), toggleBoxes),
  key(["o"], text("opinions.key"), () => document.querySelector("#others button")?.dispatchEvent(new MouseEvent("click"))),
  key(["+", "="], text("review.key.zoom"), () => viewer?.zoom(1), ["+", "-", "0"]),
];
const labelKeys = [
  key(Object.values(page.keys), text("review.key.label"), (event) => label(kindOf(event.key)), ["1", "…", "6"]),
  key(["u"], text("review.key.undo"), takeBack),
  key(["e"], text("review.key.edit"), edit),
  key(["n"], text("review.key.draw"), drawNew),
  key(["c"], text("review.key.class"), renameBox),
  key(["Delete", "Backspace"], text("review.key.drop"), () => overlay.isEditing && overlay.drop(), ["Del"]),
  key(["ArrowRight"], text("review.key.arrows"), () => viewer?.pan(1, 0), ["← ↑ → ↓"]),
];
useKeys(
  [
    ...walkKeys,
    ...(page.mayLabel ? labelKeys : []),
    key(["Escape"], text("review.key.back"), () => (overlay.isEditing ? edit() : location.assign(page.queue)), ["Esc"]),
  ],
  text("review.key.help"),
);
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.defaultPrevented || document.querySelector("dialog[open]") || target.matches("input, select, textarea")) return;
  const acts = {
    k: () => walk("newer"),
    "-": () => viewer?.zoom(-1),
    0: () => viewer?.fit(),
    ArrowLeft: () => viewer?.pan(-1, 0),
    ArrowUp: () => viewer?.pan(0, -1),
    ArrowDown: () => viewer?.pan(0, 1),
  };
  const act = acts[/** @type {keyof typeof acts} */ (event.key)];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});

async function begin() {
  try {
    [story, said] = await Promise.all([ask(page.story, { method: "GET" }), ask(page.labels, { method: "GET" })]);
  } catch (error) {
    by("viewer-loading").hidden = true;
    showInstead("review.trouble", ...refusalOf(error));
    return;
  }
  showVerdict(story);
  showOpinions(story.opinions, lookAt);
  showTerms(story);
  showSteps(story);
  showShots();
  showLabels();
  takeBoxes();
  const withDefect = story.pictures.findIndex((/** @type {any} */ each) => each.boxes.some((/** @type {any} */ box) => box.kind));
  showShot(Math.max(0, withDefect));
  const beside = await ask(page.neighbours, { method: "GET", isQuiet: true });
  link("newer", beside.newer);
  link("older", beside.older);
  setInterval(() => document.hidden || look().catch(() => {}), LOOK_MS);
}

begin();
