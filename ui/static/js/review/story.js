// What is told of a part beside its picture: verdict, terms, timeline and table.

import { by, draw, icon, make, put, quoted, say } from "../dom.js";
import { reasonOf } from "../findings.js";
import { decimal, hasText, text } from "../texts.js";
import { whenOf } from "./row.js";

const TALL = 152;
const AXIS = 112;
const LANES = 4;
const LANE_PX = 24;
const EDGE = 40;
const LETTER_PX = 7.5;
const ENDS = new Set(["trigger", "verdict", "outcome"]);

/** @param {any} story */
export function showVerdict(story) {
  const kinds = { pass: ["pass", "pass", "verdict.pass"], reject: ["reject", "reject", "verdict.reject"] };
  const [kind, shape, words] = kinds[/** @type {keyof typeof kinds} */ (story.verdict)] ?? ["fault", "warn", "review.verdict.none"];
  by("verdict").replaceChildren(badge(kind, shape, text(words)));
  if (story.is_flagged) by("verdict").append(" ", badge("flag", "warn", text("verdict.flag")));
  by("findings").replaceChildren(...story.findings.map((/** @type {any} */ each) => make("li", "", ...findingOf(each))));
  const outcome = story.outcome ? text(`review.outcome.${story.outcome}`) : text("review.outcome.none");
  const seen = hasText(`review.confirmation.${story.confirmation}`) ? `, ${text(`review.confirmation.${story.confirmation}`)}` : "";
  fill(by("facts"), [
    ["review.fact.lot", story.lot || "–"],
    ["review.fact.serial", story.serial],
    ["review.fact.triggered", story.triggered_us === null ? "–" : whenOf(story.triggered_us)],
    ["review.fact.route", story.route],
    ["review.fact.outcome", outcome + seen],
    ["review.fact.total", story.total_ms === null ? null : `${decimal(story.total_ms, 2)} ms`],
    ["review.fact.name", `${story.lane}/${story.epoch}/${story.part}`],
  ]);
}

/** @param {any} finding */
function findingOf(finding) {
  if (!finding.label) {
    const reason = reasonOf(finding.kind);
    return finding.text ? [`${reason}: `, quoted("span", "said", finding.text)] : [reason];
  }
  const [x, y, width, height] = finding.place_px;
  const said = { label: finding.label, score: decimal(finding.score, 2), x, y, width, height };
  return [text(finding.kind === "FLAGGED" ? "review.finding.flagged" : "review.finding", said)];
}

/**
 * What happened, in the language of the page where it has words for it; else as the station tells it.
 * @param {any} step
 * @param {any} story
 */
function wordsOf(step, story) {
  const known = `review.tell.${step.kind}`;
  if (!hasText(known)) return quoted("span", "", step.words);
  const { about } = step;
  const picture = story.pictures.find((/** @type {any} */ each) => each.camera === about.camera);
  const found = picture?.boxes.map((/** @type {any} */ each) => `${each.label} ${decimal(each.score, 2)}`).join(", ");
  const outcome = hasText(`review.outcome.${about.outcome}`) ? text(`review.outcome.${about.outcome}`) : about.outcome;
  const seen = hasText(`review.confirmation.${about.confirmation}`) ? text(`review.confirmation.${about.confirmation}`) : "";
  const ms = picture?.total_ms === null || !picture ? "–" : decimal(picture.total_ms, 2);
  return text(known, { ...about, outcome, seen, ms, found: found || text("review.nothing") });
}

/** @param {any} story */
export function showTerms(story) {
  const terms = story.terms;
  if (!terms) {
    by("terms").replaceChildren(make("dd", "quiet", text("review.terms.none")));
    return;
  }
  fill(by("terms"), [
    ["review.terms.recipe", named(terms.recipe, terms.recipe_sha256)],
    ["review.terms.package", named(terms.package, terms.package_sha256)],
    ["review.terms.runtime", terms.runtime],
    ["review.terms.version", terms.version],
  ]);
  if (!terms.rules.length) {
    by("terms").append(make("dd", "quiet", text("review.terms.no_rules")));
    return;
  }
  /** @type {Map<string, number>} */
  const best = new Map();
  for (const picture of story.pictures) {
    for (const box of picture.boxes) best.set(box.label, Math.max(box.score, best.get(box.label) ?? 0));
  }
  by("rules").hidden = false;
  by("rules").querySelector("tbody")?.replaceChildren(
    ...terms.rules.map((/** @type {any} */ rule) => {
      const score = best.get(rule.label);
      const row = make("tr", score !== undefined && score >= rule.threshold ? "over-it" : "");
      const policy = hasText(`review.policy.${rule.policy}`) ? text(`review.policy.${rule.policy}`) : rule.policy;
      row.append(make("td", "", rule.label || text("review.terms.other")), make("td", "", policy), make("td", "number", decimal(rule.threshold, 2)));
      row.append(make("td", "number", score === undefined ? "–" : decimal(score, 2)));
      return row;
    }),
  );
}

