// A part's pictures with what was found in them.

import { draw, make } from "./dom.js";
import { text } from "./texts.js";

/**
 * @typedef {{label: string, score: number, x: number, y: number, width: number, height: number, kind: string}} Box
 * @typedef {{camera: string, exposure: number, file: string, is_ready: boolean, width: number, height: number,
 *   boxes: Box[]}} Picture
 * @typedef {{kind: string, text: string, label?: string, score?: number, x?: number, y?: number, width?: number,
 *   height?: number}} Finding
 * @typedef {{key: string, lane: number, epoch: number, part: number, at_ms: number, verdict: "pass" | "reject",
 *   destination: string, reasons: string[], is_flagged: boolean, rerouted: string, findings: Finding[],
 *   pictures: Picture[], total_ms: number | null, stages_ms: Record<string, number>, budget_ms: number,
 *   outcome: string, confirmation: string}} Part
 */

/** How many times its own size of the neighbourhood is shown with a box, and the smallest share of the picture. */
const CLOSE_UP = 3;
const CLOSEST = 0.16;

let address = "";

/** @param {string} template the address of a preview, with NAME for its name */
export function usePreviews(template) {
  address = template;
}

/** @param {Picture} picture */
export function addressOf(picture) {
  const name = picture.file.replace(/\.jpg$/, "");
  return `${address.replace("NAME", encodeURIComponent(name))}?exposure=${picture.exposure}`;
}

/**
 * Loads a picture; `null` where it cannot be had.
 * @param {Picture} picture
 * @param {string} [words] what it shows
 * @returns {Promise<HTMLImageElement | null>}
 */
