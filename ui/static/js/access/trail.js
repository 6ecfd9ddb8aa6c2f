// The audit trail: times as this browser's clock shows them, and the check of the chain.

import { ask } from "../ask.js";
import { by } from "../dom.js";
import { phrase } from "../quoting.js";
import { text, whole } from "../texts.js";
import { toast, toastFailure } from "../toast.js";

const form = /** @type {const} */ ({ dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const clock = new Intl.DateTimeFormat(document.documentElement.lang, form);
for (const each of document.querySelectorAll("time[datetime]")) {
  each.textContent = clock.format(new Date(/** @type {HTMLTimeElement} */ (each).dateTime));
}

by("verify").addEventListener("click", async () => {
  try {
    const said = await ask(by("verify").dataset.url ?? "", { method: "GET" });
    if (said.is_sound) toast(text("access.trail.sound", { rows: whole(said.rows) }));
    else toast(phrase("access.trail.unsound", { problem: said.problems[0] }), "wrong");
  } catch (error) {
    toastFailure(error);
  }
});
