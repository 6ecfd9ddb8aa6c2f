// Day and night: dark between two times of the day or where the browser wishes it, or as somebody has chosen at this
// screen.

import { put } from "../dom.js";

const KEY = "takt.brightness";
const LOOK_MS = 30_000;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** @type {[string, string]} */
let night = ["20:00", "06:00"];

/** @returns {string} auto, light or dark */
function chosen() {
  try {
    return localStorage.getItem(KEY) ?? "auto";
  } catch {
    return "auto";
  }
}

function isNight() {
  const now = new Date();
  const time = `${String(now.getHours()).padStart(2, "0")}:${String(now.getMinutes()).padStart(2, "0")}`;
  const [from, to] = night;
  return from <= to ? from <= time && time < to : time >= from || time < to;
}

function apply() {
  const choice = chosen();
  const isDark = choice === "dark" || (choice === "auto" && (prefersDark.matches || isNight()));
  put(document.documentElement, "data-scheme", isDark ? "dark" : "light");
  put(document.documentElement, "data-brightness", choice);
  for (const key of document.querySelectorAll("[data-brightness][aria-pressed]")) {
    put(key, "aria-pressed", String(/** @type {HTMLElement} */ (key).dataset.brightness === choice));
  }
}

/** @param {string} choice */
function choose(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // A browser that keeps nothing goes by the clock after the next start.
  }
  apply();
}

/**
 * @param {[string, string]} times when the night begins and ends, as `20:00`
 */
export function prepareBrightness(times) {
  night = times;
  for (const key of document.querySelectorAll("[data-brightness][aria-pressed]")) {
    key.addEventListener("click", () => choose(/** @type {HTMLElement} */ (key).dataset.brightness ?? "auto"));
  }
  setInterval(apply, LOOK_MS);
  apply();
}
