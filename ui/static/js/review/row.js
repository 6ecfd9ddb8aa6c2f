// One row of the queue.

import { icon, make, put } from "../dom.js";
import { reasonOf } from "../findings.js";
import { decimal, text } from "../texts.js";
import { opinionBadge } from "./opinions.js";

/**
 * @typedef {{kind: string, class: string, by: string, agrees: boolean | null}} Label
 * @typedef {{key: string, lane: number, epoch: number, part: number, at_us: number, why: string, route: string,
 *   reasons: string[], lot: string, serial: string | null, recipe: string, package: string,
 *   found: {label: string, score: number}[], outcome: string | null, label: Label | null, version: number,
 *   differs: import("./opinions.js").Differs[],
 *   picture: "kept" | "gone" | "none", thumb: string | null}} Row
 */

const MOST_FOUND = 3;
const BADGES = { reject: ["reject", "reject"], flagged: ["flag", "warn"], sample: ["pass", "pass"] };

/**
 * @param {Row} row
 * @param {string} address of its page
 * @param {boolean} isSelected
 */
export function rowOf(row, address, isSelected) {
  const why = text(`review.why.${row.why}`);
  const element = make("div", "row", selectOf(row, isSelected), pictureOf(row, address), numberOf(row, address));
  element.append(whyOf(row, why), foundOf(row), lotOf(row), judgedOf(row), labelOf(row.label));
  put(element, "role", "row");
  put(element, "aria-selected", String(isSelected));
  put(element, "aria-label", text("review.row", { number: row.part, why }));
  element.dataset.key = row.key;
  for (const cell of element.children) put(cell, "role", "gridcell");
  return element;
}

/**
 * @param {number} atUs
 * @param {0 | 3} [decimals] of the seconds
 */
export function whenOf(atUs, decimals = 0) {
  const language = document.documentElement.lang;
  // The month in letters: 11/12 is another day on either side of the ocean.
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
    day: "2-digit",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: decimals || undefined,
    hourCycle: "h23",
  }).format(new Date(atUs / 1000));
}

/**
 * What a person says, as a badge.
 * @param {{kind: string, class: string}} label
 */
export function labelBadge(label) {
  const words = text(`review.label.${label.kind}`);
  const badge = make("span", "badge", label.class ? `${words}: ${label.class}` : words);
  put(badge, "data-kind", "info");
  return badge;
}

/**
 * @param {Row} row
 * @param {boolean} isSelected
 */
function selectOf(row, isSelected) {
  const box = /** @type {HTMLInputElement} */ (make("input"));
  box.type = "checkbox";
  box.tabIndex = -1;
  box.checked = isSelected;
  put(box, "aria-label", text("review.select", { number: row.part }));
  return make("span", "select", box);
}

/**
 * @param {Row} row
 * @param {string} address
 */
function pictureOf(row, address) {
  if (!row.thumb) return make("span", "thumb-cell none", text(`review.picture.${row.picture}`));
  const image = /** @type {HTMLImageElement} */ (make("img"));
  image.alt = "";
  image.decoding = "async";
  image.draggable = false;
  const cell = make("span", "thumb-cell", image);
  image.addEventListener("error", () => {
    cell.classList.add("none");
    cell.replaceChildren(text("review.picture.gone"));
  });
  image.src = row.thumb;
  image.addEventListener("click", () => location.assign(address));
  return cell;
}

/**
 * @param {Row} row
 * @param {string} address
 */
function numberOf(row, address) {
  const link = make("a", "link", String(row.part));
  put(link, "href", address);
  put(link, "tabindex", "-1");
  const time = make("time", "quiet small", whenOf(row.at_us));
  put(time, "datetime", new Date(row.at_us / 1000).toISOString());
  return make("span", "two", link, time);
}

/**
 * @param {Row} row
 * @param {string} why
 */
function whyOf(row, why) {
  const [kind, shape] = BADGES[/** @type {keyof typeof BADGES} */ (row.why)] ?? ["none", "minus"];
  const badge = make("span", "badge", icon(shape), ` ${why}`);
  put(badge, "data-kind", kind);
  const other = row.differs[0];
  if (other) return make("span", "two", make("span", "", badge), opinionBadge(other));
  const reasons = row.reasons.filter((each) => each !== "DEFECT" && each !== "FLAGGED").map(reasonOf).join(", ");
  return make("span", "two", make("span", "", badge), make("span", "quiet small cut-off", reasons));
}

/** @param {Row} row */
function foundOf(row) {
  if (!row.found.length) return make("span", "quiet", text("review.nothing"));
  const cell = make("span", "found");
  for (const each of row.found.slice(0, MOST_FOUND)) {
    cell.append(make("span", "find-line", make("span", "cut-off", each.label), make("b", "", decimal(each.score, 2))));
  }
  if (row.found.length > MOST_FOUND) cell.lastElementChild?.append(` +${row.found.length - MOST_FOUND}`);
  return cell;
}

/** @param {Row} row */
function lotOf(row) {
  return make("span", "two", make("span", "cut-off", row.lot || "–"), make("span", "quiet small cut-off", row.serial ?? ""));
}

/** @param {Row} row */
function judgedOf(row) {
  const recipe = make("span", "cut-off", row.recipe || "–");
  return make("span", "two", recipe, make("span", "quiet small cut-off", row.package));
}

/** @param {Label | null} label */
function labelOf(label) {
  if (!label) return make("span", "quiet", "–");
  const by = make("span", "quiet small cut-off", label.by);
  if (label.agrees !== null) by.prepend(icon(label.agrees ? "check" : "warn"), " ");
  return make("span", "two", labelBadge(label), by);
}