/** @param {any} story */
export function showSteps(story) {
  by("steps").replaceChildren(
    ...story.steps.map((/** @type {any} */ step) => {
      const row = make("tr", "", make("td", "number", `${decimal(step.after_ms, 1)} ms`), make("td", "", whenOf(step.at_us, 3)));
      const name = step.step ? text(`review.step.${step.step}`) : step.kind;
      row.append(make("td", "", name), make("td", "", wordsOf(step, story)));
      return row;
    }),
  );
  const last = story.steps.at(-1)?.after_ms ?? 0;
  say(by("story-span"), story.steps.length ? text("review.story.span", { ms: decimal(last, 1) }) : "");
  const line = () => by("timeline").replaceChildren(timeline(story.steps, by("timeline").clientWidth));
  line();
  new ResizeObserver(line).observe(by("timeline"));
}

/**
 * The stages on one line, each at its time. Names that would meet stand one above the other.
 * @param {{step: string, after_ms: number}[]} steps
 * @param {number} width px
 */
function timeline(steps, width) {
  const told = steps.filter((each) => each.step);
  const last = Math.max(1, ...told.map((each) => each.after_ms));
  const svg = draw("svg", { viewBox: `0 0 ${Math.max(width, 1)} ${TALL}`, "aria-hidden": "true" });
  const at = (/** @type {number} */ ms) => EDGE + (ms / last) * Math.max(1, width - 2 * EDGE);
  svg.append(draw("line", { class: "axis", x1: at(0), x2: at(last), y1: AXIS, y2: AXIS }));
  for (const ms of ticksUpTo(last)) {
    svg.append(draw("line", { class: "tick", x1: at(ms), x2: at(ms), y1: AXIS + 4, y2: AXIS + 12 }));
    svg.append(draw("text", { class: "ms", x: at(ms), y: AXIS + 30, "text-anchor": "middle" }, `${decimal(ms, ms % 1 ? 1 : 0)} ms`));
  }
  /** @type {number[]} */
  const ends = Array.from({ length: LANES }, () => -Infinity);
  const words = draw("g");
  for (const { step, after_ms: ms } of told) {
    const x = at(ms);
    const name = text(`review.step.${step}`);
    const half = (name.length * LETTER_PX) / 2;
    const middle = Math.max(half, Math.min(x, width - half));
    const lane = ends.findIndex((end) => middle - half > end);
    if (lane >= 0) {
      ends[lane] = middle + half + 8;
      const y = AXIS - 18 - lane * LANE_PX;
      svg.append(draw("line", { class: "stem", x1: x, x2: x, y1: y + 5, y2: AXIS }));
      words.append(draw("text", { class: "step", x: middle, y, "text-anchor": "middle" }, name));
    }
    svg.append(draw("circle", { class: ENDS.has(step) ? "dot end" : "dot", cx: x, cy: AXIS, r: 6 }));
  }
  svg.append(words);
  return svg;
}

/** @param {number} last */
function ticksUpTo(last) {
  const rough = last / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, place) => place * step);
}

/**
 * @param {HTMLElement} list
 * @param {[string, string | Node | null][]} pairs
 */
function fill(list, pairs) {
  const known = pairs.filter(([, value]) => value);
  list.replaceChildren(...known.flatMap(([name, value]) => [make("dt", "", text(name)), make("dd", "", value ?? "")]));
}

/**
 * @param {string} name
 * @param {string} sha256
 */
function named(name, sha256) {
  if (!name) return "–";
  const whole = make("span", "", name);
  if (sha256) {
    const short = make("span", "code small", ` ${sha256.slice(0, 10)}`);
    put(short, "title", sha256);
    whole.append(short);
  }
  return whole;
}

/**
 * @param {string} kind
 * @param {string} shape
 * @param {string} words
 */
function badge(kind, shape, words) {
  const element = make("span", "badge", icon(shape), ` ${words}`);
  put(element, "data-kind", kind);
  return element;
}