export async function load(picture, words = "") {
  const image = new Image();
  image.alt = words;
  image.draggable = false;
  image.src = addressOf(picture);
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

/**
 * The boxes of a picture, to lie over it.
 * @param {Picture} picture
 * @param {boolean} isNamed with class and score
 */
export function boxesOf(picture, isNamed) {
  const svg = draw("svg", {
    viewBox: `0 0 ${picture.width || 1} ${picture.height || 1}`,
    preserveAspectRatio: "xMidYMid meet",
    "aria-hidden": "true",
  });
  // Only what the verdict speaks of; what a detector holds possible besides is for the quality engineer. The worst
  // comes last, so that nothing covers it.
  for (const box of picture.boxes.filter((each) => each.kind).reverse()) {
    const { x, y, width, height } = box;
    const group = draw("g", { class: `box ${box.kind}` });
    group.append(draw("rect", { class: "halo", x, y, width, height }), draw("rect", { class: "edge", x, y, width, height }));
    if (isNamed) group.append(draw("text", {}, `${box.label} ${box.score.toFixed(2)}`));
    svg.append(group);
  }
  return svg;
}

/**
 * Puts the names of boxes where they can be read: above the box, or below it at the upper edge. Called once the
 * overlay is on the page and again when its size changes, because letters keep their size on the screen.
 * @param {SVGElement} svg
 */
export function placeNames(svg) {
  const view = /** @type {SVGSVGElement} */ (svg).viewBox.baseVal;
  const shown = svg.getBoundingClientRect();
  const scale = Math.max(view.width / (shown.width || 1), view.height / (shown.height || 1));
  const size = scale * 0.9 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  for (const name of svg.querySelectorAll("text")) {
    const group = /** @type {SVGElement} */ (name.parentNode);
    group.querySelector(".ground")?.remove();
    const edge = /** @type {SVGRectElement} */ (group.querySelector(".edge"));
    const [x, y, height] = ["x", "y", "height"].map((each) => Number(edge.getAttribute(each)));
    name.setAttribute("font-size", String(size));
    const width = /** @type {SVGTextElement} */ (name).getComputedTextLength() + 0.7 * size;
    const tall = 1.35 * size;
    const left = Math.max(0, Math.min(x, view.width - width));
    const over = y - tall - 2 * scale;
    const top = over >= 0 ? over : Math.min(y + height + 2 * scale, view.height - tall);
    group.insertBefore(draw("rect", { class: "ground", x: left, y: top, width, height: tall }), name);
    name.setAttribute("x", String(left + 0.35 * size));
    name.setAttribute("y", String(top + 1.0 * size));
  }
}

/**
 * A small picture with its boxes, without names.
 * @param {HTMLElement} holder
 * @param {Part} part
 */
export async function fillThumb(holder, part) {
  await fill(holder, part.pictures.find((each) => each.is_ready));
}

/**
 * What a finding is about, from close by.
 * @param {HTMLElement} holder
 * @param {Part} part
 * @param {Finding} [finding] without one: the first there is
 */
export async function fillCloseUp(holder, part, finding = part.findings.find((each) => each.label)) {
  for (const picture of part.pictures) {
    const box = picture.boxes.find((each) => finding && isAbout(finding, each));
    if (!box) continue;
    await fill(holder, picture.is_ready ? picture : undefined, box);
    return;
  }
  await fillThumb(holder, part);
}

/**
 * @param {HTMLElement} holder
 * @param {Picture} [picture]
 * @param {Box} [box] to look at; without one, the whole picture
 */
async function fill(holder, picture, box) {
  const mark = picture ? [picture.file, picture.boxes.length, box?.x, box?.y].join("/") : "";
  if (holder.dataset.shows === mark) return;
  holder.dataset.shows = mark;
  const image = picture ? await load(picture) : null;
  if (holder.dataset.shows !== mark) return;
  if (!picture || !image) {
    holder.replaceChildren();
    return;
  }
  const whole = make("span", "whole", image, boxesOf(picture, false));
  if (box) approach(whole, picture, box);
  holder.replaceChildren(whole);
}

/**
 * Enlarges a square picture so that one box and some of its neighbourhood fill it.
 * @param {HTMLElement} whole
 * @param {Picture} picture
 * @param {Box} box
 */
function approach(whole, picture, box) {
  const side = Math.max(picture.width, picture.height);
  const seen = Math.min(side, Math.max(CLOSE_UP * Math.max(box.width, box.height), CLOSEST * side));
  const start = (/** @type {number} */ middle, /** @type {number} */ length) =>
    Math.min(side - seen, Math.max(0, middle + (side - length) / 2 - seen / 2));
  const left = start(box.x + box.width / 2, picture.width);
  const top = start(box.y + box.height / 2, picture.height);
  whole.style.setProperty("--zoom", String(side / seen)); // lines must not grow with it
  whole.style.transformOrigin = "0 0";
  whole.style.transform = `scale(${side / seen}) translate(${(-100 * left) / side}%, ${(-100 * top) / side}%)`;
}

/**
 * Whether a finding speaks of a box; both were rounded on their way.
 * @param {Finding} finding
 * @param {Box} box
 */
function isAbout(finding, box) {
  const { label, x = 0, y = 0 } = finding;
  return label === box.label && Math.abs(x - box.x) <= 1 && Math.abs(y - box.y) <= 1;
}

/**
 * The pictures of a part at full size.
 * @param {Part} part
 * @returns {Promise<HTMLElement[]>}
 */
export async function shotsOf(part) {
  if (!part.pictures.length) return [make("div", "shot", make("p", "nothing", text("picture.none")))];
  return Promise.all(part.pictures.map((picture) => shotOf(part, picture)));
}

/**
 * @param {Part} part
 * @param {Picture} picture
 */
async function shotOf(part, picture) {
  const shot = make("div", "shot");
  const words = text("picture.alt", { number: part.part, camera: picture.camera });
  const image = picture.is_ready ? await load(picture, words) : null;
  if (image) shot.append(image, boxesOf(picture, true));
  else shot.append(make("p", "nothing", text(picture.is_ready ? "picture.gone" : "picture.awaited")));
  if (part.pictures.length > 1) shot.append(make("span", "camera", picture.camera));
  return shot;
}
