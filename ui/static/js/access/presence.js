// Who does nothing is signed out, and is told before. Whoever touches the page is there; that is said now and then.

import { ask } from "../ask.js";

const SAY_MS = 30_000;
const WARN_MS = 20_000;
const SIGNS = ["pointerdown", "keydown", "wheel"];

/**
 * @typedef {object} Hooks what the page does about it
 * @property {(leftS: number) => void} onWarn
 * @property {() => void} onCalm
 * @property {() => void} onOut
 */

/**
 * Watches over the session of this page.
 * @param {number} idleS signed out after doing nothing for so long
 * @param {Hooks} hooks
 */
export function watchPresence(idleS, hooks) {
  let seen = Date.now();
  let said = Date.now();
  let isWarned = false;
  let isOut = false;

  function sign() {
    seen = Date.now();
    if (isWarned) {
      isWarned = false;
      hooks.onCalm();
    }
    if (seen - said < Math.min(SAY_MS, (idleS * 1000) / 6)) return;
    said = seen;
    ask("/api/v1/session/alive", { isQuiet: true }).catch(() => {});
  }

  function look() {
    if (isOut) return;
    const left = idleS * 1000 - (Date.now() - seen);
    if (left <= 0) {
      isOut = true;
      clearInterval(timer);
      hooks.onOut();
    } else if (left <= WARN_MS) {
      isWarned = true;
      hooks.onWarn(Math.ceil(left / 1000));
    }
  }

  for (const each of SIGNS) document.addEventListener(each, sign, { passive: true });
  const timer = setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
  return () => clearInterval(timer);
}

/** Starts with the page, and anew when somebody else signs in on it. */
function start() {
  const place = document.getElementById("access");
  const warning = document.getElementById("leaving");
  if (!place || !warning) return;
  const { dataset } = place;
  const words = warning.querySelector("span");
  let stop = () => {};

  /** @param {number} idleS */
  function begin(idleS) {
    stop();
    if (!idleS) return;
    stop = watchPresence(idleS, {
      onWarn: (leftS) => {
        if (words) words.textContent = (dataset.leaving ?? "").replace("{seconds}", String(leftS));
        warning.hidden = false;
      },
      onCalm: () => (warning.hidden = true),
      // A page that needs nobody stays and forgets who was here; any other leads to the door.
      onOut: () => location.reload(),
    });
  }

  begin(Number(dataset.idleS));
  document.addEventListener("takt-person", (event) => {
    const said = /** @type {CustomEvent} */ (event).detail;
    if (String(said.idle_s) === dataset.idleS) return;
    dataset.idleS = String(said.idle_s);
    begin(said.idle_s);
  });
}

start();
