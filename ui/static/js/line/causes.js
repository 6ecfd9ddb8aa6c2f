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
