// What is around every page but the operator's: the state of the line, light and dark, the menu, signing out.

import { by, put, say, swapIcon } from "./dom.js";
import { Freshness } from "./freshness.js";
import { STATE_ICONS } from "./states.js";
import { Stream } from "./stream.js";
import { text, useTexts } from "./texts.js";
import { toastFailure } from "./toast.js";

const SCHEMES = ["auto", "light", "dark"];
const SCHEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

const shell = JSON.parse(by("shell").textContent ?? "{}");
useTexts(shell.words, shell.language);

// The state of the line

let state = "";
const freshness = new Freshness((isFresh) => isFresh || writeState("NO_DATA"));

new Stream(
  shell.stream,
  {
    status: (said) => {
      freshness.heard(said.age_ms, said.sent_ms);
      if (freshness.isFresh && said.status) writeState(said.status.state);
      document.dispatchEvent(new CustomEvent("takt-status", { detail: said }));
    },
  },
  () => freshness.begin(),
).open();

/** @param {string} now */
function writeState(now) {
  if (now === state) return;
  state = now;
  const element = by("line-state");
  put(document.body, "data-live", now === "NO_DATA" ? "no" : "yes");
  put(element, "data-state", now);
  say(by("line-word"), text(`state.${now}`));
  swapIcon(by("line-icon"), STATE_ICONS[now] ?? "warn");
}

// Light and dark

function writeScheme() {
  const choice = document.documentElement.dataset.schemeChoice ?? "auto";
  const words = text(`scheme.${choice}`);
  swapIcon(by("scheme-icon"), SCHEME_ICONS[/** @type {keyof typeof SCHEME_ICONS} */ (choice)] ?? "auto");
  put(by("scheme"), "aria-label", words);
  put(by("scheme"), "title", words);
}

by("scheme").addEventListener("click", () => {
  const choice = document.documentElement.dataset.schemeChoice ?? "auto";
  const next = SCHEMES[(SCHEMES.indexOf(choice) + 1) % SCHEMES.length];
  document.dispatchEvent(new CustomEvent("takt-scheme", { detail: next }));
  writeScheme();
});
writeScheme();

// The menu of a small screen

/** @param {boolean} isOpen */
function openMenu(isOpen) {
  put(document.body, "data-menu", isOpen ? "open" : null);
  put(by("menu"), "aria-expanded", String(isOpen));
  if (isOpen) by("side").querySelector("a")?.focus();
}

by("menu").addEventListener("click", () => openMenu(document.body.dataset.menu !== "open"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.body.dataset.menu !== "open") return;
  openMenu(false);
  by("menu").focus();
});
by("content").addEventListener("pointerdown", () => document.body.dataset.menu === "open" && openMenu(false));

by("side").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });

// Signing out

document.getElementById("sign-out")?.addEventListener("click", async (event) => {
  const key = /** @type {HTMLButtonElement} */ (event.currentTarget);
  key.disabled = true;
  try {
    const { ask } = await import("./ask.js");
    await ask(key.dataset.url ?? "", {});
    location.reload();
  } catch (error) {
    key.disabled = false;
    toastFailure(error);
  }
});
