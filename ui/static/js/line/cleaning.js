// The lock under which the screen is cleaned: nothing reacts for 30 s, unless both marked corners are held.

import { by, say } from "../dom.js";
import { text } from "../texts.js";

const LOCKED_MS = 30_000;
const HELD_MS = 1500;

let endsAt = 0;
let timer = 0;
let waking = 0;
/** @type {Map<number, string>} fingers on corners, by pointer */
const fingers = new Map();

/** Locks the screen. */
export function clean() {
  endsAt = performance.now() + LOCKED_MS;
  by("clean").hidden = false;
  clearInterval(timer);
  timer = setInterval(count, 200);
  count();
}

function count() {
  const leftMs = endsAt - performance.now();
  if (leftMs <= 0) {
    unlock();
    return;
  }
  say(by("clean-left"), text("more.cleaning.words", { seconds: Math.ceil(leftMs / 1000) }));
}

function unlock() {
  clearInterval(timer);
  clearTimeout(waking);
  waking = 0;
  fingers.clear();
  by("clean").hidden = true;
}

function hold() {
  const corners = new Set(fingers.values());
  if (corners.size === 2 && !waking) waking = setTimeout(unlock, HELD_MS);
  if (corners.size < 2) {
    clearTimeout(waking);
    waking = 0;
  }
}

/** Has the lock swallow every touch, and know its corners. */
export function prepareCleaning() {
  const lock = by("clean");
  lock.addEventListener("contextmenu", (event) => event.preventDefault());
  for (const corner of lock.querySelectorAll("[data-corner]")) {
    corner.addEventListener("pointerdown", (event) => {
      const { pointerId } = /** @type {PointerEvent} */ (event);
      fingers.set(pointerId, /** @type {HTMLElement} */ (corner).dataset.corner ?? "");
      hold();
    });
  }
  for (const each of ["pointerup", "pointercancel"]) {
    document.addEventListener(each, (event) => {
      fingers.delete(/** @type {PointerEvent} */ (event).pointerId);
      hold();
    });
  }
  const swallow = (/** @type {Event} */ event) => {
    if (lock.hidden) return;
    event.stopPropagation();
    event.preventDefault();
  };
  document.addEventListener("keydown", swallow, { capture: true });
  document.addEventListener("click", swallow, { capture: true });
}
