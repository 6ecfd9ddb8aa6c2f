// A chart over time: drawn by uPlot in the colours of the page, read point by point with the arrow keys, and with a
// table of its numbers behind it. Drawn anew when the page turns dark or light, and when its room changes.

import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { make, put, say } from "../dom.js";
import { text } from "../texts.js";

const LEAST_PX = 200;
const POINTS_PX = 7;
const LABEL_PX = 56;
const FONT = "12px Inter, Roboto, 'Segoe UI', 'Noto Sans', 'DejaVu Sans Condensed', system-ui, sans-serif";

/**
 * @typedef {object} Line one series
 * @property {string} label
 * @property {(number | null)[]} values
 * @property {string} colour a variable of the page's design, as `--series-1`
 * @property {"line" | "steps" | "dashed" | "bars"} [kind]
 * @property {boolean[]} [marks] points that stand out
 * @property {string} [scale] another scale than `y`
 * @property {(value: number, top?: number) => string} [format] another way to write its values
 */

/**
 * @typedef {object} Drawing
 * @property {number[]} seconds the start of each step, in seconds of the box's own clock
 * @property {number} stepSeconds
 * @property {Line[]} lines
 * @property {(value: number, top?: number) => string} format writes a value, with the decimals of `top` where it is given
 * @property {number} [atLeast] the scale reaches up to here at least
 * @property {string} language
 */

/** One chart in its card: `[data-plot]`, `[data-readout]` and `[data-numbers]` within the element. */
export class Chart {
  /** @param {HTMLElement} card */
  constructor(card) {
    this.card = card;
    this.host = /** @type {HTMLElement} */ (card.querySelector("[data-plot]"));
    this.readout = /** @type {HTMLElement} */ (card.querySelector("[data-readout]"));
    this.numbers = /** @type {HTMLDetailsElement} */ (card.querySelector("[data-numbers]"));
    /** @type {Drawing | null} */
    this.drawing = null;
    this.plot = null;
    this.at = -1;
    this.host.addEventListener("keydown", (event) => this.step(event));
    this.host.addEventListener("blur", () => this.look(-1));
    this.numbers.addEventListener("toggle", () => this.tell());
    new ResizeObserver(() => this.fit()).observe(this.host);
    const scheme = new MutationObserver(() => this.draw());
    scheme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-scheme"] });
  }

  /** @param {Drawing} drawing */
  show(drawing) {
    this.drawing = drawing;
    this.at = -1;
    this.draw();
    this.tell();
  }

  draw() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.drawing?.seconds.length) return;
    this.plot = new uPlot(this.options(this.drawing), columnsOf(this.drawing), this.host);
  }

  fit() {
    const width = this.host.clientWidth;
    if (this.plot && width > LEAST_PX && Math.abs(width - this.plot.width) > 1) {
      this.plot.setSize({ width, height: this.height });
    }
  }

  get height() {
    return Math.max(180, Math.min(280, Math.round(this.host.clientWidth * 0.36)));
  }

  /** @param {Drawing} drawing */
  options(drawing) {
    const axis = { stroke: colour("--quiet"), font: FONT, grid: { stroke: colour("--hairline"), width: 1 }, ticks: { show: false } };
    const others = [...new Set(drawing.lines.map((each) => each.scale ?? "y"))].filter((each) => each !== "y");
    const [first] = drawing.lines;
    return {
      width: Math.max(LEAST_PX, this.host.clientWidth),
      height: this.height,
      tzDate: (/** @type {number} */ at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      padding: [12, LABEL_PX / 2, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: POINTS_PX } , drag: { x: false, y: false } },
      scales: {
        // Of one step alone the chart would make years.
        x: { time: true, range: () => reachOf(drawing) },
        y: { range: (_, low, high) => reach(low, Math.max(high, drawing.atLeast ?? 0)) },
        ...Object.fromEntries(others.map((each) => [each, { range: () => [0, 1] }])),
      },
      axes: [
        { ...axis, size: 34, grid: { show: false }, values: (plot, splits, index, space, step) => splits.map((at) => clock(at, step, drawing.language)) },
        { ...axis, size: 64, values: (_, splits) => ticksOf(splits, first.format ?? drawing.format) },
      ],
      series: [{}, ...drawing.lines.map((each) => this.series(each))],
      hooks: {
        setCursor: [(plot) => this.read(rowAt(drawing, plot.cursor.idx))],
        draw: [(plot) => this.mark(plot)],
      },
    };
  }

  /** @param {Line} line */
  series(line) {
    const stroke = colour(line.colour);
    const kinds = {
      line: { stroke, width: 2 },
      dashed: { stroke, width: 1.5, dash: [6, 4], points: { show: false } },
      steps: { stroke, width: 1.25, dash: [2, 3], paths: uPlot.paths.stepped?.({ align: 1 }), points: { show: false } },
      bars: { stroke, fill: stroke, width: 0, paths: uPlot.paths.bars?.({ size: [0.7, 40], align: 1 }), points: { show: false } },
    };
    return { label: line.label, scale: line.scale ?? "y", spanGaps: false, ...kinds[line.kind ?? "line"] };
  }

  /** Points that stand out: a shape, not only a colour. */
  mark(plot) {
    const context = plot.ctx;
    const size = 5 * devicePixelRatio;
    this.drawing?.lines.forEach((line, index) => {
      line.marks?.forEach((isMarked, row) => {
        const value = line.values[row];
        if (!isMarked || value === null) return;
        const x = plot.valToPos(this.drawing?.seconds[row], "x", true);
        const y = plot.valToPos(value, plot.series[index + 1].scale, true);
        context.save();
        context.fillStyle = colour("--reject");
        context.strokeStyle = colour("--card");
        context.lineWidth = devicePixelRatio;
        context.beginPath();
        context.moveTo(x, y - size);
        context.lineTo(x + size, y);
        context.lineTo(x, y + size);
        context.lineTo(x - size, y);
        context.closePath();
        context.fill();
        context.stroke();
        context.restore();
      });
    });
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const last = (this.drawing?.seconds.length ?? 0) - 1;
    const jumps = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: last };
    if (last < 0 || !(event.key in jumps) || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    const wanted = this.at < 0 && event.key === "ArrowLeft" ? last : jumps[/** @type {keyof typeof jumps} */ (event.key)];
    this.look(Math.max(0, Math.min(last, wanted)));
  }

  /** @param {number} row the point to look at; -1: none */
  look(row) {
    this.at = row;
    if (!this.plot || !this.drawing) return;
    const left = row < 0 ? -10 : this.plot.valToPos(this.drawing.seconds[row], "x");
    this.plot.setCursor({ left, top: row < 0 ? -10 : 0 });
    this.read(row);
  }

  /** @param {number} row */
  read(row) {
    if (!this.drawing || row < 0) {
      say(this.readout, text("figures.chart.keys"));
      return;
    }
    this.at = row;
    const { seconds, lines, language } = this.drawing;
    const said = lines.map((each) => `${each.label} ${this.written(each, row)}`);
    say(this.readout, `${moment(seconds[row], language)}: ${said.join(", ")}`);
  }

  /**
   * @param {Line} line
   * @param {number} row
   */
  written(line, row) {
    const value = line.values[row];
    return value === null || value === undefined ? "-" : (line.format ?? this.drawing?.format ?? String)(value);
  }

  /** The numbers, once somebody wants to see them. */
  tell() {
    const frame = /** @type {HTMLElement} */ (this.numbers.querySelector("[data-table]"));
    if (!this.numbers.open || !this.drawing) return;
    const { seconds, lines, language } = this.drawing;
    const head = make("tr", "", cell("th", text("figures.time")), ...lines.map((each) => cell("th", each.label, "number")));
    const rows = seconds.map((at, row) =>
      make("tr", "", cell("th", moment(at, language), "", "row"), ...lines.map((each) => cell("td", this.written(each, row), "number"))),
    );
    frame.replaceChildren(make("table", "table", make("thead", "", head), make("tbody", "", ...rows)));
  }
}

