// What the station consists of, and how each piece is. Nothing here is coloured unless it is abnormal.

import { by, icon, make, put, quoted, say, swapIcon } from "./dom.js";
import { decimal, hasText, percent, span, text, whole } from "./texts.js";

const RECORDER_LIMIT_MS = 3000;
const DEVICE_LIMIT_MS = 5000;
const RING_LIMIT = 0.5;
const BACKLOG_LIMIT_KB = 1;
const LATELY_MS = 5000;
const KINDS = ["pass", "flagged", "reject"];

/**
 * @typedef {object} Piece
 * @property {string} id
 * @property {string} name
 * @property {string} words
 * @property {string} [said] what the piece itself says, in its own words
 * @property {boolean} isFine
 */

/** @type {Map<string, HTMLElement>} */
const rows = new Map();

/**
 * Shows how the pieces of the station are.
 * @param {any} report
 */
export function writeHealth(report) {
  const pieces = piecesOf(report);
  for (const piece of pieces) writePiece(piece);
  const known = new Set(pieces.map((each) => each.id));
  for (const [id, row] of rows) {
    if (known.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
}

/**
 * @param {any} report
 * @returns {Piece[]}
 */
function piecesOf(report) {
  const { status, recorder, missed } = report;
  const pieces = status.cameras.map(cameraPiece);
  pieces.push(...recorderPieces(recorder, status));
  pieces.push(detectorPiece(status));
  if (status.accelerator) pieces.push(...acceleratorPieces(status.accelerator, report));
  pieces.push({
    id: "permit",
    name: text("health.permit"),
    words: text(status.is_permitted ? "health.permit.yes" : "health.permit.no"),
    isFine: status.is_permitted || status.state === "STOPPED",
  });
  if (status.scheduling) {
    pieces.push({ id: "scheduling", name: text("health.scheduling"), words: "", said: status.scheduling, isFine: true });
  }
  if (missed > 0) {
    const words = text("health.missed.words", { count: whole(missed) });
    pieces.push({ id: "missed", name: text("health.missed"), words, isFine: true });
  }
  return pieces;
}

/** @param {any} camera */
function cameraPiece(camera) {
  let last = text("health.camera.idle");
  if (camera.for_ms !== null) {
    last = camera.for_ms < LATELY_MS ? text("health.camera.now") : text("health.camera.fine", { ago: span(camera.for_ms) });
  }
  const words = [last];
  for (const [key, count] of [
    ["health.camera.dropped", camera.dropped],
    ["health.camera.refused", camera.refused],
    ["health.camera.reopened", camera.reopened],
  ]) {
    if (count > 0) words.push(text(key, { count: whole(count) }));
  }
  return {
    id: `camera ${camera.name}`,
    name: text("health.camera", { name: camera.name }),
    words: camera.text ? wrongOf(camera) : words.join(", "),
    said: camera.text,
    isFine: !camera.text && !(camera.dropped > 0),
  };
}

/**
 * What is wrong, without what to do about it: that stands with the state and the alarm.
 * @param {any} camera
 */
function wrongOf(camera) {
  const key = `why.camera.${camera.code}`;
  return text(hasText(key) ? key : "health.camera.wrong").split(". ")[0];
}

/**
 * @param {any} recorder
 * @param {any} status
 * @returns {Piece[]}
 */
function recorderPieces(recorder, status) {
  const name = text("health.recorder");
  /** @type {Piece[]} */
  const pieces = [];
  if (!recorder) {
    pieces.push({ id: "recorder", name, words: text("health.recorder.absent"), isFine: false });
  } else if (recorder.age_ms > RECORDER_LIMIT_MS) {
    const words = text("health.recorder.old", { ago: span(recorder.age_ms) });
    pieces.push({ id: "recorder", name, words, isFine: false });
  } else {
    const kilobytes = (recorder.backlog_bytes ?? 0) / 1024;
    const key = kilobytes < BACKLOG_LIMIT_KB ? "health.recorder.fine" : "health.recorder.backlog";
    const fine = text(key, { rows: whole(recorder.rows ?? 0), kilobytes: whole(kilobytes) });
    const words = recorder.error ? text("health.recorder.wrong") : fine;
    pieces.push({ id: "recorder", name, words, said: recorder.error, isFine: !recorder.error });
    pieces.push(picturesPiece(recorder, status));
  }
  if (status.ring_share > RING_LIMIT) {
    const words = text("health.ring.share", { share: percent(status.ring_share) });
    pieces.push({ id: "ring", name: text("health.ring"), words, isFine: false });
  }
  return pieces;
}

/**
 * @param {any} recorder
 * @param {any} status
 */
function picturesPiece(recorder, status) {
  const sum = (/** @type {string} */ of) => KINDS.reduce((total, kind) => total + (recorder[`${of}_${kind}`] ?? 0), 0);
  const dropped = sum("dropped") + status.pictures_dropped;
  const free = decimal(recorder.disk_free_gb ?? 0, 1);
  const words = [];
  if (recorder.is_short_of_room) words.push(text("health.pictures.short"), text("health.pictures.free", { free }));
  if (dropped > 0) words.push(text("health.pictures.dropped", { count: whole(dropped) }));
  const fine = text("health.pictures.fine", { kept: whole(sum("kept")), free });
  return {
    id: "pictures",
    name: text("health.pictures"),
    words: words.join(", ") || fine,
    said: recorder.is_short_of_room ? recorder.policy : "",
    isFine: words.length === 0,
  };
}

/** @param {any} status */
function detectorPiece(status) {
  const runtime = [status.package, status.runtime].filter(Boolean).join(" / ");
  const words = text("health.detector.failovers", { runtime: status.runtime, count: whole(status.failovers) });
  const isFine = status.failovers === 0;
  return { id: "detector", name: text("health.detector"), words: isFine ? runtime : words, isFine };
}

/**
 * @param {any} accelerator
 * @param {any} report
 * @returns {Piece[]}
 */
function acceleratorPieces(accelerator, report) {
  const isFine = accelerator.why === "";
  const words = isFine
    ? [text("health.accelerator.fine", { runtime: accelerator.runtime, ago: span(accelerator.for_ms) })]
    : [text("health.accelerator.away", { ago: span(accelerator.for_ms) })];
  if (accelerator.phase === "parked") {
    words.push(text("health.accelerator.parked", { command: `takt line unpark --lane ${report.lane}` }));
  }
  if (accelerator.asks_mm_s !== null) {
    words.push(text("health.accelerator.asks", { speed: whole(accelerator.asks_mm_s) }));
  }
  /** @type {Piece[]} */
  const pieces = [
    { id: "accelerator", name: text("health.accelerator"), words: words.join("; "), said: accelerator.why, isFine },
  ];
  const device = report.accelerator;
  if (device && device.age_ms < DEVICE_LIMIT_MS && device.device) pieces.push(devicePiece(device));
  return pieces;
}

/**
 * @param {any} device
 * @returns {Piece}
 */
function devicePiece(device) {
  const isSlowed = (device.throttling ?? []).length > 0;
  const words = [];
  if (device.temperature_c !== null) words.push(`${whole(device.temperature_c)} °C`);
  if (device.clock_mhz !== null) words.push(`${whole(device.clock_mhz)} MHz`);
  if (device.power_mode) words.push(text("health.device.mode", { mode: device.power_mode }));
  if (isSlowed) words.push(text("health.device.slowed"));
  const said = isSlowed ? device.throttling.join(", ") : "";
  return { id: "device", name: device.device, words: words.join(", "), said, isFine: !isSlowed };
}

/** @param {Piece} piece */
function writePiece({ id, name, words, said = "", isFine }) {
  let row = rows.get(id);
  if (!row) {
    const told = make("span", "words", make("span", ""), " ", quoted("span", "said", ""));
    row = make("li", "", icon("check"), make("span", "name"), told);
    rows.set(id, row);
    by("health").append(row);
  }
  row.classList.toggle("abnormal", !isFine);
  swapIcon(/** @type {Element} */ (row.querySelector("use")), isFine ? "check" : "warn");
  say(row.children[1], name);
  const [own, quote] = row.children[2].children;
  say(own, words && said ? `${words}:` : words);
  say(quote, said ?? "");
  put(row, "title", `${name}: ${words}`);
  put(quote, "title", said || null);
}
