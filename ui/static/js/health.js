// What the station consists of, and how each piece is. Nothing here is coloured unless it is abnormal.

import { by, icon, make, put, say, swapIcon } from "./dom.js";
import { decimal, percent, span, text, whole } from "./texts.js";

const RECORDER_LIMIT_MS = 3000;
const RING_LIMIT = 0.5;
const BACKLOG_LIMIT_KB = 1;
const LATELY_MS = 5000;
const KINDS = ["pass", "flagged", "reject"];

/** @typedef {{id: string, name: string, words: string, isFine: boolean}} Piece */

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
  pieces.push({
    id: "permit",
    name: text("health.permit"),
    words: text(status.is_permitted ? "health.permit.yes" : "health.permit.no"),
    isFine: status.is_permitted || status.state === "STOPPED",
  });
  if (status.scheduling) {
    pieces.push({ id: "scheduling", name: text("health.scheduling"), words: status.scheduling, isFine: true });
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
    words: camera.text || words.join(", "),
    isFine: !camera.text && !(camera.dropped > 0),
  };
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
    pieces.push({ id: "recorder", name, words: recorder.error || fine, isFine: !recorder.error });
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
  if (recorder.is_short_of_room) words.push(recorder.policy, text("health.pictures.free", { free }));
  if (dropped > 0) words.push(text("health.pictures.dropped", { count: whole(dropped) }));
  const fine = text("health.pictures.fine", { kept: whole(sum("kept")), free });
  return {
    id: "pictures",
    name: text("health.pictures"),
    words: words.join(", ") || fine,
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

/** @param {Piece} piece */
function writePiece({ id, name, words, isFine }) {
  let row = rows.get(id);
  if (!row) {
    row = make("li", "", icon("check"), make("span", "name"), make("span", "words"));
    rows.set(id, row);
    by("health").append(row);
  }
  row.classList.toggle("abnormal", !isFine);
  swapIcon(/** @type {Element} */ (row.querySelector("use")), isFine ? "check" : "warn");
  say(row.children[1], name);
  say(row.children[2], words);
  put(row, "title", `${name}: ${words}`);
}
