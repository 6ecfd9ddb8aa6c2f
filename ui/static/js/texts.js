// The words of the page, from the catalogue that came with it, and how numbers and times are written.

/** @type {Record<string, string>} */
let words = {};
let language = "en";

/**
 * @param {Record<string, string>} catalogue
 * @param {string} code
 */
export function useTexts(catalogue, code) {
  words = catalogue;
  language = code;
}

/**
 * @param {string} key
 * @returns {boolean} whether there is such a text
 */
export function hasText(key) {
  return Object.hasOwn(words, key);
}

/**
 * A text with its values put in.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function text(key, values = {}) {
  if (!hasText(key)) throw new Error(`there is no text ${key}`);
  return words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/**
 * A whole number, with its thousands apart.
 * @param {number} value
 */
export function whole(value) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(value);
}

/**
 * A number with a fixed count of decimals.
 * @param {number} value
 * @param {number} [decimals]
 */
export function decimal(value, decimals = 1) {
  return new Intl.NumberFormat(language, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(value);
}

/**
 * A share as per cent. Never rounded up to 100: that would hide a reject.
 * @param {number} share 0 .. 1
 */
export function percent(share) {
  const value = Math.floor(share * 1000) / 10;
  return `${decimal(value, 1)} %`;
}

/**
 * How long, in the two largest units.
 * @param {number} ms
 */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return text("ago.seconds", { count: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return text("ago.minutes", { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return text("ago.hours", { hours, minutes: minutes % 60 });
  return text("ago.days", { days: Math.floor(hours / 24), hours: hours % 24 });
}

/**
 * The time of day so long ago.
 * @param {number} [agoMs]
 */
export function timeOfDay(agoMs = 0) {
  const at = new Date(Date.now() - agoMs);
  return new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(at);
}
