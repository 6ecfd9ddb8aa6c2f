// The tokens of machines, for admins.

import { ask } from "../ask.js";
import { by, icon, make, put } from "../dom.js";
import { text } from "../texts.js";
import { toast, toastFailure } from "../toast.js";
import { FormDialog } from "./form.js";
import { time } from "./words.js";

const place = by("tokens");

/** @param {any} said */
function show(said) {
  place.replaceChildren(...said.tokens.map(row));
  by("no-tokens").hidden = said.tokens.length > 0;
  if (!said.made) return;
  by("made-token").textContent = said.made;
  by("made").hidden = false;
}

const dialog = new FormDialog("make-dialog", show, (form) => {
  const fields = new FormData(form);
  return { name: fields.get("name"), scopes: fields.getAll("scopes"), days: Number(fields.get("days")) };
});

/** @param {any} each */
function row(each) {
  const name = make("th", "", each.name);
  put(name, "scope", "row");
  const scopes = each.scopes.map((/** @type {string} */ scope) => text(`access.scope.${scope}.short`)).join(", ");
  return make(
    "tr",
    "",
    name,
    make("td", "", scopes),
    make("td", "", state(each)),
    make("td", "", time(each.used_us)),
    make("td", "", `${each.made_by}, ${time(each.made_us)}`),
    make("td", "deeds", ...(each.is_good ? [end(each)] : [])),
  );
}

/** @param {any} each */
function state(each) {
  const isRevoked = each.revoked_us !== null;
  const words = isRevoked
    ? text("access.token.revoked", { time: time(each.revoked_us) })
    : text(each.is_good ? "access.token.until" : "access.token.expired", { time: time(each.expires_us) });
  const element = make("span", "badge", icon(each.is_good ? "check" : "minus"), words);
  put(element, "data-kind", each.is_good ? "info" : "none");
  return element;
}

/** @param {any} each */
function end(each) {
  const element = make("button", "button quiet small", icon("trash"), text("access.token.revoke"));
  put(element, "type", "button");
  put(element, "aria-label", `${text("access.token.revoke")}: ${each.name}`);
  element.addEventListener("click", async () => {
    try {
      show(await ask(place.dataset.revokeUrl ?? "", { body: { id: each.id } }));
    } catch (error) {
      toastFailure(error);
    }
  });
  return element;
}

by("make").addEventListener("click", () => dialog.open());
by("copy").addEventListener("click", () => {
  const range = document.createRange();
  range.selectNodeContents(by("made-token"));
  getSelection()?.removeAllRanges();
  getSelection()?.addRange(range);
  // Without HTTPS a browser lets no page write to the clipboard: then the token is at least marked.
  navigator.clipboard?.writeText(by("made-token").textContent ?? "").then(
    () => toast(text("access.token.copied")),
    () => {},
  );
});
ask(place.dataset.url ?? "", { method: "GET" }).then(show, toastFailure);
