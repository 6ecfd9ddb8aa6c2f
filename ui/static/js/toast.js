// A word in passing: what was done, or what went wrong. It goes by itself; what went wrong stays until it is closed.

import { by, icon, make, put } from "./dom.js";
import { refusalOf } from "./quoting.js";
import { text } from "./texts.js";

const SHOWN_MS = 6000;
const MOST = 4;

/**
 * @typedef {object} Offer something that can be done about it, as undoing
 * @property {string} words
 * @property {() => void} act
 */

/**
 * Says in the corner of the page what was refused or went wrong.
 * @param {unknown} error
 */
export function toastFailure(error) {
  toast(refusalOf(error), "wrong");
}

/**
 * Says something in the corner of the page.
 * @param {string | (Node | string)[]} words
 * @param {"done" | "wrong"} [kind]
 * @param {Offer} [offer]
 */
export function toast(words, kind = "done", offer) {
  const close = make("button", "button quiet small only-icon", icon("close"));
  put(close, "type", "button");
  put(close, "aria-label", text("toast.close"));
  const said = make("div", "", make("p", "", ...(typeof words === "string" ? [words] : words)));
  const element = make("div", "toast", icon(kind === "wrong" ? "warn" : "check"), said, close);
  put(element, "data-kind", kind);
  close.addEventListener("click", () => element.remove());
  if (offer) {
    const act = make("button", "button small", offer.words);
    put(act, "type", "button");
    act.addEventListener("click", () => {
      element.remove();
      offer.act();
    });
    said.append(act);
  }
  const all = by("toasts");
  while (all.childElementCount >= MOST) all.firstElementChild?.remove();
  all.append(element);
  if (kind === "done") setTimeout(() => element.remove(), SHOWN_MS);
}
