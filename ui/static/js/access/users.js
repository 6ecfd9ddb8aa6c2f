// The people of the box, for admins.

import { ask } from "../ask.js";
import { by, icon, make, put } from "../dom.js";
import { span, text } from "../texts.js";
import { toastFailure } from "../toast.js";
import { FormDialog } from "./form.js";

const place = by("users");

/** @param {any} said */
function show(said) {
  place.replaceChildren(...said.people.map(row));
}

const add = new FormDialog("add-dialog", show);
const role = new FormDialog("role-dialog", show);
const secret = new FormDialog("secret-dialog", show);
const remove = new FormDialog("remove-dialog", show);

/** @param {any} each */
function row(each) {
  const name = make("th", "", each.name);
  put(name, "scope", "row");
  return make(
    "tr",
    "",
    name,
    make("td", "", text(`role.${each.role}`)),
    make("td", "", mark(each.has_pin)),
    make("td", "", mark(each.has_password)),
    make("td", "", state(each)),
    make("td", "deeds", ...deeds(each)),
  );
}

/** @param {boolean} isSet */
function mark(isSet) {
  const words = make("span", "", text(isSet ? "access.set" : "access.unset"));
  return make("span", isSet ? "has" : "has quiet", icon(isSet ? "check" : "minus"), words);
}

/** @param {any} each */
function state(each) {
  if (each.locked_s) return badge("fault", "lock", text("access.locked", { time: span(each.locked_s * 1000) }));
  if (each.sessions) return badge("info", "enter", text("access.is_in"));
  return make("span", "quiet", text("access.is_out"));
}

/**
 * @param {string} kind
 * @param {string} shape
 * @param {string} words
 */
function badge(kind, shape, words) {
  const element = make("span", "badge", icon(shape), words);
  put(element, "data-kind", kind);
  return element;
}

/** @param {any} each */
function deeds(each) {
  const found = [
    deed("edit", "access.user.role", each.name, () => role.open({ name: each.name, role: each.role })),
    deed("key", "access.user.secret", each.name, () => secret.open({ name: each.name })),
  ];
  if (each.failures) found.push(deed("lock", "access.user.unlock", each.name, () => send("unlockUrl", each.name)));
  if (each.sessions) found.push(deed("exit", "access.user.out", each.name, () => send("outUrl", each.name)));
  found.push(deed("trash", "access.user.remove", each.name, () => remove.open({ name: each.name })));
  return found;
}

/**
 * @param {string} shape
 * @param {string} key
 * @param {string} name
 * @param {() => void} act
 */
function deed(shape, key, name, act) {
  const element = make("button", "button quiet small", icon(shape), make("span", "", text(key)));
  put(element, "type", "button");
  put(element, "aria-label", `${text(key)}: ${name}`);
  element.addEventListener("click", act);
  return element;
}

/**
 * @param {string} which
 * @param {string} name
 */
async function send(which, name) {
  try {
    show(await ask(place.dataset[which] ?? "", { body: { name } }));
  } catch (error) {
    toastFailure(error);
  }
}

by("add").addEventListener("click", () => add.open());
ask(place.dataset.url ?? "", { method: "GET" }).then(show, toastFailure);
