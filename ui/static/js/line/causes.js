// What a cause is called, and what to do about it.

import { hasText, text } from "../texts.js";

/**
 * The words for a cause; one that this page does not know is still an alarm.
 * @param {string} kind may end in `.todo`
 */
export function causeOf(kind) {
  if (hasText(`cause.${kind}`)) return text(`cause.${kind}`);
  return text(kind.endsWith(".todo") ? "cause.other.todo" : "cause.other");
}

/**
 * Why a camera gives no usable pictures, or why the standby judges, by the station's code for it.
 * @param {string} code
 * @param {string} [camera] its name, where it is one
 * @returns {string} empty where this page has no words for it
 */
export function whyBy(code, camera = "") {
  const key = camera ? `why.camera.${code}` : `why.degraded.${code}`;
  if (!hasText(key)) return "";
  return camera ? text("why.camera.of", { camera, why: text(key) }) : text(key);
}