/**
 * From half a step before the first to the end of the last one: of one step alone the chart would make years.
 * @param {Drawing} drawing
 */
function reachOf({ seconds, stepSeconds }) {
  return [seconds[0] - stepSeconds / 2, seconds[seconds.length - 1] + stepSeconds];
}

/**
 * What is drawn: each line has a column more at either end, where limits go on to the edge and all others have nothing.
 * @param {Drawing} drawing
 */
export function columnsOf(drawing) {
  const [from, to] = reachOf(drawing);
  const values = drawing.lines.map(({ kind, values: own }) => {
    const isLimit = kind === "dashed" || kind === "steps";
    return isLimit ? [own[0], ...own, own[own.length - 1]] : [undefined, ...own, undefined];
  });
  return [[from, ...drawing.seconds, to], ...values];
}

/**
 * What stands at an axis: all with the decimals of the largest.
 * @param {number[]} splits
 * @param {(value: number, top?: number) => string} format
 */
export function ticksOf(splits, format) {
  const top = Math.max(...splits);
  return splits.map((each) => format(each, top));
}

/**
 * The step that a column of the drawing belongs to; -1 for none.
 * @param {Drawing} drawing
 * @param {number | null | undefined} column
 */
function rowAt(drawing, column) {
  if (column === null || column === undefined) return -1;
  return Math.max(0, Math.min(drawing.seconds.length - 1, column - 1));
}

/**
 * A cell of a table.
 * @param {string} tag
 * @param {string} words
 * @param {string} [kind]
 * @param {string} [scope]
 */
export function cell(tag, words, kind = "", scope = tag === "th" ? "col" : "") {
  const element = make(tag, kind, words);
  if (scope) put(element, "scope", scope);
  return element;
}

/**
 * A moment of the box's own clock.
 * @param {number} seconds
 * @param {string} language
 */
export function moment(seconds, language) {
  const options = /** @type {const} */ ({ dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  return new Intl.DateTimeFormat(language, options).format(seconds * 1000);
}

/**
 * @param {number} seconds
 * @param {number} step between two ticks
 * @param {string} language
 */
function clock(seconds, step, language) {
  const isDay = step >= 86_400 || seconds % 86_400 === 0;
  const options = isDay ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(language, /** @type {any} */ ({ ...options, timeZone: "UTC" })).format(seconds * 1000);
}

/**
 * From nought, with a little room above.
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
function reach(low, high) {
  const top = Math.max(high ?? 0, 1e-6);
  return [Math.min(0, low ?? 0), top * 1.08];
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
