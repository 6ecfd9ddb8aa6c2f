// What other models would have said of a part: a mark in its row of the queue, and lines with boxes on its page.

import { by, icon, make, put } from "../dom.js";
import { decimal, text } from "../texts.js";

/**
 * @typedef {{package: string, version: string, variant: string, would: string, label: string, score: number | null}} Differs
 * @typedef {import("./overlay.js").Found & {camera: string, exposure: number}} OpinionBox
 * @typedef {Differs & {sha256: string, is_different: boolean, boxes: OpinionBox[]}} Opinion
 */

/** @param {string} would */
const verdictOf = (would) => text(would === "pass" ? "verdict.pass" : "verdict.reject");

/**
 * The mark of a part that another model would have sent elsewhere.
 * @param {Differs} other
 */
export function opinionBadge(other) {
  const words = text("opinions.row", { name: other.package, verdict: verdictOf(other.would) });
  const badge = make("span", "badge", icon("compare"), ` ${words}`);
  put(badge, "data-kind", "flag");
  put(badge, "title", inWords(other));
  return badge;
}

/**
 * Lists the opinions beside the verdict; one at a time, its boxes take the place of those of the line's model.
 * @param {Opinion[]} opinions
 * @param {(chosen: Opinion | null) => void} onChosen
 */
export function showOpinions(opinions, onChosen) {
  const keys = opinions.map(() => make("button", "button small", icon("box"), ` ${text("opinions.boxes")}`));
  keys.forEach((key, place) => {
    put(key, "type", "button");
    put(key, "aria-pressed", "false");
    put(key, "aria-label", `${text("opinions.boxes")}: ${nameOf(opinions[place])}`);
    key.addEventListener("click", () => {
      const isPressed = key.getAttribute("aria-pressed") !== "true";
      for (const each of keys) put(each, "aria-pressed", String(isPressed && each === key));
      onChosen(isPressed ? opinions[place] : null);
    });
  });
  by("others").replaceChildren(...opinions.map((each, place) => lineOf(each, keys[place])));
}

/**
 * @param {Opinion} opinion
 * @param {HTMLElement} key
 */
function lineOf(opinion, key) {
  const words = make("span", "words", icon("compare"), ` ${inWords(opinion)}`);
  const line = make("li", "", words, ...(opinion.boxes.length ? [key] : []));
  put(line, "data-different", String(opinion.is_different));
  return line;
}

/** @param {Differs} model */
function nameOf(model) {
  return `${model.package} ${model.version}`;
}

/** @param {Differs} other */
function inWords(other) {
  const said = { name: nameOf(other), verdict: verdictOf(other.would) };
  if (other.score === null) return text("opinions.would", said);
  return text("opinions.would.reason", { ...said, label: other.label, score: decimal(other.score, 2) });
}
